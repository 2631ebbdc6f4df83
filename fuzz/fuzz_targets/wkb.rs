#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tilesight_hostile::check("wkb", bytes));
