//! From one layer to its columns.

use crate::budget::{Budget, Exhausted};
use crate::columns::Columns;
use crate::error::{Error, FeatureBreach};
use crate::frame::{Projection, TileFrame};
use crate::geometry::{self, GeometryType, Needs, Rules, Unreadable};
use crate::layer::{RawFeature, RawLayer, UsualFeature};
use crate::rows::Lookup;
use crate::schema::LayerSchema;
use crate::wire::Reader;

impl RawLayer<'_> {
    /// Decodes the geometry and the attributes of a schema into `columns`.
    ///
    /// # Returns
    ///
    /// Nothing; `columns` then holds the rows of this layer, and its old rows are gone. A feature
    /// that breaks the specification is left out and counted in [`Columns::skipped`].
    ///
    /// # Units
    ///
    /// Tile units become grid units as [`TileFrame`] says.
    ///
    /// # Errors
    ///
    /// [`Error::Wire`] where a feature or a value is no valid protobuf message, [`Error::Layer`]
    /// for a value without a type, [`Error::Feature`] for a breach that
    /// [is fatal](FeatureBreach::is_fatal), [`Error::Memory`] where the columns would be out of
    /// proportion to the layer (a multipoint of many points with many attributes). `columns` is
    /// empty then.
    ///
    /// # Cost
    ///
    /// One pass over the tables, one over the features. Memory is reserved exactly, by counts
    /// taken from the bytes, and less than 4 bytes for each byte of the layer, plus 1 MiB.
    ///
    /// # Source
    ///
    /// Mapbox Vector Tile 2.1, sections 4.2 to 4.4.
    pub fn decode(
        &self,
        schema: &LayerSchema<'_>,
        frame: TileFrame,
        columns: &mut Columns,
    ) -> Result<(), Error> {
        columns.reset(schema);
        let mut budget = self.budget();
        let decoded = columns
            .tables
            .read(self, schema, &mut budget)
            .and_then(|()| Decoding::new(self, frame, budget, columns).run());
        if decoded.is_err() {
            columns.reset(schema);
        }
        decoded
    }
}

/// The state of decoding one layer.
struct Decoding<'l, 'c> {
    layer: &'l RawLayer<'l>,
    rules: Rules,
    budget: Budget,
    columns: &'c mut Columns,
    /// Whether room was made for what the remaining features really need.
    measured: bool,
}

impl<'l, 'c> Decoding<'l, 'c> {
    fn new(
        layer: &'l RawLayer<'l>,
        frame: TileFrame,
        budget: Budget,
        columns: &'c mut Columns,
    ) -> Self {
        let projection = Projection::new(frame, layer.extent());
        let rules = Rules {
            projection,
            version: layer.version(),
        };
        let absent = columns.tables.absent();
        columns.pending.reset(columns.attributes.len(), absent);
        Self {
            layer,
            rules,
            budget,
            columns,
            measured: false,
        }
    }

    fn run(mut self) -> Result<(), Error> {
        let needs = Needs {
            rows: self.layer.feature_count(),
            ..Needs::default()
        };
        self.reserve(needs)
            .map_err(|exhausted| self.layer.memory_error(exhausted))?;
        for (index, message) in self.layer.feature_messages().enumerate() {
            if self.usual_feature(message).is_some() {
                continue;
            }
            self.columns.pending.discard();
            if let Err(reason) = self.feature(message, index) {
                self.leave_out(message, reason)?;
            }
        }
        self.flush()
            .or_else(|reason| self.leave_out(self.layer.body(), reason))
    }

    /// Appends the row of a feature that is a single point and has nothing uncommon about it.
    ///
    /// Otherwise there is no row, and [`feature`](Self::feature) has to look at it.
    #[inline]
    fn usual_feature(&mut self, message: Reader<'_>) -> Option<()> {
        let Columns {
            shapes,
            pending,
            tables,
            ..
        } = &mut *self.columns;
        if pending.is_full() {
            return None;
        }
        let feature = UsualFeature::read(message)?;
        let (x, y) = geometry::decode_usual(feature.geometry, &self.rules)?;
        pending.read_usual_tags(feature.tags, tables)?;
        shapes.push_point(x, y);
        pending.push();
        Some(())
    }

