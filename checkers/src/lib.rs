//! Histories to verdicts: pure functions, no input or output, no runtime.
//!
//! | module | what it decides |
//! | --- | --- |
//! | [`linearizable`] | whether the operations on an object have an order true to real time and to a [model](models) |
//! | [`transactional`] | which isolation levels transactions refute, by which anomalies |
//!
//! [`ALL`] names every checker, and [`build`] makes one from a plan's words.

pub mod linearizable;
pub mod models;
mod table;
pub mod transactional;

pub use table::{ALL, BuildError, CheckerEntry, build};
