//! A history of registers as numbered accesses: every read with its source.

use std::ops::Range;

use elenchus_core::{Kind, Operation, Process, Value};
use rustc_hash::FxHashMap;

use super::observations::{Observations, Origin};

/// The number of an access. The accesses of one session are numbered consecutively, in session order.
pub(crate) type AccessId = u32;

/// The source of a read's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Source {
    /// The initial state.
    Initial,
    /// This write.
    Write(AccessId),
}

/// The kind of an access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AccessKind {
    /// A write of a version of its own, whatever its value.
    Write,
    /// A read of a version.
    Read(Source),
}

/// A read or a write. A compare-and-set is a read of the old value and then a write of the new one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Access {
    /// The position of its operation.
    pub(crate) operation: u32,
    /// Its session.
    pub(crate) session: u32,
    /// Its register.
    pub(crate) key: u32,
    /// Its kind.
    pub(crate) kind: AccessKind,
}

/// How to treat a read of a value that several operations wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ambiguous {
    /// Leave it out: a violation of the rest is a violation of the history.
    Exclude,
    /// Guess the likeliest source, the one invoked last before the read returned: if the model holds then, it holds for the history.
    Guess,
}

/// Reads and writes in sessions, each read with its source. Crashed operations are included if and only if their effect was read.
#[derive(Clone, Debug)]
pub(crate) struct Registers<'t, 'h> {
    /// Every operation that may have taken effect; [`Access::operation`] is a position here.
    pub(crate) operations: &'t [Operation<'h>],
    /// The registers, by number.
    pub(crate) keys: &'t [Option<&'h Value>],
    /// By number.
    pub(crate) accesses: Vec<Access>,
    /// The accesses of each session.
    pub(crate) sessions: Vec<Range<AccessId>>,
    /// The reads of each write.
    pub(crate) readers: Readers,
}

/// Reads that could not be attributed to a single write.
#[derive(Clone, Debug, Default)]
pub(crate) struct Attribution {
    /// Operations that read a value which no operation wrote. A crashed one is followed by a read of its effect, and so on up to one that returned.
    pub(crate) thin_air: Vec<Vec<u32>>,
    /// The number of operations that read a value which several operations wrote.
    pub(crate) ambiguous: usize,
    /// The number of processes that were reused after a crashed operation that took effect: the order of the two is unknown.
    pub(crate) reused: usize,
}

impl<'t, 'h> Registers<'t, 'h> {
    /// Attributes every read to a write. O(n + candidates of ambiguous reads).
    pub(crate) fn new(observations: &'t Observations<'h>, ambiguous: Ambiguous) -> (Registers<'t, 'h>, Attribution) {
        let operations = &observations.operations;
        let mut attribution = Attribution::default();
        let mut origins: Vec<Option<Origin>> = vec![None; operations.len()];
        let mut seen_by: FxHashMap<u32, u32> = FxHashMap::default();
        let mut happened: Vec<bool> = operations.iter().map(|operation| operation.kind == Kind::Ok).collect();
        let mut worklist: Vec<u32> = (0..operations.len() as u32).filter(|&position| happened[position as usize]).collect();
        while let Some(position) = worklist.pop() {
            if !observations.reads_value(position) {
                continue;
            }
            let mut candidates = observations.origins(position);
            let (first, second) = (candidates.next(), candidates.next());
            let origin = match (first, second) {
                (None, _) => {
                    attribution.thin_air.push(std::iter::successors(Some(position), |at| seen_by.get(at).copied()).collect());
                    continue;
                }
                (Some(one), None) => one,
                (Some(_), Some(_)) => {
                    attribution.ambiguous += 1;
                    if ambiguous == Ambiguous::Exclude {
                        continue;
                    }
                    likeliest(observations, position)
                }
            };
            origins[position as usize] = Some(origin);
            if let Origin::Operation(writer) = origin
                && !std::mem::replace(&mut happened[writer as usize], true)
            {
                seen_by.insert(writer, position);
                worklist.push(writer);
            }
        }
        attribution.thin_air.sort_unstable();
        let (sessions, reused) = sessions(operations, &happened);
        attribution.reused = reused;
        (Registers::of(observations, &sessions, &origins), attribution)
    }

    fn of(observations: &'t Observations<'h>, in_sessions: &[Vec<u32>], origins: &[Option<Origin>]) -> Registers<'t, 'h> {
        let mut write_of = vec![AccessId::MAX; observations.operations.len()];
        let (mut accesses, mut sessions) = (Vec::new(), Vec::new());
        for (session, operations) in in_sessions.iter().enumerate() {
            let start = accesses.len() as AccessId;
            for &operation in operations {
                let access = |kind| Access { operation, session: session as u32, key: observations.effects[operation as usize].key, kind };
                if origins[operation as usize].is_some() {
                    accesses.push(access(AccessKind::Read(Source::Initial)));
                }
                if observations.writes_value(operation) {
                    write_of[operation as usize] = accesses.len() as AccessId;
                    accesses.push(access(AccessKind::Write));
                }
            }
            sessions.push(start..accesses.len() as AccessId);
        }
        for access in &mut accesses {
            if let (AccessKind::Read(source), Some(Origin::Operation(writer))) = (&mut access.kind, origins[access.operation as usize]) {
                *source = Source::Write(write_of[writer as usize]);
            }
        }
        let readers = Readers::of(&accesses);
        Registers { operations: &observations.operations, keys: &observations.keys, accesses, sessions, readers }
    }

