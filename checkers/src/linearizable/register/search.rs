//! The search for registers.
//!
//! It is the [general search](crate::linearizable::search) with rules that hold for registers only:
//!
//! - *Unobserved writes.* A write that is open when another write takes effect can be placed just before it, where no read observes it. So
//!   one blind write completes all open writes at once, without branching on them. Such a write keeps a *token* until it returns: it may
//!   still take effect visibly instead, which only moves its linearization point.
//! - *Idle steps.* A write, or a crashed compare-and-set, that no read observes is worth trying only if a compare-and-set follows it.
//! - *Demand.* A crashed operation is worth using only if operations need its value. Once at least as many are left unused as there are
//!   operations that need the value, the number used is dropped from the configuration.
//! - *Dominance* also uses that a crashed plain write can replace a crashed compare-and-set to the same value.

mod backtracking;
mod dominance;

use std::cell::Cell;
use std::cmp::Reverse;
use std::collections::VecDeque;

use super::accesses::{Accesses, Act, ValueId};
use super::beam::Beam;
use crate::linearizable::backpointers::{BackpointerId, Backpointers, StepOperation};
use crate::linearizable::bits::Bits;
use crate::linearizable::bucket_queue::BucketQueue;
use crate::linearizable::budget::{Budget, Exceeded, Spent};
use crate::linearizable::frontier::Frontier;
use crate::linearizable::linearize::Path;
use crate::linearizable::multisets::{MultisetId, Multisets};
use crate::linearizable::outcome::{Reached, Searched};
use crate::linearizable::problem::Problem;
use crate::linearizable::race::{self, Breadth};
use dominance::dominates;

/// The number of furthest configurations that a failure reports.
const REPORTED: usize = 8;

/// The number of steps per wanted configuration that are tried between two returns while none has been found that passes the return.
const TRIES_PER_CONFIGURATION: usize = 200;

/// The number of visits between two checks of the budget.
const BUDGET_CHECK_INTERVAL: u64 = 64;

/// Decides the first `end` moments of a problem whose concurrency fits the width of `B`.
///
/// With `forgets_uses`, the search does not count uses of crashed operations where the number cannot matter. That is faster, but it may
/// yield no path.
pub(super) fn search<B: Bits>(problem: &Problem<'_>, accesses: &Accesses, end: usize, budget: &Budget<'_>, forgets_uses: bool) -> Searched {
    race::decide(problem.operations.len(), budget, |breadth, budget| {
        let mut search = Search::<B>::new(problem, accesses, end, *budget, forgets_uses);
        search.decide(breadth)
    })
}

/// A value that the register may hold between two moments, and the operations that led to it.
#[derive(Clone, Copy, Debug)]
struct Configuration<B> {
    /// The register's value.
    value: ValueId,
    /// The open operations that have not taken effect.
    todo: B,
    /// The open writes that may still take effect visibly.
    tokens: B,
    /// The crashed operations used.
    used: MultisetId,
    /// The number of crashed operations used.
    cost: u32,
    /// The last linearization step.
    backpointer: BackpointerId,
}

/// The value and the pending compare-and-sets.
type Key<B> = (ValueId, B);

/// The pending reads and writes, the tokens, the crashed operations used and their number, and the backpointer, which is not compared.
type Entry<B> = (B, B, MultisetId, u32, BackpointerId);

impl<B: Bits> Configuration<B> {
    fn split(self, cas: B) -> (Key<B>, Entry<B>) {
        ((self.value, self.todo.and(cas)), (self.todo.without(cas), self.tokens, self.used, self.cost, self.backpointer))
    }

    fn join(((value, cas), (todo, tokens, used, cost, backpointer)): (Key<B>, Entry<B>)) -> Configuration<B> {
        Configuration { value, todo: cas.or(todo), tokens, used, cost, backpointer }
    }

    /// The configuration after the operation in a slot has returned.
    fn without(self, slot: B) -> Configuration<B> {
        Configuration { todo: self.todo.without(slot), tokens: self.tokens.without(slot), ..self }
    }
}

