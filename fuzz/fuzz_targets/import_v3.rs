#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tilesight_hostile::check("import_v3", bytes));
