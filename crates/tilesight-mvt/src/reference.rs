//! A slow, literal decoder: the oracle of the fast one.
//!
//! Each sentence of the specification is one plain statement over prost messages: no shared
//! passes, no state kept between features. It shares with the fast decoder the columns it fills
//! and the names of the breaches, no code that reads or computes.

use crate::bits::Bits;
use crate::columns::{Column, Columns, Values};
use crate::error::FeatureBreach;
use crate::frame::TileFrame;
use crate::geometry::GeometryType;
use crate::proto;
use crate::schema::{ColumnType, LayerSchema};
use prost::Message;
use prost::encoding::{WireType, decode_key, decode_varint};

/// Decodes the layer of one name from a tile that is not gzipped.
///
/// # Returns
///
/// What [`RawLayer::decode`](crate::RawLayer::decode) must make of the same layer; `None` if the
/// tile has no layer of this name.
///
/// # Errors
///
/// A sentence that says why the tile is refused.
pub fn decode(
    tile: &[u8],
    layer: &str,
    schema: &LayerSchema<'_>,
    frame: TileFrame,
) -> Result<Option<Columns>, String> {
    let mut found = None;
    for field in fields(tile, 0)?
        .into_iter()
        .filter(|field| field.number == 3)
    {
        let message = read_layer(field.payload()?)?;
        if found.is_none() && message.name.as_deref() == Some(layer) {
            found = Some(layer_columns(&field, &message, schema, frame)?);
        }
    }
    Ok(found)
}

/// The bytes of one field, and where its payload begins.
struct Field<'a> {
    number: u32,
    wire_type: WireType,
    offset: usize,
    bytes: &'a [u8],
}

impl<'a> Field<'a> {
    fn payload(&self) -> Result<&'a [u8], String> {
        match self.wire_type {
            WireType::LengthDelimited => Ok(self.bytes),
            other => Err(format!(
                "field {} is {other:?}, not length-delimited",
                self.number
            )),
        }
    }
}

/// The fields of a message, which begins at `offset` in the tile.
fn fields(message: &[u8], offset: usize) -> Result<Vec<Field<'_>>, String> {
    let text = |error: prost::DecodeError| error.to_string();
    let mut rest = message;
    let mut found = Vec::new();
    while !rest.is_empty() {
        let (number, wire_type) = decode_key(&mut rest).map_err(text)?;
        let mut ahead = rest;
        let len = match wire_type {
            WireType::Varint => {
                decode_varint(&mut ahead).map_err(text)?;
                rest.len() - ahead.len()
            }
            WireType::SixtyFourBit => 8,
            WireType::ThirtyTwoBit => 4,
            WireType::LengthDelimited => {
                let len = decode_varint(&mut rest).map_err(text)?;
                usize::try_from(len).map_err(|_| "a length beyond the tile".to_owned())?
            }
            WireType::StartGroup | WireType::EndGroup => return Err("a group".to_owned()),
        };
        let start = offset + message.len() - rest.len();
        let (bytes, after) = rest
            .split_at_checked(len)
            .ok_or("a field beyond its message")?;
        found.push(Field {
            number,
            wire_type,
            offset: start,
            bytes,
        });
        rest = after;
    }
    Ok(found)
}

fn read_layer(bytes: &[u8]) -> Result<proto::Layer, String> {
    let layer = proto::Layer::decode(bytes).map_err(|error| error.to_string())?;
    // 4.1 "A layer MUST contain a version field"
    match layer.version {
        Some(1 | 2) => {}
        version => return Err(format!("version {version:?}")),
    }
    // 4.1 "A layer MUST contain a name field"
    if layer.name.is_none() {
        return Err("no name".to_owned());
    }
    // 4.1 "A layer MUST contain an extent"; 4096 if it does not say
    if layer.extent == Some(0) {
        return Err("extent 0".to_owned());
    }
    Ok(layer)
}

/// A value as the table has it.
type RawValue = proto::Value;

/// A row that is not in columns yet.
struct Row<'a> {
    geometry_type: GeometryType,
    parts: Vec<Vec<(u32, u32)>>,
    values: Vec<Option<&'a RawValue>>,
}

