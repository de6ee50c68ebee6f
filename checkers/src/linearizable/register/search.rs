//! The search for registers.
//!
//! Like the [general one](crate::linearizable::search), with what is true of registers only:
//!
//! - *Unseen writes.* A write that is open when another write takes effect can be placed just before it, where nobody sees it. So one blind
//!   write discharges all open writes at once, and no branch is spent on them. A write so discharged keeps its *token* until it returns: it
//!   may take effect visibly after all, which only moves it.
//! - *Idle steps.* A write, or a crashed compare-and-set, that nobody saw is worth trying only as a stepping stone for a compare-and-set.
//! - *Demand.* A crashed operation is worth using only for those who need its value. Once as many are left unused as there are operations
//!   that need the value, how many were used is forgotten.
//! - *Dominance* also knows that a plain crashed write does all that a crashed compare-and-set to the same value does.

mod dominance;
mod passage;

use std::cell::Cell;
use std::cmp::Reverse;
use std::collections::VecDeque;

use super::accesses::{Accesses, Act, ValueId};
use super::beam::Beam;
use crate::linearizable::agenda::Agenda;
use crate::linearizable::bags::{BagId, Bags};
use crate::linearizable::bits::Bits;
use crate::linearizable::budget::{Budget, Exceeded, Spent};
use crate::linearizable::frontier::Frontier;
use crate::linearizable::linearize::Path;
use crate::linearizable::outcome::{Reached, Searched};
use crate::linearizable::problem::Problem;
use crate::linearizable::race::{self, Breadth};
use crate::linearizable::trail::{Taker, TrailId, Trails};
use dominance::dominates;

/// How many of the furthest configurations a failure reports.
const REPORTED: usize = 8;

/// How many steps between two returns are tried for each configuration wanted, as long as none has been found that passes.
const DESPERATE: usize = 200;

/// How many visits pass between two looks at the budget.
const BREATH: u64 = 64;

/// Decides the first `end` moments of a problem whose concurrency fits the width of `B`.
///
/// One that `forgets` how many crashed operations it used where that cannot matter is faster, but its trail may not add up.
pub(super) fn search<B: Bits>(problem: &Problem<'_>, accesses: &Accesses, end: usize, budget: &Budget<'_>, forgets: bool) -> Searched {
    race::decide(problem.operations.len(), budget, |breadth, budget| {
        let mut search = Search::<B>::new(problem, accesses, end, *budget, forgets);
        search.decide(breadth)
    })
}

/// One way the register may have come so far.
#[derive(Clone, Copy, Debug)]
struct Configuration<B> {
    /// What it holds.
    value: ValueId,
    /// The open operations that have not taken effect.
    todo: B,
    /// The open writes that may still take effect visibly.
    tokens: B,
    /// The crashed operations used.
    used: BagId,
    /// How many those are.
    cost: u32,
    /// The last step that led here.
    trail: TrailId,
}

/// The value, and the compare-and-sets to do.
type Key<B> = (ValueId, B);

/// The reads and writes to do, the tokens, the crashed operations used and how many those are, and the trail, which is not compared.
type Entry<B> = (B, B, BagId, u32, TrailId);

impl<B: Bits> Configuration<B> {
    fn split(self, cas: B) -> (Key<B>, Entry<B>) {
        ((self.value, self.todo.and(cas)), (self.todo.without(cas), self.tokens, self.used, self.cost, self.trail))
    }

    fn join(((value, cas), (todo, tokens, used, cost, trail)): (Key<B>, Entry<B>)) -> Configuration<B> {
        Configuration { value, todo: cas.or(todo), tokens, used, cost, trail }
    }

    /// The same when the operation in a slot has returned.
    fn without(self, slot: B) -> Configuration<B> {
        Configuration { todo: self.todo.without(slot), tokens: self.tokens.without(slot), ..self }
    }
}

/// A configuration to be extended.
#[derive(Clone, Copy, Debug)]
struct Errand<B> {
    from: Configuration<B>,
    /// Whether nobody saw its state: only a compare-and-set may follow.
    is_idle: bool,
    /// Whether only steps by crashed operations are left. They cost more, and mostly the search is over before it comes to them.
    is_late: bool,
}

/// Where the search stood before a moment.
struct Mark<B> {
    at: usize,
    configurations: Vec<Configuration<B>>,
}