/// A configuration to be extended.
#[derive(Clone, Copy, Debug)]
struct Expansion<B> {
    from: Configuration<B>,
    /// Whether no read observed its state: only a compare-and-set may follow.
    is_idle: bool,
    /// Whether only steps by crashed operations are left. They cost more, and usually the search ends before it needs them.
    crashed_only: bool,
}

/// The configurations before a moment.
struct Checkpoint<B> {
    at: usize,
    configurations: Vec<Configuration<B>>,
}

struct Search<'a, 'h, B> {
    problem: &'a Problem<'h>,
    accesses: &'a Accesses,
    end: usize,
    forgets_uses: bool,
    /// The current moment.
    moment: u32,
    returns: Vec<u32>,
    multisets: Multisets,
    backpointers: Backpointers,
    budget: Budget<'a>,
    spent: Spent,
    beam: Beam,
    /// Whether a configuration was dropped to stay within the beam, or by a rough comparison.
    dropped_some: Cell<bool>,

    /// The operation in each taken slot.
    slots: Vec<u32>,
    /// The slot of each open operation.
    slot_of: Vec<u16>,
    taken: B,
    reads: B,
    writes: B,
    cas: B,
    /// By value: the open reads that expect it and the open writes that store it.
    fitting: Vec<B>,
    /// By class: the number of crashed operations so far.
    available: Vec<u32>,
    /// By value: the classes of crashed compare-and-sets that expect it.
    crashed_from: Vec<Vec<u32>>,
    /// The classes of crashed plain writes.
    crashed_writes: Vec<u32>,
    /// By value: the number of operations that must find it and have not returned.
    demand: Vec<u32>,

    configurations: Vec<Configuration<B>>,
    /// Earlier configurations, in order of moments.
    checkpoints: VecDeque<Checkpoint<B>>,
    /// The number of configurations in the checkpoints.
    checkpointed: usize,
    passed: Frontier<Key<B>, Entry<B>>,
    visited: Frontier<Key<B>, Entry<B>>,
    /// Configurations visited in a state that no read observed: only a compare-and-set may follow.
    idle: Frontier<Key<B>, Entry<B>>,
    /// Configurations to extend, by the number of crashed operations that this takes.
    queue: BucketQueue<Expansion<B>>,
    collected: Vec<(Key<B>, Entry<B>)>,
    choices: Vec<(ValueId, usize)>,
}

impl<'a, 'h, B: Bits> Search<'a, 'h, B> {
    fn new(problem: &'a Problem<'h>, accesses: &'a Accesses, end: usize, budget: Budget<'a>, forgets_uses: bool) -> Self {
        Search {
            problem,
            accesses,
            end,
            forgets_uses,
            moment: 0,
            returns: problem.returns(),
            multisets: Multisets::new(),
            backpointers: Backpointers::new(budget.keeps_paths),
            budget,
            spent: Spent::default(),
            beam: Beam::ALL,
            dropped_some: Cell::new(false),
            slots: vec![0; problem.concurrency()],
            slot_of: vec![0; problem.operations.len()],
            taken: B::default(),
            reads: B::default(),
            writes: B::default(),
            cas: B::default(),
            fitting: vec![B::default(); accesses.values.len()],
            available: vec![0; accesses.classes.len()],
            crashed_from: vec![Vec::new(); accesses.values.len()],
            crashed_writes: Vec::new(),
            demand: Vec::new(),
            configurations: Vec::new(),
            checkpoints: VecDeque::new(),
            checkpointed: 0,
            passed: Frontier::new(),
            visited: Frontier::new(),
            idle: Frontier::new(),
            queue: BucketQueue::new(),
            collected: Vec::new(),
            choices: Vec::new(),
        }
    }

    fn decide(&mut self, breadth: Breadth) -> Searched {
        let outcome = self.run(breadth);
        let path = self.configurations.first().and_then(|configuration| self.path(configuration.backpointer));
        Searched { outcome, spent: self.spent, algorithm: "register-just-in-time", path }
    }

