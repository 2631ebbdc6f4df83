//! What can go wrong between a program and its disk.
//!
//! A program runs under [`trace()`], which sees each of its system calls that changes a file below
//! one folder, whichever library makes them. An [`Operation`] can be the last one ([`Fault::Kill`])
//! or be refused ([`Fault::Refuse`]). What was seen is a [`Journal`], and of that follows what a
//! loss of power could have left of the folder after any operation: [`Journal::after_crash`].
//!
//! The seam is the system call and no function of a library: `SQLite` and the standard library
//! go through that of C, and others do not.
//!
//! For tests, on Linux on x86-64 alone; elsewhere there is nothing but the journal.

mod journal;
mod tree;

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod syscall;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod trace;

pub use journal::{Journal, Loss, Operation};
pub use tree::Tree;

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub use trace::{Fault, Traced, Trouble, trace};
