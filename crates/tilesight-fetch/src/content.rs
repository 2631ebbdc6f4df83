//! What a body turns out to be, and the form in which it is stored.

use std::io::Read;
use std::sync::{Mutex, PoisonError};

use flate2::bufread::GzDecoder;
use flate2::{Compress, Compression, Crc, Decompress, FlushCompress, FlushDecompress, Status};
use tilesight_mvt::Decoder;

/// Tiles inflate to about 1.6 times their size; a stream that inflates to more than this many
/// times its size is a bomb. Deflate reaches 1032.
const MAX_RATIO: usize = 48;

/// What small streams may inflate to all the same.
const FREE_BYTES: usize = 1 << 20;

/// Largest tile that is accepted: the largest known has 142 MB.
const MAX_TILE_BYTES: usize = 384 << 20;

/// Most of a buffer that is kept for the next body.
const KEPT_BYTES: usize = 4 << 20;

/// The layer that tiles of map features have where there are none.
const FILLER_LAYER: &str = "water";

/// Level at which tiles are stored that come uncompressed: a tile of 20 KB takes half the time of
/// level 3, which is most of the time that it takes at all, and a seventh more room.
const LEVEL: Compression = Compression::fast();

/// The largest window of deflate, as a power of two.
const WINDOW_BITS: u8 = 15;

/// The shortest header of a gzip member: no name, no time, an unknown system (RFC 1952, 2.3).
const PLAIN_HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];

/// How much of it tells a gzip stream.
const MAGIC_BYTES: usize = 2;

/// How much of it tells the form of the member; time, effort and system follow.
const FORM_BYTES: usize = 4;

/// What the body of an answer turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Content {
    /// A tile, gzipped as MBTiles wants it.
    Tile(Vec<u8>),
    /// A tile that holds nothing.
    Empty,
}

/// Is shown what is on a tile, inflated, or that nothing is.
pub(crate) type Show<'a> = &'a dyn Fn(Option<&[u8]>);

/// Examines bodies on any number of threads.
#[derive(Debug, Default)]
pub(crate) struct Examiners(Mutex<Vec<Examiner>>);

