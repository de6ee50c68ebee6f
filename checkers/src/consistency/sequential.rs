//! Sequential consistency: one total order of all operations on all keys that respects every session and in which every read returns the latest
//! write (Lamport, How to Make a Multiprocessor Computer, 1979).
//!
//! Deciding it is NP-complete even when reads-from is known (Gibbons & Korach, Testing Shared Memories, 1997). The steps, in turn: try a likely
//! order and a greedy search; saturate the precedence until it is cyclic or a likely order fits; search the rest within a budget.

mod saturate;
mod search;

use super::causal::cyclic;
use super::link::Scope;
use super::options::Limits;
use super::order::{is_legal, points, topological_order};
use super::outcome::Outcome;
use super::registers::Registers;

/// The number of states that the greedy search may visit for each access. It finds most orders at once, and proves nothing otherwise.
const GREEDY_STATES_PER_ACCESS: usize = 1;

/// Decides sequential consistency, within limits.
pub(crate) fn sequential(registers: &Registers<'_, '_>, limits: &Limits) -> Outcome {
    let points = points(registers);
    let Some(order) = topological_order(registers, Scope::All, &[], &points) else {
        return cyclic(registers);
    };
    if is_legal(registers, &order) {
        return Outcome::Holds;
    }
    let greedy =
        Limits { cells: limits.cells.min(GREEDY_STATES_PER_ACCESS * registers.accesses.len() * registers.sessions.len()), ..*limits };
    if matches!(search::search(registers, &points, &greedy), Outcome::Holds) {
        return Outcome::Holds;
    }
    saturate::saturate(registers, order, &points).unwrap_or_else(|| search::search(registers, &points, limits))
}
