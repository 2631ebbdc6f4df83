//! The same rows give the same bytes, however they are built.

use rayon::ThreadPoolBuilder;
use tilesight::BuildOptions;
use tilesight_query::build::{Builder, Part};

use super::sample::{ABOUT, build, bytes_of, parts};

/// So many that a mebibyte does not hold them.
const IMAGES: usize = 60_000;

fn on_threads<T: Send>(threads: usize, work: impl FnOnce() -> T + Send) -> T {
    let pool = ThreadPoolBuilder::new().num_threads(threads).build();
    pool.unwrap().install(work)
}

#[test]
fn neither_threads_nor_memory_change_a_byte() {
    let parts = parts(IMAGES, 5);
    let expected = on_threads(1, || bytes_of(&build(Builder::in_memory(), &parts), ABOUT));
    let dir = tempfile::tempdir().unwrap();
    let builders: [&(dyn Fn() -> Builder + Sync); 3] = [
        &Builder::in_memory,
        &|| Builder::in_folder(dir.path(), 1 << 20),
        &|| Builder::in_folder(dir.path(), 1 << 30),
    ];
    for threads in [1, 2, 4] {
        for (i, builder) in builders.iter().enumerate() {
            let bytes = on_threads(threads, || bytes_of(&build(builder(), &parts), ABOUT));
            assert!(bytes == expected, "{threads} threads, builder {i}");
        }
    }
    let left: Vec<_> = std::fs::read_dir(dir.path()).unwrap().collect();
    assert!(left.is_empty(), "temporary files have no names");
}

#[test]
fn how_tiles_are_spread_over_parts_changes_nothing() {
    let parts = parts(2000, 6);
    let expected = bytes_of(&build(Builder::in_memory(), &parts), ABOUT);
    let mut spread = Vec::new();
    for part in parts {
        spread.extend([Part::new(), part, Part::new()]);
    }
    let bytes = bytes_of(&build(Builder::in_memory(), &spread), ABOUT);
    assert!(bytes == expected);
}

#[test]
fn a_dataset_of_the_town_is_the_same_on_any_threads_and_memory() {
    let dir = tempfile::tempdir().unwrap();
    let built = |threads, memory_bytes| {
        let options = BuildOptions {
            memory_bytes,
            scratch: dir.path().to_owned(),
        };
        let path = dir.path().join(format!("{threads}-{memory_bytes}.tsight"));
        let mut file = std::fs::File::create(&path).unwrap();
        let town = super::stranger::town();
        on_threads(threads, || {
            tilesight::build(&[town], &mut file, &options, &|_| ()).unwrap()
        });
        std::fs::read(path).unwrap()
    };
    let expected = built(1, 1 << 30);
    assert!(built(2, 1 << 30) == expected && built(4, 1 << 20) == expected);
}
