//! The search for any model: just-in-time linearization with memoised configurations.
//!
//! Moments are processed in real-time order. The *frontier* holds every [`Configuration`] (state, open operations that have taken effect,
//! crashed operations used) that the object may be in. When an operation returns, each configuration in which it has not taken effect is
//! extended by open operations until it has, and no further (Lowe, *Testing for linearizability*, 2017). An empty frontier proves that no
//! linearization exists.
//!
//! Measures that keep the frontier small:
//! - an observation takes effect as soon as it fits a state, because it never changes one;
//! - of identical open operations, the one that returns first takes effect first;
//! - identical crashed operations are counted, not distinguished, and never used where they change nothing;
//! - dominated configurations are dropped (see [`Frontier`]);
//! - if states only grow, states that cannot grow into the results of the next observations are dropped (see [`Lookahead`]).
//!
//! A beam search with few configurations runs first: on a linearizable history it nearly always succeeds at once. If it had to drop a
//! configuration, an empty frontier proves nothing, and a wider beam is tried. Lookahead empties the frontier too early: bisection then
//! finds the moment at which the history is no longer linearizable.

mod resume;

use elenchus_core::{Kind, Model};

use super::backpointers::{BackpointerId, Backpointers, ROOT, StepOperation};
use super::bits::Bits;
use super::bucket_queue::BucketQueue;
use super::budget::{Budget, Exceeded, Spent};
use super::frontier::Frontier;
use super::linearize::Path;
use super::lookahead::{Lookahead, PendingOperations, Prospect};
use super::multisets::{EMPTY, MultisetId, Multisets};
use super::outcome::{Broken, Outcome, Reached, Searched};
use super::problem::{Moment, Problem};
use super::race::{self, Breadth};
use super::transitions::{ClassId, IMPOSSIBLE, StateId, Transitions, UNOBSERVED};

pub(crate) use resume::{Resumed, SavedConfiguration, resume};

/// Beam widths, tried in turn before all configurations are kept.
const BEAMS: [usize; 4] = [2, 16, 128, 1024];

/// The number of furthest configurations that a failure reports.
const REPORTED: usize = 8;

/// The number of visits between two checks of the budget.
const BUDGET_CHECK_INTERVAL: u64 = 64;

/// Decides a problem whose concurrency fits the width of `B`, with or without lookahead.
pub(crate) fn search<M: Model, B: Bits>(model: &M, problem: &Problem<'_>, budget: &Budget<'_>, with_lookahead: bool) -> Searched {
    race::decide(problem.operations.len(), budget, |breadth, budget| {
        search_with_breadth::<M, B>(model, problem, budget, with_lookahead, breadth)
    })
}

fn search_with_breadth<M: Model, B: Bits>(
    model: &M,
    problem: &Problem<'_>,
    budget: &Budget<'_>,
    with_lookahead: bool,
    breadth: Breadth,
) -> Searched {
    let mut search = Search::<M, B>::new(model, problem, *budget, with_lookahead);
    let beams = match breadth {
        Breadth::Few => &BEAMS[..],
        Breadth::All => &[usize::MAX],
    };
    let mut outcome = search.decide(u32::MAX, beams);
    if let Outcome::Broken(_) = outcome {
        // The prefix up to `high` is not linearizable, by lookahead within it; a prefix that ends before `low` is: no frontier was empty.
        let (mut low, mut high) = (search.emptied_at, search.pruned_until.max(search.emptied_at));
        while low < high {
            let middle = low + (high - low) / 2;
            match search.decide(middle, beams) {
                Outcome::Linearizable => low = middle + 1,
                broken @ Outcome::Broken(_) => (outcome, high) = (broken, search.pruned_until.max(search.emptied_at)),
                exhausted @ Outcome::Exhausted { .. } => return search.finish(exhausted),
            }
        }
        if let Moment::Return(position) = problem.moments[high as usize]
            && let Outcome::Broken(broken) = &mut outcome
        {
            broken.operation = position;
        }
    }
    search.finish(outcome)
}