    /// Appends the rows of the `index`-th feature, or nothing.
    #[inline(never)]
    fn feature(&mut self, message: Reader<'_>, index: usize) -> Result<(), Unreadable> {
        if self.columns.pending.is_full() {
            self.flush()?;
        }
        let feature = RawFeature::read(message)?;
        let geometry_type = check(&feature)?;
        let geometry = message.at(feature.geometry);
        let Columns {
            pending, tables, ..
        } = &mut *self.columns;
        let (tags, version) = (message.at(feature.tags), self.rules.version);
        pending.read_tags(tags, version, tables, &mut self.budget)?;
        if !(self.measured || is_single_point(geometry_type, geometry, version)) {
            self.make_room(index)?;
        }
        let rows = geometry::decode(
            geometry,
            geometry_type,
            &self.rules,
            &mut self.columns.shapes,
        )?;
        self.push_rows(rows)
    }

    /// Counts the rows of a feature; the points of a multipoint have the same attributes.
    fn push_rows(&mut self, rows: usize) -> Result<(), Unreadable> {
        if rows == 1 {
            self.columns.pending.push();
            return Ok(());
        }
        let current = self.columns.pending.current();
        for _ in 0..rows {
            if self.columns.pending.is_full() {
                self.flush()?;
            }
            self.columns.pending.repeat(&current);
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Unreadable> {
        let Columns {
            attributes,
            strings,
            tables,
            pending,
            ..
        } = &mut *self.columns;
        let mut lookup = Lookup {
            body: self.layer.body(),
            tables,
            strings,
            budget: &mut self.budget,
        };
        pending.flush(attributes, &mut lookup)
    }

    /// Counts a feature that breaks the specification, or gives up.
    #[cold]
    fn leave_out(&mut self, message: Reader<'_>, reason: Unreadable) -> Result<(), Error> {
        match reason {
            Unreadable::Damaged(fault) => Err(self.layer.wire_error(fault)),
            Unreadable::OverBudget(exhausted) => Err(self.layer.memory_error(exhausted)),
            Unreadable::Breaching(breach) if breach.is_fatal() => Err(Error::Feature {
                layer: Some(self.layer.name().to_owned()),
                offset: message.position(),
                breach,
            }),
            Unreadable::Breaching(breach) => {
                let skipped = &mut self.columns.skipped;
                skipped.count += 1;
                skipped.first.get_or_insert((message.position(), breach));
                self.columns.pending.discard();
                Ok(())
            }
        }
    }

    /// Rows were reserved for one point a feature; the `index`-th and those after it need more.
    #[cold]
    fn make_room(&mut self, index: usize) -> Result<(), Exhausted> {
        self.measured = true;
        let mut needs = Needs::default();
        for message in self.layer.feature_messages().skip(index) {
            let Ok(feature) = RawFeature::read(message) else {
                break;
            };
            if let Ok(geometry_type) = check(&feature) {
                needs.add(message.at(feature.geometry), geometry_type);
            }
        }
        self.reserve(needs)
    }

    fn reserve(&mut self, needs: Needs) -> Result<(), Exhausted> {
        self.columns.shapes.reserve(needs, &mut self.budget)?;
        for column in &mut self.columns.attributes {
            column.reserve(needs.rows, &mut self.budget)?;
        }
        Ok(())
    }
}

/// What a feature must have (specification, section 4.2).
#[inline]
fn check(feature: &RawFeature) -> Result<GeometryType, FeatureBreach> {
    if feature.repeats {
        return Err(FeatureBreach::RepeatedField);
    }
    // 4.2 "A feature MUST contain a type field", 4.3.4.1 "Decoders MAY ignore any features of
    // this geometry type"
    let geometry_type = feature.geometry_type.ok_or(FeatureBreach::UnknownType)?;
    // 4.2 "A feature MUST contain a geometry field"
    if feature.geometry.start == feature.geometry.end {
        return Err(FeatureBreach::MissingGeometry);
    }
    Ok(geometry_type)
}

/// Whether a feature is sure to make no more than one row without parts.
#[inline]
fn is_single_point(geometry_type: GeometryType, geometry: Reader<'_>, version: u32) -> bool {
    const MOVE_TO_ONCE: u8 = 1 | 1 << 3;
    geometry_type == GeometryType::Point
        && version >= 2
        && geometry.bytes().first() == Some(&MOVE_TO_ONCE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::ColumnType;
    use crate::writer::{LayerWriter, TileWriter, Value};
    use crate::{Decoder, reference};

    const SCHEMA: LayerSchema<'static> = LayerSchema {
        keys: &[("id", ColumnType::Integer), ("angle", ColumnType::Real)],
    };

    const FRAME: TileFrame = TileFrame {
        origin_x: 0,
        origin_y: 0,
        side: 1 << 18,
    };

    /// Which of a layer's features are read the short way.
    fn usual(tile: &[u8]) -> Vec<bool> {
        let mut decoder = Decoder::new();
        let tile = decoder.tile(tile).unwrap();
        let layer = &tile.layers()[0];
        let mut columns = Columns::new();
        columns.reset(&SCHEMA);
        let mut budget = layer.budget();
        columns.tables.read(layer, &SCHEMA, &mut budget).unwrap();
        let mut decoding = Decoding::new(layer, FRAME, budget, &mut columns);
        let messages = layer.feature_messages();
        messages
            .map(|message| decoding.usual_feature(message).is_some())
            .collect()
    }

    /// Both ways lead to the same rows, so that no answer tells which was taken.
    #[test]
    fn usual_points_are_read_the_short_way_and_nothing_else() {
        let mut layer = LayerWriter::new("image");
        let pair = [("id", Value::Int(7)), ("angle", Value::Double(0.5))];
        layer.point((1, 4095), &pair);
        layer.point((-1, 5000), &[]);
        layer.points(&[(1, 2), (3, 4)], &pair);
        layer.lines(&[[(0, 0), (1, 1)]], &pair);
        layer.point((3, 3), &pair);
        // So that the tile goes on for longer than a window.
        layer.point((2, 2), &[("name", Value::String(&"x".repeat(200)))]);
        let mut tile = TileWriter::new();
        tile.push(layer);
        let tile = tile.finish();
        let short = usual(&tile);
        assert!(short[0]);
        assert_eq!(short[2..], [false, false, true, true]);
        let mut columns = Columns::new();
        let mut decoder = Decoder::new();
        let image = &decoder.tile(&tile).unwrap().layers()[0].clone();
        image.decode(&SCHEMA, FRAME, &mut columns).unwrap();
        let slow = reference::decode(&tile, "image", &SCHEMA, FRAME).unwrap();
        assert_eq!(slow, Some(columns));
    }

    /// Only the first keys have a place in the word that tells which were seen.
    #[test]
    fn keys_beyond_a_word_are_told_apart() {
        let mut layer = LayerWriter::new("image");
        for key in 0..100 {
            layer.point((1, 1), &[(&format!("key{key}"), Value::Int(key))]);
        }
        let mut tile = TileWriter::new();
        tile.push(layer);
        let tile = tile.finish();
        let schema = LayerSchema {
            keys: &[
                ("key6", ColumnType::Integer),
                ("key63", ColumnType::Integer),
                ("key64", ColumnType::Integer),
                ("key70", ColumnType::Integer),
            ],
        };
        let mut columns = Columns::new();
        let mut decoder = Decoder::new();
        let image = &decoder.tile(&tile).unwrap().layers()[0].clone();
        image.decode(&schema, FRAME, &mut columns).unwrap();
        for (column, key) in [6, 63, 64, 70].into_iter().enumerate() {
            let values = columns.integers(column);
            let rows: Vec<usize> = (0..100).filter(|&row| values.get(row).is_some()).collect();
            assert_eq!((&rows[..], values.get(key)), (&[key][..], Some(key as i64)));
        }
    }

    #[test]
    fn no_more_room_is_made_than_is_needed() {
        let points: Vec<(i32, i32)> = (0..1300).map(|at| (at, at)).collect();
        let line = |len: i32| (0..len).map(|at| (at, 0)).collect::<Vec<_>>();
        let mut layer = LayerWriter::new("image");
        layer.points(&points, &[("id", Value::Int(7))]);
        layer.lines(&[line(300), line(30)], &[]);
        let mut tile = TileWriter::new();
        tile.push(layer);
        let tile = tile.finish();
        let mut decoder = Decoder::new();
        let mut columns = Columns::new();
        let image = &decoder.tile(&tile).unwrap().layers()[0].clone();
        image.decode(&SCHEMA, FRAME, &mut columns).unwrap();
        let validity = columns.attributes[0].validity.words_mut();
        assert_eq!((validity.len(), validity.capacity()), (21, 21));
        let shapes = &columns.shapes;
        assert_eq!((shapes.x.len(), shapes.x.capacity()), (1301, 1301));
        assert_eq!(
            (shapes.lines.vertex_count(), shapes.lines.part_count()),
            (330, 2)
        );
    }
}
