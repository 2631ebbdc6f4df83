//! Sequences in the shapes of services that are no more.

use std::io::{self, Write};

use tilesight_query::{Image, Kind, SequenceSelection, Track};

use super::Written;
use super::chunks::{chunks_of, in_order};
use super::geojson::{push_array, push_positions, push_quoted, push_text};
use super::number::{push_degrees, push_integer, push_shortest, push_time};
use crate::Dataset;
use crate::import::ImportedSequence;

/// Sequences that are transformed at once.
const CHUNK_ROWS: usize = 1 << 8;

/// How sequences were given by services that are no more.
///
/// Lines lead through the images of a sequence, so that coordinates, headings and ids are
/// parallel, also across tiles that are not held; a line through a single image has its place
/// twice, since a line has two positions at least (RFC 7946, section 3.1.4). Where no image is
/// held, the lists are empty. What tiles do not tell is `null`, but for what was
/// [imported](crate::import) and is known to [`write_of`](SequenceShape::write_of).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SequenceShape {
    /// `s/:key` of Mapillary's API v2: an object a sequence.
    V2,
    /// `s/:key/geojson` of Mapillary's API v2: a feature a sequence.
    V2GeoJson,
    /// Mapillary's API v3: a feature a sequence.
    V3,
}

impl SequenceShape {
    /// Writes sequences in this shape: as one JSON array or feature collection, or, `as_lines`, as
    /// an object or feature a line.
    ///
    /// # Errors
    ///
    /// Those of `out` alone.
    ///
    /// # Example
    ///
    /// ```
    /// use tilesight::formats::SequenceShape;
    /// use tilesight::{Dataset, Image, SequenceQuery};
    ///
    /// let image = |id, lon| Image { sequence_id: Some("walk"), ..Image::at(id, lon, 60.17) };
    /// let data = Dataset::from_images([image(1, 24.93), image(2, 24.95)])?;
    /// let found = data.sequences(&SequenceQuery::default())?;
    /// let mut json = Vec::new();
    /// SequenceShape::V2.write(&found, true, &mut json)?;
    /// assert!(str::from_utf8(&json)?.contains(r#""key":"walk","keys":["1","2"]"#));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn write(
        self,
        found: &SequenceSelection<'_>,
        as_lines: bool,
        out: &mut dyn Write,
    ) -> io::Result<Written> {
        self.write_found(found, None, as_lines, out)
    }

    /// Writes sequences that a dataset was asked for as [`write`](Self::write) does, with what it
    /// knows of those that were imported: the user, the camera, the date of upload, and the keys
    /// that images had before 2021.
    ///
    /// # Errors
    ///
    /// Those of `out` alone.
    pub fn write_of(
        self,
        data: &Dataset,
        found: &SequenceSelection<'_>,
        as_lines: bool,
        out: &mut dyn Write,
    ) -> io::Result<Written> {
        self.write_found(found, Some(data), as_lines, out)
    }

    fn write_found(
        self,
        found: &SequenceSelection<'_>,
        data: Option<&Dataset>,
        as_lines: bool,
        out: &mut dyn Write,
    ) -> io::Result<Written> {
        let (head, separator, tail) = match self {
            _ if as_lines => ("", "\n", if found.is_empty() { "" } else { "\n" }),
            Self::V2 => ("[", ",\n", "]\n"),
            Self::V2GeoJson => (
                "{\"more\":false,\"type\":\"FeatureCollection\",\"features\":[",
                ",\n",
                "]}\n",
            ),
            Self::V3 => (
                "{\"type\":\"FeatureCollection\",\"features\":[",
                ",\n",
                "]}\n",
            ),
        };
        out.write_all(head.as_bytes())?;
        let mut written = Written::default();
        let transform =
            |tracks: &Vec<Track<'_>>| (self.text(tracks, data, separator), tracks.len());
        let chunks = chunks_of(found.tracks(), CHUNK_ROWS);
        in_order(chunks, transform, |(text, rows)| {
            let skipped = if written.rows == 0 {
                separator.len()
            } else {
                0
            };
            written.rows += rows as u64;
            out.write_all(&text?[skipped..])
        })?;
        out.write_all(tail.as_bytes())?;
        out.flush()?;
        Ok(written)
    }

    /// Sequences, each after a separator.
    fn text(
        self,
        tracks: &[Track<'_>],
        data: Option<&Dataset>,
        separator: &str,
    ) -> io::Result<Vec<u8>> {
        let mut text = Vec::new();
        for track in tracks {
            text.extend_from_slice(separator.as_bytes());
            let images: Vec<Image<'_>> = track.images().map_err(io::Error::other)?.collect();
            let sequence = Shaped {
                track,
                images,
                imported: data.and_then(|data| data.source().imported(track.sequence.id)),
            };
            match self {
                Self::V2 => sequence.push_v2(&mut text),
                Self::V2GeoJson => sequence.push_v2_feature(&mut text),
                Self::V3 => sequence.push_v3_feature(&mut text),
            }
        }
        Ok(text)
    }
}

/// A sequence with its images.
struct Shaped<'t, 'a> {
    track: &'t Track<'a>,
    images: Vec<Image<'a>>,
    imported: Option<&'t ImportedSequence>,
}

