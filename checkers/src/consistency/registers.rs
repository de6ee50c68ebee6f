//! A history of registers in numbers: every read with the one write that it read from.

use std::ops::Range;

use elenchus_core::{Kind, Operation, Process, Value};
use rustc_hash::FxHashMap;

use super::testimony::{Origin, Testimony};

/// The number of an access. Those of one session are numbered in a row, in the session's order.
pub(crate) type AccessId = u32;

/// Where a read got its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Source {
    /// From the initial state.
    Initial,
    /// From this write.
    Write(AccessId),
}

/// What an access does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// It puts a value, different from all others on its key as far as reads are concerned.
    Write,
    /// It finds one.
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
    /// What it does.
    pub(crate) act: Act,
}

/// What to make of a read of a value that several operations put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ambiguous {
    /// Leave it out. Who refutes what remains refutes the history.
    LeaveOut,
    /// Take the likeliest: what was invoked last before the read returned. Who proves a model for that proves it for the history.
    Guess,
}

/// Reads and writes in sessions, each read with its source. Crashed operations are there if somebody saw their effect, and only then.
#[derive(Clone, Debug)]
pub(crate) struct Registers<'t, 'h> {
    /// Every operation that may have happened; [`Access::operation`] is a position here.
    pub(crate) operations: &'t [Operation<'h>],
    /// The registers, by number.
    pub(crate) keys: &'t [Option<&'h Value>],
    /// By number.
    pub(crate) accesses: Vec<Access>,
    /// The accesses of each session.
    pub(crate) sessions: Vec<Range<AccessId>>,
    /// By access: the reads of it, for writes.
    pub(crate) readers: Readers,
}

/// What was found when reads were attributed to writes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Attribution {
    /// Operations that found a value which nobody put. One that crashed is followed by who saw its effect, up to one that returned.
    pub(crate) thin_air: Vec<Vec<u32>>,
    /// How many operations found a value that several put.
    pub(crate) ambiguous: usize,
    /// How many processes spoke again after an operation of unknown outcome that had an effect: how the two are ordered is not known.
    pub(crate) reused: usize,
}

impl<'t, 'h> Registers<'t, 'h> {
    /// Attributes every read to a write. O(n) and the candidates of ambiguous reads.
    pub(crate) fn new(testimony: &'t Testimony<'h>, ambiguous: Ambiguous) -> (Registers<'t, 'h>, Attribution) {
        let operations = &testimony.operations;
        let mut attribution = Attribution::default();
        let mut origins: Vec<Option<Origin>> = vec![None; operations.len()];
        let mut seen_by: FxHashMap<u32, u32> = FxHashMap::default();
        let mut happened: Vec<bool> = operations.iter().map(|operation| operation.kind == Kind::Ok).collect();
        let mut agenda: Vec<u32> = (0..operations.len() as u32).filter(|&position| happened[position as usize]).collect();
        while let Some(position) = agenda.pop() {
            if !testimony.is_finder(position) {
                continue;
            }
            let mut candidates = testimony.origins(position);
            let (first, second) = (candidates.next(), candidates.next());
            let origin = match (first, second) {
                (None, _) => {
                    attribution.thin_air.push(std::iter::successors(Some(position), |at| seen_by.get(at).copied()).collect());
                    continue;
                }
                (Some(one), None) => one,
                (Some(_), Some(_)) => {
                    attribution.ambiguous += 1;
                    if ambiguous == Ambiguous::LeaveOut {
                        continue;
                    }
                    likeliest(testimony, position)
                }
            };
            origins[position as usize] = Some(origin);
            if let Origin::Operation(writer) = origin
                && !std::mem::replace(&mut happened[writer as usize], true)
            {
                seen_by.insert(writer, position);
                agenda.push(writer);
            }
        }
        attribution.thin_air.sort_unstable();
        let (sessions, reused) = sessions(operations, &happened);
        attribution.reused = reused;
        (Registers::of(testimony, &sessions, &origins), attribution)
    }

