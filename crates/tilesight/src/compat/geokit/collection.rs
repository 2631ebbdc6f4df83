//! GeoJSON feature collections: read as slices of their text, written as they are made.

use std::borrow::Cow;
use std::fmt;
use std::io::Write;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};
use tilesight_query::Period;
use tilesight_tile::LonLat;

use super::Error;
use super::geometry::{Geometry, Part, read_parts};
use crate::formats::{ATTRIBUTION, LICENSE};

/// The features of a collection, as slices of its text.
pub(super) struct Collection<'a>(Vec<&'a RawValue>);

impl<'a> Collection<'a> {
    /// Finds the features of a text.
    pub(super) fn read(text: &'a str) -> Result<Self, Error> {
        // Editors on Windows begin a file with a byte order mark.
        let text = text.trim_start_matches('\u{feff}');
        let members: Members<'a> = parse(text).map_err(Error::Collection)?;
        let kind: Option<Value> = members.value("type");
        if kind != Some(Value::from("FeatureCollection")) {
            let kind = kind.unwrap_or_default();
            return Err(Error::Collection(format!("its type is {kind}")));
        }
        let features = members.borrowed("features").unwrap_or("null");
        let features = parse(features).map_err(Error::Collection)?;
        Ok(Self(features))
    }

    /// How many features there are.
    pub(super) const fn len(&self) -> u64 {
        self.0.len() as u64
    }

    /// The features, read one by one.
    pub(super) fn features(&self) -> impl Iterator<Item = Result<Feature<'a>, Error>> {
        let features = self.0.iter().enumerate();
        features.map(|(at, raw)| Feature::read(at, raw.get()))
    }
}

fn parse<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}

/// A feature.
#[derive(Debug, Clone)]
pub(super) struct Feature<'a> {
    /// Its number in the collection.
    at: usize,
    /// As it was written.
    text: &'a str,
    members: Members<'a>,
    properties: Members<'a>,
}

impl<'a> Feature<'a> {
    pub(super) fn read(at: usize, text: &'a str) -> Result<Self, Error> {
        let problem = |error: String| Error::Feature {
            at,
            problem: format!(" is no feature: {error}"),
        };
        let members: Members<'a> = parse(text).map_err(problem)?;
        let properties = members.borrowed("properties").unwrap_or("null");
        let properties: Option<Members<'a>> = parse(properties).map_err(problem)?;
        Ok(Self {
            at,
            text,
            members,
            properties: properties.unwrap_or_default(),
        })
    }