fn layer_columns(
    field: &Field<'_>,
    layer: &proto::Layer,
    schema: &LayerSchema<'_>,
    frame: TileFrame,
) -> Result<Columns, String> {
    let fields = fields(field.payload()?, field.offset)?;
    for value in fields.iter().filter(|field| field.number == 4) {
        check_value(value.payload()?)?;
    }
    let mut columns = Columns::new();
    let mut rows = Vec::new();
    let messages = fields.iter().filter(|field| field.number == 2);
    for (field, feature) in messages.zip(&layer.features) {
        match feature_rows(field, feature, layer, schema, frame)? {
            Ok(more) => rows.extend(more),
            Err(breach) if breach.is_fatal() => return Err(breach.to_string()),
            Err(breach) => {
                columns.skipped.count += 1;
                columns.skipped.first.get_or_insert((field.offset, breach));
            }
        }
    }
    fill(&mut columns, &rows, schema);
    Ok(columns)
}

/// 4.1 "A value MUST contain exactly one of these optional fields."
fn check_value(value: &[u8]) -> Result<(), String> {
    let known = fields(value, 0)?
        .iter()
        .filter(|field| (1..=7).contains(&field.number))
        .count();
    if known == 1 {
        Ok(())
    } else {
        Err(format!("a value of {known} types"))
    }
}

/// The rows of one feature: an error of the tile, or a breach of the feature.
fn feature_rows<'a>(
    field: &Field<'_>,
    feature: &proto::Feature,
    layer: &'a proto::Layer,
    schema: &LayerSchema<'_>,
    frame: TileFrame,
) -> Result<Result<Vec<Row<'a>>, FeatureBreach>, String> {
    let fields = fields(field.payload()?, field.offset)?;
    for list in fields.iter().filter(|field| matches!(field.number, 2 | 4)) {
        list.payload()?;
    }
    let count = |number| fields.iter().filter(|field| field.number == number).count();
    if count(2) > 1 || count(4) > 1 {
        return Ok(Err(FeatureBreach::RepeatedField));
    }
    Ok(read_feature(feature, layer, schema, frame))
}

fn read_feature<'a>(
    feature: &proto::Feature,
    layer: &'a proto::Layer,
    schema: &LayerSchema<'_>,
    frame: TileFrame,
) -> Result<Vec<Row<'a>>, FeatureBreach> {
    // 4.2 "A feature MUST contain a type field"
    let geometry_type = match feature.geometry_type.unwrap_or(proto::UNKNOWN) {
        proto::POINT => GeometryType::Point,
        proto::LINESTRING => GeometryType::Linestring,
        proto::POLYGON => GeometryType::Polygon,
        _ => return Err(FeatureBreach::UnknownType),
    };
    // 4.2 "A feature MUST contain a geometry field."
    if feature.geometry.is_empty() {
        return Err(FeatureBreach::MissingGeometry);
    }
    let values = read_tags(&feature.tags, layer, schema)?;
    let version = layer.version.unwrap_or_default();
    let parts = read_geometry(&feature.geometry, geometry_type, version)?;
    let extent = i128::from(layer.extent.unwrap_or(4096));
    let grid = |origin: u32, position: i64| {
        let floor = (i128::from(position) * i128::from(frame.side)).div_euclid(extent);
        (i128::from(origin) + floor).clamp(0, i128::from(u32::MAX)) as u32
    };
    let parts = parts.into_iter().map(|part| {
        part.into_iter()
            .map(|(x, y)| (grid(frame.origin_x, x), grid(frame.origin_y, y)))
            .collect()
    });
    let row = |parts| Row {
        geometry_type,
        parts,
        values: values.clone(),
    };
    Ok(match geometry_type {
        GeometryType::Point => parts.map(|part| row(vec![part])).collect(),
        _ => vec![row(parts.collect())],
    })
}

/// 4.4: pairs of key index and value index.
fn read_tags<'a>(
    tags: &[u32],
    layer: &'a proto::Layer,
    schema: &LayerSchema<'_>,
) -> Result<Vec<Option<&'a RawValue>>, FeatureBreach> {
    let mut values = vec![None; schema.keys.len()];
    let (pairs, rest) = tags.as_chunks::<2>();
    for &[key, value] in pairs {
        // "MUST NOT contain a key index or value index greater than or equal to the number of
        // elements in the layer's keys or values set"
        let key = layer
            .keys
            .get(key as usize)
            .ok_or(FeatureBreach::TagOutOfRange)?;
        let value = layer
            .values
            .get(value as usize)
            .ok_or(FeatureBreach::TagOutOfRange)?;
        if let Some(column) = schema.keys.iter().position(|(name, _)| name == key) {
            values[column] = Some(value);
        }
    }
    // "A feature MUST have an even number of tag fields."
    if !rest.is_empty() {
        return Err(FeatureBreach::OddTags);
    }
    // "Every key index MUST be unique within that feature"
    let mut keys: Vec<u32> = pairs.iter().map(|pair| pair[0]).collect();
    keys.sort_unstable();
    keys.dedup();
    if layer.version == Some(2) && keys.len() < pairs.len() {
        return Err(FeatureBreach::RepeatedKey);
    }
    Ok(values)
}

