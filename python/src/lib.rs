//! The native part of the Python package `tilesight`.
//!
//! It hands questions to the library and gives answers as Arrow streams. What Python's users
//! write, from dates to polygons, becomes plain numbers and texts in the package's Python part,
//! which also has the documentation.

#![forbid(unsafe_code)]
#![allow(
    clippy::needless_pass_by_value,
    reason = "what Python hands over is made for the call"
)]

use pyo3::prelude::*;

mod answer;
mod build;
mod dataset;
mod error;
mod fetch;
mod interface;
mod partition;
mod place;
mod publish;
mod question;
mod watch;
mod workers;

#[pymodule]
mod _tilesight {
    #[pymodule_export]
    use crate::answer::Answer;
    #[pymodule_export]
    use crate::build::build;
    #[pymodule_export]
    use crate::dataset::Dataset;
    #[pymodule_export]
    use crate::fetch::fetch;
    #[pymodule_export]
    use crate::interface::{Interface, save_locally};
    #[pymodule_export]
    use crate::partition::{in_common, open_parts, shares, write_share};
    #[pymodule_export]
    use crate::place::Place;

    #[pymodule_export]
    #[allow(non_upper_case_globals, reason = "Python's name for it")]
    const __version__: &str = env!("CARGO_PKG_VERSION");
}
