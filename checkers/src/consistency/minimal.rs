//! Fewer operations that still contradict a model.

use std::collections::BTreeSet;

use super::contradiction::{Contradiction, excerpt};
use super::outcome::Outcome;
use super::registers::{Act, Registers, Source};

/// How many accesses all attempts together may look at.
const WORK: usize = 4_000_000;

/// Takes away, as long as the model is still broken: first in halves, in the end one by one. What is taken away takes with it the reads
/// that found it, so what is left could be a history of its own, and whoever allows the whole allows it.
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

/// All but some operations and the reads that found what they put.
fn without<'t, 'h>(registers: &Registers<'t, 'h>, taken: &[u32]) -> Registers<'t, 'h> {
    let is_taken = |operation: u32| taken.binary_search(&operation).is_ok();
    registers.only(|id| {
        let access = registers.access(id);
        let found = match access.act {
            Act::Read(Source::Write(write)) => Some(registers.access(write).operation),
            _ => None,
        };
        !is_taken(access.operation) && !found.is_some_and(is_taken)
    })
}
