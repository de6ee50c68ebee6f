//! The search for any model: just-in-time linearization over the window of open operations.
//!
//! Moments are passed in real-time order. Between two of them stands the *frontier*: every [`Configuration`] (state, open operations that
//! have taken effect, crashed operations used) that the object may be in. When an operation returns, each configuration in which it has
//! not taken effect is extended by open operations until it has, and not further: what comes after can wait (Lowe, *Testing for
//! linearizability*, 2017). An empty frontier is the proof that there is no linearization.
//!
//! What keeps the frontier small:
//! - an observation is satisfied the moment it fits a state, for it never changes one;
//! - of open operations that are alike, the one that returns first goes first;
//! - crashed operations that are alike are counted, not told apart, and never used where they change nothing;
//! - dominated configurations are dropped (see [`Frontier`]);
//! - where states only grow, those that cannot grow into what is read next are dropped (see [`Foresight`]).
//!
//! A beam of a few configurations runs first: when the history is linearizable it nearly always says so at once. A beam that had to
//! drop a configuration proves nothing by running empty, and a wider one takes its place. Foresight runs empty too early: how far
//! the history goes without it is then looked for by bisection.

mod resume;

use elenchus_core::{Kind, Model};

use super::agenda::Agenda;
use super::bags::{BagId, Bags, EMPTY};
use super::bits::Bits;
use super::budget::{Budget, Exceeded, Spent};
use super::foresight::{Foresight, Prospect, Undone};
use super::frontier::Frontier;
use super::linearize::Path;
use super::outcome::{Broken, Outcome, Reached, Searched};
use super::problem::{Moment, Problem};
use super::race::{self, Breadth};
use super::steps::{ClassId, IMPOSSIBLE, StateId, Steps, UNSEEN};
use super::trail::{BEGINNING, Taker, TrailId, Trails};

pub(crate) use resume::{Resumed, Standpoint, resume};

/// Widths of the beams, tried in turn before all configurations are kept.
const BEAMS: [usize; 4] = [2, 16, 128, 1024];

/// How many of the furthest configurations a failure reports.
const REPORTED: usize = 8;

/// How many visits pass between two looks at the budget.
const BREATH: u64 = 64;

/// Decides a problem whose concurrency fits the width of `B`, with foresight or without.
pub(crate) fn search<M: Model, B: Bits>(model: &M, problem: &Problem<'_>, budget: &Budget<'_>, may_foresee: bool) -> Searched {
    race::decide(problem.operations.len(), budget, |breadth, budget| of_breadth::<M, B>(model, problem, budget, may_foresee, breadth))
}

fn of_breadth<M: Model, B: Bits>(model: &M, problem: &Problem<'_>, budget: &Budget<'_>, may_foresee: bool, breadth: Breadth) -> Searched {
    let mut search = Search::<M, B>::new(model, problem, *budget, may_foresee);
    let beams = match breadth {
        Breadth::Few => &BEAMS[..],
        Breadth::All => &[usize::MAX],
    };
    let mut outcome = search.decide(u32::MAX, beams);
    if let Outcome::Broken(_) = outcome {
        // Up to `high` it is broken, by what was foreseen there; up to any moment before `low` it is not, for nothing had run empty.
        let (mut low, mut high) = (search.emptied, search.foreseen.max(search.emptied));
        while low < high {
            let middle = low + (high - low) / 2;
            match search.decide(middle, beams) {
                Outcome::Linearizable => low = middle + 1,
                broken @ Outcome::Broken(_) => (outcome, high) = (broken, search.foreseen.max(search.emptied)),
                exhausted @ Outcome::Exhausted { .. } => return search.ended(exhausted),
            }
        }
        if let Moment::Return(position) = problem.moments[high as usize]
            && let Outcome::Broken(broken) = &mut outcome
        {
            broken.operation = position;
        }
    }
    search.ended(outcome)
}