    fn of(testimony: &'t Testimony<'h>, in_sessions: &[Vec<u32>], origins: &[Option<Origin>]) -> Registers<'t, 'h> {
        let mut write_of = vec![AccessId::MAX; testimony.operations.len()];
        let (mut accesses, mut sessions) = (Vec::new(), Vec::new());
        for (session, operations) in in_sessions.iter().enumerate() {
            let start = accesses.len() as AccessId;
            for &operation in operations {
                let access = |act| Access { operation, session: session as u32, key: testimony.deeds[operation as usize].key, act };
                if origins[operation as usize].is_some() {
                    accesses.push(access(Act::Read(Source::Initial)));
                }
                if testimony.is_putter(operation) {
                    write_of[operation as usize] = accesses.len() as AccessId;
                    accesses.push(access(Act::Write));
                }
            }
            sessions.push(start..accesses.len() as AccessId);
        }
        for access in &mut accesses {
            if let (Act::Read(source), Some(Origin::Operation(writer))) = (&mut access.act, origins[access.operation as usize]) {
                *source = Source::Write(write_of[writer as usize]);
            }
        }
        let readers = Readers::of(&accesses);
        Registers { operations: &testimony.operations, keys: &testimony.keys, accesses, sessions, readers }
    }

    /// Only some of the accesses, of which reads must be kept with their sources.
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
            if let Act::Read(Source::Write(write)) = &mut access.act {
                *write = number[*write as usize];
            }
        }
        let readers = Readers::of(&accesses);
        Registers { operations: self.operations, keys: self.keys, accesses, sessions, readers }
    }

    /// The access with a number.
    pub(crate) fn access(&self, id: AccessId) -> &Access {
        &self.accesses[id as usize]
    }

    /// The first access of the session that an access belongs to.
    pub(crate) fn session_start(&self, id: AccessId) -> AccessId {
        self.sessions[self.access(id).session as usize].start
    }

    /// The operation of an access.
    pub(crate) fn operation(&self, id: AccessId) -> &Operation<'h> {
        &self.operations[self.access(id).operation as usize]
    }

    /// The accesses with what they do, in order of number.
    pub(crate) fn numbered(&self) -> impl Iterator<Item = (AccessId, &Access)> {
        self.accesses.iter().enumerate().map(|(id, access)| (id as AccessId, access))
    }
}

/// By write: who read it.
#[derive(Clone, Debug)]
pub(crate) struct Readers {
    starts: Vec<u32>,
    reads: Vec<AccessId>,
}

impl Readers {
    fn of(accesses: &[Access]) -> Readers {
        let sources = || {
            accesses.iter().enumerate().filter_map(|(id, access)| match access.act {
                Act::Read(Source::Write(write)) => Some((write as usize, id as AccessId)),
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

    /// The reads of a write, in order of number.
    pub(crate) fn of_write(&self, write: AccessId) -> &[AccessId] {
        &self.reads[self.starts[write as usize] as usize..self.starts[write as usize + 1] as usize]
    }
}

/// The candidate that was invoked last before the value was found, of those that certainly happened if there is one.
fn likeliest(testimony: &Testimony<'_>, position: u32) -> Origin {
    let found = testimony.operations[position as usize].completed;
    let invoked_before = |origin: &Origin| match *origin {
        Origin::Initial => true,
        Origin::Operation(writer) => found.is_none_or(|found| testimony.operations[writer as usize].invoked < found),
    };
    let is_certain = |origin: &Origin| match *origin {
        Origin::Initial => true,
        Origin::Operation(writer) => testimony.operations[writer as usize].kind == Kind::Ok,
    };
    let begun = || testimony.origins(position).filter(invoked_before);
    begun().filter(is_certain).last().or_else(|| begun().last()).or_else(|| testimony.origins(position).next()).unwrap_or(Origin::Initial)
}

/// The operations that happened, by session. A process is a session; where it speaks again after an operation of unknown outcome, that
/// operation is a session of its own. Also: how often that was so.
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