/// A state that the object may be in between two moments, and the operations that led to it.
#[derive(Clone, Copy, Debug)]
struct Configuration<B> {
    /// The object's state.
    state: StateId,
    /// The crashed operations used.
    used: MultisetId,
    /// The open operations that have taken effect.
    done: B,
    /// The last linearization step.
    backpointer: BackpointerId,
}

/// The state and the operations with an effect that are done; equal if one configuration dominates another.
type Key<B> = (StateId, B);

/// The observations that are done and the crashed operations used: more of the first and fewer of the second dominate. And the backpointer.
type Entry<B> = (B, MultisetId, BackpointerId);

impl<B: Bits> Configuration<B> {
    fn split(self, observing: B) -> (Key<B>, Entry<B>) {
        ((self.state, self.done.without(observing)), (self.done.and(observing), self.used, self.backpointer))
    }

    fn join(((state, effects), (observed, used, backpointer)): (Key<B>, Entry<B>)) -> Configuration<B> {
        Configuration { state, used, done: effects.or(observed), backpointer }
    }
}

fn dominates<B: Bits>(multisets: &Multisets) -> impl Fn(&Entry<B>, &Entry<B>) -> bool + '_ {
    |one, other| other.0.is_subset(one.0) && multisets.is_subset(one.1, other.1)
}

struct Search<'a, 'h, M: Model, B> {
    problem: &'a Problem<'h>,
    /// The current moment.
    moment: u32,
    returns: Vec<u32>,
    transitions: Transitions<'a, M>,
    multisets: Multisets,
    backpointers: Backpointers,
    budget: Budget<'a>,
    spent: Spent,
    beam: usize,
    /// Whether a configuration was dropped to stay within the beam.
    dropped_some: bool,
    /// The last moment to process.
    until: u32,
    lookahead: Option<Lookahead>,
    pending: PendingOperations,
    /// The latest return of an observation for which lookahead dropped a configuration.
    pruned_until: u32,
    /// The return at which the frontier was empty.
    emptied_at: u32,
    /// Some configurations that lookahead dropped at this return.
    pruned: Vec<Configuration<B>>,

    /// The operation in each taken slot.
    slots: Vec<u32>,
    /// The slot of each open operation.
    slot_of: Vec<u16>,
    taken: B,
    /// The taken slots whose operations only observe.
    observing: B,
    /// By slot: the slots of identical operations that return sooner.
    sooner_twins: Vec<B>,
    /// The classes of crashed operations so far, with their counts.
    crashed: Vec<(ClassId, u32)>,

    configurations: Vec<Configuration<B>>,
    passed: Frontier<Key<B>, Entry<B>>,
    visited: Frontier<Key<B>, Entry<B>>,
    collected: Vec<(Key<B>, Entry<B>)>,
    /// Configurations to extend, by the number of crashed operations used.
    queue: BucketQueue<Configuration<B>>,
}

impl<'a, 'h, M: Model, B: Bits> Search<'a, 'h, M, B> {
    fn new(model: &'a M, problem: &'a Problem<'h>, budget: Budget<'a>, with_lookahead: bool) -> Self {
        let transitions = Transitions::new(model, &problem.operations);
        let lookahead = if with_lookahead { Lookahead::new(model, problem, &transitions) } else { None };
        Search {
            problem,
            moment: 0,
            returns: problem.returns(),
            transitions,
            multisets: Multisets::new(),
            backpointers: Backpointers::new(budget.keeps_paths),
            budget,
            spent: Spent::default(),
            beam: usize::MAX,
            dropped_some: false,
            until: u32::MAX,
            lookahead,
            pending: PendingOperations::default(),
            pruned_until: 0,
            emptied_at: 0,
            pruned: Vec::new(),
            slots: vec![0; problem.concurrency()],
            slot_of: vec![0; problem.operations.len()],
            taken: B::default(),
            observing: B::default(),
            sooner_twins: vec![B::default(); problem.concurrency()],
            crashed: Vec::new(),
            configurations: Vec::new(),
            passed: Frontier::new(),
            visited: Frontier::new(),
            collected: Vec::new(),
            queue: BucketQueue::new(),
        }
    }

    fn finish(self, outcome: Outcome) -> Searched {
        let is_valid = matches!(outcome, Outcome::Linearizable);
        let path = self.configurations.first().filter(|_| is_valid).and_then(|configuration| self.path(configuration.backpointer));
        Searched { outcome, spent: self.spent, algorithm: "just-in-time", path }
    }

