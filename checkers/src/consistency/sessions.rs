//! Session guarantees (Terry, Demers, Petersen, Spreitzer, Theimer, Welch, Session Guarantees for Weakly Consistent Replicated Data, 1994).
//!
//! Terry et al. define them by the writes that each server has executed and in which order, which a history does not show. So each guarantee is
//! defined by what a session can observe: *for every session and key there is an order of the versions of that key, the initial one first and
//! those of each session in session order, such that every read of that session returns a version no older than any that it must have seen*:
//!
//! | guarantee | before a read, a session must have seen |
//! | --- | --- |
//! | read your writes | its earlier writes |
//! | monotonic reads | the versions of its earlier reads |
//! | monotonic writes | the earlier writes of the writer of any version that it has read |
//! | writes follow reads | the versions that the writer of any version that it has read had read before |
//!
//! Monotonic writes and writes follow reads therefore need two reads of a session, since a single read of a single register cannot violate them.
//! All four follow from causal memory and from causal convergence; the first three from PRAM (Brzezinski, Sobaniec, Wawrzyniak, From Session
//! Causality to Causal Consistency, 2004).

use elenchus_core::Anomaly;
use rustc_hash::FxHashMap;

use super::link::Scope;
use super::order::{is_legal, points, topological_order};
use super::outcome::Outcome;
use super::registers::{AccessId, AccessKind, Registers, Source};
use super::wording::describe;

/// The maximum number of anomalies in a finding.
const MAX_ANOMALIES: usize = 16;

/// The number of cycles among which the shortest is chosen.
const MAX_CYCLES: usize = 64;

/// A session guarantee.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Guarantee {
    ReadYourWrites,
    MonotonicReads,
    MonotonicWrites,
    WritesFollowReads,
}

impl Guarantee {
    fn anomaly(self) -> &'static str {
        match self {
            Guarantee::ReadYourWrites => "read-your-writes",
            Guarantee::MonotonicReads => "monotonic-reads",
            Guarantee::MonotonicWrites => "monotonic-writes",
            Guarantee::WritesFollowReads => "writes-follow-reads",
        }
    }

    fn description(self) -> &'static str {
        match self {
            Guarantee::ReadYourWrites => "A session read an older value than one that it had written.",
            Guarantee::MonotonicReads => "A session read an older value than one that it had read before.",
            Guarantee::MonotonicWrites => "A session read a later write of another session, and then missed an earlier one.",
            Guarantee::WritesFollowReads => "A session read a write, and then missed a version that the writer had read before it.",
        }
    }
}

/// A version that must have been seen, and the reads that imply it.
#[derive(Clone, Copy, Debug)]
struct Required {
    version: AccessId,
    /// The session's own read of a later version of the writer.
    own: Option<AccessId>,
    /// The read of this version by that writer.
    other: Option<AccessId>,
}

/// A read that returned `found` although `seen` had to be seen: so `found` must be newer.
#[derive(Clone, Copy, Debug)]
struct Inversion {
    seen: Required,
    found: AccessId,
    read: AccessId,
}

/// Decides a guarantee for every session. O(n · sessions).
pub(crate) fn session_guarantee(registers: &Registers<'_, '_>, guarantee: Guarantee) -> Outcome {
    let order = topological_order(registers, Scope::All, &[], &points(registers));
    if order.is_some_and(|order| is_legal(registers, &order)) {
        return Outcome::Holds;
    }
    let mut anomalies = Vec::new();
    for session in 0..registers.sessions.len() {
        if anomalies.len() < MAX_ANOMALIES {
            anomalies.extend(SessionState::new(registers, guarantee).judge(session));
        }
    }
    if anomalies.is_empty() { Outcome::Holds } else { Outcome::Anomalies(anomalies) }
}

/// The state of one session.
struct SessionState<'r, 't, 'h> {
    registers: &'r Registers<'t, 'h>,
    guarantee: Guarantee,
    /// By key: of the versions that must have been seen, the last of each writing session.
    seen: FxHashMap<u32, Vec<Required>>,
    /// By session: how far its accesses have been taken into account.
    recorded: FxHashMap<u32, AccessId>,
    /// By key.
    inversions: FxHashMap<u32, Vec<Inversion>>,
}

impl<'r, 't, 'h> SessionState<'r, 't, 'h> {
    fn new(registers: &'r Registers<'t, 'h>, guarantee: Guarantee) -> Self {
        SessionState { registers, guarantee, seen: FxHashMap::default(), recorded: FxHashMap::default(), inversions: FxHashMap::default() }
    }

