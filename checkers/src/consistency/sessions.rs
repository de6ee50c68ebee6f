//! Session guarantees (Terry, Demers, Petersen, Spreitzer, Theimer, Welch, Session Guarantees for Weakly Consistent Replicated Data, 1994).
//!
//! Terry et al. speak of servers and of which writes they have executed in which order; a history shows neither. So each guarantee is put as
//! what a session can see: *for every session and key there is an order of the versions of that key, the initial one first and those of
//! each session in its order, such that every read of that session finds a version no older than any that it must have seen*:
//!
//! | guarantee | before a read, a session must have seen |
//! | --- | --- |
//! | read your writes | what it wrote before |
//! | monotonic reads | what it read before |
//! | monotonic writes | what the writer of something it read before had written before that |
//! | writes follow reads | what the writer of something it read before had read before writing that |
//!
//! Monotonic writes and writes follow reads are thus judged for sessions that look twice, since a single read of a single register cannot
//! show them broken. All four follow from causal memory and from causal convergence; the first three from PRAM (Brzezinski, Sobaniec,
//! Wawrzyniak, From Session Causality to Causal Consistency, 2004).

use elenchus_core::Anomaly;
use rustc_hash::FxHashMap;

use super::order::{arrange, is_legal, points};
use super::outcome::Outcome;
use super::precedence::Scope;
use super::registers::{AccessId, Act, Registers, Source};
use super::words::describe;

/// How many anomalies are told.
const MOST: usize = 16;

/// How many cycles are compared for the shortest.
const WAYS: usize = 64;

/// One of the four.
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
            Guarantee::ReadYourWrites => "A session found an older value than the one it had written itself.",
            Guarantee::MonotonicReads => "A session found an older value than one it had found before.",
            Guarantee::MonotonicWrites => "A session saw a later write of another session, but not an earlier one.",
            Guarantee::WritesFollowReads => "A session saw a write, but not what its writer had read before.",
        }
    }
}

/// A version that must have been seen, and by which reads it is known.
#[derive(Clone, Copy, Debug)]
struct Sight {
    version: AccessId,
    /// The session's own read of something written after it.
    own: Option<AccessId>,
    /// The read of it by the writer of that.
    other: Option<AccessId>,
}

/// A read that found `found` although `seen` had to be seen.
#[derive(Clone, Copy, Debug)]
struct Passed {
    seen: Sight,
    found: AccessId,
    read: AccessId,
}

/// Judges every session. O(n · sessions).
pub(crate) fn session_guarantee(registers: &Registers<'_, '_>, guarantee: Guarantee) -> Outcome {
    let order = arrange(registers, Scope::All, &[], &points(registers));
    if order.is_some_and(|order| is_legal(registers, &order)) {
        return Outcome::Holds;
    }
    let mut anomalies = Vec::new();
    for session in 0..registers.sessions.len() {
        if anomalies.len() < MOST {
            anomalies.extend(Watch::new(registers, guarantee).judge(session));
        }
    }
    if anomalies.is_empty() { Outcome::Holds } else { Outcome::Anomalies(anomalies) }
}

/// What one session has seen.
struct Watch<'r, 't, 'h> {
    registers: &'r Registers<'t, 'h>,
    guarantee: Guarantee,
    /// By key: of the versions that must have been seen the last of each session.
    seen: FxHashMap<u32, Vec<Sight>>,
    /// By session: how far its deeds are taken in.
    taken: FxHashMap<u32, AccessId>,
    /// By key.
    passed: FxHashMap<u32, Vec<Passed>>,
}

impl<'r, 't, 'h> Watch<'r, 't, 'h> {
    fn new(registers: &'r Registers<'t, 'h>, guarantee: Guarantee) -> Self {
        Watch { registers, guarantee, seen: FxHashMap::default(), taken: FxHashMap::default(), passed: FxHashMap::default() }
    }

    fn judge(mut self, session: usize) -> Vec<Anomaly> {
        for id in self.registers.sessions[session].clone() {
            let access = self.registers.access(id);
            match access.act {
                Act::Write if self.guarantee == Guarantee::ReadYourWrites => self.see(Sight { version: id, own: None, other: None }),
                Act::Write => {}
                Act::Read(source) => {
                    let sights = self.seen.get(&access.key).map_or(&[][..], Vec::as_slice);
                    match source {
                        // The first is the oldest and shows it as well as any.
                        Source::Initial => {
                            if let Some(&seen) = sights.first() {
                                return vec![self.initial(seen, id)];
                            }
                        }
                        Source::Write(found) => {
                            let passed = sights.iter().filter(|sight| !self.is_older(sight.version, found) && sight.version != found);
                            let passed: Vec<Passed> = passed.map(|&seen| Passed { seen, found, read: id }).collect();
                            if !passed.is_empty() {
                                self.passed.entry(access.key).or_default().extend(passed);
                            }
                            self.take_in(id, found);
                        }
                    }
                }
            }
        }
        let mut keys: Vec<u32> = self.passed.keys().copied().collect();
        keys.sort_unstable();
        keys.into_iter().filter_map(|key| self.cycle(&self.passed[&key])).map(|cycle| self.anomaly(&cycle)).take(1).collect()
    }

    /// Whether the first version is older for being earlier in the same session.
    fn is_older(&self, first: AccessId, second: AccessId) -> bool {
        self.registers.access(first).session == self.registers.access(second).session && first < second
    }