    /// Decides the history up to a moment, with these beam widths in turn.
    fn decide(&mut self, until: u32, beams: &[usize]) -> Outcome {
        self.until = until;
        for &beam in beams {
            self.reset(beam);
            let outcome = self.run();
            let proves_nothing = self.dropped_some && matches!(outcome, Outcome::Broken(_));
            if !proves_nothing {
                return outcome;
            }
        }
        Outcome::Exhausted { why: Exceeded::NarrowBeam, moments: self.emptied_at as usize }
    }

    /// Returns to the beginning, with another beam width.
    fn reset(&mut self, beam: usize) {
        (self.beam, self.dropped_some, self.pruned_until) = (beam, false, 0);
        self.lookahead.iter_mut().for_each(Lookahead::reset);
        (self.taken, self.observing) = (B::default(), B::default());
        self.sooner_twins.fill(B::default());
        self.crashed.clear();
        self.multisets = Multisets::new();
        self.backpointers.clear();
        self.configurations.clear();
        self.configurations.push(Configuration { state: 0, used: EMPTY, done: B::default(), backpointer: ROOT });
    }

    fn run(&mut self) -> Outcome {
        let problem = self.problem;
        let moments = problem.moments.iter().enumerate().take((self.until as usize).saturating_add(1));
        moments.into_iter().find_map(|(at, &moment)| self.advance(at, moment)).unwrap_or(Outcome::Linearizable)
    }

    /// Processes the next moment; returns an outcome if the search ends there.
    fn advance(&mut self, at: usize, moment: Moment) -> Option<Outcome> {
        match moment {
            Moment::Call(position) if self.problem.operation(position).kind == Kind::Ok => self.open(position),
            Moment::Call(position) => self.open_crashed(position),
            Moment::Return(position) => {
                self.moment = at as u32;
                self.lookahead.iter_mut().for_each(|lookahead| lookahead.advance(at as u32));
                if let Err(why) = self.complete(position) {
                    return Some(Outcome::Exhausted { why, moments: at });
                }
                if self.configurations.is_empty() {
                    self.emptied_at = at as u32;
                    return Some(Outcome::Broken(Broken { operation: position, reached: self.furthest() }));
                }
                self.close(position);
            }
        }
        None
    }

    /// Processes the call of an operation that returns.
    fn open(&mut self, position: u32) {
        let slot = self.taken.first_free().expect("the concurrency of the problem fits the width");
        let (bit, class) = (B::one(slot), self.transitions.class(position));
        (self.slots[slot], self.slot_of[position as usize]) = (position, slot as u16);
        self.sooner_twins[slot] = B::default();
        for other in self.taken.each().filter(|&other| self.transitions.class(self.slots[other]) == class) {
            if self.returns[self.slots[other] as usize] < self.returns[position as usize] {
                self.sooner_twins[slot] = self.sooner_twins[slot].or(B::one(other));
            } else {
                self.sooner_twins[other] = self.sooner_twins[other].or(bit);
            }
        }
        self.taken = self.taken.or(bit);
        if self.transitions.observes(class) {
            self.observing = self.observing.or(bit);
            for configuration in &mut self.configurations {
                if self.transitions.next(configuration.state, class) != IMPOSSIBLE {
                    configuration.done = configuration.done.or(bit);
                }
            }
        }
    }

    /// Processes the call of a crashed operation.
    fn open_crashed(&mut self, position: u32) {
        let class = self.transitions.class(position);
        match self.crashed.iter_mut().find(|(known, _)| *known == class) {
            Some((_, count)) => *count += 1,
            None => self.crashed.push((class, 1)),
        }
    }

    /// Frees the slot of an operation that is done in every configuration.
    fn close(&mut self, position: u32) {
        let bit = B::one(usize::from(self.slot_of[position as usize]));
        self.taken = self.taken.without(bit);
        self.observing = self.observing.without(bit);
        for slot in self.taken.each() {
            self.sooner_twins[slot] = self.sooner_twins[slot].without(bit);
        }
        for configuration in &mut self.configurations {
            configuration.done = configuration.done.without(bit);
        }
    }