/// One way the object may have come so far.
#[derive(Clone, Copy, Debug)]
struct Configuration<B> {
    /// The state it left.
    state: StateId,
    /// The crashed operations it used.
    used: BagId,
    /// The open operations that have taken effect.
    done: B,
    /// The last step that led here.
    trail: TrailId,
}

/// The state and the effects done, which must be the same for one configuration to dominate another.
type Key<B> = (StateId, B);

/// The observations satisfied and the crashed operations used: more of the first and fewer of the second dominate. And the trail.
type Entry<B> = (B, BagId, TrailId);

impl<B: Bits> Configuration<B> {
    fn split(self, observing: B) -> (Key<B>, Entry<B>) {
        ((self.state, self.done.without(observing)), (self.done.and(observing), self.used, self.trail))
    }

    fn join(((state, effects), (observed, used, trail)): (Key<B>, Entry<B>)) -> Configuration<B> {
        Configuration { state, used, done: effects.or(observed), trail }
    }
}

fn dominates<B: Bits>(bags: &Bags) -> impl Fn(&Entry<B>, &Entry<B>) -> bool + '_ {
    |one, other| other.0.within(one.0) && bags.within(one.1, other.1)
}

struct Search<'a, 'h, M: Model, B> {
    problem: &'a Problem<'h>,
    /// Where the search is.
    moment: u32,
    returns: Vec<u32>,
    steps: Steps<'a, M>,
    bags: Bags,
    trails: Trails,
    budget: Budget<'a>,
    spent: Spent,
    beam: usize,
    /// Whether a configuration was dropped for want of room in the beam.
    cut: bool,
    /// The last moment that is looked at.
    until: u32,
    foresight: Option<Foresight>,
    undone: Undone,
    /// The latest return of an observation that a configuration was dropped for.
    foreseen: u32,
    /// The return at which no configuration was left.
    emptied: u32,
    /// Some that were dropped at this return because of what was foreseen.
    hopeless: Vec<Configuration<B>>,

    /// The operation in each taken slot.
    slots: Vec<u32>,
    /// The slot of each open operation.
    slot_of: Vec<u16>,
    taken: B,
    /// The taken slots whose operations only observe.
    observing: B,
    /// Per slot: slots of operations that are alike and return sooner.
    twins: Vec<B>,
    /// Classes of crashed operations so far and how many each has.
    crashed: Vec<(ClassId, u32)>,

    configurations: Vec<Configuration<B>>,
    passed: Frontier<Key<B>, Entry<B>>,
    visited: Frontier<Key<B>, Entry<B>>,
    collected: Vec<(Key<B>, Entry<B>)>,
    /// Configurations to extend, by how many crashed operations they used.
    agenda: Agenda<Configuration<B>>,
}

impl<'a, 'h, M: Model, B: Bits> Search<'a, 'h, M, B> {
    fn new(model: &'a M, problem: &'a Problem<'h>, budget: Budget<'a>, may_foresee: bool) -> Self {
        let steps = Steps::new(model, &problem.operations);
        let foresight = if may_foresee { Foresight::new(model, problem, &steps) } else { None };
        Search {
            problem,
            moment: 0,
            returns: problem.returns(),
            steps,
            bags: Bags::new(),
            trails: Trails::new(budget.keeps_trails),
            budget,
            spent: Spent::default(),
            beam: usize::MAX,
            cut: false,
            until: u32::MAX,
            foresight,
            undone: Undone::default(),
            foreseen: 0,
            emptied: 0,
            hopeless: Vec::new(),
            slots: vec![0; problem.concurrency()],
            slot_of: vec![0; problem.operations.len()],
            taken: B::default(),
            observing: B::default(),
            twins: vec![B::default(); problem.concurrency()],
            crashed: Vec::new(),
            configurations: Vec::new(),
            passed: Frontier::new(),
            visited: Frontier::new(),
            collected: Vec::new(),
            agenda: Agenda::new(),
        }
    }