    /// Processes the return of an operation: extends every configuration until the operation has taken effect, and no further.
    fn complete(&mut self, position: u32) -> Result<(), Exceeded> {
        let bit = B::one(usize::from(self.slot_of[position as usize]));
        let act = self.act(position);
        let is_settled = |at: &Configuration<B>| at.todo.or(at.tokens).and(bit).is_empty();
        if self.configurations.iter().all(is_settled) && (self.beam.is_rough || self.configurations.len() == 1) {
            // It has taken effect in all of them, and no alternative is left to try.
            self.release(position);
            return Ok(());
        }
        self.passed.clear();
        self.visited.clear();
        self.idle.clear();
        self.partition_sources(act, bit);
        self.extend_all(act, bit)?;
        self.close(position, bit);
        if self.configurations.len() > self.beam.width {
            self.truncate_to_beam();
        }
        self.compact();
        self.spent.peak_configurations = self.spent.peak_configurations.max(self.configurations.len());
        Ok(())
    }

    /// Separates the configurations in which the operation has taken effect from those to be extended.
    fn partition_sources(&mut self, act: Act, bit: B) {
        let mut sources = std::mem::take(&mut self.configurations);
        for from in sources.drain(..) {
            let is_done = from.todo.and(bit).is_empty();
            match act {
                Act::Write(_) if from.tokens.and(bit).is_empty() => self.add_passed(from, None),
                Act::Write(value) => {
                    if is_done {
                        let unseen = Configuration { tokens: from.tokens.without(bit), ..from };
                        if from.value == value {
                            // Its linearization point may be here, with all other open writes just before it.
                            let todo = unseen.todo.without(self.writes);
                            self.add_passed(Configuration { todo, ..unseen }, Some(StepOperation::Open(self.slots[bit.first()])));
                        } else {
                            self.add_passed(unseen, None);
                        }
                    }
                    self.add_visited(from, false, None);
                }
                _ if is_done => self.add_passed(from, None),
                _ => self.add_visited(from, false, None),
            }
        }
        self.configurations = sources;
    }

    fn extend_all(&mut self, act: Act, bit: B) -> Result<(), Exceeded> {
        let mut extended = 0_usize;
        while let Some(Expansion { from, is_idle, crashed_only }) = self.queue.pop() {
            if self.is_enough(extended) {
                self.dropped_some.set(true);
                self.queue.clear();
                break;
            }
            let (key, entry) = from.split(self.cas);
            let superseded = if is_idle { !self.idle.holds(key, &entry) } else { !self.visited.holds(key, &entry) };
            if superseded {
                continue;
            }
            extended += 1;
            self.count_visit()?;
            if crashed_only {
                self.crashed_steps(from, is_idle, act, bit);
            } else {
                self.open_steps(from, is_idle, act, bit);
            }
        }
        Ok(())
    }

    /// Whether the beam is full, or the search for configurations has taken enough steps.
    fn is_enough(&self, extended: usize) -> bool {
        let (wanted, found) = (self.beam.width.saturating_mul(2), self.passed.len());
        let patience = if found > 0 { self.beam.patience } else { wanted.saturating_mul(TRIES_PER_CONFIGURATION) };
        found >= wanted || extended > patience
    }

    /// Takes every useful step by an open operation from a configuration.
    fn open_steps(&mut self, from: Configuration<B>, is_idle: bool, target: Act, bit: B) {
        if let Act::Write(value) = target {
            let slot = bit.first();
            let seen = self.blind_write(from, value, Some(slot));
            self.add_passed(seen, Some(StepOperation::Open(self.slots[slot])));
            if from.todo.and(self.reads.or(self.cas)).is_empty() {
                return; // Only writes are pending, and this write may as well be the last of them.
            }
        }
        self.open_cas_steps(from, target, bit);
        if !is_idle {
            self.open_write_steps(from, target, bit);
        }
        if !self.crashed_from[from.value as usize].is_empty() || (!is_idle && !self.crashed_writes.is_empty()) {
            self.queue.push(from.cost + 1, Expansion { from, is_idle, crashed_only: true });
        }
    }

    /// Takes every useful step by a crashed operation from a configuration.
    fn crashed_steps(&mut self, from: Configuration<B>, is_idle: bool, target: Act, bit: B) {
        self.crashed_cas_steps(from, target, bit);
        if !is_idle {
            self.crashed_write_steps(from, target, bit);
        }
    }