impl Examiners {
    /// Examines a body, gzipped or not, told by its first bytes.
    ///
    /// A body that is one gzip member with a [plain](PLAIN_HEADER) header is stored as it came, but
    /// for the time of its making; any other is compressed anew. So equal tiles give equal bytes as
    /// long as the service compresses them in one way. What is on a tile is shown before that.
    ///
    /// # Errors
    ///
    /// What is wrong with it, when it is no tile.
    pub(crate) fn examine(&self, body: Vec<u8>, show: Show<'_>) -> Result<Content, String> {
        let mut examiner = self.idle().pop().unwrap_or_default();
        let content = examiner.examine(body, show);
        examiner.tile.clear();
        examiner.tile.shrink_to(KEPT_BYTES);
        self.idle().push(examiner);
        content
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Examiner>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// States and a buffer that take longer to make than to use.
#[derive(Debug)]
struct Examiner {
    inflater: Decompress,
    deflater: Compress,
    tile: Vec<u8>,
}

impl Default for Examiner {
    fn default() -> Self {
        Self {
            inflater: Decompress::new(false),
            deflater: Compress::new_gzip(LEVEL, WINDOW_BITS),
            tile: Vec::new(),
        }
    }
}

impl Examiner {
    fn examine(&mut self, body: Vec<u8>, show: Show<'_>) -> Result<Content, String> {
        let deflater = &mut self.deflater;
        if !body.starts_with(&PLAIN_HEADER[..MAGIC_BYTES]) {
            return content_of(&body, show, || deflate(&body, deflater));
        }
        if inflate_plain(&body, &mut self.inflater, &mut self.tile) {
            return content_of(&self.tile, show, || Ok(with_plain_header(body)));
        }
        // What the fast way took is given back before the slow one takes as much.
        self.tile = Vec::new();
        let tile = inflate(&body)?;
        content_of(&tile, show, || deflate(&tile, deflater))
    }
}

/// What a tile is; `stored` makes the form in which it is stored.
fn content_of(
    tile: &[u8],
    show: Show<'_>,
    stored: impl FnOnce() -> Result<Vec<u8>, String>,
) -> Result<Content, String> {
    let mut decoder = Decoder::with_inflate_limit(0);
    let layers = decoder.tile(tile).map_err(|error| error.to_string())?;
    let is_filler = |layer: &tilesight_mvt::RawLayer<'_>| layer.name() == FILLER_LAYER;
    if layers.layers().iter().all(is_filler) {
        show(None);
        return Ok(Content::Empty);
    }
    show(Some(tile));
    stored().map(Content::Tile)
}

/// Inflates a body that is one gzip member with a plain header and in order; of any other it tells
/// that it is not.
fn inflate_plain(body: &[u8], inflater: &mut Decompress, tile: &mut Vec<u8>) -> bool {
    let Some((header, rest)) = body.split_first_chunk::<{ PLAIN_HEADER.len() }>() else {
        return false;
    };
    let Some((stream, &[c0, c1, c2, c3, l0, l1, l2, l3])) = rest.split_last_chunk() else {
        return false;
    };
    let checksum = u32::from_le_bytes([c0, c1, c2, c3]);
    let len = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
    if header[..FORM_BYTES] != PLAIN_HEADER[..FORM_BYTES] || len > limit_of(body) {
        return false;
    }
    tile.clear();
    tile.reserve_exact(len);
    inflater.reset(false);
    let status = inflater.decompress_vec(stream, tile, FlushDecompress::Finish);
    let is_whole = status.is_ok_and(|status| status == Status::StreamEnd)
        && inflater.total_in() == stream.len() as u64
        && tile.len() == len;
    is_whole && checksum_of(tile) == checksum
}

fn checksum_of(bytes: &[u8]) -> u32 {
    let mut checksum = Crc::new();
    checksum.update(bytes);
    checksum.sum()
}

/// Leaves out when, how well and on what system a member was made.
fn with_plain_header(mut member: Vec<u8>) -> Vec<u8> {
    member[..PLAIN_HEADER.len()].copy_from_slice(&PLAIN_HEADER);
    member
}

/// How many bytes a gzip stream may inflate to.
fn limit_of(gzip: &[u8]) -> usize {
    let limit = FREE_BYTES.max(gzip.len().saturating_mul(MAX_RATIO));
    limit.min(MAX_TILE_BYTES)
}

/// Inflates a gzip stream of any form, or tells what is wrong with it.
fn inflate(gzip: &[u8]) -> Result<Vec<u8>, String> {
    let limit = limit_of(gzip);
    // The trailer tells the length, but for multiples of 4 GiB.
    let claimed = gzip
        .last_chunk()
        .map_or(0, |bytes| u32::from_le_bytes(*bytes) as usize);
    if claimed > limit {
        return Err(format!("it inflates to more than {limit} bytes"));
    }
    let mut tile = Vec::with_capacity(claimed);
    let mut decoder = GzDecoder::new(gzip);
    let read = (&mut decoder)
        .take(limit as u64 + 1)
        .read_to_end(&mut tile)
        .map_err(|error| format!("its gzip stream is damaged: {error}"))?;
    if read > limit {
        return Err(format!("it inflates to more than {limit} bytes"));
    }
    if !decoder.into_inner().is_empty() {
        return Err("something follows its gzip stream".into());
    }
    Ok(tile)
}

fn deflate(tile: &[u8], deflater: &mut Compress) -> Result<Vec<u8>, String> {
    deflater.reset();
    let mut member = Vec::new();
    loop {
        member.reserve(tile.len() / 4 * 3 + PLAIN_HEADER.len());
        let rest = &tile[deflater.total_in() as usize..];
        let status = deflater.compress_vec(rest, &mut member, FlushCompress::Finish);
        if status.map_err(|error| error.to_string())? == Status::StreamEnd {
            return Ok(with_plain_header(member));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::io::Write;

    use flate2::GzBuilder;
    use proptest::prelude::*;
    use tilesight_mvt::writer::{LayerWriter, TileWriter, Value};

    use super::*;

    fn tile(layer: &str) -> Vec<u8> {
        let mut points = LayerWriter::new(layer);
        points.point((1, 2), &[("id", Value::Int(17))]);
        let mut tile = TileWriter::new();
        tile.push(points);
        tile.finish()
    }

    fn gzip(bytes: &[u8], header: GzBuilder, level: u32) -> Vec<u8> {
        let mut encoder = header.write(Vec::new(), Compression::new(level));
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn examine(body: Vec<u8>) -> Result<Content, String> {
        Examiners::default().examine(body, &|_| ())
    }

    #[track_caller]
    fn stored(body: Vec<u8>) -> Vec<u8> {
        match examine(body) {
            Ok(Content::Tile(stored)) => stored,
            other => panic!("it is a tile: {other:?}"),
        }
    }

    #[test]
    fn a_member_stays_as_it_came_but_for_its_time() {
        for level in 0..=9 {
            let early = gzip(&tile("image"), GzBuilder::new().mtime(1), level);
            let late = gzip(
                &tile("image"),
                GzBuilder::new().mtime(2).operating_system(3),
                level,
            );
            let kept = stored(early.clone());
            assert_eq!(kept[..10], PLAIN_HEADER);
            assert_eq!(kept[10..], early[10..]);
            assert_eq!(stored(late), kept);
            assert_eq!(stored(kept.clone()), kept);
        }
    }

    #[test]
    fn what_comes_in_another_form_is_stored_in_one() {
        let anew = stored(tile("image"));
        assert_eq!(inflate(&anew).unwrap(), tile("image"));
        let named = gzip(&tile("image"), GzBuilder::new().filename("tile"), 9);
        assert_eq!(stored(named), anew);
    }

    #[test]
    fn an_examiner_remembers_nothing() {
        let examiners = Examiners::default();
        let bodies = [
            tile("image"),
            gzip(&vec![7; 100_000], GzBuilder::new(), 6),
            gzip(&tile("image"), GzBuilder::new(), 6),
            tile("image")[..5].to_vec(),
            gzip(&tile("image"), GzBuilder::new().comment("two"), 1),
            tile("sequence"),
        ];
        for body in bodies.iter().chain(bodies.iter().rev()) {
            let content = examiners.examine(body.clone(), &|_| ());
            assert_eq!(content, examine(body.clone()));
        }
    }

    #[test]
    fn nothing_and_filler_are_empty() {
        assert_eq!(examine(Vec::new()), Ok(Content::Empty));
        assert_eq!(examine(gzip(&[], GzBuilder::new(), 6)), Ok(Content::Empty));
        assert_eq!(examine(tile("water")), Ok(Content::Empty));
    }

    #[test]
    fn what_is_shown_is_what_is_stored() {
        let shown_of = |body: &[u8]| {
            let shown = RefCell::new(Vec::new());
            let show = |tile: Option<&[u8]>| shown.borrow_mut().push(tile.map(<[u8]>::to_vec));
            let content = Examiners::default().examine(body.to_vec(), &show);
            (content, shown.into_inner())
        };
        let plain = tile("image");
        let named = GzBuilder::new().filename("tile");
        for body in [
            plain.clone(),
            gzip(&plain, GzBuilder::new(), 6),
            gzip(&plain, named, 6),
        ] {
            assert_eq!(shown_of(&body).1, [Some(plain.clone())]);
        }
        assert_eq!(shown_of(&tile("water")), (Ok(Content::Empty), vec![None]));
        let (content, shown) = shown_of(&plain[..5]);
        assert!(content.is_err() && shown.is_empty());
    }

    #[test]
    fn every_truncation_is_found() {
        let whole = tile("image");
        for end in 1..whole.len() {
            assert!(examine(whole[..end].to_vec()).is_err(), "{end}");
        }
        let gzipped = gzip(&whole, GzBuilder::new(), 6);
        for end in 1..gzipped.len() {
            assert!(examine(gzipped[..end].to_vec()).is_err(), "{end}");
        }
        assert!(examine([&gzipped[..], &[0]].concat()).is_err());
        assert!(examine([&gzipped[..], &gzipped].concat()).is_err());
    }

    #[test]
    fn a_bomb_is_refused() {
        let bomb = gzip(&vec![0; 64 << 20], GzBuilder::new(), 6);
        let error = examine(bomb.clone()).unwrap_err();
        assert!(error.contains("inflates"), "{error}");
        // One that lies about its length.
        let trailer = bomb.len() - 4;
        let lying = [&bomb[..trailer], &[0; 4]].concat();
        let error = examine(lying).unwrap_err();
        assert!(error.contains("inflates"), "{error}");
    }

    /// How a gzip stream is damaged on its way: bytes changed, its end cut off, some appended.
    fn damage() -> impl Strategy<Value = (Vec<(usize, u8)>, usize, Vec<u8>)> {
        let changes = prop::collection::vec((any::<usize>(), any::<u8>()), 0..3);
        (
            changes,
            0..4_usize,
            prop::collection::vec(any::<u8>(), 0..3),
        )
    }

    fn damaged(mut gzip: Vec<u8>, damage: (Vec<(usize, u8)>, usize, Vec<u8>)) -> Vec<u8> {
        let (changes, cut, appended) = damage;
        gzip.truncate(gzip.len() - cut);
        gzip.extend(appended);
        let len = gzip.len();
        for (place, byte) in changes {
            gzip[place % len] = byte;
        }
        gzip
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(body: Vec<u8>) {
            let _ = examine(body.clone());
            let _ = examine([&[0x1f, 0x8b][..], &body].concat());
            let _ = examine([&PLAIN_HEADER[..], &body].concat());
        }

        #[test]
        fn the_fast_way_takes_what_the_slow_one_takes(
            tile in prop::collection::vec(0..4_u8, 0..600),
            level in 0..=9_u32,
            damage in damage(),
        ) {
            let body = damaged(gzip(&tile, GzBuilder::new(), level), damage);
            let mut fast = Vec::new();
            let is_taken = inflate_plain(&body, &mut Decompress::new(false), &mut fast);
            let is_plain = body.starts_with(&PLAIN_HEADER[..FORM_BYTES]);
            let slow = if is_plain { inflate(&body).ok() } else { None };
            prop_assert_eq!(is_taken.then_some(fast), slow);
        }
    }
}