struct Search<'a, 'h, B> {
    problem: &'a Problem<'h>,
    accesses: &'a Accesses,
    end: usize,
    forgets: bool,
    /// Where the search is.
    moment: u32,
    returns: Vec<u32>,
    bags: Bags,
    trails: Trails,
    budget: Budget<'a>,
    spent: Spent,
    beam: Beam,
    /// Whether a configuration was dropped for want of room in the beam, or by a rough comparison.
    cut: Cell<bool>,

    /// The operation in each taken slot.
    slots: Vec<u32>,
    /// The slot of each open operation.
    slot_of: Vec<u16>,
    taken: B,
    reads: B,
    writes: B,
    cas: B,
    /// By value: the open reads that find it and the open writes that put it.
    fitting: Vec<B>,
    /// By class: how many crashed so far.
    available: Vec<u32>,
    /// By value: classes of crashed compare-and-sets that find it.
    crashed_from: Vec<Vec<u32>>,
    /// Classes of crashed plain writes.
    crashed_writes: Vec<u32>,
    /// By value: how many operations need to find it that have not returned.
    demand: Vec<u32>,

    configurations: Vec<Configuration<B>>,
    /// Where the search stood earlier, in the order of moments.
    marks: VecDeque<Mark<B>>,
    /// How many configurations the marks hold.
    marked: usize,
    passed: Frontier<Key<B>, Entry<B>>,
    visited: Frontier<Key<B>, Entry<B>>,
    /// Visited in a state that nobody saw: only a compare-and-set may follow.
    idle: Frontier<Key<B>, Entry<B>>,
    /// What is to be extended, by how many crashed operations that takes.
    agenda: Agenda<Errand<B>>,
    collected: Vec<(Key<B>, Entry<B>)>,
    choices: Vec<(ValueId, usize)>,
}

impl<'a, 'h, B: Bits> Search<'a, 'h, B> {
    fn new(problem: &'a Problem<'h>, accesses: &'a Accesses, end: usize, budget: Budget<'a>, forgets: bool) -> Self {
        Search {
            problem,
            accesses,
            end,
            forgets,
            moment: 0,
            returns: problem.returns(),
            bags: Bags::new(),
            trails: Trails::new(budget.keeps_trails),
            budget,
            spent: Spent::default(),
            beam: Beam::ALL,
            cut: Cell::new(false),
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
            marks: VecDeque::new(),
            marked: 0,
            passed: Frontier::new(),
            visited: Frontier::new(),
            idle: Frontier::new(),
            agenda: Agenda::new(),
            collected: Vec::new(),
            choices: Vec::new(),
        }
    }

    fn decide(&mut self, breadth: Breadth) -> Searched {
        let outcome = self.run(breadth);
        let path = self.configurations.first().and_then(|configuration| self.path(configuration.trail));
        Searched { outcome, spent: self.spent, algorithm: "register-just-in-time", path }
    }

    /// Lets an operation return: every configuration is extended until it has taken effect, and not further.
    fn complete(&mut self, position: u32) -> Result<(), Exceeded> {
        let bit = B::one(usize::from(self.slot_of[position as usize]));
        let act = self.act(position);
        let is_settled = |at: &Configuration<B>| at.todo.or(at.tokens).and(bit).is_empty();
        if self.configurations.iter().all(is_settled) && (self.beam.is_rough || self.configurations.len() == 1) {
            // It has taken effect in all of them, and nothing else can be made of it.
            self.release(position);
            return Ok(());
        }
        self.passed.clear();
        self.visited.clear();
        self.idle.clear();
        self.sort_sources(act, bit);
        self.close_over(act, bit)?;
        self.close(position, bit);
        if self.configurations.len() > self.beam.width {
            self.narrow();
        }
        self.tidy();
        self.spent.peak_configurations = self.spent.peak_configurations.max(self.configurations.len());
        Ok(())
    }

    /// Tells the configurations in which the operation has taken effect from those to be extended.
    fn sort_sources(&mut self, act: Act, bit: B) {
        let mut sources = std::mem::take(&mut self.configurations);
        for from in sources.drain(..) {
            let is_done = from.todo.and(bit).is_empty();
            match act {
                Act::Write(_) if from.tokens.and(bit).is_empty() => self.arrive_past(from, None),
                Act::Write(value) => {
                    if is_done {
                        let unseen = Configuration { tokens: from.tokens.without(bit), ..from };
                        if from.value == value {
                            // It may as well be placed here, with all other open writes just before it.
                            let todo = unseen.todo.without(self.writes);
                            self.arrive_past(Configuration { todo, ..unseen }, Some(Taker::Open(self.slots[bit.first()])));
                        } else {
                            self.arrive_past(unseen, None);
                        }
                    }
                    self.visit(from, false, None);
                }
                _ if is_done => self.arrive_past(from, None),
                _ => self.visit(from, false, None),
            }
        }
        self.configurations = sources;
    }

