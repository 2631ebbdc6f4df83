//! Importing sequences of other services into a store.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use clap::Args;

use crate::failure::Failure;
use crate::output::Voice;

#[derive(Debug, Args)]
pub(crate) struct Import {
    /// GeoJSON of sequences, a collection or a feature a line, as --shape v3 writes it; or
    /// standard input
    #[arg(value_name = "FILE|-")]
    file: PathBuf,

    /// The .mbtiles store to import into, which is made if there is none
    ///
    /// What is imported is asked for as tiles are, and taken along by build. Where a tile has an
    /// image too, the tile counts. An import makes no tile held: questions about places whose
    /// tiles are not are answered with --partial.
    #[arg(long, value_name = "STORE")]
    store: PathBuf,
}

/// Imports the sequences of a file.
pub(crate) fn import(typed: &Import, voice: Voice) -> Result<(), Failure> {
    let text = read_text(&typed.file)?;
    let imported = tilesight::import::import(&text, &typed.store)?;
    if imported.old_keys > 0 {
        voice.warn(format_args!(
            "{} images have keys of before 2021, which are no ids: they have negative numbers in \
             their place, and are left out where a tile knows their sequence",
            imported.old_keys
        ));
    }
    if imported.left_out > 0 {
        let left_out = imported.left_out;
        voice.warn(format_args!(
            "{left_out} sequences without images were left out"
        ));
    }
    voice.conclude(format_args!(
        "{} sequences with {} images in {}",
        imported.sequences,
        imported.images,
        typed.store.display()
    ));
    Ok(())
}

/// Reads a file, or standard input, as text.
pub(crate) fn read_text(path: &Path) -> Result<String, Failure> {
    let (name, bytes) = if path.as_os_str() == "-" {
        let mut bytes = Vec::new();
        let read = io::stdin().lock().read_to_end(&mut bytes);
        ("standard input".to_owned(), read.map(|_| bytes))
    } else {
        (path.display().to_string(), fs::read(path))
    };
    let bytes = bytes.map_err(|error| Failure::failed(format!("cannot read {name}: {error}")))?;
    let no_text = |_| Failure::usage(format!("{name} is not text in UTF-8"));
    String::from_utf8(bytes).map_err(no_text)
}