    /// Takes steps by open compare-and-sets; of those that store the same value, by the one that returns first.
    fn open_cas_steps(&mut self, from: Configuration<B>, target: Act, bit: B) {
        let mut choices = std::mem::take(&mut self.choices);
        choices.clear();
        for slot in from.todo.and(self.cas).each() {
            if let Act::Cas(old, new) = self.act(self.slots[slot])
                && old == from.value
            {
                self.choose(&mut choices, new, slot);
            }
        }
        for &(new, slot) in &choices {
            let to = Configuration { value: new, todo: from.todo.without(B::one(slot)), ..from };
            self.add(self.satisfy_fitting(to), false, StepOperation::Open(self.slots[slot]), target, bit);
        }
        self.choices = choices;
    }

    /// Takes steps by crashed compare-and-sets. If no pending operation fits the value, the next step must be a compare-and-set.
    fn crashed_cas_steps(&mut self, from: Configuration<B>, target: Act, bit: B) {
        for at in 0..self.crashed_from[from.value as usize].len() {
            let class = self.crashed_from[from.value as usize][at];
            if self.multisets.count(from.used, class) < self.available[class as usize] {
                let value = self.accesses.classes[class as usize].to;
                let to = self.satisfy_fitting(Configuration { value, cost: from.cost + 1, ..from });
                self.add(to, to.todo == from.todo, StepOperation::Crashed(class), target, bit);
            }
        }
    }

    /// The open writes, except the target, that may still take effect visibly; for each value, the one that returns first.
    fn write_choices(&self, from: Configuration<B>, target: Act, bit: B, choices: &mut Vec<(ValueId, usize)>) {
        let own = if matches!(target, Act::Write(_)) { bit } else { B::default() };
        choices.clear();
        for slot in from.tokens.without(own).each() {
            if let Act::Write(value) = self.act(self.slots[slot]) {
                self.choose(choices, value, slot);
            }
        }
    }

    /// Takes steps by open writes.
    fn open_write_steps(&mut self, from: Configuration<B>, target: Act, bit: B) {
        let mut choices = std::mem::take(&mut self.choices);
        self.write_choices(from, target, bit, &mut choices);
        for &(value, slot) in &choices {
            let discharges = !from.todo.and(self.writes).without(B::one(slot)).is_empty();
            if value != from.value || discharges {
                let to = self.blind_write(from, value, Some(slot));
                self.add_after_write(from, to, StepOperation::Open(self.slots[slot]), target, bit);
            }
        }
        self.choices = choices;
    }

    /// Takes steps by crashed writes whose value no open write stores.
    fn crashed_write_steps(&mut self, from: Configuration<B>, target: Act, bit: B) {
        let mut choices = std::mem::take(&mut self.choices);
        self.write_choices(from, target, bit, &mut choices);
        let discharges = !from.todo.and(self.writes).is_empty();
        for at in 0..self.crashed_writes.len() {
            let class = self.crashed_writes[at];
            let value = self.accesses.classes[class as usize].to;
            let is_spare = self.multisets.count(from.used, class) < self.available[class as usize];
            let is_new = !choices.iter().any(|choice| choice.0 == value);
            if is_spare && is_new && (discharges || (value != from.value && !self.has_crashed_cas(from, value))) {
                let to = self.blind_write(from, value, None);
                let to = Configuration { cost: from.cost + 1, ..to };
                self.add_after_write(from, to, StepOperation::Crashed(class), target, bit);
            }
        }
        self.choices = choices;
    }

    /// Whether an unused crashed compare-and-set leads from a configuration to a value: a plain write is then better kept for later.
    fn has_crashed_cas(&self, from: Configuration<B>, value: ValueId) -> bool {
        self.crashed_from[from.value as usize].iter().any(|&class| {
            self.accesses.classes[class as usize].to == value && self.multisets.count(from.used, class) < self.available[class as usize]
        })
    }

    fn choose(&self, choices: &mut Vec<(ValueId, usize)>, value: ValueId, slot: usize) {
        let returns = |slot: usize| self.returns[self.slots[slot] as usize];
        match choices.iter_mut().find(|choice| choice.0 == value) {
            Some(known) if returns(slot) < returns(known.1) => known.1 = slot,
            Some(_) => {}
            None => choices.push((value, slot)),
        }
    }

