//! Histories to verdicts: pure functions, no input or output, no runtime.
//!
//! | module | what it decides |
//! | --- | --- |
//! | [`linearizable`] | whether the operations on an object have an order true to real time and to a [model](models) |
//! | [`simulate`] | nothing: it makes histories of which is known what they satisfy |
//! | [`invariants`] | promises over many operations that need no such order: nothing lost, totals kept, numbers rising … |
//!
//! [`ALL`] names every checker, and [`build`] makes one from a plan's words.

pub mod invariants;
pub mod linearizable;
pub mod models;
pub mod simulate;
mod table;

pub use table::{ALL, BuildError, CheckerEntry, build};
