//! Geometry as well-known binary (OGC 06-103r4, section 8), little-endian.

use super::record::Geometry;

/// Bytes of a point.
pub(super) const POINT_BYTES: usize = 21;

const LITTLE_ENDIAN: u8 = 1;
pub(super) const POINT: u32 = 1;
pub(super) const LINE_STRING: u32 = 2;
pub(super) const POLYGON: u32 = 3;
pub(super) const MULTI_POINT: u32 = 4;
pub(super) const MULTI_LINE_STRING: u32 = 5;
pub(super) const MULTI_POLYGON: u32 = 6;

/// Appends a geometry.
pub(super) fn push_wkb(out: &mut Vec<u8>, geometry: &Geometry) {
    match geometry {
        Geometry::Point(position) => push_point(out, *position),
        Geometry::MultiPoint(positions) => {
            push_head(out, MULTI_POINT);
            push_count(out, positions.len());
            for position in positions {
                push_point(out, *position);
            }
        }
        Geometry::Line(positions) => push_line(out, positions),
        Geometry::MultiLine(lines) => {
            push_head(out, MULTI_LINE_STRING);
            push_count(out, lines.len());
            for line in lines {
                push_line(out, line);
            }
        }
    }
}

/// A point.
pub(super) fn point([lon, lat]: [f64; 2]) -> [u8; POINT_BYTES] {
    let mut bytes = [0; POINT_BYTES];
    bytes[0] = LITTLE_ENDIAN;
    bytes[1..5].copy_from_slice(&POINT.to_le_bytes());
    bytes[5..13].copy_from_slice(&lon.to_le_bytes());
    bytes[13..].copy_from_slice(&lat.to_le_bytes());
    bytes
}

pub(super) fn push_head(out: &mut Vec<u8>, kind: u32) {
    out.push(LITTLE_ENDIAN);
    out.extend_from_slice(&kind.to_le_bytes());
}

pub(super) fn push_count(out: &mut Vec<u8>, count: usize) {
    // A dataset has fewer vertices than this can count.
    out.extend_from_slice(&(count as u32).to_le_bytes());
}

fn push_point(out: &mut Vec<u8>, position: [f64; 2]) {
    out.extend_from_slice(&point(position));
}

fn push_line(out: &mut Vec<u8>, positions: &[[f64; 2]]) {
    push_head(out, LINE_STRING);
    push_count(out, positions.len());
    for position in positions {
        push_position(out, *position);
    }
}

pub(super) fn push_position(out: &mut Vec<u8>, [lon, lat]: [f64; 2]) {
    out.extend_from_slice(&lon.to_le_bytes());
    out.extend_from_slice(&lat.to_le_bytes());
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::*;

    fn hex(geometry: &Geometry) -> String {
        let mut bytes = Vec::new();
        push_wkb(&mut bytes, geometry);
        bytes.iter().fold(String::new(), |mut text, byte| {
            write!(text, "{byte:02x}").unwrap();
            text
        })
    }

    /// 1 and 2 as doubles.
    const ONE_TWO: &str = "000000000000f03f0000000000000040";

    #[test]
    fn geometries_byte_by_byte() {
        let at = [1.0, 2.0];
        let point = format!("0101000000{ONE_TWO}");
        let line = format!("010200000002000000{ONE_TWO}{ONE_TWO}");
        assert_eq!(hex(&Geometry::Point(at)), point);
        assert_eq!(hex(&Geometry::Line(vec![at, at])), line);
        let points = Geometry::MultiPoint(vec![at, at]);
        assert_eq!(hex(&points), format!("010400000002000000{point}{point}"));
        let lines = Geometry::MultiLine(vec![vec![at, at]]);
        assert_eq!(hex(&lines), format!("010500000001000000{line}"));
    }
}