    fn ended(self, outcome: Outcome) -> Searched {
        let is_valid = matches!(outcome, Outcome::Linearizable);
        let path = self.configurations.first().filter(|_| is_valid).and_then(|configuration| self.path(configuration.trail));
        Searched { outcome, spent: self.spent, algorithm: "just-in-time", path }
    }

    /// Decides the history up to a moment, with these beams in turn.
    fn decide(&mut self, until: u32, beams: &[usize]) -> Outcome {
        self.until = until;
        for &beam in beams {
            self.reset(beam);
            let outcome = self.run();
            let proves_nothing = self.cut && matches!(outcome, Outcome::Broken(_));
            if !proves_nothing {
                return outcome;
            }
        }
        Outcome::Exhausted { why: Exceeded::Narrow, moments: self.emptied as usize }
    }

    /// Starts again, with another width.
    fn reset(&mut self, beam: usize) {
        (self.beam, self.cut, self.foreseen) = (beam, false, 0);
        self.foresight.iter_mut().for_each(Foresight::reset);
        (self.taken, self.observing) = (B::default(), B::default());
        self.twins.fill(B::default());
        self.crashed.clear();
        self.bags = Bags::new();
        self.trails.clear();
        self.configurations.clear();
        self.configurations.push(Configuration { state: 0, used: EMPTY, done: B::default(), trail: BEGINNING });
    }

    fn run(&mut self) -> Outcome {
        let problem = self.problem;
        let moments = problem.moments.iter().enumerate().take((self.until as usize).saturating_add(1));
        moments.into_iter().find_map(|(at, &moment)| self.pass(at, moment)).unwrap_or(Outcome::Linearizable)
    }

    /// Passes the next moment; some outcome, if the search ends there.
    fn pass(&mut self, at: usize, moment: Moment) -> Option<Outcome> {
        match moment {
            Moment::Call(position) if self.problem.operation(position).kind == Kind::Ok => self.open(position),
            Moment::Call(position) => self.crash(position),
            Moment::Return(position) => {
                self.moment = at as u32;
                self.foresight.iter_mut().for_each(|foresight| foresight.advance(at as u32));
                if let Err(why) = self.complete(position) {
                    return Some(Outcome::Exhausted { why, moments: at });
                }
                if self.configurations.is_empty() {
                    self.emptied = at as u32;
                    return Some(Outcome::Broken(Broken { operation: position, reached: self.furthest() }));
                }
                self.close(position);
            }
        }
        None
    }

    /// An operation that will return begins.
    fn open(&mut self, position: u32) {
        let slot = self.taken.free().expect("the concurrency of the problem fits the width");
        let (bit, class) = (B::one(slot), self.steps.class(position));
        (self.slots[slot], self.slot_of[position as usize]) = (position, slot as u16);
        self.twins[slot] = B::default();
        for other in self.taken.each().filter(|&other| self.steps.class(self.slots[other]) == class) {
            if self.returns[self.slots[other] as usize] < self.returns[position as usize] {
                self.twins[slot] = self.twins[slot].or(B::one(other));
            } else {
                self.twins[other] = self.twins[other].or(bit);
            }
        }
        self.taken = self.taken.or(bit);
        if self.steps.observes(class) {
            self.observing = self.observing.or(bit);
            for configuration in &mut self.configurations {
                if self.steps.next(configuration.state, class) != IMPOSSIBLE {
                    configuration.done = configuration.done.or(bit);
                }
            }
        }
    }

    /// An operation that never returns begins.
    fn crash(&mut self, position: u32) {
        let class = self.steps.class(position);
        match self.crashed.iter_mut().find(|(known, _)| *known == class) {
            Some((_, count)) => *count += 1,
            None => self.crashed.push((class, 1)),
        }
    }