    fn close_over(&mut self, act: Act, bit: B) -> Result<(), Exceeded> {
        let mut extended = 0_usize;
        while let Some(Errand { from, is_idle, is_late }) = self.agenda.pop() {
            if self.is_enough(extended) {
                self.cut.set(true);
                self.agenda.clear();
                break;
            }
            let (key, entry) = from.split(self.cas);
            let superseded = if is_idle { !self.idle.holds(key, &entry) } else { !self.visited.holds(key, &entry) };
            if superseded {
                continue;
            }
            extended += 1;
            self.breathe()?;
            if is_late {
                self.crashed_steps(from, is_idle, act, bit);
            } else {
                self.open_steps(from, is_idle, act, bit);
            }
        }
        Ok(())
    }

    /// Whether the beam has all it can hold, or has looked for it long enough.
    fn is_enough(&self, extended: usize) -> bool {
        let (wanted, found) = (self.beam.width.saturating_mul(2), self.passed.len());
        let patience = if found > 0 { self.beam.patience } else { wanted.saturating_mul(DESPERATE) };
        found >= wanted || extended > patience
    }

    /// Takes every step by an open operation that is worth taking from a configuration.
    fn open_steps(&mut self, from: Configuration<B>, is_idle: bool, target: Act, bit: B) {
        if let Act::Write(value) = target {
            let slot = bit.first();
            let seen = self.blind_write(from, value, Some(slot));
            self.arrive_past(seen, Some(Taker::Open(self.slots[slot])));
            if from.todo.and(self.reads.or(self.cas)).is_empty() {
                return; // Nobody but writes is waiting, and the last write may as well be this one.
            }
        }
        self.open_cas_steps(from, target, bit);
        if !is_idle {
            self.open_write_steps(from, target, bit);
        }
        if !self.crashed_from[from.value as usize].is_empty() || (!is_idle && !self.crashed_writes.is_empty()) {
            self.agenda.push(from.cost + 1, Errand { from, is_idle, is_late: true });
        }
    }

    /// Takes every step by a crashed operation that is worth taking from a configuration.
    fn crashed_steps(&mut self, from: Configuration<B>, is_idle: bool, target: Act, bit: B) {
        self.crashed_cas_steps(from, target, bit);
        if !is_idle {
            self.crashed_write_steps(from, target, bit);
        }
    }

