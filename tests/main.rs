//! Tests that cross the crates of Tilesight, in one binary.

#[cfg(test)]
mod dataset_file;
#[cfg(test)]
mod differential;
#[cfg(test)]
mod golden;
#[cfg(test)]
mod old_files;
#[cfg(test)]
mod output;
