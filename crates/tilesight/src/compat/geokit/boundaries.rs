//! The areas that points are asked for, and the files that are written for each.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};

use icu_normalizer::DecomposingNormalizerBorrowed;
use serde::Deserialize;
use serde_json::Value;
use tilesight_query::Place;
use tilesight_tile::Region;

use super::Error;
use super::collection::{Collection, Feature};

/// Longest name of a boundary in a file name, in bytes: with what is added to it, it stays below
/// the 255 that file systems allow.
const MAX_NAME_LEN: usize = 100;

/// Ending of every file that is written.
const EXTENSION: &str = ".geojson";

/// An area of its own.
#[derive(Debug, Clone)]
pub struct Boundary {
    /// What its files are named after; none where it is the only one.
    pub name: Option<String>,
    /// Where it is.
    pub place: Place,
}

/// Reads the boundaries of a GeoJSON text.
///
/// # Returns
///
/// One for each feature of a collection, named after the field `field_name`, or, without one or
/// where it has no value, after its number, counted from 1; points among them are passed over. A
/// geometry or feature that is alone is one boundary, without a name where no field is asked for.
///
/// # Errors
///
/// [`Error::NoSuchField`] when no feature has the field; [`Error::Region`] and [`Error::Feature`]
/// for areas that are none.
///
/// # Example
///
/// ```
/// use tilesight::compat::geokit::boundaries;
///
/// let text = r#"{"type": "FeatureCollection", "features": [{"type": "Feature",
///     "properties": {"name": "Old Town"}, "geometry": {"type": "Polygon",
///     "coordinates": [[[24.9, 60.1], [25, 60.1], [25, 60.2], [24.9, 60.1]]]}}]}"#;
/// assert_eq!(boundaries(text, Some("name"))?[0].name.as_deref(), Some("Old Town"));
/// assert_eq!(boundaries(text, None)?[0].name.as_deref(), Some("1"));
/// # Ok::<(), tilesight::compat::geokit::Error>(())
/// ```
pub fn boundaries(geojson: &str, field_name: Option<&str>) -> Result<Vec<Boundary>, Error> {
    if kind(geojson).as_deref() != Some("FeatureCollection") {
        return Ok(vec![Boundary {
            place: Place::Region(Region::from_geojson(geojson)?),
            name: field_name.and_then(|field| value(&Feature::read(0, geojson).ok()?, field)),
        }]);
    }
    let collection = Collection::read(geojson)?;
    let features: Vec<Feature<'_>> = collection.features().collect::<Result<_, _>>()?;
    if let Some(field) = field_name {
        check_field(field, &features)?;
    }
    let mut boundaries = Vec::new();
    for feature in features.iter().filter(|feature| !is_label(feature)) {
        let region = Region::from_geojson(feature.text());
        let region = region.map_err(|error| feature.problem(format!(": {error}")))?;
        let name = field_name.and_then(|field| value(feature, field));
        let number = boundaries.len() + 1;
        boundaries.push(Boundary {
            name: name.or_else(|| Some(number.to_string())),
            place: Place::Region(region),
        });
    }
    Ok(boundaries)
}

