//! Causal consistency: an operation is causally preceded by the earlier operations of its session and by the write that it read.
//!
//! After Bouajjani, Enea, Guerraoui and Hamza, On Verifying Causal Consistency (POPL 2017), whose bad patterns these are: a read from the
//! causal future (CyclicCO), the initial value after a write (WriteCOInitRead), a value after one that is causally newer (WriteCORead);
//! and for convergence, a cycle in the conflict order (CyclicCF).

use super::clocks::{Clocks, writes_by_key};
use super::contradiction::Contradiction;
use super::link::{Link, Rule, Scope};
use super::order::{is_legal, points, topological_order};
use super::outcome::Outcome;
use super::precedence::Precedence;
use super::registers::{AccessKind, Registers, Source};

/// Decides weak causal consistency (CC): no read returns a causally overwritten value. O(n · sessions).
pub(crate) fn causal(registers: &Registers<'_, '_>) -> Outcome {
    judge(registers, false)
}

/// Decides causal convergence (CCv): CC, and all sessions agree on one order of conflicting writes. O(n · sessions).
pub(crate) fn convergence(registers: &Registers<'_, '_>) -> Outcome {
    judge(registers, true)
}

fn judge(registers: &Registers<'_, '_>, converges: bool) -> Outcome {
    let points = points(registers);
    let Some(order) = topological_order(registers, Scope::All, &[], &points) else {
        return cyclic(registers);
    };
    if is_legal(registers, &order) {
        return Outcome::Holds;
    }
    let Some(clocks) = Clocks::new(registers, &[], &order) else {
        return Outcome::too_large();
    };
    let writes = writes_by_key(registers);
    let mut links = Vec::new();
    for (read, access) in registers.numbered() {
        let AccessKind::Read(source) = access.kind else { continue };
        for (session, writes) in &writes[access.key as usize] {
            let known = writes.partition_point(|&write| write < clocks.known(read, *session));
            let Some(&newest) = known.checked_sub(1).map(|at| &writes[at]) else { continue };
            let Source::Write(found) = source else {
                return Outcome::Broken(Contradiction::initial_after_write(&Precedence::new(registers, Scope::All, &[]), newest, read));
            };
            if newest == found || clocks.is_before(newest, found) {
                continue;
            }
            let link = Link { from: newest, to: found, read, rule: Rule::WriteBeforeSource };
            if clocks.is_before(found, newest) {
                return Outcome::Broken(Contradiction::cycle(&Precedence::new(registers, Scope::All, &[link]), 0));
            }
            if converges {
                links.push(link);
            }
        }
    }
    if links.is_empty() || topological_order(registers, Scope::All, &links, &points).is_some() {
        return Outcome::Holds;
    }
    let precedence = Precedence::new(registers, Scope::All, &links);
    precedence.closing_link().map_or(Outcome::Holds, |link| Outcome::Broken(Contradiction::cycle(&precedence, link)))
}

/// Returns the contradiction of a history in which session order and reads-from are cyclic.
pub(crate) fn cyclic(registers: &Registers<'_, '_>) -> Outcome {
    let precedence = Precedence::new(registers, Scope::All, &[]);
    precedence.read_of_future().map_or(Outcome::Holds, |read| Outcome::Broken(Contradiction::read_of_future(&precedence, read)))
}
