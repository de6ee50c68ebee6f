//! The search for an order of all operations.
//!
//! As every version is put once, a write may happen only when all who read the version before it have: it never comes back. So it is enough
//! to remember how far each session has come. Reads happen as soon as they can, which takes nothing from anyone, and so do writes that
//! nobody reads. What is left to try is which of the other writes comes first.

use rustc_hash::{FxHashMap, FxHashSet};

use crate::consistency::contradiction::Contradiction;
use crate::consistency::options::Limits;
use crate::consistency::order::{Point, put_with};
use crate::consistency::outcome::Outcome;
use crate::consistency::registers::{AccessId, Act, Registers, Source};

/// How many visits pass between two looks at the clock.
const BREATH: usize = 256;

/// Decides by trying, the lower point first, within limits.
pub(super) fn search(registers: &Registers<'_, '_>, points: &[Point], limits: &Limits) -> Outcome {
    let mut search = Search::new(registers, points);
    let deadline = limits.deadline();
    let mut passed: FxHashSet<Vec<AccessId>> = FxHashSet::default();
    let mut branches: Vec<Branch> = Vec::new();
    let mut visits = 0;
    loop {
        search.settle();
        if search.is_done() {
            return Outcome::Holds;
        }
        visits += 1;
        if visits * registers.sessions.len() > limits.cells {
            return Outcome::Undecided(format!("the search for an order gave up after {visits} states"));
        }
        if visits % BREATH == 0 && deadline.is_some_and(|deadline| std::time::Instant::now() >= deadline) {
            return Outcome::Undecided("the time budget ran out while an order was searched for".to_owned());
        }
        let choices = if passed.insert(search.next.clone()) { search.choices() } else { Vec::new() };
        branches.push(Branch { mark: search.done.len(), choices });
        loop {
            let Some(branch) = branches.last_mut() else {
                return Outcome::Broken(exhausted(registers, visits));
            };
            search.undo(branch.mark);
            if let Some(session) = branch.choices.pop() {
                search.advance(session);
                break;
            }
            branches.pop();
        }
    }
}

/// Where there is a choice, and what is left of it.
struct Branch {
    mark: usize,
    /// Sessions, the likeliest last.
    choices: Vec<usize>,
}

struct Search<'r, 't, 'h> {
    registers: &'r Registers<'t, 'h>,
    points: &'r [Point],
    /// By session: what it does next.
    next: Vec<AccessId>,
    /// By key: the current version.
    held: Vec<Source>,
    /// By version: how many have yet to read it.
    awaited: FxHashMap<(u32, Source), u32>,
    /// What was done: the session, and the version before.
    done: Vec<(usize, Source)>,
}

impl<'r, 't, 'h> Search<'r, 't, 'h> {
    fn new(registers: &'r Registers<'t, 'h>, points: &'r [Point]) -> Self {
        let mut awaited = FxHashMap::default();
        for access in &registers.accesses {
            if let Act::Read(source) = access.act {
                *awaited.entry((access.key, source)).or_insert(0) += 1;
            }
        }
        let next = registers.sessions.iter().map(|session| session.start).collect();
        Search { registers, points, next, held: vec![Source::Initial; registers.keys.len()], awaited, done: Vec::new() }
    }

    fn head(&self, session: usize) -> Option<AccessId> {
        Some(self.next[session]).filter(|&id| id < self.registers.sessions[session].end)
    }

    fn is_done(&self) -> bool {
        (0..self.next.len()).all(|session| self.head(session).is_none())
    }

    fn awaits(&self, key: u32, version: Source) -> u32 {
        self.awaited.get(&(key, version)).copied().unwrap_or_default()
    }

    /// Whether an access may happen now. A compare-and-set, given its read, happens as a whole.
    fn may(&self, id: AccessId) -> bool {
        let access = self.registers.access(id);
        let held = self.held[access.key as usize];
        match access.act {
            Act::Write => self.awaits(access.key, held) == 0,
            Act::Read(source) => held == source && (put_with(self.registers, id).is_none() || self.awaits(access.key, held) == 1),
        }
    }

    /// Whether it may as well happen at once.
    fn is_free(&self, id: AccessId) -> bool {
        let access = self.registers.access(id);
        match (access.act, put_with(self.registers, id)) {
            (Act::Read(_), None) => true,
            (_, Some(write)) => self.awaits(access.key, Source::Write(write)) == 0,
            (Act::Write, None) => self.awaits(access.key, Source::Write(id)) == 0,
        }
    }

    /// Does all that may as well happen at once.
    fn settle(&mut self) {
        let mut idle = 0;
        let mut session = 0;
        while idle < self.next.len() {
            match self.head(session) {
                Some(id) if self.may(id) && self.is_free(id) => {
                    self.advance(session);
                    idle = 0;
                }
                _ => {
                    session = (session + 1) % self.next.len();
                    idle += 1;
                }
            }
        }
    }

    /// The sessions whose next write may happen, the lowest point last.
    fn choices(&self) -> Vec<usize> {
        let mut choices: Vec<(Point, usize)> = (0..self.next.len())
            .filter_map(|session| self.head(session).filter(|&id| self.may(id)).map(|id| (self.points[id as usize], session)))
            .collect();
        choices.sort_unstable_by(|one, other| other.cmp(one));
        choices.into_iter().map(|(_, session)| session).collect()
    }

    /// Does what a session does next: one access, or both halves of a compare-and-set.
    fn advance(&mut self, session: usize) {
        let id = self.next[session];
        self.step(session);
        if self.registers.access(id).act != Act::Write && put_with(self.registers, id).is_some() {
            self.step(session);
        }
    }

    fn step(&mut self, session: usize) {
        let id = self.next[session];
        let access = self.registers.access(id);
        let held = &mut self.held[access.key as usize];
        self.done.push((session, *held));
        match access.act {
            Act::Write => *held = Source::Write(id),
            Act::Read(source) => {
                self.awaited.entry((access.key, source)).and_modify(|count| *count -= 1);
            }
        }
        self.next[session] += 1;
    }

    /// Takes back what was done after a mark.
    fn undo(&mut self, mark: usize) {
        while self.done.len() > mark {
            let Some((session, held)) = self.done.pop() else { return };
            self.next[session] -= 1;
            let access = self.registers.access(self.next[session]);
            match access.act {
                Act::Write => self.held[access.key as usize] = held,
                Act::Read(source) => {
                    self.awaited.entry((access.key, source)).and_modify(|count| *count += 1);
                }
            }
        }
    }
}

/// No order was left to try.
fn exhausted(registers: &Registers<'_, '_>, visits: usize) -> Contradiction {
    Contradiction {
        operations: registers.accesses.iter().map(|access| access.operation).collect(),
        argument: vec![format!(
            "Every order of these operations that is true to their sessions was tried, {visits} in all where they differ in what may follow: \
             in each of them some read finds another value than the last one written."
        )],
    }
}