    /// As it was written.
    pub(super) const fn text(&self) -> &'a str {
        self.text
    }

    /// Something wrong with it, to be read after its number.
    pub(super) fn problem(&self, problem: impl Into<String>) -> Error {
        Error::Feature {
            at: self.at,
            problem: problem.into(),
        }
    }

    /// A property as text: a string, or a number as it is written.
    pub(super) fn text_of(&self, name: &str) -> Option<String> {
        match self.properties.value(name)? {
            Value::String(text) => Some(text),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        }
    }

    /// A property as an exact integer, whether it is written as a number or as a string.
    pub(super) fn integer(&self, name: &str) -> Option<i64> {
        match self.properties.value(name)? {
            Value::String(text) => text.trim().parse().ok(),
            Value::Number(number) => number.as_i64().or_else(|| exact(number.as_f64()?)),
            _ => None,
        }
    }

    /// The id of the image that it is.
    pub(super) fn image_id(&self) -> Option<i64> {
        self.integer("id")
    }

    /// The sequence that it belongs to.
    pub(super) fn sequence_id(&self) -> Option<String> {
        self.text_of("sequence_id").filter(|id| !id.is_empty())
    }

    /// The sequence that it must belong to.
    pub(super) fn needed_sequence_id(&self) -> Result<String, Error> {
        let missing = || self.problem(r#" has no sequence_id: {"sequence_id":"aB3dE5gH7jK9mN1p"}"#);
        self.sequence_id().ok_or_else(missing)
    }

    /// Whether it is a panorama, or is made of some.
    pub(super) fn is_pano(&self) -> Option<bool> {
        self.properties.value("is_pano")?.as_bool()
    }

    /// When it was captured: milliseconds, or a date as our own exports write them.
    pub(super) fn captured_at_ms(&self) -> Option<i64> {
        let parsed = |text: &str| Some(text.parse::<Period>().ok()?.first_ms);
        let ms = match self.properties.value("captured_at")? {
            Value::String(text) => text.parse().ok().or_else(|| parsed(&text)),
            Value::Number(number) => number.as_i64().or_else(|| exact(number.as_f64()?)),
            _ => None,
        };
        ms.filter(|&ms| ms > 0)
    }

    /// The names of its properties.
    pub(super) fn property_names(&self) -> impl Iterator<Item = &str> {
        self.properties.0.iter().map(|(name, _)| name.as_str())
    }

    /// A property, whatever it is.
    pub(super) fn property(&self, name: &str) -> Option<Value> {
        self.properties.value(name)
    }

    /// Sets a property, in its place or at the end.
    pub(super) fn set(&mut self, name: &str, value: &impl Serialize) -> Result<(), Error> {
        self.properties.set(name, value)
    }

    /// Takes away properties that are no longer good.
    pub(super) fn remove(&mut self, names: &[&str]) {
        self.properties
            .0
            .retain(|(name, _)| !names.contains(&name.as_str()));
    }

    /// Sets the geometry.
    pub(super) fn set_geometry(&mut self, geometry: &Geometry) -> Result<(), Error> {
        self.members.set("geometry", geometry)
    }

    /// The text of its geometry.
    pub(super) fn geometry(&self) -> Result<&'a str, Error> {
        let geometry = self.members.borrowed("geometry");
        let geometry = geometry.filter(|text| *text != "null");
        geometry.ok_or_else(|| self.problem(" has no geometry"))
    }

    /// Its lines, and each of its points as a line of one position.
    pub(super) fn parts(&self) -> Result<Vec<Part>, Error> {
        read_parts(self.geometry()?).map_err(|problem| self.problem(problem))
    }

    /// The position of the point that it must be.
    pub(super) fn position(&self) -> Result<LonLat, Error> {
        match &self.parts()?[..] {
            [part] if part.len() == 1 => Ok(part[0]),
            _ => Err(self.problem(r#" is no point: {"type":"Point","coordinates":[24.95,60.17]}"#)),
        }
    }
}

/// An integer that came as a double which holds it exactly.
fn exact(number: f64) -> Option<i64> {
    let is_exact = number.fract() == 0.0 && number.abs() < (1_i64 << f64::MANTISSA_DIGITS) as f64;
    is_exact.then_some(number as i64)
}

impl Serialize for Feature<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (name, value) in &self.members.0 {
            match name.as_str() {
                "properties" => map.serialize_entry(name, &self.properties)?,
                _ => map.serialize_entry(name, value)?,
            }
        }
        map.end()
    }
}

/// The members of an object in their order, the values as slices of its text.
#[derive(Debug, Clone, Default)]
struct Members<'a>(Vec<(String, Cow<'a, RawValue>)>);

impl<'a> Members<'a> {
    fn get(&self, name: &str) -> Option<&Cow<'a, RawValue>> {
        let mut members = self.0.iter();
        members
            .find(|(known, _)| known == name)
            .map(|(_, value)| value)
    }

    fn value(&self, name: &str) -> Option<Value> {
        serde_json::from_str(self.get(name)?.get()).ok()
    }

    /// The text of a member that was not set since it was read.
    fn borrowed(&self, name: &str) -> Option<&'a str> {
        match self.get(name)? {
            Cow::Borrowed(raw) => Some(raw.get()),
            Cow::Owned(_) => None,
        }
    }

    fn set(&mut self, name: &str, value: &impl Serialize) -> Result<(), Error> {
        let value = Cow::Owned(to_raw_value(value).map_err(std::io::Error::from)?);
        match self.0.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => *old = value,
            None => self.0.push((name.to_owned(), value)),
        }
        Ok(())
    }
}

impl Serialize for Members<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
        let mut members = Members::default();
        while let Some((name, value)) = map.next_entry::<String, &'de RawValue>()? {
            members.0.push((name, Cow::Borrowed(value)));
        }
        Ok(members)
    }
}

/// Writes a collection, a feature a line, with attribution and licence.
pub(super) struct CollectionWriter<'w> {
    out: &'w mut dyn Write,
    written: u64,
}

impl<'w> CollectionWriter<'w> {
    pub(super) fn new(out: &'w mut dyn Write) -> Result<Self, Error> {
        let (attribution, license) = (Value::from(ATTRIBUTION), Value::from(LICENSE));
        writeln!(
            out,
            "{{\"type\":\"FeatureCollection\",\"attribution\":{attribution},\
             \"license\":{license},\"features\":["
        )?;
        Ok(Self { out, written: 0 })
    }

    /// Writes a feature as it came.
    pub(super) fn write_text(&mut self, feature: &str) -> Result<(), Error> {
        self.separate()?;
        Ok(self.out.write_all(feature.as_bytes())?)
    }

    pub(super) fn write(&mut self, feature: &impl Serialize) -> Result<(), Error> {
        self.separate()?;
        let written = serde_json::to_writer(&mut *self.out, feature);
        Ok(written.map_err(std::io::Error::from)?)
    }