impl Shaped<'_, '_> {
    fn push_v2(&self, out: &mut Vec<u8>) {
        push(out, "{\"boundary\":");
        self.push_boundary(out);
        push(out, ",\"captured_at\":");
        self.push_captured_at(out, push_integer);
        push(out, ",\"cas\":");
        self.push_headings(out);
        push(out, ",\"coords\":");
        push_positions(out, &self.positions());
        push(out, ",\"key\":");
        push_text(out, self.track.sequence.id);
        push(out, ",\"keys\":");
        self.push_keys(out);
        push(out, "}");
    }

    fn push_v2_feature(&self, out: &mut Vec<u8>) {
        push(out, "{\"type\":\"Feature\",\"geometry\":");
        self.push_line(out, true);
        push(out, ",\"properties\":{\"boundary\":");
        self.push_boundary(out);
        push(out, ",\"captured_at\":");
        self.push_captured_at(out, push_integer);
        push(out, ",\"key\":");
        push_text(out, self.track.sequence.id);
        push(out, ",\"keys\":");
        self.push_keys(out);
        push(out, ",\"cas\":");
        self.push_headings(out);
        push(out, "}}");
    }

    fn push_v3_feature(&self, out: &mut Vec<u8>) {
        let sequence = &self.track.sequence;
        push(
            out,
            "{\"type\":\"Feature\",\"properties\":{\"camera_make\":",
        );
        self.push_imported(out, |imported| imported.camera_make.as_deref());
        push(out, ",\"captured_at\":");
        self.push_captured_at(out, |out, ms| push_quoted(out, |out| push_time(out, ms)));
        push(out, ",\"coordinateProperties\":{\"cas\":");
        self.push_headings(out);
        push(out, ",\"image_keys\":");
        self.push_keys(out);
        push(out, "},\"created_at\":");
        match self.imported.and_then(|imported| imported.created_at_ms) {
            Some(ms) => push_quoted(out, |out| push_time(out, ms)),
            None => push(out, "null"),
        }
        push(out, ",\"key\":");
        push_text(out, sequence.id);
        push(out, ",\"pano\":");
        push(
            out,
            match sequence.kind {
                Some(Kind::Pano) => "true",
                Some(Kind::Flat) => "false",
                None => "null",
            },
        );
        push(out, ",\"user_key\":");
        match sequence.creator_id {
            Some(creator) => push_quoted(out, |out| push_integer(out, creator)),
            None => self.push_imported(out, |imported| imported.user_key.as_deref()),
        }
        push(out, ",\"username\":");
        self.push_imported(out, |imported| imported.username.as_deref());
        push(out, "},\"geometry\":");
        self.push_line(out, false);
        push(out, "}");
    }

    /// Writes a text that only an import tells.
    fn push_imported(
        &self,
        out: &mut Vec<u8>,
        text: impl FnOnce(&ImportedSequence) -> Option<&str>,
    ) {
        match self.imported.and_then(text) {
            Some(text) => push_text(out, text),
            None => push(out, "null"),
        }
    }

    fn positions(&self) -> Vec<[f64; 2]> {
        let images = self.images.iter();
        images.map(|image| [image.lon, image.lat]).collect()
    }

    /// West, south, east, north of the images; none without images.
    fn bounds(&self) -> Option<[f64; 4]> {
        let (first, rest) = self.images.split_first()?;
        let around = |[west, south, east, north]: [f64; 4], image: &Image<'_>| {
            [
                west.min(image.lon),
                south.min(image.lat),
                east.max(image.lon),
                north.max(image.lat),
            ]
        };
        let bounds = [first.lon, first.lat, first.lon, first.lat];
        Some(rest.iter().fold(bounds, around))
    }

    fn push_boundary(&self, out: &mut Vec<u8>) {
        let Some([west, south, east, north]) = self.bounds() else {
            return push(out, "null");
        };
        for (name, degrees) in [
            ("{\"min_lat\":", south),
            (",\"min_lon\":", west),
            (",\"max_lat\":", north),
            (",\"max_lon\":", east),
        ] {
            push(out, name);
            push_degrees(out, degrees);
        }
        push(out, "}");
    }

    /// The line through the images.
    fn push_line(&self, out: &mut Vec<u8>, with_bbox: bool) {
        let mut positions = self.positions();
        if let [only] = positions[..] {
            positions.push(only);
        }
        push(out, "{\"type\":\"LineString\",");
        if let (true, Some(bounds)) = (with_bbox, self.bounds()) {
            push(out, "\"bbox\":");
            push_array(out, &bounds, |out, &degrees| push_degrees(out, degrees));
            push(out, ",");
        }
        push(out, "\"coordinates\":");
        push_positions(out, &positions);
        push(out, "}");
    }

    /// The time of the first image.
    fn push_captured_at(&self, out: &mut Vec<u8>, push_ms: impl FnOnce(&mut Vec<u8>, i64)) {
        match self.track.sequence.first_captured_at_ms {
            Some(ms) => push_ms(out, ms),
            None => push(out, "null"),
        }
    }

    fn push_headings(&self, out: &mut Vec<u8>) {
        push_array(out, &self.images, |out, image| {
            match image.compass_angle_deg {
                Some(heading) => push_shortest(out, heading),
                None => push(out, "null"),
            }
        });
    }

    fn push_keys(&self, out: &mut Vec<u8>) {
        push_array(out, &self.images, |out, image| {
            match self
                .imported
                .and_then(|imported| imported.old_key(image.id))
            {
                Some(key) => push_text(out, key),
                None => push_quoted(out, |out| push_integer(out, image.id)),
            }
        });
    }
}

fn push(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.as_bytes());
}