    /// Extends every configuration until the operation has taken effect.
    fn complete(&mut self, position: u32) -> Result<(), Exceeded> {
        let bit = B::one(usize::from(self.slot_of[position as usize]));
        if self.configurations.iter().all(|configuration| !configuration.done.and(bit).is_empty()) {
            return Ok(());
        }
        self.passed.clear();
        self.visited.clear();
        self.pruned.clear();
        let mut sources = std::mem::take(&mut self.configurations);
        for configuration in sources.drain(..) {
            self.add(configuration, None, bit);
        }
        self.configurations = sources;
        while let Some(configuration) = self.queue.pop() {
            if self.passed.len() >= self.beam {
                self.dropped_some = true;
                self.queue.clear();
                break;
            }
            let (key, entry) = configuration.split(self.observing);
            if !self.visited.holds(key, &entry) {
                continue;
            }
            self.count_visit()?;
            self.extend(configuration, bit);
        }
        self.passed.collect_into(&mut self.collected);
        self.configurations.extend(self.collected.iter().copied().map(Configuration::join));
        if self.configurations.len() > self.beam {
            self.truncate_to_beam();
        }
        self.compact();
        self.spent.peak_configurations = self.spent.peak_configurations.max(self.configurations.len());
        Ok(())
    }

    /// Adds a configuration: to those that pass the return if the operation is done in it, else to those to be extended.
    fn add(&mut self, mut configuration: Configuration<B>, by: Option<StepOperation>, bit: B) {
        match self.prospect(configuration) {
            Prospect::Observable => {}
            Prospect::Unobservable => configuration.state = UNOBSERVED,
            Prospect::DeadEnd(pruned_until) => {
                self.pruned_until = self.pruned_until.max(pruned_until);
                if self.pruned.len() < REPORTED {
                    configuration.backpointer =
                        by.map_or(configuration.backpointer, |by| self.backpointers.add(configuration.backpointer, by, self.moment));
                    self.pruned.push(configuration);
                }
                return;
            }
        }
        let (key, entry) = configuration.split(self.observing);
        let has_passed = !configuration.done.and(bit).is_empty();
        let frontier = if has_passed { &mut self.passed } else { &mut self.visited };
        if frontier.dominated(key, &entry, dominates(&self.multisets)) {
            return;
        }
        configuration.backpointer =
            by.map_or(configuration.backpointer, |by| self.backpointers.add(configuration.backpointer, by, self.moment));
        let (key, entry) = configuration.split(self.observing);
        frontier.insert(key, entry, dominates(&self.multisets));
        if !has_passed {
            let cost = self.multisets.total(configuration.used);
            self.queue.push(cost, configuration);
        }
    }

    /// Whether a configuration's state is worth keeping.
    fn prospect(&mut self, configuration: Configuration<B>) -> Prospect {
        let Some(lookahead) = &self.lookahead else { return Prospect::Observable };
        let PendingOperations { changes, observations } = &mut self.pending;
        let pending = self.taken.without(configuration.done);
        changes.clear();
        changes.extend(pending.without(self.observing).each().map(|slot| self.transitions.class(self.slots[slot])));
        for &(class, available) in &self.crashed {
            if self.multisets.count(configuration.used, class) < available {
                changes.push(class);
            }
        }
        observations.clear();
        observations.extend(pending.and(self.observing).each().map(|slot| self.slots[slot]));
        lookahead.prospect(&mut self.transitions, configuration.state, &self.pending, self.until)
    }

    /// Extends a configuration by every operation that can be next.
    fn extend(&mut self, from: Configuration<B>, bit: B) {
        let open = self.taken.without(self.observing).without(from.done);
        for slot in open.each() {
            if !self.sooner_twins[slot].without(from.done).is_empty() {
                continue;
            }
            let state = self.transitions.next(from.state, self.transitions.class(self.slots[slot]));
            if state != IMPOSSIBLE {
                let done = self.satisfy_observations(state, from.done.or(B::one(slot)));
                self.add(Configuration { state, done, ..from }, Some(StepOperation::Open(self.slots[slot])), bit);
            }
        }
        for crashed in 0..self.crashed.len() {
            let (class, available) = self.crashed[crashed];
            let state = self.transitions.next(from.state, class);
            if state != IMPOSSIBLE && state != from.state && self.multisets.count(from.used, class) < available {
                let used = self.multisets.plus(from.used, class);
                let done = self.satisfy_observations(state, from.done);
                self.add(Configuration { state, done, used, ..from }, Some(StepOperation::Crashed(class)), bit);
            }
        }
    }

