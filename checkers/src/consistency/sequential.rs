//! Sequential consistency: one order of all operations on all keys, true to every session, in which every read finds the last write
//! (Lamport, How to Make a Multiprocessor Computer, 1979).
//!
//! Deciding it is NP-complete even when it is known which read reads from which write (Gibbons & Korach, Testing Shared Memories, 1997). In
//! turn: a likely order and a greedy search are tried; what certainly comes before what is saturated until it is cyclic or a likely order
//! fits; a search decides the rest within a budget.

mod saturate;
mod search;

use super::causal::cyclic;
use super::options::Limits;
use super::order::{arrange, is_legal, points};
use super::outcome::Outcome;
use super::precedence::Scope;
use super::registers::Registers;

/// How many states the first, greedy search may visit for each access. It finds most orders at once, and proves nothing when it does not.
const GREED: usize = 1;

/// Decides sequential consistency, or not within these limits.
pub(crate) fn sequential(registers: &Registers<'_, '_>, limits: &Limits) -> Outcome {
    let points = points(registers);
    let Some(order) = arrange(registers, Scope::All, &[], &points) else {
        return cyclic(registers);
    };
    if is_legal(registers, &order) {
        return Outcome::Holds;
    }
    let greedy = Limits { cells: limits.cells.min(GREED * registers.accesses.len() * registers.sessions.len()), ..*limits };
    if matches!(search::search(registers, &points, &greedy), Outcome::Holds) {
        return Outcome::Holds;
    }
    saturate::saturate(registers, order, &points).unwrap_or_else(|| search::search(registers, &points, limits))
}