    /// A read of this session shows it this version, and what must be seen with it.
    fn take_in(&mut self, read: AccessId, found: AccessId) {
        let registers = self.registers;
        if self.guarantee == Guarantee::MonotonicReads {
            return self.see(Sight { version: found, own: Some(read), other: None });
        }
        if self.guarantee == Guarantee::ReadYourWrites {
            return;
        }
        let writer = registers.access(found).session;
        let taken = self.taken.entry(writer).or_insert(registers.session_start(found));
        for before in std::mem::replace(taken, (*taken).max(found))..found {
            let sight = |version, other| Sight { version, own: Some(read), other };
            match (registers.access(before).act, self.guarantee) {
                (Act::Write, Guarantee::MonotonicWrites) => self.see(sight(before, None)),
                (Act::Read(Source::Write(version)), Guarantee::WritesFollowReads) => self.see(sight(version, Some(before))),
                _ => {}
            }
        }
    }

    fn see(&mut self, sight: Sight) {
        let registers = self.registers;
        let session = |sight: &Sight| registers.access(sight.version).session;
        let sights = self.seen.entry(registers.access(sight.version).key).or_default();
        match sights.iter_mut().find(|known| session(known) == session(&sight)) {
            Some(known) if known.version < sight.version => *known = sight,
            Some(_) => {}
            None => sights.push(sight),
        }
    }

    /// A shortest cycle of older and newer among versions of one key, if there is any: reads that cannot all have found the newest.
    fn cycle(&self, passed: &[Passed]) -> Option<Vec<Passed>> {
        let mut versions: Vec<AccessId> = passed.iter().flat_map(|passed| [passed.seen.version, passed.found]).collect();
        versions.sort_unstable();
        versions.dedup();
        let number = |version: AccessId| versions.binary_search(&version).unwrap_or_default();
        let mut newer: Vec<Vec<(usize, Option<usize>)>> = vec![Vec::new(); versions.len()];
        let mut edges: Vec<(AccessId, AccessId, usize)> =
            passed.iter().enumerate().map(|(at, passed)| (passed.seen.version, passed.found, at)).collect();
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
        let ways = in_core.filter_map(|&(seen, found, at)| {
            let mut cycle = shortest(&newer, number(found), number(seen))?;
            cycle.push(at);
            Some(cycle)
        });
        ways.take(WAYS).min_by_key(Vec::len).map(|cycle| cycle.into_iter().map(|at| passed[at]).collect())
    }

    fn say(&self, id: AccessId) -> String {
        describe(self.registers.operation(id))
    }

    /// Why a version must have been seen before a read.
    fn reason(&self, seen: Sight, read: AccessId, operations: &mut Vec<AccessId>) -> String {
        operations.extend([Some(seen.version), seen.own, seen.other, Some(read)].into_iter().flatten());
        let (version, read) = (self.say(seen.version), self.say(read));
        let after = |own: AccessId| match self.registers.access(own).act {
            Act::Read(Source::Write(write)) => write,
            _ => own,
        };
        match (seen.own, seen.other) {
            (None, _) => format!("{read} came after {version} in the same session"),
            (Some(own), None) if self.guarantee == Guarantee::MonotonicReads => {
                format!("{read} came after {}, which had found {version}", self.say(own))
            }
            (Some(own), other) => {
                let write = after(own);
                operations.push(write);
                let (own, write) = (self.say(own), self.say(write));
                let before = other.map_or(version.clone(), |other| format!("{}, which found {version}", self.say(other)));
                format!("{read} came after {own}, which had found {write}, whose session did that after {before}")
            }
        }
    }

    fn initial(&self, seen: Sight, read: AccessId) -> Anomaly {
        let mut operations = Vec::new();
        let reason = self.reason(seen, read, &mut operations);
        let argument = vec![format!("{reason}."), "Yet it found the initial value, as if nothing had been written.".to_owned()];
        self.told(operations, argument, read)
    }

    fn anomaly(&self, cycle: &[Passed]) -> Anomaly {
        let (mut operations, mut argument) = (Vec::new(), Vec::new());
        for (at, passed) in cycle.iter().enumerate() {
            let reason = self.reason(passed.seen, passed.read, &mut operations);
            operations.push(passed.found);
            argument.push(format!("{reason}. It found what {} wrote, which must then be the newer one.", self.say(passed.found)));
            let next = cycle[(at + 1) % cycle.len()].seen.version;
            if next != passed.found {
                operations.push(next);
                argument.push(format!("But {} was written after it in the same session.", self.say(next)));
            }
        }
        argument.push("So each of these values would have to be newer than the others.".to_owned());
        self.told(operations, argument, cycle.last().map_or(0, |passed| passed.read))
    }

    fn told(&self, accesses: Vec<AccessId>, argument: Vec<String>, read: AccessId) -> Anomaly {
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

/// Which versions are on cycles or between them. O(versions + edges).
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

/// Takes away, again and again, what nothing that is left leads to.
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

/// The labels on a shortest way.
fn shortest(newer: &Edges, from: usize, to: usize) -> Option<Vec<usize>> {
    let mut came: Vec<Option<(usize, Option<usize>)>> = vec![None; newer.len()];
    let mut agenda = std::collections::VecDeque::from([from]);
    while let Some(at) = agenda.pop_front() {
        if at == to {
            break;
        }
        for &(next, label) in &newer[at] {
            if next != from && came[next].is_none() {
                came[next] = Some((at, label));
                agenda.push_back(next);
            }
        }
    }
    let (mut labels, mut at) = (Vec::new(), to);
    while at != from {
        let (before, label) = came[at]?;
        labels.extend(label);
        at = before;
    }
    labels.reverse();
    Some(labels)
}