    /// Marks the open observations that fit a state as done.
    fn satisfy_observations(&mut self, state: StateId, mut done: B) -> B {
        for slot in self.observing.without(done).each() {
            if self.transitions.next(state, self.transitions.class(self.slots[slot])) != IMPOSSIBLE {
                done = done.or(B::one(slot));
            }
        }
        done
    }

    /// Keeps only the most promising configurations: those with few crashed operations used and many observations done.
    fn truncate_to_beam(&mut self) {
        self.dropped_some = true;
        let (multisets, observing) = (&self.multisets, self.observing);
        self.configurations.sort_by_key(|configuration| {
            (multisets.total(configuration.used), std::cmp::Reverse(configuration.done.and(observing).count()), configuration.done.count())
        });
        self.configurations.truncate(self.beam);
    }

    /// Counts a visit and checks the budget at intervals.
    fn count_visit(&mut self) -> Result<(), Exceeded> {
        self.spent.visits += 1;
        if !self.spent.visits.is_multiple_of(BUDGET_CHECK_INTERVAL) {
            return Ok(());
        }
        let configurations = (self.configurations.capacity() + self.collected.capacity()) * size_of::<Configuration<B>>();
        let frontiers = self.passed.bytes() + self.visited.bytes();
        self.spent.bytes =
            self.transitions.bytes() + self.multisets.bytes() + self.backpointers.bytes() + frontiers + self.queue.bytes() + configurations;
        self.spent.peak_bytes = self.spent.peak_bytes.max(self.spent.bytes);
        self.budget.exceeded(&self.spent).map_or(Ok(()), Err)
    }

    /// Drops unreferenced backpointers and multisets. Not if the frontier is empty: the furthest configurations still reference them.
    fn compact(&mut self) {
        if self.configurations.is_empty() {
            return;
        }
        if self.backpointers.needs_compaction() {
            self.backpointers.compact(self.configurations.iter_mut().map(|at| &mut at.backpointer));
        }
        if self.multisets.needs_compaction() {
            self.multisets.compact(self.configurations.iter_mut().map(|at| &mut at.used));
        }
    }

    fn path(&self, backpointer: BackpointerId) -> Option<Path> {
        let steps = self
            .backpointers
            .is_kept()
            .then(|| self.backpointers.steps(backpointer, self.problem, |position| self.transitions.class(position)))??;
        Some(Path { steps, hides_writes: false })
    }

    /// The furthest configurations, for an empty frontier.
    fn furthest(&mut self) -> Vec<Reached> {
        self.visited.collect_into(&mut self.collected);
        let mut visited: Vec<Configuration<B>> = self.collected.iter().copied().map(Configuration::join).collect();
        visited.append(&mut self.pruned);
        visited.sort_by_key(|configuration| (self.multisets.total(configuration.used), std::cmp::Reverse(configuration.done.count())));
        let mut seen: Vec<StateId> = Vec::new();
        visited.retain(|configuration| {
            !seen.contains(&configuration.state) && seen.len() < REPORTED && {
                seen.push(configuration.state);
                true
            }
        });
        let pending = |done: B| self.taken.without(done).each().map(|slot| self.slots[slot]).collect();
        let reached = |at: &Configuration<B>| Reached {
            state: self.transitions.describe(at.state),
            pending: pending(at.done),
            path: self.path(at.backpointer),
        };
        visited.iter().map(reached).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linearizable::race::tests::{agree, problems};
    use crate::models::CasRegister;

    #[test]
    fn depth_first_and_breadth_first_agree() {
        let model = CasRegister::default();
        problems(|problem| agree(|breadth, budget| search_with_breadth::<_, u64>(&model, problem, budget, true, breadth)));
    }
}
