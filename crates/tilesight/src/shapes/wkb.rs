//! Well-known binary: bytes of others to geometry.
//!
//! OGC 06-103r4, section 8, in either byte order, with the numbers that ISO gives to altitudes and
//! measures and the flags of EWKB. Counts are claims: memory is taken for what the
//! bytes that are there can hold.

use super::{Geometry, Position, ShapeFault};

/// Bytes of a number.
const NUMBER: usize = 8;
/// Bytes of the least a part of a collection has: a byte order, a type and one coordinate or count.
const PART: usize = 9;
/// Bytes of the least a ring has, its count.
const RING: usize = 4;

/// Flags of EWKB.
const HAS_Z: u32 = 0x8000_0000;
const HAS_M: u32 = 0x4000_0000;
const HAS_SRID: u32 = 0x2000_0000;

/// The reference system number of WGS 84.
const WGS84: u32 = 4326;

/// Reads a geometry that takes all of the bytes.
pub(crate) fn read(bytes: &[u8]) -> Result<Geometry, ShapeFault> {
    let mut reader = Reader {
        bytes,
        is_little: true,
        axes: 2,
    };
    let geometry = reader.geometry()?;
    if reader.bytes.is_empty() {
        Ok(geometry)
    } else {
        Err(ShapeFault::Wkb("bytes are left over behind the geometry"))
    }
}

const TRUNCATED: ShapeFault = ShapeFault::Wkb("it ends before the geometry does");

struct Reader<'a> {
    bytes: &'a [u8],
    /// Byte order of the part that is being read.
    is_little: bool,
    /// Coordinates of a position of it.
    axes: usize,
}