    /// The configuration after a write, with all other open writes placed just before it.
    fn blind_write(&self, from: Configuration<B>, value: ValueId, slot: Option<usize>) -> Configuration<B> {
        let spent = slot.map_or(B::default(), B::one);
        self.satisfy_fitting(Configuration { value, todo: from.todo.without(self.writes), tokens: from.tokens.without(spent), ..from })
    }

    /// The configuration with the open operations done that fit its value.
    fn satisfy_fitting(&self, at: Configuration<B>) -> Configuration<B> {
        Configuration { todo: at.todo.without(self.fitting[at.value as usize]), ..at }
    }

    fn add_after_write(&mut self, from: Configuration<B>, to: Configuration<B>, by: StepOperation, target: Act, bit: B) {
        let is_seen = to.value == from.value || to.todo.and(self.reads) != from.todo.and(self.reads);
        self.add(to, !is_seen, by, target, bit);
    }

    /// Adds a configuration: to those that pass the return if the operation is done in it, else to those to be extended.
    fn add(&mut self, to: Configuration<B>, is_idle: bool, by: StepOperation, target: Act, bit: B) {
        if !matches!(target, Act::Write(_)) && to.todo.and(bit).is_empty() {
            self.add_passed(to, Some(by));
        } else if !is_idle || self.cas_can_follow(to) {
            self.add_visited(to, is_idle, Some(by));
        }
    }

    /// Whether a compare-and-set can be next.
    fn cas_can_follow(&self, at: Configuration<B>) -> bool {
        let is_open = |slot: usize| self.act(self.slots[slot]).expected() == at.value;
        let is_spare = |&class: &u32| self.multisets.count(at.used, class) < self.available[class as usize];
        at.todo.and(self.cas).each().any(is_open) || self.crashed_from[at.value as usize].iter().any(is_spare)
    }

    fn add_passed(&mut self, to: Configuration<B>, by: Option<StepOperation>) {
        let to = if self.beam.is_rough { to } else { self.with_usage(to, by) };
        let (key, entry) = to.split(self.cas);
        if self.passed.dominated(key, &entry, dominates(&self.multisets, self.accesses, self.beam, &self.dropped_some)) {
            return;
        }
        let (key, entry) = self.with_step(to, by).split(self.cas);
        self.passed.insert(key, entry, dominates(&self.multisets, self.accesses, self.beam, &self.dropped_some));
    }

    fn add_visited(&mut self, to: Configuration<B>, is_idle: bool, by: Option<StepOperation>) {
        let to = if self.beam.is_rough { to } else { self.with_usage(to, by) };
        let (key, entry) = to.split(self.cas);
        {
            let dominates = dominates(&self.multisets, self.accesses, self.beam, &self.dropped_some);
            if self.visited.dominated(key, &entry, &dominates) || (is_idle && self.idle.dominated(key, &entry, &dominates)) {
                return;
            }
        }
        let to = self.with_step(to, by);
        let (key, entry) = to.split(self.cas);
        let frontier = if is_idle { &mut self.idle } else { &mut self.visited };
        frontier.insert(key, entry, dominates(&self.multisets, self.accesses, self.beam, &self.dropped_some));
        self.queue.push(to.cost, Expansion { from: to, is_idle, crashed_only: false });
    }

    /// Adds the step to the crashed operations used, as far as they matter. With rough comparison this is deferred until the configuration
    /// is known to be new; until then only its cost is right.
    fn with_usage(&mut self, to: Configuration<B>, by: Option<StepOperation>) -> Configuration<B> {
        let used = match by {
            Some(StepOperation::Crashed(class)) => self.multisets.plus(to.used, class),
            _ => to.used,
        };
        let used = if self.beam.is_rough { used } else { self.without_irrelevant_uses(used) };
        Configuration { used, cost: self.multisets.total(used), ..to }
    }

    /// Adds the step to the path of a new configuration.
    fn with_step(&mut self, to: Configuration<B>, by: Option<StepOperation>) -> Configuration<B> {
        let to = if self.beam.is_rough { self.with_usage(to, by) } else { to };
        Configuration { backpointer: by.map_or(to.backpointer, |by| self.backpointers.add(to.backpointer, by, self.moment)), ..to }
    }

