//! Histories to verdicts: pure functions, no input or output, no runtime.
//!
//! | module | what it decides |
//! | --- | --- |
//! | [`consistency`] | whether registers keep a weaker promise: sequential, causal, session guarantees, regular, stale within bounds … |
//! | [`linearizable`] | whether the operations on an object have an order true to real time and to a [model](models) |
//!
//! [`ALL`] names every checker, and [`build`] makes one from a plan's words.

pub mod consistency;
pub mod linearizable;
pub mod models;
mod table;

pub use table::{ALL, BuildError, CheckerEntry, build};
