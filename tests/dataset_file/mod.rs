//! The dataset file: read by a stranger, damaged, made of nonsense, built in every way.

mod builds;
mod crafted;
mod damage;
mod sample;
mod stranger;