    /// Drops the uses of crashed operations of which enough are left for every operation that needs their value.
    fn without_irrelevant_uses(&mut self, used: MultisetId) -> MultisetId {
        let matters = |&(class, used): &(u32, u32)| {
            let demand = self.demand[self.accesses.classes[class as usize].to as usize];
            self.available[class as usize].saturating_sub(used) < demand
        };
        let pairs = self.multisets.pairs(used);
        if !self.forgets_uses || pairs.iter().all(matters) {
            return used;
        }
        let pairs: Vec<(u32, u32)> = pairs.iter().copied().filter(matters).collect();
        self.multisets.intern(pairs)
    }

    /// Keeps only the most promising configurations: those with few crashed operations used and few pending operations.
    fn truncate_to_beam(&mut self) {
        self.dropped_some.set(true);
        self.configurations.sort_by_key(|at| (at.cost, at.todo.count(), Reverse(at.tokens.count())));
        self.configurations.truncate(self.beam.width);
    }

    /// Counts a visit and checks the budget at intervals.
    fn count_visit(&mut self) -> Result<(), Exceeded> {
        self.spent.visits += 1;
        if !self.spent.visits.is_multiple_of(BUDGET_CHECK_INTERVAL) {
            return Ok(());
        }
        let configurations =
            (self.configurations.capacity() + self.collected.capacity() + self.checkpointed) * size_of::<Configuration<B>>();
        let frontiers = self.passed.bytes() + self.visited.bytes() + self.idle.bytes();
        self.spent.bytes = self.multisets.bytes() + self.backpointers.bytes() + frontiers + self.queue.bytes() + configurations;
        self.spent.peak_bytes = self.spent.peak_bytes.max(self.spent.bytes);
        self.budget.exceeded(&self.spent).map_or(Ok(()), Err)
    }

    /// Drops unreferenced backpointers and multisets. Not if the frontier is empty: the furthest configurations still reference them.
    fn compact(&mut self) {
        if self.configurations.is_empty() {
            return;
        }
        if self.backpointers.needs_compaction() {
            self.backpointers.compact(
                self.configurations
                    .iter_mut()
                    .chain(self.checkpoints.iter_mut().flat_map(|checkpoint| &mut checkpoint.configurations))
                    .map(|at| &mut at.backpointer),
            );
        }
        if self.multisets.needs_compaction() {
            self.multisets.compact(
                self.configurations
                    .iter_mut()
                    .chain(self.checkpoints.iter_mut().flat_map(|checkpoint| &mut checkpoint.configurations))
                    .map(|at| &mut at.used),
            );
        }
    }

    fn path(&self, backpointer: BackpointerId) -> Option<Path> {
        let class = |position: u32| self.accesses.class_of[position as usize];
        let steps = self.backpointers.is_kept().then(|| self.backpointers.steps(backpointer, self.problem, class))??;
        Some(Path { steps, hides_writes: true })
    }

    /// The furthest configurations, for an empty frontier.
    fn furthest(&mut self) -> Vec<Reached> {
        self.visited.collect_into(&mut self.collected);
        let mut visited: Vec<Configuration<B>> = self.collected.iter().copied().map(Configuration::join).collect();
        visited.sort_by_key(|at| (at.cost, at.todo.count()));
        let mut seen: Vec<ValueId> = Vec::new();
        visited.retain(|at| {
            let is_new = !seen.contains(&at.value) && seen.len() < REPORTED;
            seen.push(at.value);
            is_new
        });
        let pending = |todo: B| todo.each().map(|slot| self.slots[slot]).collect();
        let state = |value: ValueId| self.accesses.values[value as usize].to_string();
        visited.iter().map(|at| Reached { state: state(at.value), pending: pending(at.todo), path: self.path(at.backpointer) }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linearizable::race::tests::{agree, problems};
    use crate::models::CasRegister;

    #[test]
    fn depth_first_and_breadth_first_agree() {
        problems(|problem| {
            let accesses = Accesses::new(&CasRegister::default(), problem).expect("operations of a register");
            agree(|breadth, budget| Search::<u64>::new(problem, &accesses, problem.moments.len(), *budget, true).decide(breadth))
        });
    }
}