    /// Restricts the history to some accesses; the source of a kept read must be kept too.
    pub(crate) fn only(&self, keep: impl Fn(AccessId) -> bool) -> Registers<'t, 'h> {
        let mut number = vec![AccessId::MAX; self.accesses.len()];
        let (mut accesses, mut sessions) = (Vec::new(), Vec::new());
        for session in &self.sessions {
            let start = accesses.len() as AccessId;
            for id in session.clone().filter(|&id| keep(id)) {
                number[id as usize] = accesses.len() as AccessId;
                accesses.push(Access { session: sessions.len() as u32, ..self.accesses[id as usize] });
            }
            if accesses.len() as AccessId > start {
                sessions.push(start..accesses.len() as AccessId);
            }
        }
        for access in &mut accesses {
            if let AccessKind::Read(Source::Write(write)) = &mut access.kind {
                *write = number[*write as usize];
            }
        }
        let readers = Readers::of(&accesses);
        Registers { operations: self.operations, keys: self.keys, accesses, sessions, readers }
    }

    /// Returns the access with a number.
    pub(crate) fn access(&self, id: AccessId) -> &Access {
        &self.accesses[id as usize]
    }

    /// Returns the first access of an access's session.
    pub(crate) fn session_start(&self, id: AccessId) -> AccessId {
        self.sessions[self.access(id).session as usize].start
    }

    /// Returns the operation of an access.
    pub(crate) fn operation(&self, id: AccessId) -> &Operation<'h> {
        &self.operations[self.access(id).operation as usize]
    }

    /// Returns the accesses with their numbers, in order.
    pub(crate) fn numbered(&self) -> impl Iterator<Item = (AccessId, &Access)> {
        self.accesses.iter().enumerate().map(|(id, access)| (id as AccessId, access))
    }
}

/// The reads of each write.
#[derive(Clone, Debug)]
pub(crate) struct Readers {
    starts: Vec<u32>,
    reads: Vec<AccessId>,
}

impl Readers {
    fn of(accesses: &[Access]) -> Readers {
        let sources = || {
            accesses.iter().enumerate().filter_map(|(id, access)| match access.kind {
                AccessKind::Read(Source::Write(write)) => Some((write as usize, id as AccessId)),
                _ => None,
            })
        };
        let mut starts = vec![0_u32; accesses.len() + 1];
        sources().for_each(|(write, _)| starts[write + 1] += 1);
        for at in 1..starts.len() {
            starts[at] += starts[at - 1];
        }
        let mut next = starts.clone();
        let mut reads = vec![0; starts.last().copied().unwrap_or_default() as usize];
        for (write, read) in sources() {
            reads[next[write] as usize] = read;
            next[write] += 1;
        }
        Readers { starts, reads }
    }

    /// Returns the reads of a write, in order of number.
    pub(crate) fn of_write(&self, write: AccessId) -> &[AccessId] {
        &self.reads[self.starts[write as usize] as usize..self.starts[write as usize + 1] as usize]
    }
}

/// Returns the source invoked last before the read returned, preferring those that certainly took effect.
fn likeliest(observations: &Observations<'_>, position: u32) -> Origin {
    let found = observations.operations[position as usize].completed;
    let invoked_before = |origin: &Origin| match *origin {
        Origin::Initial => true,
        Origin::Operation(writer) => found.is_none_or(|found| observations.operations[writer as usize].invoked < found),
    };
    let is_certain = |origin: &Origin| match *origin {
        Origin::Initial => true,
        Origin::Operation(writer) => observations.operations[writer as usize].kind == Kind::Ok,
    };
    let begun = || observations.origins(position).filter(invoked_before);
    begun()
        .filter(is_certain)
        .last()
        .or_else(|| begun().last())
        .or_else(|| observations.origins(position).next())
        .unwrap_or(Origin::Initial)
}

/// Returns the operations that took effect, by session, and the number of reused processes. A process is a session; if it is reused after a
/// crashed operation, that operation becomes a session of its own.
fn sessions(operations: &[Operation<'_>], happened: &[bool]) -> (Vec<Vec<u32>>, usize) {
    let mut sessions: Vec<Vec<u32>> = Vec::new();
    let mut session_of: FxHashMap<Process, usize> = FxHashMap::default();
    let mut reused = 0;
    for (position, operation) in operations.iter().enumerate().filter(|&(position, _)| happened[position]) {
        let session = *session_of.entry(operation.process).or_insert_with(|| {
            sessions.push(Vec::new());
            sessions.len() - 1
        });
        if let Some(&last) = sessions[session].last()
            && operations[last as usize].kind != Kind::Ok
        {
            reused += 1;
            sessions[session].pop();
            sessions.push(vec![last]);
        }
        sessions[session].push(position as u32);
    }
    (sessions, reused)
}