impl Reader<'_> {
    fn geometry(&mut self) -> Result<Geometry, ShapeFault> {
        Ok(match self.head()? {
            1 => Geometry::Points(vec![self.position()?]),
            2 => Geometry::Lines(vec![self.line()?]),
            3 => Geometry::Polygons(vec![self.rings()?]),
            4 => Geometry::Points(self.parts(1, Self::position)?),
            5 => Geometry::Lines(self.parts(2, Self::line)?),
            6 => Geometry::Polygons(self.parts(3, Self::rings)?),
            _ => {
                return Err(ShapeFault::Wkb(
                    "it is none of the types 1 to 6: points, lines and polygons",
                ));
            }
        })
    }

    /// Reads a byte order and a type, of which the kind is returned.
    fn head(&mut self) -> Result<u32, ShapeFault> {
        self.is_little = match self.take()? {
            [0] => false,
            [1] => true,
            _ => return Err(ShapeFault::Wkb("the byte order is neither 0 nor 1")),
        };
        let code = self.integer()?;
        if code & HAS_SRID != 0 && self.integer()? != WGS84 {
            return Err(ShapeFault::Wkb("the reference system is not 4326, WGS 84"));
        }
        let plain = code & !(HAS_Z | HAS_M | HAS_SRID);
        let (has_z, has_m) = match plain / 1000 {
            0 => (code & HAS_Z != 0, code & HAS_M != 0),
            1 => (true, false),
            2 => (false, true),
            3 => (true, true),
            _ => return Err(ShapeFault::Wkb("the type is unknown")),
        };
        self.axes = 2 + usize::from(has_z) + usize::from(has_m);
        Ok(plain % 1000)
    }

    /// Reads parts with heads of their own.
    fn parts<T>(
        &mut self,
        kind: u32,
        read: impl Fn(&mut Self) -> Result<T, ShapeFault>,
    ) -> Result<Vec<T>, ShapeFault> {
        self.list(PART, |reader| {
            if reader.head()? == kind {
                read(reader)
            } else {
                Err(ShapeFault::Wkb("a part is of another type than the whole"))
            }
        })
    }

    fn rings(&mut self) -> Result<Vec<Vec<Position>>, ShapeFault> {
        self.list(RING, Self::line)
    }

    fn line(&mut self) -> Result<Vec<Position>, ShapeFault> {
        self.list(self.axes * NUMBER, Self::position)
    }

    /// Reads a count and as many items of at least `size` bytes each.
    fn list<T>(
        &mut self,
        size: usize,
        read: impl Fn(&mut Self) -> Result<T, ShapeFault>,
    ) -> Result<Vec<T>, ShapeFault> {
        let count = self.integer()? as usize;
        if count > self.bytes.len() / size {
            return Err(TRUNCATED);
        }
        (0..count).map(|_| read(self)).collect()
    }

    fn position(&mut self) -> Result<Position, ShapeFault> {
        let position = [self.number()?, self.number()?];
        for _ in 2..self.axes {
            self.number()?;
        }
        Ok(position)
    }

    fn number(&mut self) -> Result<f64, ShapeFault> {
        let mut bytes = self.take::<NUMBER>()?;
        self.order(&mut bytes);
        Ok(f64::from_le_bytes(bytes))
    }

    fn integer(&mut self) -> Result<u32, ShapeFault> {
        let mut bytes = self.take()?;
        self.order(&mut bytes);
        Ok(u32::from_le_bytes(bytes))
    }

    /// Makes little-endian what is not.
    fn order(&self, bytes: &mut [u8]) {
        if !self.is_little {
            bytes.reverse();
        }
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], ShapeFault> {
        let (taken, rest) = self.bytes.split_first_chunk().ok_or(TRUNCATED)?;
        self.bytes = rest;
        Ok(*taken)
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    /// Writes a geometry in one byte order, with further coordinates of 7, after a type code.
    #[derive(Debug)]
    struct Writer {
        is_little: bool,
        /// What is added to the type, and how many coordinates it adds.
        code: u32,
        more: usize,
    }

    impl Writer {
        fn write(&self, geometry: &Geometry) -> Vec<u8> {
            let mut out = Vec::new();
            match geometry {
                Geometry::Points(points) => {
                    self.collection(&mut out, 1, points, |out, &point| self.position(out, point));
                }
                Geometry::Lines(lines) => {
                    self.collection(&mut out, 2, lines, |out, line| self.line(out, line));
                }
                Geometry::Polygons(polygons) => {
                    self.collection(&mut out, 3, polygons, |out, rings| {
                        self.integer(out, rings.len() as u32);
                        for ring in rings {
                            self.line(out, ring);
                        }
                    });
                }
            }
            out
        }

        fn collection<T>(
            &self,
            out: &mut Vec<u8>,
            kind: u32,
            parts: &[T],
            push: impl Fn(&mut Vec<u8>, &T),
        ) {
            if parts.len() != 1 {
                self.head(out, kind + 3);
                self.integer(out, parts.len() as u32);
            }
            for part in parts {
                self.head(out, kind);
                push(out, part);
            }
        }

        fn head(&self, out: &mut Vec<u8>, kind: u32) {
            out.push(u8::from(self.is_little));
            self.integer(out, kind + self.code);
            if self.code & HAS_SRID != 0 {
                self.integer(out, WGS84);
            }
        }

        fn line(&self, out: &mut Vec<u8>, line: &[Position]) {
            self.integer(out, line.len() as u32);
            for &position in line {
                self.position(out, position);
            }
        }

        fn position(&self, out: &mut Vec<u8>, position: Position) {
            let more = std::iter::repeat_n(7.0, self.more);
            for number in position.into_iter().chain(more) {
                self.push(out, number.to_le_bytes());
            }
        }

        fn integer(&self, out: &mut Vec<u8>, integer: u32) {
            self.push(out, integer.to_le_bytes());
        }

        fn push<const N: usize>(&self, out: &mut Vec<u8>, mut bytes: [u8; N]) {
            if !self.is_little {
                bytes.reverse();
            }
            out.extend_from_slice(&bytes);
        }
    }

    fn writers() -> impl Strategy<Value = Writer> {
        let codes = [
            (0, 0),
            (1000, 1),
            (2000, 1),
            (3000, 2),
            (HAS_Z, 1),
            (HAS_M, 1),
            (HAS_Z | HAS_M, 2),
            (HAS_SRID, 0),
        ];
        let code = prop::sample::select(codes.to_vec());
        (any::<bool>(), code).prop_map(|(is_little, (code, more))| Writer {
            is_little,
            code,
            more,
        })
    }

    fn geometries() -> impl Strategy<Value = Geometry> {
        let line = || vec([-180.0..180.0f64, -90.0..90.0f64], 0..5);
        prop_oneof![
            vec([-180.0..180.0f64, -90.0..90.0f64], 0..4).prop_map(Geometry::Points),
            vec(line(), 0..4).prop_map(Geometry::Lines),
            vec(vec(line(), 0..3), 0..3).prop_map(Geometry::Polygons),
        ]
    }

    #[test]
    fn a_point_byte_by_byte() {
        let little = b"\x01\x01\0\0\0\0\0\0\0\0\0\xf0\x3f\0\0\0\0\0\0\0\x40";
        let big = b"\0\0\0\0\x01\x3f\xf0\0\0\0\0\0\0\x40\0\0\0\0\0\0\0";
        for bytes in [little, big] {
            assert_eq!(read(bytes).unwrap(), Geometry::Points(vec![[1.0, 2.0]]));
        }
    }

    #[test]
    fn counts_are_claims() {
        let lines = b"\x01\x05\0\0\0\xff\xff\xff\xff";
        assert!(read(lines).unwrap_err().to_string().contains("ends before"));
    }

    #[test]
    fn other_reference_systems_are_refused() {
        let bytes = b"\x01\x01\0\0\x20\x11\x0f\0\0\0\0\0\0\0\0\xf0\x3f\0\0\0\0\0\0\0\x40";
        assert!(read(bytes).unwrap_err().to_string().contains("4326"));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(writer in writers(), geometry in geometries()) {
            prop_assert_eq!(read(&writer.write(&geometry)).unwrap(), geometry);
        }

        #[test]
        fn damaged_bytes_are_a_geometry_or_an_error(
            writer in writers(), geometry in geometries(), cut in 0..200_usize, at: usize, byte: u8,
        ) {
            let mut bytes = writer.write(&geometry);
            let place = at % bytes.len();
            bytes[place] = byte;
            bytes.truncate(bytes.len().saturating_sub(cut % 50));
            let _ = read(&bytes);
        }

        #[test]
        fn any_bytes_are_a_geometry_or_an_error(bytes in vec(any::<u8>(), 0..60)) {
            let _ = read(&bytes);
        }
    }
}