    /// Ends the collection; returns how many features it has.
    pub(super) fn finish(self) -> Result<u64, Error> {
        self.out.write_all(b"\n]}\n")?;
        self.out.flush()?;
        Ok(self.written)
    }

    fn separate(&mut self) -> Result<(), Error> {
        if self.written > 0 {
            self.out.write_all(b",\n")?;
        }
        self.written += 1;
        Ok(())
    }
}

/// A feature that is made here.
#[derive(Debug, serde::Serialize)]
#[serde(tag = "type", rename = "Feature")]
pub(super) struct NewFeature<P> {
    pub(super) geometry: Geometry,
    pub(super) properties: P,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn feature(properties: &str) -> Feature<'_> {
        let properties = parse(properties).unwrap();
        Feature {
            at: 3,
            text: "",
            members: Members::default(),
            properties,
        }
    }

    #[test]
    fn ids_are_exact_however_they_are_written() {
        for text in ["9007199254740993", r#""9007199254740993""#] {
            let id = feature(&format!(r#"{{"id":{text}}}"#)).image_id();
            assert_eq!(id, Some(9_007_199_254_740_993), "{text}");
        }
        assert_eq!(feature(r#"{"id":17.0}"#).image_id(), Some(17));
        for none in [
            "1e300",
            "17.5",
            "null",
            r#""x""#,
            "[]",
            "9007199254740992.0",
        ] {
            assert_eq!(
                feature(&format!(r#"{{"id":{none}}}"#)).image_id(),
                None,
                "{none}"
            );
        }
    }

    #[test]
    fn times_are_milliseconds_or_dates_and_not_zero() {
        for (text, ms) in [
            ("1563721072184", Some(1_563_721_072_184)),
            (r#""1563721072184""#, Some(1_563_721_072_184)),
            (r#""2019-07-21T14:57:52.184Z""#, Some(1_563_721_072_184)),
            ("0", None),
            ("-5", None),
            ("null", None),
            (r#""once""#, None),
        ] {
            let properties = format!(r#"{{"captured_at":{text}}}"#);
            assert_eq!(feature(&properties).captured_at_ms(), ms, "{text}");
        }
    }

    #[test]
    fn what_is_not_known_goes_through_in_its_order() {
        let text = r#"{"type":"Feature","id":7,"properties":{"z":1.50,"a":[{"b":null}]},"geometry":null,"x":"é"}"#;
        let mut feature = Feature::read(0, text).unwrap();
        assert_eq!(serde_json::to_string(&feature).unwrap(), text);
        feature.set("z", &2).unwrap();
        feature.set("length", &1.5).unwrap();
        let expected = text
            .replace("1.50", "2")
            .replace("}]}", r#"}],"length":1.5}"#);
        assert_eq!(serde_json::to_string(&feature).unwrap(), expected);
    }

    #[test]
    fn what_is_no_collection_is_refused_with_a_right_one() {
        for wrong in [
            "",
            "[]",
            "null",
            "{",
            r#"{"type":"Feature"}"#,
            r#"{"type":"FeatureCollection"}"#,
            r#"{"type":"FeatureCollection","features":{}}"#,
        ] {
            let error = Collection::read(wrong).err().unwrap().to_string();
            assert!(error.contains(r#""features":["#), "{error}");
        }
        let text = "\u{feff}{\"features\":[],\"type\":\"FeatureCollection\"}";
        assert_eq!(Collection::read(text).unwrap().features().count(), 0);
    }

    #[test]
    fn a_wrong_feature_is_named() {
        let text = r#"{"type":"FeatureCollection","features":[{}, 5]}"#;
        let collection = Collection::read(text).unwrap();
        let error = collection.features().nth(1).unwrap().unwrap_err();
        assert!(
            error.to_string().starts_with("features[1] is no feature"),
            "{error}"
        );
        let feature = collection.features().next().unwrap().unwrap();
        let error = feature.parts().unwrap_err().to_string();
        assert_eq!(error, "features[0] has no geometry");
    }

    proptest! {
        #[test]
        fn any_text_is_a_collection_or_an_error(text in ".{0,200}", members in "[\\[\\]{}\",:a-z0-9]{0,60}") {
            let wrapped = format!(r#"{{"type":"FeatureCollection","features":[{members}]}}"#);
            for text in [&text, &wrapped] {
                if let Ok(collection) = Collection::read(text) {
                    for feature in collection.features().flatten() {
                        let _ = (feature.parts(), feature.image_id(), feature.captured_at_ms());
                    }
                }
            }
        }
    }
}
