//! Saturation: the precedence that every total order of all operations must respect.

use rustc_hash::FxHashSet;

use crate::consistency::clocks::{Clocks, writes_by_key};
use crate::consistency::contradiction::Contradiction;
use crate::consistency::link::{Link, Rule, Scope};
use crate::consistency::order::{Point, is_legal, read_of_cas, topological_order, write_of_cas};
use crate::consistency::outcome::Outcome;
use crate::consistency::precedence::Precedence;
use crate::consistency::registers::{AccessId, AccessKind, Registers, Source};

/// The maximum number of rounds, each with new clocks, before the search takes over.
const ROUNDS: usize = 24;

/// Decides by saturation, given an order that extends causality; `None` if that does not decide it. O(n · sessions) per round.
pub(super) fn saturate(registers: &Registers<'_, '_>, mut order: Vec<AccessId>, points: &[Point]) -> Option<Outcome> {
    let writes = writes_by_key(registers);
    let initial = initial_readers(registers);
    let mut saturation = Saturation { registers, writes: &writes, initial: &initial, links: Vec::new(), linked: FxHashSet::default() };
    for _ in 0..ROUNDS {
        if is_legal(registers, &order) {
            return Some(Outcome::Holds);
        }
        let Some(clocks) = Clocks::new(registers, &saturation.links, &order) else {
            break;
        };
        let before = saturation.links.len();
        for (id, access) in registers.numbered() {
            match access.kind {
                AccessKind::Read(source) => {
                    if let Some(write) = saturation.order_writes_before(&clocks, id, source) {
                        let precedence = Precedence::new(registers, Scope::All, &saturation.links);
                        return Some(Outcome::Broken(Contradiction::initial_after_write(&precedence, write, id)));
                    }
                }
                AccessKind::Write => saturation.order_reads_before(&clocks, id),
            }
        }
        if saturation.links.len() == before {
            break;
        }
        match topological_order(registers, Scope::All, &saturation.links, points) {
            Some(next) => order = next,
            None => {
                let precedence = Precedence::new(registers, Scope::All, &saturation.links);
                let closing = precedence.closing_link();
                return closing.map(|link| Outcome::Broken(Contradiction::cycle(&precedence, link)));
            }
        }
    }
    None
}

struct Saturation<'s, 't, 'h> {
    registers: &'s Registers<'t, 'h>,
    writes: &'s [Vec<(u32, Vec<AccessId>)>],
    /// By key: the reads of the initial value.
    initial: &'s [Vec<AccessId>],
    links: Vec<Link>,
    linked: FxHashSet<(AccessId, AccessId)>,
}

impl Saturation<'_, '_, '_> {
    /// Adds links for `Rule::WriteBeforeSource`: a write that precedes a read of another write precedes that other write. Returns a write that
    /// precedes a read of the initial value, which is a contradiction.
    fn order_writes_before(&mut self, clocks: &Clocks<'_, '_, '_>, read: AccessId, source: Source) -> Option<AccessId> {
        let writes = self.writes;
        for (session, writes) in &writes[self.registers.access(read).key as usize] {
            let known = writes.partition_point(|&write| write < clocks.known(read, *session));
            let Some(&newest) = known.checked_sub(1).map(|at| &writes[at]) else { continue };
            let Source::Write(found) = source else {
                return Some(newest);
            };
            if newest != found && !clocks.is_before(newest, found) {
                self.link(Link { from: newest, to: found, read, rule: Rule::WriteBeforeSource });
            }
        }
        None
    }

    /// Adds links for `Rule::ReadBeforeOverwrite`: a read precedes every write that follows its source.
    fn order_reads_before(&mut self, clocks: &Clocks<'_, '_, '_>, write: AccessId) {
        let (registers, writes, initial) = (self.registers, self.writes, self.initial);
        let key = registers.access(write).key as usize;
        for (session, writes) in &writes[key] {
            let known = writes.partition_point(|&other| other < clocks.known(write, *session));
            match known.checked_sub(1).map(|at| writes[at]) {
                Some(source) => self.order_before(clocks, registers.readers.of_write(source), write),
                // The initial value precedes the first write of any session.
                None if *session == registers.access(write).session => self.order_before(clocks, &initial[key], write),
                None => {}
            }
        }
    }

    fn order_before(&mut self, clocks: &Clocks<'_, '_, '_>, readers: &[AccessId], write: AccessId) {
        let session = |read: AccessId| self.registers.access(read).session;
        // The last read of each session suffices.
        let is_last = |at: usize| readers.get(at + 1).is_none_or(|&next| session(next) != session(readers[at]));
        let last: Vec<AccessId> = (0..readers.len()).filter(|&at| is_last(at)).map(|at| readers[at]).collect();
        for read in last {
            let from = write_of_cas(self.registers, read).unwrap_or(read);
            if from != write && !clocks.is_before(from, write) {
                self.link(Link { from, to: write, read, rule: Rule::ReadBeforeOverwrite });
            }
        }
    }

    /// Adds a link. Nothing comes between the halves of a compare-and-set, so what precedes its write also precedes its read.
    fn link(&mut self, link: Link) {
        let to = read_of_cas(self.registers, link.to).unwrap_or(link.to);
        if self.linked.insert((link.from, to)) {
            self.links.push(Link { to, ..link });
        }
    }
}

/// Returns by key the reads of the initial value, in order of number.
fn initial_readers(registers: &Registers<'_, '_>) -> Vec<Vec<AccessId>> {
    let mut by_key = vec![Vec::new(); registers.keys.len()];
    for (id, access) in registers.numbered() {
        if access.kind == AccessKind::Read(Source::Initial) {
            by_key[access.key as usize].push(id);
        }
    }
    by_key
}
