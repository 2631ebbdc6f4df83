//! What programs that were written for other tools expect, made of this engine.

pub mod interface;
