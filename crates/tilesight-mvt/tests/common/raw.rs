//! Protobuf by hand, for tiles that the writer would not write.

/// A field with its key, and its length where the wire type has one.
pub fn field(number: u32, wire_type: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = varints(&[number << 3 | wire_type]);
    if wire_type == 2 {
        bytes.extend(varints(&[payload.len() as u32]));
    }
    bytes.extend(payload);
    bytes
}

/// Integers as a packed field has them.
pub fn varints(integers: &[u32]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for &integer in integers {
        let mut rest = integer;
        while rest >= 0x80 {
            bytes.push(rest as u8 | 0x80);
            rest >>= 7;
        }
        bytes.push(rest as u8);
    }
    bytes
}

/// A tile of one layer of version 2, called `image`, around some fields.
pub fn layer(fields: &[u8]) -> Vec<u8> {
    let head = [field(1, 2, b"image"), field(15, 0, &[2])].concat();
    field(3, 2, &[&head, fields].concat())
}

/// A feature of a layer.
pub fn feature(geometry_type: u8, tags: &[u32], geometry: &[u32]) -> Vec<u8> {
    let fields = [
        field(2, 2, &varints(tags)),
        field(3, 0, &[geometry_type]),
        field(4, 2, &varints(geometry)),
    ];
    field(2, 2, &fields.concat())
}
