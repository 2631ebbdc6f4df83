//! Gzip, told by its first bytes and inflated into a bounded buffer.

use crate::error::Error;
use flate2::{Decompress, FlushDecompress, Status};

/// How far the inflated size is foreseen, as a multiple of the gzip stream.
///
/// Tiles of images inflate to about 1.6 times their size.
const EXPECTED_RATIO: usize = 3;

/// The largest window of deflate, as a power of two.
const WINDOW_BITS: u8 = 15;

/// Whether bytes are a gzip stream rather than a tile.
///
/// As a protobuf key 0x1f would have a wire type that does not exist.
pub(crate) fn is_gzip(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0x1f, 0x8b])
}

/// Inflates a stream into a buffer that is reused; returns the part that was written, of at most
/// `limit` bytes.
///
/// The checksum is verified. The length that the trailer claims is believed within
/// [`EXPECTED_RATIO`] only; beyond it the buffer grows by what is really written. Bytes after
/// the first gzip member are ignored.
///
/// The buffer never shrinks, and only what is added to it is set to zero: a vector with spare
/// capacity would be set to zero as far as it goes for every tile.
pub(crate) fn inflate<'a>(
    gzip: &[u8],
    limit: usize,
    buffer: &'a mut Vec<u8>,
) -> Result<&'a [u8], Error> {
    grow_to(buffer, expected_len(gzip).clamp(1, limit.max(1)));
    let mut state = Decompress::new_gzip(WINDOW_BITS);
    loop {
        let (read, written) = (state.total_in() as usize, state.total_out() as usize);
        let status = state
            .decompress(
                &gzip[read..],
                &mut buffer[written..],
                FlushDecompress::Finish,
            )
            .map_err(|_| Error::Gzip {
                reason: "it is not valid",
            })?;
        let len = state.total_out() as usize;
        if len > limit {
            return Err(Error::InflateLimit { limit });
        }
        if status == Status::StreamEnd {
            return Ok(&buffer[..len]);
        }
        if len == buffer.len() {
            // Doubled, within the limit and one byte more, which tells full from overfull.
            let more = len.max(1024).min(limit - len + 1);
            grow_to(buffer, len + more);
        } else if state.total_in() as usize == read && len == written {
            return Err(Error::Gzip {
                reason: "it ends too early",
            });
        }
    }
}

/// Makes a buffer at least as long as this, and takes no more memory than that.
fn grow_to(buffer: &mut Vec<u8>, len: usize) {
    if len > buffer.len() {
        buffer.reserve_exact(len - buffer.len());
        buffer.resize(len, 0);
    }
}

fn expected_len(gzip: &[u8]) -> usize {
    let claimed = gzip
        .last_chunk::<4>()
        .map_or(0, |bytes| u32::from_le_bytes(*bytes) as usize);
    claimed.min(gzip.len().saturating_mul(EXPECTED_RATIO))
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compression, write::GzEncoder};
    use std::io::Write;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn a_stream_comes_back_whatever_its_ratio() {
        let mut output = Vec::new();
        for len in [0, 1, 100, 5_000, 1_000_000, 70] {
            let bytes = vec![7; len];
            let inflated = inflate(&gzip(&bytes), 1_000_000, &mut output);
            assert_eq!(inflated, Ok(&bytes[..]));
        }
    }

    #[test]
    fn a_stream_at_the_limit_passes_and_one_beyond_does_not() {
        let mut output = Vec::new();
        let stream = gzip(&vec![7; 70_000]);
        assert_eq!(
            inflate(&stream, 70_000, &mut output),
            Ok(&vec![7; 70_000][..])
        );
        let beyond = inflate(&stream, 69_999, &mut output);
        assert_eq!(beyond, Err(Error::InflateLimit { limit: 69_999 }));
        assert!(output.capacity() <= 140_000);
    }

    #[test]
    fn a_length_is_believed_within_reason() {
        let random: Vec<u8> = (0..=255).collect();
        assert_eq!(expected_len(&gzip(&random)), 256);
        let stream = gzip(&vec![7; 70_000]);
        assert_eq!(expected_len(&stream), EXPECTED_RATIO * stream.len());
        assert_eq!(expected_len(&[0xff; 3]), 0);
    }

    #[test]
    fn a_bomb_costs_no_more_than_the_limit() {
        let mut output = Vec::new();
        let bomb = gzip(&vec![0; 50_000_000]);
        assert_eq!(
            inflate(&bomb, 1 << 20, &mut output),
            Err(Error::InflateLimit { limit: 1 << 20 })
        );
        assert!(output.capacity() <= (1 << 20) + 1);
    }

    #[test]
    fn damage_is_an_error() {
        let mut output = Vec::new();
        let stream = gzip(&vec![7; 70_000]);
        for end in 0..stream.len() {
            assert!(
                inflate(&stream[..end], 1 << 20, &mut output).is_err(),
                "{end}"
            );
        }
        let reason = "it is not valid";
        for at in [3, 10, stream.len() - 8, stream.len() - 1] {
            let mut flipped = stream.clone();
            flipped[at] ^= 0xff;
            let refused = inflate(&flipped, 1 << 20, &mut output);
            assert_eq!(refused, Err(Error::Gzip { reason }), "{at}");
        }
    }
}