    fn judge(mut self, session: usize) -> Vec<Anomaly> {
        for id in self.registers.sessions[session].clone() {
            let access = self.registers.access(id);
            match access.kind {
                AccessKind::Write if self.guarantee == Guarantee::ReadYourWrites => {
                    self.require(Required { version: id, own: None, other: None })
                }
                AccessKind::Write => {}
                AccessKind::Read(source) => {
                    let required = self.seen.get(&access.key).map_or(&[][..], Vec::as_slice);
                    match source {
                        // Any version proves it; the first is the oldest.
                        Source::Initial => {
                            if let Some(&seen) = required.first() {
                                return vec![self.initial(seen, id)];
                            }
                        }
                        Source::Write(found) => {
                            let missed =
                                required.iter().filter(|required| !self.is_older(required.version, found) && required.version != found);
                            let inversions: Vec<Inversion> = missed.map(|&seen| Inversion { seen, found, read: id }).collect();
                            if !inversions.is_empty() {
                                self.inversions.entry(access.key).or_default().extend(inversions);
                            }
                            self.record_read(id, found);
                        }
                    }
                }
            }
        }
        let mut keys: Vec<u32> = self.inversions.keys().copied().collect();
        keys.sort_unstable();
        keys.into_iter().filter_map(|key| self.cycle(&self.inversions[&key])).map(|cycle| self.anomaly(&cycle)).take(1).collect()
    }

    /// Returns whether the first version is older because it is earlier in the same session.
    fn is_older(&self, first: AccessId, second: AccessId) -> bool {
        self.registers.access(first).session == self.registers.access(second).session && first < second
    }

    /// Records that a read of this session returned a version, and the versions that must be seen with it.
    fn record_read(&mut self, read: AccessId, found: AccessId) {
        let registers = self.registers;
        if self.guarantee == Guarantee::MonotonicReads {
            return self.require(Required { version: found, own: Some(read), other: None });
        }
        if self.guarantee == Guarantee::ReadYourWrites {
            return;
        }
        let writer = registers.access(found).session;
        let recorded = self.recorded.entry(writer).or_insert(registers.session_start(found));
        for before in std::mem::replace(recorded, (*recorded).max(found))..found {
            let required = |version, other| Required { version, own: Some(read), other };
            match (registers.access(before).kind, self.guarantee) {
                (AccessKind::Write, Guarantee::MonotonicWrites) => self.require(required(before, None)),
                (AccessKind::Read(Source::Write(version)), Guarantee::WritesFollowReads) => self.require(required(version, Some(before))),
                _ => {}
            }
        }
    }

    fn require(&mut self, required: Required) {
        let registers = self.registers;
        let session = |required: &Required| registers.access(required.version).session;
        let known_versions = self.seen.entry(registers.access(required.version).key).or_default();
        match known_versions.iter_mut().find(|known| session(known) == session(&required)) {
            Some(known) if known.version < required.version => *known = required,
            Some(_) => {}
            None => known_versions.push(required),
        }
    }

    /// Returns a shortest cycle in the version order that the reads of one key imply, if there is any.
    fn cycle(&self, inversions: &[Inversion]) -> Option<Vec<Inversion>> {
        let mut versions: Vec<AccessId> = inversions.iter().flat_map(|inversion| [inversion.seen.version, inversion.found]).collect();
        versions.sort_unstable();
        versions.dedup();
        let number = |version: AccessId| versions.binary_search(&version).unwrap_or_default();
        let mut newer: Vec<Vec<(usize, Option<usize>)>> = vec![Vec::new(); versions.len()];
        let mut edges: Vec<(AccessId, AccessId, usize)> =
            inversions.iter().enumerate().map(|(at, inversion)| (inversion.seen.version, inversion.found, at)).collect();
        edges.sort_unstable();
        edges.dedup_by_key(|edge| (edge.0, edge.1));
        for &(seen, found, at) in &edges {
            newer[number(seen)].push((number(found), Some(at)));
        }
        for (at, pair) in versions.windows(2).enumerate() {
            if self.is_older(pair[0], pair[1]) {
                newer[at].push((at + 1, None));
            }
        }
        let is_core = cyclic_core(&newer);
        let in_core = edges.iter().filter(|&&(seen, found, _)| is_core[number(seen)] && is_core[number(found)]);
        let cycles = in_core.filter_map(|&(seen, found, at)| {
            let mut cycle = shortest(&newer, number(found), number(seen))?;
            cycle.push(at);
            Some(cycle)
        });
        cycles.take(MAX_CYCLES).min_by_key(Vec::len).map(|cycle| cycle.into_iter().map(|at| inversions[at]).collect())
    }

    fn text(&self, id: AccessId) -> String {
        describe(self.registers.operation(id))
    }