    /// Frees the slot of an operation that every configuration has done.
    fn close(&mut self, position: u32) {
        let bit = B::one(usize::from(self.slot_of[position as usize]));
        self.taken = self.taken.without(bit);
        self.observing = self.observing.without(bit);
        for slot in self.taken.each() {
            self.twins[slot] = self.twins[slot].without(bit);
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
        self.hopeless.clear();
        let mut sources = std::mem::take(&mut self.configurations);
        for configuration in sources.drain(..) {
            self.offer(configuration, None, bit);
        }
        self.configurations = sources;
        while let Some(configuration) = self.agenda.pop() {
            if self.passed.len() >= self.beam {
                self.cut = true;
                self.agenda.clear();
                break;
            }
            let (key, entry) = configuration.split(self.observing);
            if !self.visited.holds(key, &entry) {
                continue;
            }
            self.breathe()?;
            self.extend(configuration, bit);
        }
        self.passed.collect_into(&mut self.collected);
        self.configurations.extend(self.collected.iter().copied().map(Configuration::join));
        if self.configurations.len() > self.beam {
            self.narrow();
        }
        self.tidy();
        self.spent.peak_configurations = self.spent.peak_configurations.max(self.configurations.len());
        Ok(())
    }

    /// Takes note of a configuration: for after the completion if the operation is done in it, else to be extended.
    fn offer(&mut self, mut configuration: Configuration<B>, by: Option<Taker>, bit: B) {
        match self.prospect(configuration) {
            Prospect::Seen => {}
            Prospect::Unseen => configuration.state = UNSEEN,
            Prospect::Hopeless(foreseen) => {
                self.foreseen = self.foreseen.max(foreseen);
                if self.hopeless.len() < REPORTED {
                    configuration.trail = by.map_or(configuration.trail, |by| self.trails.add(configuration.trail, by, self.moment));
                    self.hopeless.push(configuration);
                }
                return;
            }
        }
        let (key, entry) = configuration.split(self.observing);
        let has_passed = !configuration.done.and(bit).is_empty();
        let frontier = if has_passed { &mut self.passed } else { &mut self.visited };
        if frontier.dominated(key, &entry, dominates(&self.bags)) {
            return;
        }
        configuration.trail = by.map_or(configuration.trail, |by| self.trails.add(configuration.trail, by, self.moment));
        let (key, entry) = configuration.split(self.observing);
        frontier.insert(key, entry, dominates(&self.bags));
        if !has_passed {
            let cost = self.bags.total(configuration.used);
            self.agenda.push(cost, configuration);
        }
    }

    /// What becomes of the state of a configuration.
    fn prospect(&mut self, configuration: Configuration<B>) -> Prospect {
        let Some(foresight) = &self.foresight else { return Prospect::Seen };
        let Undone { changes, observations } = &mut self.undone;
        let undone = self.taken.without(configuration.done);
        changes.clear();
        changes.extend(undone.without(self.observing).each().map(|slot| self.steps.class(self.slots[slot])));
        for &(class, available) in &self.crashed {
            if self.bags.count(configuration.used, class) < available {
                changes.push(class);
            }
        }
        observations.clear();
        observations.extend(undone.and(self.observing).each().map(|slot| self.slots[slot]));
        foresight.prospect(&mut self.steps, configuration.state, &self.undone, self.until)
    }

    /// Takes every step that is possible from a configuration.
    fn extend(&mut self, from: Configuration<B>, bit: B) {
        let open = self.taken.without(self.observing).without(from.done);
        for slot in open.each() {
            if !self.twins[slot].without(from.done).is_empty() {
                continue;
            }
            let state = self.steps.next(from.state, self.steps.class(self.slots[slot]));
            if state != IMPOSSIBLE {
                let done = self.settle(state, from.done.or(B::one(slot)));
                self.offer(Configuration { state, done, ..from }, Some(Taker::Open(self.slots[slot])), bit);
            }
        }
        for crashed in 0..self.crashed.len() {
            let (class, available) = self.crashed[crashed];
            let state = self.steps.next(from.state, class);
            if state != IMPOSSIBLE && state != from.state && self.bags.count(from.used, class) < available {
                let used = self.bags.plus(from.used, class);
                let done = self.settle(state, from.done);
                self.offer(Configuration { state, done, used, ..from }, Some(Taker::Crashed(class)), bit);
            }
        }
    }

    /// Satisfies the open observations that fit a state.
    fn settle(&mut self, state: StateId, mut done: B) -> B {
        for slot in self.observing.without(done).each() {
            if self.steps.next(state, self.steps.class(self.slots[slot])) != IMPOSSIBLE {
                done = done.or(B::one(slot));
            }
        }
        done
    }

    /// Keeps only the most promising configurations: few crashed operations used, many observations satisfied.
    fn narrow(&mut self) {
        self.cut = true;
        let (bags, observing) = (&self.bags, self.observing);
        self.configurations.sort_by_key(|configuration| {
            (bags.total(configuration.used), std::cmp::Reverse(configuration.done.and(observing).count()), configuration.done.count())
        });
        self.configurations.truncate(self.beam);
    }

    /// Counts a visit and now and then looks at the budget.
    fn breathe(&mut self) -> Result<(), Exceeded> {
        self.spent.visits += 1;
        if !self.spent.visits.is_multiple_of(BREATH) {
            return Ok(());
        }
        let configurations = (self.configurations.capacity() + self.collected.capacity()) * size_of::<Configuration<B>>();
        let frontiers = self.passed.bytes() + self.visited.bytes();
        self.spent.bytes = self.steps.bytes() + self.bags.bytes() + self.trails.bytes() + frontiers + self.agenda.bytes() + configurations;
        self.spent.peak_bytes = self.spent.peak_bytes.max(self.spent.bytes);
        self.budget.exceeded(&self.spent).map_or(Ok(()), Err)
    }

    /// Forgets what no configuration needs any longer; where none is left, the furthest still need it.
    fn tidy(&mut self) {
        if self.configurations.is_empty() {
            return;
        }
        if self.trails.is_crowded() {
            self.trails.tidy(self.configurations.iter_mut().map(|at| &mut at.trail));
        }
        if self.bags.is_crowded() {
            self.bags.tidy(self.configurations.iter_mut().map(|at| &mut at.used));
        }
    }

    fn path(&self, trail: TrailId) -> Option<Path> {
        let steps = self.trails.is_kept().then(|| self.trails.steps(trail, self.problem, |position| self.steps.class(position)))??;
        Some(Path { steps, hides_writes: false })
    }

    /// Where the search stood when no configuration was left.
    fn furthest(&mut self) -> Vec<Reached> {
        self.visited.collect_into(&mut self.collected);
        let mut visited: Vec<Configuration<B>> = self.collected.iter().copied().map(Configuration::join).collect();
        visited.append(&mut self.hopeless);
        visited.sort_by_key(|configuration| (self.bags.total(configuration.used), std::cmp::Reverse(configuration.done.count())));
        let mut seen: Vec<StateId> = Vec::new();
        visited.retain(|configuration| {
            !seen.contains(&configuration.state) && seen.len() < REPORTED && {
                seen.push(configuration.state);
                true
            }
        });
        let pending = |done: B| self.taken.without(done).each().map(|slot| self.slots[slot]).collect();
        let reached =
            |at: &Configuration<B>| Reached { state: self.steps.describe(at.state), pending: pending(at.done), path: self.path(at.trail) };
        visited.iter().map(reached).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linearizable::race::tests::{agree, problems};
    use crate::models::CasRegister;

    #[test]
    fn depth_and_breadth_decide_the_same() {
        let model = CasRegister::default();
        problems(|problem| agree(|breadth, budget| of_breadth::<_, u64>(&model, problem, budget, true, breadth)));
    }
}
