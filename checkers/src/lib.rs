//! Histories to verdicts: pure functions, no input or output, no runtime.
//!
//! | module | what it decides |
//! | --- | --- |
//! | [`consistency`] | whether registers keep a weaker promise: sequential, causal, session guarantees, regular, stale within bounds … |
//! | [`linearizable`] | whether the operations on an object have an order true to real time and to a [model](models) |
//! | [`transactional`] | which isolation levels transactions refute, by which anomalies |
//! | [`invariants`] | promises over many operations that need no such order: nothing lost, totals kept, numbers rising … |
//! | [`picture`] | nothing: it draws what was found |
//! | [`simulate`] | nothing: it makes histories of which is known what they satisfy |
//!
//! [`ALL`] names every checker, and [`build`] makes one from a plan's words.

pub mod consistency;
pub mod invariants;
pub mod linearizable;
pub mod models;
pub mod picture;
pub mod simulate;
mod table;
pub mod transactional;

pub use table::{ALL, BuildError, CheckerEntry, build};
