//! Other programs read what this one writes.
#![cfg(feature = "parquet")]

use std::path::Path;
use std::process::Command;

#[test]
fn other_programs_read_what_is_written() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/python/read_back.py");
    let program = env!("CARGO_BIN_EXE_tilesight");
    match Command::new("python3").arg(script).arg(program).status() {
        Ok(status) => assert!(status.success(), "{status}"),
        Err(error) if std::env::var_os("CI").is_none() => {
            println!("SKIPPED: there is no python3 ({error})");
        }
        Err(error) => panic!("there is no python3 ({error})"),
    }
}