/// The type of a GeoJSON object.
fn kind(geojson: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Object {
        r#type: String,
    }
    let object = serde_json::from_str::<Object>(geojson.trim_start_matches('\u{feff}'));
    Some(object.ok()?.r#type)
}

/// Whether a feature is a point, as exports of OpenStreetMap put them beside areas.
fn is_label(feature: &Feature<'_>) -> bool {
    let kind = feature.geometry().ok().and_then(kind);
    matches!(kind.as_deref(), Some("Point" | "MultiPoint"))
}

fn check_field(field: &str, features: &[Feature<'_>]) -> Result<(), Error> {
    let known: BTreeSet<&str> = features.iter().flat_map(Feature::property_names).collect();
    if known.contains(field) || features.is_empty() {
        return Ok(());
    }
    let known: Vec<&str> = known.into_iter().collect();
    Err(Error::NoSuchField {
        field: field.to_owned(),
        known: known.join(", "),
    })
}

/// The value of a field as text; none where there is nothing to read.
fn value(feature: &Feature<'_>, field: &str) -> Option<String> {
    let text = match feature.property(field)? {
        Value::Null => return None,
        Value::String(text) => text,
        other => other.to_string(),
    };
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// The files of one boundary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputFiles {
    /// Panoramas as points: `…__pano.geojson`.
    pub points_pano: PathBuf,
    /// Other images as points: `…__no__pano.geojson`.
    pub points_no_pano: PathBuf,
    /// Sequences of panoramas.
    pub sequences_pano: PathBuf,
    /// Other sequences.
    pub sequences_no_pano: PathBuf,
}

/// Names the files of each boundary after those that were given for points and sequences.
///
/// # Returns
///
/// Files beside those that were given: `{name}_{file}__pano.geojson` and
/// `{name}_{file}__no__pano.geojson`, without the first part where the boundary has no name.
/// Whatever a name holds, its files lie in the same folder, and no two are the same, also where
/// the file system does not tell capital letters from small ones, or letters from the same that
/// are put together otherwise: what is neither a letter, a digit, nor one of `-`, `_` and `.`
/// becomes `_`, and names that came before get a number.
///
/// # Errors
///
/// [`Error::FileName`] when a given name does not end in `.geojson`, or both are the same.
///
/// # Example
///
/// ```
/// use std::path::Path;
/// use tilesight::compat::geokit::{Boundary, output_files};
///
/// let boundary = |name: &str| Boundary { name: Some(name.into()), place: Default::default() };
/// let (points, sequences) = (Path::new("data/points.geojson"), Path::new("data/lines.geojson"));
/// let files = output_files(&[boundary("../Old Town")], points, sequences)?;
/// assert_eq!(files[0].points_pano, Path::new("data/___Old_Town_points__pano.geojson"));
/// # Ok::<(), tilesight::compat::geokit::Error>(())
/// ```
pub fn output_files(
    boundaries: &[Boundary],
    points: &Path,
    sequences: &Path,
) -> Result<Vec<OutputFiles>, Error> {
    let bases = [stem(points)?, stem(sequences)?];
    if bases
        .iter()
        .map(|base| folded(&base.to_string_lossy()))
        .collect::<HashSet<_>>()
        .len()
        < bases.len()
    {
        return Err(Error::FileName {
            path: sequences.display().to_string(),
            problem: "is the file of points, too; give sequences one of their own",
        });
    }
    let mut taken = Taken::default();
    let names = boundaries
        .iter()
        .map(|boundary| boundary.name.as_deref().map(safe));
    Ok(names
        .map(|name| taken.free(&bases, name.as_deref()))
        .collect())
}

/// A path without its ending.
fn stem(path: &Path) -> Result<PathBuf, Error> {
    let name = path.file_name().and_then(|name| name.to_str());
    let at = name.map_or(0, |name| name.len().saturating_sub(EXTENSION.len()));
    let parts = name.and_then(|name| name.split_at_checked(at));
    match parts {
        Some((stem, ending)) if !stem.is_empty() && ending.eq_ignore_ascii_case(EXTENSION) => {
            Ok(path.with_file_name(stem))
        }
        _ => Err(Error::FileName {
            path: path.display().to_string(),
            problem: "does not end in .geojson: data/points.geojson",
        }),
    }
}

/// A name as part of a file name.
fn safe(name: &str) -> String {
    let is_safe = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    let mut safe: String = name
        .trim()
        .chars()
        .map(|c| if is_safe(c) { c } else { '_' })
        .collect();
    while safe.len() > MAX_NAME_LEN {
        safe.pop();
    }
    let hidden = safe.len() - safe.trim_start_matches('.').len();
    safe.replace_range(..hidden, &"_".repeat(hidden));
    safe
}

/// What cannot be the name of another file.
#[derive(Default)]
struct Taken {
    /// Paths, folded.
    files: HashSet<String>,
    /// For each name, folded, the first number that was not tried yet.
    numbers: HashMap<Option<String>, u64>,
}

impl Taken {
    /// The files of a name, or of the first number after it of which none is taken.
    fn free(&mut self, bases: &[PathBuf; 2], name: Option<&str>) -> OutputFiles {
        let number = self.numbers.entry(name.map(folded)).or_insert(1);
        loop {
            let files = files(bases, numbered(name, *number).as_deref());
            *number += 1;
            let names = files.all().map(|path| folded(&path.to_string_lossy()));
            if names.iter().all(|name| !self.files.contains(name)) {
                self.files.extend(names);
                return files;
            }
        }
    }
}

/// A name with a number after it; the first has none.
fn numbered(name: Option<&str>, number: u64) -> Option<String> {
    match (name, number) {
        (name, 1) => name.map(str::to_owned),
        (Some(name), _) => Some(format!("{name}_{number}")),
        (None, _) => Some(number.to_string()),
    }
}

fn files([points, sequences]: &[PathBuf; 2], prefix: Option<&str>) -> OutputFiles {
    let file = |base: &Path, ending: &str| {
        let base_name = base.file_name().unwrap_or_default().to_string_lossy();
        let prefix = prefix
            .map(|prefix| format!("{prefix}_"))
            .unwrap_or_default();
        base.with_file_name(format!("{prefix}{base_name}{ending}{EXTENSION}"))
    };
    OutputFiles {
        points_pano: file(points, "__pano"),
        points_no_pano: file(points, "__no__pano"),
        sequences_pano: file(sequences, "__pano"),
        sequences_no_pano: file(sequences, "__no__pano"),
    }
}

impl OutputFiles {
    fn all(&self) -> [&PathBuf; 4] {
        [
            &self.points_pano,
            &self.points_no_pano,
            &self.sequences_pano,
            &self.sequences_no_pano,
        ]
    }
}

/// A text as file systems see it that tell neither capital letters from small ones nor a letter
/// from its parts: those of Apple compare names in canonical decomposition (Unicode Standard
/// Annex 15).
fn folded(text: &str) -> String {
    let decomposing = DecomposingNormalizerBorrowed::new_nfd();
    let decomposed = decomposing.normalize(text);
    // By way of capitals, since some small letters have two of them.
    let folded = decomposed.to_uppercase().to_lowercase();
    decomposing.normalize(&folded).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn named(names: &[&str]) -> Vec<OutputFiles> {
        let boundary = |name: &&str| Boundary {
            name: Some((*name).to_owned()),
            place: Place::Everywhere,
        };
        let boundaries: Vec<Boundary> = names.iter().map(boundary).collect();
        let (points, sequences) = (Path::new("data/p.geojson"), Path::new("data/s.geojson"));
        output_files(&boundaries, points, sequences).unwrap()
    }

    #[test]
    fn spaces_become_underscores_and_equal_names_are_numbered() {
        let files = named(&["Old Town", "old town", "São Paulo", "..", "a/b"]);
        let points: Vec<_> = files
            .iter()
            .map(|files| files.points_pano.to_str().unwrap())
            .collect();
        let expected = [
            "data/Old_Town_p__pano.geojson",
            "data/old_town_2_p__pano.geojson",
            "data/São_Paulo_p__pano.geojson",
            "data/___p__pano.geojson",
            "data/a_b_p__pano.geojson",
        ];
        assert_eq!(points, expected);
        assert_eq!(
            files[0].sequences_no_pano,
            Path::new("data/Old_Town_s__no__pano.geojson")
        );
    }

    #[test]
    fn names_that_apple_takes_for_the_same_are_numbered() {
        // A syllable and its two letters, an ideograph and its compatible twin.
        let files = named(&["\u{ac00}", "\u{1100}\u{1161}", "\u{8c48}", "\u{f900}"]);
        let points = files.iter().map(|files| files.points_pano.to_str());
        let expected = [
            "data/\u{ac00}_p__pano.geojson",
            "data/\u{1100}\u{1161}_2_p__pano.geojson",
            "data/\u{8c48}_p__pano.geojson",
            "data/\u{f900}_2_p__pano.geojson",
        ];
        assert!(points.eq(expected.map(Some)));
    }

    #[test]
    fn without_a_name_nothing_stands_before_the_file() {
        let everywhere = Boundary {
            name: None,
            place: Place::Everywhere,
        };
        let files = output_files(
            &[everywhere],
            Path::new("p.GeoJSON"),
            Path::new("s.geojson"),
        );
        assert_eq!(
            files.unwrap()[0].points_no_pano,
            Path::new("p__no__pano.geojson")
        );
    }

    #[test]
    fn file_names_that_cannot_be_are_refused() {
        for (points, sequences) in [
            ("p.json", "s.geojson"),
            ("p.geojson", "s"),
            (".geojson", "s.geojson"),
            ("data/", "s.geojson"),
            ("data/p.geojson", "data/P.geojson"),
        ] {
            let refused = output_files(&[], Path::new(points), Path::new(sequences));
            assert!(
                matches!(refused, Err(Error::FileName { .. })),
                "{points} {sequences}"
            );
        }
    }

    const TRIANGLE: &str =
        r#"{"type":"Polygon","coordinates":[[[24.9,60.1],[25,60.1],[25,60.2],[24.9,60.1]]]}"#;

    fn collection(properties: &[&str]) -> String {
        let feature = |properties: &&str| {
            format!(r#"{{"type":"Feature","properties":{properties},"geometry":{TRIANGLE}}}"#)
        };
        let features: Vec<String> = properties.iter().map(feature).collect();
        let label =
            r#"{"type":"Feature","properties":{},"geometry":{"type":"Point","coordinates":[1,2]}}"#;
        let features = features.join(",");
        format!(r#"{{"type":"FeatureCollection","features":[{label},{features}]}}"#)
    }

    fn names(text: &str, field: Option<&str>) -> Vec<Option<String>> {
        let boundaries = boundaries(text, field).unwrap();
        boundaries
            .into_iter()
            .map(|boundary| boundary.name)
            .collect()
    }

    #[test]
    fn boundaries_are_named_after_a_field_or_numbered() {
        let text = collection(&[
            r#"{"n":" Old Town "}"#,
            r#"{"n":7}"#,
            r#"{"n":""}"#,
            r#"{"m":1}"#,
        ]);
        let some = |name: &str| Some(name.to_owned());
        assert_eq!(
            names(&text, Some("n")),
            [some("Old Town"), some("7"), some("3"), some("4")]
        );
        assert_eq!(
            names(&text, None),
            [some("1"), some("2"), some("3"), some("4")]
        );
        assert_eq!(names(TRIANGLE, None), [None]);
        let alone =
            format!(r#"{{"type":"Feature","properties":{{"n":"x"}},"geometry":{TRIANGLE}}}"#);
        assert_eq!(names(&alone, Some("n")), [some("x")]);
    }

    #[test]
    fn a_field_that_no_boundary_has_is_named_with_those_there_are() {
        let error = boundaries(&collection(&[r#"{"name":1,"area":2}"#]), Some("nam"));
        let error = error.unwrap_err().to_string();
        assert_eq!(
            error,
            r#"no boundary has the field "nam"; there are: area, name"#
        );
    }

    #[test]
    fn an_open_ring_is_no_boundary() {
        let text = collection(&["{}"]).replace("[24.9,60.1]]]", "[24.9,60.15]]]");
        let error = boundaries(&text, None).unwrap_err().to_string();
        assert!(error.starts_with("features[1]: "), "{error}");
    }

    proptest! {
        #[test]
        fn no_name_leaves_the_folder_or_meets_another(
            names in prop::collection::vec(prop_oneof![".{0,300}", "[aA_.s/p ]{0,3}"], 0..20),
        ) {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let files = named(&names);
            let paths: Vec<&PathBuf> = files.iter().flat_map(OutputFiles::all).collect();
            let distinct: HashSet<String> = paths.iter().map(|path| folded(&path.to_string_lossy())).collect();
            prop_assert_eq!(distinct.len(), 4 * names.len());
            for path in paths {
                prop_assert_eq!(path.parent(), Some(Path::new("data")));
                prop_assert!(path.file_name().unwrap().len() <= 255);
                let parts: Vec<_> = path.components().collect();
                prop_assert!(matches!(parts[..], [_, std::path::Component::Normal(_)]));
            }
        }
    }
}
