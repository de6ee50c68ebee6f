//! The search for a total order of all operations.
//!
//! As every version is written once, a write may be scheduled only when all reads of the current version have been: the version never comes back.
//! So the position in each session is the whole state. Reads are scheduled as soon as possible, which excludes no order, and so are writes that
//! are never read. Only the order of the other writes is searched.

use rustc_hash::{FxHashMap, FxHashSet};

use crate::consistency::contradiction::Contradiction;
use crate::consistency::options::Limits;
use crate::consistency::order::{Point, write_of_cas};
use crate::consistency::outcome::Outcome;
use crate::consistency::registers::{AccessId, AccessKind, Registers, Source};

/// The number of visited states between two checks of the deadline.
const VISITS_PER_CLOCK_CHECK: usize = 256;

/// Searches depth first, lowest points first, within limits.
pub(super) fn search(registers: &Registers<'_, '_>, points: &[Point], limits: &Limits) -> Outcome {
    let mut search = Search::new(registers, points);
    let deadline = limits.deadline();
    let mut visited: FxHashSet<Vec<AccessId>> = FxHashSet::default();
    let mut branches: Vec<Branch> = Vec::new();
    let mut visits = 0;
    loop {
        search.schedule_free();
        if search.is_complete() {
            return Outcome::Holds;
        }
        visits += 1;
        if visits * registers.sessions.len() > limits.cells {
            return Outcome::Undecided(format!("the state budget of the search ran out after {visits} states"));
        }
        if visits % VISITS_PER_CLOCK_CHECK == 0 && deadline.is_some_and(|deadline| std::time::Instant::now() >= deadline) {
            return Outcome::Undecided("the time budget of the search ran out".to_owned());
        }
        let choices = if visited.insert(search.next.clone()) { search.choices() } else { Vec::new() };
        branches.push(Branch { mark: search.schedule.len(), choices });
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

/// A branching point and its untried choices.
struct Branch {
    mark: usize,
    /// Sessions, likeliest last.
    choices: Vec<usize>,
}

struct Search<'r, 't, 'h> {
    registers: &'r Registers<'t, 'h>,
    points: &'r [Point],
    /// By session: its next access.
    next: Vec<AccessId>,
    /// By key: the current version.
    current: Vec<Source>,
    /// By version: the number of its pending reads.
    pending_reads: FxHashMap<(u32, Source), u32>,
    /// The schedule so far: the session, and the key's previous version.
    schedule: Vec<(usize, Source)>,
}

impl<'r, 't, 'h> Search<'r, 't, 'h> {
    fn new(registers: &'r Registers<'t, 'h>, points: &'r [Point]) -> Self {
        let mut pending_reads = FxHashMap::default();
        for access in &registers.accesses {
            if let AccessKind::Read(source) = access.kind {
                *pending_reads.entry((access.key, source)).or_insert(0) += 1;
            }
        }
        let next = registers.sessions.iter().map(|session| session.start).collect();
        Search { registers, points, next, current: vec![Source::Initial; registers.keys.len()], pending_reads, schedule: Vec::new() }
    }

    fn head(&self, session: usize) -> Option<AccessId> {
        Some(self.next[session]).filter(|&id| id < self.registers.sessions[session].end)
    }

    fn is_complete(&self) -> bool {
        (0..self.next.len()).all(|session| self.head(session).is_none())
    }

    fn pending(&self, key: u32, version: Source) -> u32 {
        self.pending_reads.get(&(key, version)).copied().unwrap_or_default()
    }

    /// Returns whether an access may be scheduled now. A compare-and-set, given its read, is scheduled as a whole.
    fn is_enabled(&self, id: AccessId) -> bool {
        let access = self.registers.access(id);
        let current = self.current[access.key as usize];
        match access.kind {
            AccessKind::Write => self.pending(access.key, current) == 0,
            AccessKind::Read(source) => {
                current == source && (write_of_cas(self.registers, id).is_none() || self.pending(access.key, current) == 1)
            }
        }
    }

    /// Returns whether scheduling the access at once excludes no order.
    fn is_free(&self, id: AccessId) -> bool {
        let access = self.registers.access(id);
        match (access.kind, write_of_cas(self.registers, id)) {
            (AccessKind::Read(_), None) => true,
            (_, Some(write)) => self.pending(access.key, Source::Write(write)) == 0,
            (AccessKind::Write, None) => self.pending(access.key, Source::Write(id)) == 0,
        }
    }

    /// Schedules all accesses whose scheduling excludes no order.
    fn schedule_free(&mut self) {
        let mut idle = 0;
        let mut session = 0;
        while idle < self.next.len() {
            match self.head(session) {
                Some(id) if self.is_enabled(id) && self.is_free(id) => {
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

    /// Returns the sessions whose next write may be scheduled, lowest point last.
    fn choices(&self) -> Vec<usize> {
        let mut choices: Vec<(Point, usize)> = (0..self.next.len())
            .filter_map(|session| self.head(session).filter(|&id| self.is_enabled(id)).map(|id| (self.points[id as usize], session)))
            .collect();
        choices.sort_unstable_by(|one, other| other.cmp(one));
        choices.into_iter().map(|(_, session)| session).collect()
    }

    /// Schedules a session's next access, or both halves of a compare-and-set.
    fn advance(&mut self, session: usize) {
        let id = self.next[session];
        self.step(session);
        if self.registers.access(id).kind != AccessKind::Write && write_of_cas(self.registers, id).is_some() {
            self.step(session);
        }
    }

    fn step(&mut self, session: usize) {
        let id = self.next[session];
        let access = self.registers.access(id);
        let current = &mut self.current[access.key as usize];
        self.schedule.push((session, *current));
        match access.kind {
            AccessKind::Write => *current = Source::Write(id),
            AccessKind::Read(source) => {
                self.pending_reads.entry((access.key, source)).and_modify(|count| *count -= 1);
            }
        }
        self.next[session] += 1;
    }

    /// Undoes the schedule back to a mark.
    fn undo(&mut self, mark: usize) {
        while self.schedule.len() > mark {
            let Some((session, current)) = self.schedule.pop() else { return };
            self.next[session] -= 1;
            let access = self.registers.access(self.next[session]);
            match access.kind {
                AccessKind::Write => self.current[access.key as usize] = current,
                AccessKind::Read(source) => {
                    self.pending_reads.entry((access.key, source)).and_modify(|count| *count += 1);
                }
            }
        }
    }
}

/// Returns the contradiction of an exhausted search.
fn exhausted(registers: &Registers<'_, '_>, visits: usize) -> Contradiction {
    Contradiction {
        operations: registers.accesses.iter().map(|access| access.operation).collect(),
        argument: vec![format!(
            "Every order of these operations that respects their sessions was searched ({visits} distinct states): in each of them some read \
             returns another value than the latest write's."
        )],
    }
}