    /// Steps by open compare-and-sets; of those that put the same value, by the one that returns first.
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
            self.arrive(self.settled(to), false, Taker::Open(self.slots[slot]), target, bit);
        }
        self.choices = choices;
    }

    /// Steps by crashed compare-and-sets. Where nobody was waiting for the value, the next step must be a compare-and-set.
    fn crashed_cas_steps(&mut self, from: Configuration<B>, target: Act, bit: B) {
        for at in 0..self.crashed_from[from.value as usize].len() {
            let class = self.crashed_from[from.value as usize][at];
            if self.bags.count(from.used, class) < self.available[class as usize] {
                let value = self.accesses.classes[class as usize].to;
                let to = self.settled(Configuration { value, cost: from.cost + 1, ..from });
                self.arrive(to, to.todo == from.todo, Taker::Crashed(class), target, bit);
            }
        }
    }

    /// The open writes that may still be seen and are not the target; of those that put the same value, the one that returns first.
    fn write_choices(&self, from: Configuration<B>, target: Act, bit: B, choices: &mut Vec<(ValueId, usize)>) {
        let own = if matches!(target, Act::Write(_)) { bit } else { B::default() };
        choices.clear();
        for slot in from.tokens.without(own).each() {
            if let Act::Write(value) = self.act(self.slots[slot]) {
                self.choose(choices, value, slot);
            }
        }
    }

    /// Steps by open writes.
    fn open_write_steps(&mut self, from: Configuration<B>, target: Act, bit: B) {
        let mut choices = std::mem::take(&mut self.choices);
        self.write_choices(from, target, bit, &mut choices);
        for &(value, slot) in &choices {
            let discharges = !from.todo.and(self.writes).without(B::one(slot)).is_empty();
            if value != from.value || discharges {
                let to = self.blind_write(from, value, Some(slot));
                self.arrive_by_write(from, to, Taker::Open(self.slots[slot]), target, bit);
            }
        }
        self.choices = choices;
    }

    /// Steps by crashed writes, where no open write puts the same value.
    fn crashed_write_steps(&mut self, from: Configuration<B>, target: Act, bit: B) {
        let mut choices = std::mem::take(&mut self.choices);
        self.write_choices(from, target, bit, &mut choices);
        let discharges = !from.todo.and(self.writes).is_empty();
        for at in 0..self.crashed_writes.len() {
            let class = self.crashed_writes[at];
            let value = self.accesses.classes[class as usize].to;
            let is_spare = self.bags.count(from.used, class) < self.available[class as usize];
            let is_new = !choices.iter().any(|choice| choice.0 == value);
            if is_spare && is_new && (discharges || (value != from.value && !self.has_crashed_cas(from, value))) {
                let to = self.blind_write(from, value, None);
                let to = Configuration { cost: from.cost + 1, ..to };
                self.arrive_by_write(from, to, Taker::Crashed(class), target, bit);
            }
        }
        self.choices = choices;
    }

    /// Whether an unused crashed compare-and-set leads from a configuration to a value: a plain write is then better saved.
    fn has_crashed_cas(&self, from: Configuration<B>, value: ValueId) -> bool {
        self.crashed_from[from.value as usize].iter().any(|&class| {
            self.accesses.classes[class as usize].to == value && self.bags.count(from.used, class) < self.available[class as usize]
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

    /// The configuration after a write that every other open write can hide behind.
    fn blind_write(&self, from: Configuration<B>, value: ValueId, slot: Option<usize>) -> Configuration<B> {
        let spent = slot.map_or(B::default(), B::one);
        self.settled(Configuration { value, todo: from.todo.without(self.writes), tokens: from.tokens.without(spent), ..from })
    }

    /// The same with the open operations done that fit the value.
    fn settled(&self, at: Configuration<B>) -> Configuration<B> {
        Configuration { todo: at.todo.without(self.fitting[at.value as usize]), ..at }
    }

    fn arrive_by_write(&mut self, from: Configuration<B>, to: Configuration<B>, by: Taker, target: Act, bit: B) {
        let is_seen = to.value == from.value || to.todo.and(self.reads) != from.todo.and(self.reads);
        self.arrive(to, !is_seen, by, target, bit);
    }

    /// Takes note of a configuration: for after the completion if the operation is done in it, else to be extended.
    fn arrive(&mut self, to: Configuration<B>, is_idle: bool, by: Taker, target: Act, bit: B) {
        if !matches!(target, Act::Write(_)) && to.todo.and(bit).is_empty() {
            self.arrive_past(to, Some(by));
        } else if !is_idle || self.has_cas(to) {
            self.visit(to, is_idle, Some(by));
        }
    }

    /// Whether a compare-and-set can follow.
    fn has_cas(&self, at: Configuration<B>) -> bool {
        let is_open = |slot: usize| self.act(self.slots[slot]).finds() == at.value;
        let is_spare = |&class: &u32| self.bags.count(at.used, class) < self.available[class as usize];
        at.todo.and(self.cas).each().any(is_open) || self.crashed_from[at.value as usize].iter().any(is_spare)
    }

    fn arrive_past(&mut self, to: Configuration<B>, by: Option<Taker>) {
        let to = if self.beam.is_rough { to } else { self.accounted(to, by) };
        let (key, entry) = to.split(self.cas);
        if self.passed.dominated(key, &entry, dominates(&self.bags, self.accesses, self.beam, &self.cut)) {
            return;
        }
        let (key, entry) = self.led(to, by).split(self.cas);
        self.passed.insert(key, entry, dominates(&self.bags, self.accesses, self.beam, &self.cut));
    }

    fn visit(&mut self, to: Configuration<B>, is_idle: bool, by: Option<Taker>) {
        let to = if self.beam.is_rough { to } else { self.accounted(to, by) };
        let (key, entry) = to.split(self.cas);
        {
            let dominates = dominates(&self.bags, self.accesses, self.beam, &self.cut);
            if self.visited.dominated(key, &entry, &dominates) || (is_idle && self.idle.dominated(key, &entry, &dominates)) {
                return;
            }
        }
        let to = self.led(to, by);
        let (key, entry) = to.split(self.cas);
        let frontier = if is_idle { &mut self.idle } else { &mut self.visited };
        frontier.insert(key, entry, dominates(&self.bags, self.accesses, self.beam, &self.cut));
        self.agenda.push(to.cost, Errand { from: to, is_idle, is_late: false });
    }

    /// A configuration that was just reached, with what it used, as far as that matters. Where comparison is rough this waits until it is
    /// known to be new: until then only its cost is right.
    fn accounted(&mut self, to: Configuration<B>, by: Option<Taker>) -> Configuration<B> {
        let used = match by {
            Some(Taker::Crashed(class)) => self.bags.plus(to.used, class),
            _ => to.used,
        };
        let used = if self.beam.is_rough { used } else { self.forgetful(used) };
        Configuration { used, cost: self.bags.total(used), ..to }
    }

    /// A configuration that is new, with the step that led to it.
    fn led(&mut self, to: Configuration<B>, by: Option<Taker>) -> Configuration<B> {
        let to = if self.beam.is_rough { self.accounted(to, by) } else { to };
        Configuration { trail: by.map_or(to.trail, |by| self.trails.add(to.trail, by, self.moment)), ..to }
    }

    /// The same without the uses of crashed operations of which more are left than anybody can need.
    fn forgetful(&mut self, used: BagId) -> BagId {
        let matters = |&(class, used): &(u32, u32)| {
            let demand = self.demand[self.accesses.classes[class as usize].to as usize];
            self.available[class as usize].saturating_sub(used) < demand
        };
        let pairs = self.bags.pairs(used);
        if !self.forgets || pairs.iter().all(matters) {
            return used;
        }
        let pairs: Vec<(u32, u32)> = pairs.iter().copied().filter(matters).collect();
        self.bags.intern(pairs)
    }

    /// Keeps only the most promising configurations: few crashed operations used, little to do.
    fn narrow(&mut self) {
        self.cut.set(true);
        self.configurations.sort_by_key(|at| (at.cost, at.todo.count(), Reverse(at.tokens.count())));
        self.configurations.truncate(self.beam.width);
    }

    /// Counts a visit and now and then looks at the budget.
    fn breathe(&mut self) -> Result<(), Exceeded> {
        self.spent.visits += 1;
        if !self.spent.visits.is_multiple_of(BREATH) {
            return Ok(());
        }
        let configurations = (self.configurations.capacity() + self.collected.capacity() + self.marked) * size_of::<Configuration<B>>();
        let frontiers = self.passed.bytes() + self.visited.bytes() + self.idle.bytes();
        self.spent.bytes = self.bags.bytes() + self.trails.bytes() + frontiers + self.agenda.bytes() + configurations;
        self.spent.peak_bytes = self.spent.peak_bytes.max(self.spent.bytes);
        self.budget.exceeded(&self.spent).map_or(Ok(()), Err)
    }

    /// Forgets what no configuration needs any longer; where none is left, the furthest still need it.
    fn tidy(&mut self) {
        if self.configurations.is_empty() {
            return;
        }
        if self.trails.is_crowded() {
            self.trails.tidy(
                self.configurations
                    .iter_mut()
                    .chain(self.marks.iter_mut().flat_map(|mark| &mut mark.configurations))
                    .map(|at| &mut at.trail),
            );
        }
        if self.bags.is_crowded() {
            self.bags.tidy(
                self.configurations
                    .iter_mut()
                    .chain(self.marks.iter_mut().flat_map(|mark| &mut mark.configurations))
                    .map(|at| &mut at.used),
            );
        }
    }

    fn path(&self, trail: TrailId) -> Option<Path> {
        let class = |position: u32| self.accesses.class_of[position as usize];
        let steps = self.trails.is_kept().then(|| self.trails.steps(trail, self.problem, class))??;
        Some(Path { steps, hides_writes: true })
    }

    /// Where the search stood when no configuration was left.
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
        visited.iter().map(|at| Reached { state: state(at.value), pending: pending(at.todo), path: self.path(at.trail) }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linearizable::race::tests::{agree, problems};
    use crate::models::CasRegister;

    #[test]
    fn depth_and_breadth_decide_the_same() {
        problems(|problem| {
            let accesses = Accesses::new(&CasRegister::default(), problem).expect("operations of a register");
            agree(|breadth, budget| Search::<u64>::new(problem, &accesses, problem.moments.len(), *budget, true).decide(breadth))
        });
    }
}
