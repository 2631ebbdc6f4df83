#![no_main]

// The reader of Parquet panics where a file is damaged, which is caught: a panic that is not ends
// the run all the same, once it has left the target.
libfuzzer_sys::fuzz_target!(
    init: drop(std::panic::take_hook()),
    |bytes: &[u8]| tilesight_hostile::check("geoparquet", bytes)
);
