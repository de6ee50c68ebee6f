//! Precedence between accesses: session order, reads-from, and derived links, each with its reason.

use std::collections::VecDeque;

use rustc_hash::FxHashMap;

use super::link::{Link, Scope};
use super::order::topological_order;
use super::registers::{AccessId, Registers};

/// The kind of one step of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StepKind {
    /// Later in the same session.
    Session,
    /// To a read of the write.
    ReadsFrom,
    /// Along a link, by number.
    Link(usize),
}

/// The steps from one access to another, each with its target.
pub(crate) type Path = Vec<(StepKind, AccessId)>;

/// A precedence as a graph.
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

    /// Returns a path with as few changes of session as possible, over links with numbers below `below`. O(n + links).
    pub(crate) fn path(&self, from: AccessId, to: AccessId, below: usize) -> Option<Path> {
        let mut onward: FxHashMap<AccessId, (StepKind, AccessId)> = FxHashMap::default();
        let mut worklist = VecDeque::from([to]);
        let mut is_done = vec![false; self.registers.accesses.len()];
        while let Some(at) = worklist.pop_front() {
            if at == from {
                break;
            }
            if std::mem::replace(&mut is_done[at as usize], true) {
                continue;
            }
            if at != self.registers.session_start(at) && !is_done[at as usize - 1] {
                onward.insert(at - 1, (StepKind::Session, at));
                worklist.push_front(at - 1);
            }
            let source = self.scope.source(self.registers.access(at)).map(|write| (StepKind::ReadsFrom, write));
            let links = self.into.get(&at).into_iter().flatten().filter(|&&number| number < below);
            for (step, before) in source.into_iter().chain(links.map(|&number| (StepKind::Link(number), self.links[number].from))) {
                if !is_done[before as usize] && !onward.contains_key(&before) {
                    onward.insert(before, (step, at));
                    worklist.push_back(before);
                }
            }
        }
        let (mut path, mut at) = (Path::new(), from);
        while at != to {
            let (step, next) = *onward.get(&at)?;
            // Consecutive steps within a session are merged.
            match path.last_mut() {
                Some((StepKind::Session, last)) if step == StepKind::Session => *last = next,
                _ => path.push((step, next)),
            }
            at = next;
        }
        Some(path)
    }

    /// Returns the number of the first link that closes a cycle with earlier ones, if session order, reads-from and links are cyclic but
    /// not without links. O(n log n log links).
    pub(crate) fn closing_link(&self) -> Option<usize> {
        let points = vec![(0, 0); self.registers.accesses.len()];
        let is_cyclic = |count: usize| topological_order(self.registers, self.scope, &self.links[..count], &points).is_none();
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

    /// Returns a read that precedes the write it reads from, if session order and reads-from are cyclic. O(n).
    pub(crate) fn read_of_future(&self) -> Option<AccessId> {
        let registers = self.registers;
        // Every blocked session waits for another blocked one, so following the waits ends in a cycle.
        let mut next: Vec<AccessId> = registers.sessions.iter().map(|session| session.start).collect();
        let is_done = |next: &[AccessId], id: AccessId| next[registers.access(id).session as usize] > id;
        let mut waiting: FxHashMap<AccessId, Vec<usize>> = FxHashMap::default();
        let mut worklist: Vec<usize> = (0..next.len()).collect();
        while let Some(session) = worklist.pop() {
            while next[session] < registers.sessions[session].end {
                let id = next[session];
                if let Some(write) = self.scope.source(registers.access(id)).filter(|&write| !is_done(&next, write)) {
                    waiting.entry(write).or_default().push(session);
                    break;
                }
                next[session] += 1;
                worklist.extend(waiting.remove(&id).into_iter().flatten());
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