    /// Explains why a version must have been seen before a read.
    fn reason(&self, seen: Required, read: AccessId, operations: &mut Vec<AccessId>) -> String {
        operations.extend([Some(seen.version), seen.own, seen.other, Some(read)].into_iter().flatten());
        let (version, read) = (self.text(seen.version), self.text(read));
        let after = |own: AccessId| match self.registers.access(own).kind {
            AccessKind::Read(Source::Write(write)) => write,
            _ => own,
        };
        match (seen.own, seen.other) {
            (None, _) => format!("{read} follows {version} in its session"),
            (Some(own), None) if self.guarantee == Guarantee::MonotonicReads => {
                format!("{read} follows {} in its session, which returned the value of {version}", self.text(own))
            }
            (Some(own), other) => {
                let write = after(own);
                operations.push(write);
                let (own, write) = (self.text(own), self.text(write));
                let before = other.map_or(version.clone(), |other| format!("{}, which returned the value of {version}", self.text(other)));
                format!("{read} follows {own} in its session, which returned the value of {write}, and that follows {before}")
            }
        }
    }

    fn initial(&self, seen: Required, read: AccessId) -> Anomaly {
        let mut operations = Vec::new();
        let reason = self.reason(seen, read, &mut operations);
        let argument = vec![format!("{reason}."), "But it returned the initial value.".to_owned()];
        self.build_anomaly(operations, argument, read)
    }

    fn anomaly(&self, cycle: &[Inversion]) -> Anomaly {
        let (mut operations, mut argument) = (Vec::new(), Vec::new());
        for (at, inversion) in cycle.iter().enumerate() {
            let reason = self.reason(inversion.seen, inversion.read, &mut operations);
            operations.push(inversion.found);
            argument.push(format!("{reason}. It returned the value of {}, which must therefore be newer.", self.text(inversion.found)));
            let next = cycle[(at + 1) % cycle.len()].seen.version;
            if next != inversion.found {
                operations.push(next);
                argument.push(format!("But {} follows that write in the same session.", self.text(next)));
            }
        }
        argument.push("So each of these versions would have to be newer than the others.".to_owned());
        self.build_anomaly(operations, argument, cycle.last().map_or(0, |inversion| inversion.read))
    }

    fn build_anomaly(&self, accesses: Vec<AccessId>, argument: Vec<String>, read: AccessId) -> Anomaly {
        let mut operations: Vec<_> = accesses.into_iter().map(|id| self.registers.operation(id).invoked).collect();
        operations.sort_unstable();
        operations.dedup();
        Anomaly {
            name: self.guarantee.anomaly().to_owned(),
            key: self.registers.operation(read).key.cloned(),
            description: self.guarantee.description().to_owned(),
            operations,
            argument,
            ..Anomaly::default()
        }
    }
}

type Edges = [Vec<(usize, Option<usize>)>];

/// Returns which versions are on cycles or between them. O(versions + edges).
fn cyclic_core(newer: &Edges) -> Vec<bool> {
    let mut older: Vec<Vec<usize>> = vec![Vec::new(); newer.len()];
    for (at, edges) in newer.iter().enumerate() {
        edges.iter().for_each(|&(to, _)| older[to].push(at));
    }
    let mut is_core = vec![true; newer.len()];
    let newer: Vec<Vec<usize>> = newer.iter().map(|edges| edges.iter().map(|&(to, _)| to).collect()).collect();
    trim(&newer, &older, &mut is_core);
    trim(&older, &newer, &mut is_core);
    is_core
}

/// Repeatedly removes nodes without a remaining predecessor.
fn trim(onward: &[Vec<usize>], back: &[Vec<usize>], is_left: &mut [bool]) {
    let mut awaited: Vec<usize> = back.iter().map(|sources| sources.iter().filter(|&&source| is_left[source]).count()).collect();
    let mut ready: Vec<usize> = (0..onward.len()).filter(|&at| is_left[at] && awaited[at] == 0).collect();
    while let Some(at) = ready.pop() {
        is_left[at] = false;
        for &to in onward[at].iter().filter(|&&to| is_left[to]) {
            awaited[to] -= 1;
            if awaited[to] == 0 {
                ready.push(to);
            }
        }
    }
}

/// Returns the labels on a shortest path.
fn shortest(newer: &Edges, from: usize, to: usize) -> Option<Vec<usize>> {
    let mut predecessors: Vec<Option<(usize, Option<usize>)>> = vec![None; newer.len()];
    let mut worklist = std::collections::VecDeque::from([from]);
    while let Some(at) = worklist.pop_front() {
        if at == to {
            break;
        }
        for &(next, label) in &newer[at] {
            if next != from && predecessors[next].is_none() {
                predecessors[next] = Some((at, label));
                worklist.push_back(next);
            }
        }
    }
    let (mut labels, mut at) = (Vec::new(), to);
    while at != from {
        let (before, label) = predecessors[at]?;
        labels.extend(label);
        at = before;
    }
    labels.reverse();
    Some(labels)
}