/// A list of tile positions.
type TilePath = Vec<(i64, i64)>;

/// 4.3: the commands one after the other, each checked where it stands.
fn read_geometry(
    geometry: &[u32],
    geometry_type: GeometryType,
    version: u32,
) -> Result<Vec<TilePath>, FeatureBreach> {
    let mut integers = geometry.iter().copied();
    let mut cursor = (0_i64, 0_i64);
    let mut parts: Vec<TilePath> = Vec::new();
    // The command before this one; 0 at the beginning.
    let mut before = 0;
    while let Some(command) = integers.next() {
        let (id, count) = (command & 7, command >> 3);
        check_command(geometry_type, version, before, id, count)?;
        if id == 7 {
            close(&mut parts, geometry_type, version)?;
        }
        for _ in 0..if id == 7 { 0 } else { count } {
            let dx = parameter(integers.next())?;
            let dy = parameter(integers.next())?;
            // 4.3.3.2 "the dX and dY MUST NOT both be 0"
            if id == 2 && version == 2 && dx == 0 && dy == 0 {
                return Err(FeatureBreach::ZeroLengthSegment);
            }
            cursor = (cursor.0 + dx, cursor.1 + dy);
            match parts.last_mut() {
                Some(part) if id == 2 => part.push(cursor),
                _ => parts.push(vec![cursor]),
            }
        }
        before = id;
    }
    let ends_well = match geometry_type {
        GeometryType::Point => before == 1,
        GeometryType::Linestring => before != 1,
        GeometryType::Polygon => before == 7,
    };
    if ends_well {
        Ok(parts)
    } else {
        Err(FeatureBreach::CommandOutOfSequence)
    }
}

/// Whether a command may follow another, and with this count.
fn check_command(
    geometry_type: GeometryType,
    version: u32,
    before: u32,
    id: u32,
    count: u32,
) -> Result<(), FeatureBreach> {
    let in_sequence = match geometry_type {
        // 4.3.4.2 "a single MoveTo command"
        GeometryType::Point => id == 1 && (before == 0 || version == 1),
        // 4.3.4.3 "one or more repetitions": MoveTo, LineTo; in version 1 also ClosePath
        GeometryType::Linestring => match id {
            1 => before != 1,
            2 => before == 1,
            _ => id == 7 && before == 2 && version == 1,
        },
        // 4.3.4.4 MoveTo, LineTo, ClosePath
        GeometryType::Polygon => matches!((before, id), (0 | 7, 1) | (1, 2) | (2, 7)),
    };
    let enough = match (geometry_type, id) {
        (GeometryType::Point, 1) | (GeometryType::Linestring, 2) => count > 0,
        (GeometryType::Polygon, 2) => count > 1,
        (_, 1) => count == 1,
        _ => true,
    };
    match (in_sequence, enough) {
        (false, _) => Err(FeatureBreach::CommandOutOfSequence),
        // 4.3.3.3 "MUST have a command count of 1"
        (true, _) if id == 7 && count != 1 && version == 2 => Err(FeatureBreach::ClosePathCount),
        (true, false) => Err(FeatureBreach::PositionCount),
        (true, true) => Ok(()),
    }
}

/// 4.3.2: the zigzag encoding undone.
fn parameter(integer: Option<u32>) -> Result<i64, FeatureBreach> {
    let integer = i64::from(integer.ok_or(FeatureBreach::CountTooLarge)?);
    Ok(if integer % 2 == 0 {
        integer / 2
    } else {
        -(integer / 2) - 1
    })
}

/// Closes the last part: a ring is checked, a line of version 1 returns to its beginning.
fn close(
    parts: &mut [TilePath],
    geometry_type: GeometryType,
    version: u32,
) -> Result<(), FeatureBreach> {
    let is_first = parts.len() == 1;
    let Some(part) = parts.last_mut() else {
        return Ok(());
    };
    if geometry_type == GeometryType::Linestring {
        part.push(part[0]);
        return Ok(());
    }
    if version == 1 {
        return Ok(());
    }
    // 4.3.4.4 "SHALL NOT repeat the same position as the first point in the linear ring"
    if part.last() == part.first() {
        return Err(FeatureBreach::DegenerateRing);
    }
    // 4.3.4.4 "An exterior ring is DEFINED as a linear ring having a positive area"
    if is_first && surveyor(part) <= 0 {
        return Err(FeatureBreach::FirstRingNotExterior);
    }
    Ok(())
}

