//! Sequential consistency: one order of all operations on all keys, true to every session, in which every read finds the last write
//! (Lamport, How to Make a Multiprocessor Computer, 1979).
//!
//! Deciding it is NP-complete even when it is known which read reads from which write (Gibbons & Korach, Testing Shared Memories, 1997). In
//! this order: a likely order is tried; what certainly comes before what is saturated until it is cyclic or a likely order fits; a search
//! decides the rest within a budget.

mod saturate;
mod search;

use super::options::Limits;
use super::outcome::Outcome;
use super::registers::Registers;

/// Decides sequential consistency, or not within these limits.
pub(crate) fn sequential(registers: &Registers<'_, '_>, limits: &Limits) -> Outcome {
    saturate::saturate(registers).unwrap_or_else(|points| search::search(registers, &points, limits))
}
