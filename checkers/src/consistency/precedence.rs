//! What comes before what: sessions, reads-from, and what follows from them, with the reasons.

use std::collections::VecDeque;

use rustc_hash::FxHashMap;

use super::order::arrange;
use super::registers::{Access, AccessId, Act, Registers, Source};

/// Which reads come after the writes they read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// All: causality.
    All,
    /// Those of one session: its own view.
    Session(u32),
}

impl Scope {
    /// The write that an access comes after because it reads from it.
    pub(crate) fn source(self, access: &Access) -> Option<AccessId> {
        match access.act {
            Act::Read(Source::Write(write)) if self == Scope::All || self == Scope::Session(access.session) => Some(write),
            _ => None,
        }
    }
}

/// A precedence that follows from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    /// What comes first.
    pub(crate) from: AccessId,
    /// What comes after.
    pub(crate) to: AccessId,
    /// The read because of which it is so.
    pub(crate) read: AccessId,
    /// Why.
    pub(crate) rule: Rule,
}

/// Why a link holds. Both writes and the read are on one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// `from` comes before `read`, which found not it but `to`.
    Overwritten,
    /// `to` comes after the source of `read`, which still found that source: so the read, or the write of its compare-and-set, is `from`.
    NotYet,
}

/// How one step of a path goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hop {
    /// Later in the same session.
    Session,
    /// A read of it.
    ReadsFrom,
    /// A link, by number.
    Link(usize),
}

/// Steps from one access to another: each with where it arrives.
pub(crate) type Path = Vec<(Hop, AccessId)>;

/// A precedence as a graph that can be asked for paths.
pub(crate) struct Precedence<'r, 't, 'h> {
    pub(crate) registers: &'r Registers<'t, 'h>,
    pub(crate) scope: Scope,
    pub(crate) links: &'r [Link],
    /// By target: numbers of links.
    into: FxHashMap<AccessId, Vec<usize>>,
}

impl<'r, 't, 'h> Precedence<'r, 't, 'h> {
    pub(crate) fn new(registers: &'r Registers<'t, 'h>, scope: Scope, links: &'r [Link]) -> Precedence<'r, 't, 'h> {
        let mut into: FxHashMap<AccessId, Vec<usize>> = FxHashMap::default();
        for (number, link) in links.iter().enumerate() {
            into.entry(link.to).or_default().push(number);
        }
        Precedence { registers, scope, links, into }
    }

    /// A path with as few changes of session as can be, over links with numbers below a bound. O(n + links).
    pub(crate) fn path(&self, from: AccessId, to: AccessId, below: usize) -> Option<Path> {
        let mut onward: FxHashMap<AccessId, (Hop, AccessId)> = FxHashMap::default();
        let mut agenda = VecDeque::from([to]);
        let mut is_done = vec![false; self.registers.accesses.len()];
        while let Some(at) = agenda.pop_front() {
            if at == from {
                break;
            }
            if std::mem::replace(&mut is_done[at as usize], true) {
                continue;
            }
            if at != self.registers.session_start(at) && !is_done[at as usize - 1] {
                onward.insert(at - 1, (Hop::Session, at));
                agenda.push_front(at - 1);
            }
            let source = self.scope.source(self.registers.access(at)).map(|write| (Hop::ReadsFrom, write));
            let links = self.into.get(&at).into_iter().flatten().filter(|&&number| number < below);
            for (hop, before) in source.into_iter().chain(links.map(|&number| (Hop::Link(number), self.links[number].from))) {
                if !is_done[before as usize] && !onward.contains_key(&before) {
                    onward.insert(before, (hop, at));
                    agenda.push_back(before);
                }
            }
        }
        let (mut path, mut at) = (Path::new(), from);
        while at != to {
            let (hop, next) = *onward.get(&at)?;
            // One step says as much as several within a session.
            match path.last_mut() {
                Some((Hop::Session, last)) if hop == Hop::Session => *last = next,
                _ => path.push((hop, next)),
            }
            at = next;
        }
        Some(path)
    }

    /// The number of the first link that closes a cycle with those before it, if sessions, reads-from and links are cyclic but not
    /// without links. O(n log n log links).
    pub(crate) fn closing_link(&self) -> Option<usize> {
        let points = vec![(0, 0); self.registers.accesses.len()];
        let is_cyclic = |count: usize| arrange(self.registers, self.scope, &self.links[..count], &points).is_none();
        if self.links.is_empty() || !is_cyclic(self.links.len()) {
            return None;
        }
        let (mut acyclic, mut cyclic) = (0, self.links.len());
        while cyclic - acyclic > 1 {
            let middle = acyclic + (cyclic - acyclic) / 2;
            if is_cyclic(middle) { cyclic = middle } else { acyclic = middle }
        }
        Some(acyclic)
    }

    /// A read that comes before the write it reads from, if sessions and reads-from are cyclic. O(n).
    pub(crate) fn read_of_future(&self) -> Option<AccessId> {
        let registers = self.registers;
        // Whoever is stuck waits for a session that is stuck.
        let mut next: Vec<AccessId> = registers.sessions.iter().map(|session| session.start).collect();
        let is_done = |next: &[AccessId], id: AccessId| next[registers.access(id).session as usize] > id;
        let mut waiting: FxHashMap<AccessId, Vec<usize>> = FxHashMap::default();
        let mut agenda: Vec<usize> = (0..next.len()).collect();
        while let Some(session) = agenda.pop() {
            while next[session] < registers.sessions[session].end {
                let id = next[session];
                if let Some(write) = self.scope.source(registers.access(id)).filter(|&write| !is_done(&next, write)) {
                    waiting.entry(write).or_default().push(session);
                    break;
                }
                next[session] += 1;
                agenda.extend(waiting.remove(&id).into_iter().flatten());
            }
        }
        let mut session = (0..next.len()).find(|&session| next[session] < registers.sessions[session].end)?;
        let mut passed = vec![false; next.len()];
        while !std::mem::replace(&mut passed[session], true) {
            let write = self.scope.source(registers.access(next[session]))?;
            session = registers.access(write).session as usize;
        }
        Some(next[session])
    }
}