fn surveyor(ring: &[(i64, i64)]) -> i128 {
    let next = ring.iter().cycle().skip(1);
    ring.iter()
        .zip(next)
        .map(|(a, b)| i128::from(a.0) * i128::from(b.1) - i128::from(b.0) * i128::from(a.1))
        .sum()
}

fn fill(columns: &mut Columns, rows: &[Row<'_>], schema: &LayerSchema<'_>) {
    for row in rows {
        let mark = columns.shapes.mark();
        if row.geometry_type == GeometryType::Point {
            columns
                .shapes
                .push_point(row.parts[0][0].0, row.parts[0][0].1);
            continue;
        }
        for part in &row.parts {
            for &(x, y) in part {
                columns.shapes.push_vertex(x, y);
            }
            columns.shapes.end_part();
        }
        columns.shapes.end_row(&mark, row.geometry_type);
    }
    for (index, &(_, column_type)) in schema.keys.iter().enumerate() {
        let values: Vec<Option<&RawValue>> = rows.iter().map(|row| row.values[index]).collect();
        let column = column(columns, column_type, &values);
        columns.attributes.push(column);
    }
}

fn column(columns: &mut Columns, column_type: ColumnType, raw: &[Option<&RawValue>]) -> Column {
    let present = raw.iter().flatten().count();
    let (values, validity) = match column_type {
        ColumnType::Integer => {
            let integers: Vec<_> = raw.iter().map(|value| value.and_then(to_integer)).collect();
            let values = integers
                .iter()
                .map(|it| it.map_or(0, |(value, _)| value))
                .collect();
            let inexact = integers
                .iter()
                .map(|it| it.is_some_and(|(_, rounded)| rounded));
            let inexact = inexact.collect();
            (Values::Integers { values, inexact }, validity(&integers))
        }
        ColumnType::Real => {
            let reals: Vec<_> = raw.iter().map(|value| value.and_then(to_real)).collect();
            let values = reals.iter().map(|it| it.unwrap_or_default()).collect();
            (Values::Reals(values), validity(&reals))
        }
        ColumnType::Boolean => {
            let booleans: Vec<_> = raw.iter().map(|value| value.and_then(to_boolean)).collect();
            let values = booleans.iter().map(|it| it.unwrap_or_default()).collect();
            (Values::Booleans(values), validity(&booleans))
        }
        ColumnType::Text => {
            let text = |value: &RawValue| value.string.clone();
            let texts: Vec<_> = raw.iter().map(|value| value.and_then(text)).collect();
            let indices = texts.iter().map(|it| match it {
                Some(text) => columns.strings.intern(text),
                None => 0,
            });
            (Values::Texts(indices.collect()), validity(&texts))
        }
    };
    let unusable = present - validity.count_ones();
    Column {
        values,
        validity,
        unusable,
    }
}

fn validity<T>(values: &[Option<T>]) -> Bits {
    values.iter().map(Option::is_some).collect()
}

fn to_integer(value: &RawValue) -> Option<(i64, bool)> {
    if let Some(text) = &value.string {
        return text.parse().ok().map(|integer| (integer, false));
    }
    if let Some(integer) = value.int.or(value.sint) {
        return Some((integer, false));
    }
    if let Some(integer) = value.uint {
        return i64::try_from(integer).ok().map(|integer| (integer, false));
    }
    let exact = if value.float.is_some() {
        1_i128 << 24
    } else {
        1_i128 << 53
    };
    let real = value.double.or(value.float.map(f64::from))?;
    if !real.is_finite() || real.fract() != 0.0 {
        return None;
    }
    // The cast saturates far beyond i64.
    let wide = real as i128;
    i64::try_from(wide)
        .ok()
        .map(|integer| (integer, wide.abs() > exact))
}

fn to_real(value: &RawValue) -> Option<f64> {
    let parsed = || value.string.as_ref()?.parse().ok();
    let integer = value.int.or(value.sint).map(|integer| integer as f64);
    let real = value
        .double
        .or(value.float.map(f64::from))
        .or(integer)
        .or(value.uint.map(|integer| integer as f64))
        .or_else(parsed)?;
    real.is_finite().then_some(real)
}

fn to_boolean(value: &RawValue) -> Option<bool> {
    if value.boolean.is_some() {
        return value.boolean;
    }
    let integer = value.int.or(value.sint);
    let integer = integer.map(i128::from).or(value.uint.map(i128::from))?;
    match integer {
        0 => Some(false),
        1 => Some(true),
        _ => None,
    }
}
