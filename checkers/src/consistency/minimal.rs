//! Minimises a counterexample.

use std::collections::BTreeSet;

use super::contradiction::{Contradiction, excerpt};
use super::outcome::Outcome;
use super::registers::{AccessKind, Registers, Source};

/// The maximum number of accesses that all attempts together may check.
const WORK: usize = 4_000_000;

/// Removes operations while the model is still violated (delta debugging): first in halves, finally one by one. Reads of a removed write are
/// removed with it, so that the rest is a history by itself, and every model that allows the whole history allows the rest.
pub(crate) fn minimal(
    registers: &Registers<'_, '_>,
    contradiction: Contradiction,
    judge: impl Fn(&Registers<'_, '_>) -> Outcome,
) -> Contradiction {
    let mut best = contradiction;
    let mut rest = excerpt(registers, &best.operations);
    match judge(&rest) {
        Outcome::Broken(smaller) => best = smaller,
        _ => return best,
    }
    let (mut chunk, mut work) = (best.operations.len().div_ceil(2).max(1), 0);
    loop {
        let operations: Vec<u32> = rest.accesses.iter().map(|access| access.operation).collect::<BTreeSet<_>>().into_iter().collect();
        let mut is_smaller = false;
        for taken in operations.rchunks(chunk) {
            work += rest.accesses.len() + 1;
            if work > WORK {
                return best;
            }
            let smaller = without(&rest, taken);
            if let Outcome::Broken(contradiction) = judge(&smaller) {
                rest = excerpt(&smaller, &contradiction.operations);
                best = contradiction;
                is_smaller = true;
                break;
            }
        }
        match (is_smaller, chunk) {
            (true, _) => chunk = chunk.min(best.operations.len()).max(1),
            (false, 1) => return best,
            (false, _) => chunk = chunk.div_ceil(2),
        }
    }
}

/// Removes some operations and the reads of their writes.
fn without<'t, 'h>(registers: &Registers<'t, 'h>, taken: &[u32]) -> Registers<'t, 'h> {
    let is_taken = |operation: u32| taken.binary_search(&operation).is_ok();
    registers.only(|id| {
        let access = registers.access(id);
        let found = match access.kind {
            AccessKind::Read(Source::Write(write)) => Some(registers.access(write).operation),
            _ => None,
        };
        !is_taken(access.operation) && !found.is_some_and(is_taken)
    })
}
