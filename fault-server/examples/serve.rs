//! Serves a folder of tiles on loopback as the service does, with a fault now and then, to try
//! fetching by hand:
//!
//! ```sh
//! cargo run -p tilesight-fault-server --example serve -- fixtures/town 10
//! ```
//!
//! The number is how many of a hundred tiles meet a fault once; none where it is left out.
#![expect(
    clippy::print_stdout,
    reason = "it is a program that says where it serves"
)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{env, fs, io, thread};

use tilesight_fault_server::{Fault, FaultServer};

fn main() -> io::Result<()> {
    let folder = env::args()
        .nth(1)
        .unwrap_or_else(|| "fixtures/town".to_owned());
    let percent = env::args().nth(2).and_then(|number| number.parse().ok());
    let mut bodies = BTreeMap::new();
    for tileset in folders(Path::new(&folder))? {
        add_tiles(&tileset, &mut bodies)?;
    }
    let paths: Vec<_> = bodies.keys().cloned().collect();
    let server = FaultServer::start(bodies)?;
    for (number, path) in paths.iter().enumerate() {
        if number * 61 % 100 < percent.unwrap_or(0) {
            server.inject(path, [Fault::PASSING[number % Fault::PASSING.len()]]);
        }
    }
    println!("{} tiles of {folder} at {}", paths.len(), server.origin());
    loop {
        thread::park();
    }
}

/// Adds the tiles `{z}/{x}/{y}.mvt` of a tileset by the paths that the service has for them.
fn add_tiles(tileset: &Path, bodies: &mut BTreeMap<String, Vec<u8>>) -> io::Result<()> {
    let name = tileset.file_name().unwrap_or_default().to_string_lossy();
    for zoom in folders(tileset)? {
        for column in folders(&zoom)? {
            for file in fs::read_dir(&column)? {
                let file = file?.path();
                let address = file.with_extension("");
                let address = address.strip_prefix(tileset).unwrap_or(&address);
                let path = format!("/maps/vtp/{name}/2/{}", address.display());
                bodies.insert(path, fs::read(&file)?);
            }
        }
    }
    Ok(())
}

fn folders(of: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(of)?.map(|entry| entry.map(|entry| entry.path()));
    let paths: Vec<_> = entries.collect::<io::Result<_>>()?;
    Ok(paths.into_iter().filter(|path| path.is_dir()).collect())
}
