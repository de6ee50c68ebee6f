//! Advancing from moment to moment, and backtracking where a beam fails.

use elenchus_core::Kind;

use super::{Checkpoint, Configuration, Search};
use crate::linearizable::backpointers::ROOT;
use crate::linearizable::bits::Bits;
use crate::linearizable::budget::Exceeded;
use crate::linearizable::multisets::{EMPTY, Multisets};
use crate::linearizable::outcome::{Broken, Outcome};
use crate::linearizable::problem::Moment;
use crate::linearizable::race::Breadth;
use crate::linearizable::register::accesses::{ANY, Act};
use crate::linearizable::register::beam::{Beam, CHECKPOINT_INTERVAL, CHECKPOINTS, Widening};

impl<B: Bits> Search<'_, '_, B> {
    /// Returns to the beginning.
    fn reset(&mut self) {
        self.dropped_some.set(false);
        (self.taken, self.reads, self.writes, self.cas) = Default::default();
        self.fitting.fill(B::default());
        self.available.fill(0);
        self.crashed_from.iter_mut().for_each(Vec::clear);
        self.crashed_writes.clear();
        self.demand.clone_from(&self.accesses.demand);
        self.multisets = Multisets::new();
        self.backpointers.clear();
        self.configurations.clear();
        self.checkpoints.clear();
        self.checkpointed = 0;
        let (todo, tokens) = Default::default();
        self.configurations.push(Configuration { value: 0, todo, tokens, used: EMPTY, cost: 0, backpointer: ROOT });
    }

    /// Processes all moments, with few or all configurations.
    pub(super) fn run(&mut self, breadth: Breadth) -> Outcome {
        let problem = self.problem;
        let mut widening = Widening::new(!self.accesses.classes.is_empty());
        self.reset();
        let mut at = 0;
        while at < self.end {
            self.beam = match breadth {
                Breadth::Few => widening.beam(at),
                Breadth::All => Beam::ALL,
            };
            if self.beam.is_rough && at.is_multiple_of(CHECKPOINT_INTERVAL) {
                self.save_checkpoint(at);
            }
            if let Err(why) = self.advance(at) {
                return Outcome::Exhausted { why, moments: at };
            }
            if !self.configurations.is_empty() {
                at += 1;
                continue;
            }
            if !self.dropped_some.get()
                && let Moment::Return(operation) = problem.moments[at]
            {
                return Outcome::Broken(Broken { operation, reached: self.furthest() });
            }
            let Some(to) = widening.widen(at) else { return Outcome::Exhausted { why: Exceeded::NarrowBeam, moments: at } };
            at = self.backtrack(at, to);
        }
        Outcome::Linearizable
    }

    /// Processes a moment.
    fn advance(&mut self, at: usize) -> Result<(), Exceeded> {
        match self.problem.moments[at] {
            Moment::Call(position) if self.problem.operation(position).kind == Kind::Ok => self.open(position),
            Moment::Call(position) => self.open_crashed(position),
            Moment::Return(position) => {
                self.moment = at as u32;
                self.complete(position)?;
            }
        }
        Ok(())
    }

    /// Saves the configurations before a moment.
    fn save_checkpoint(&mut self, at: usize) {
        if self.checkpoints.back().is_some_and(|checkpoint| checkpoint.at >= at) {
            return;
        }
        if self.checkpoints.len() >= CHECKPOINTS
            && let Some(first) = self.checkpoints.pop_front()
        {
            self.checkpointed -= first.configurations.len();
        }
        self.checkpointed += self.configurations.len();
        self.checkpoints.push_back(Checkpoint { at, configurations: self.configurations.clone() });
    }

    /// Backtracks from a moment just processed to the last checkpoint at or before another one, or to the beginning.
    fn backtrack(&mut self, passed: usize, to: usize) -> usize {
        while let Some(checkpoint) = self.checkpoints.pop_back_if(|checkpoint| checkpoint.at > to) {
            self.checkpointed -= checkpoint.configurations.len();
        }
        let Some(checkpoint) = self.checkpoints.back() else {
            self.reset();
            return 0;
        };
        let at = checkpoint.at;
        self.configurations.clone_from(&checkpoint.configurations);
        for moment in (at..=passed).rev() {
            self.undo(moment);
        }
        at
    }

    /// Undoes the effect of a moment on everything but the configurations. Moments are undone in reverse order.
    fn undo(&mut self, at: usize) {
        match self.problem.moments[at] {
            Moment::Call(position) if self.problem.operation(position).kind == Kind::Ok => self.vacate(position),
            Moment::Call(position) => self.undo_open_crashed(position),
            Moment::Return(position) => {
                let act = self.act(position);
                if act.expected() != ANY {
                    self.demand[act.expected() as usize] += 1;
                }
                self.occupy(position);
            }
        }
    }

    pub(super) fn act(&self, position: u32) -> Act {
        self.accesses.acts[position as usize]
    }

    /// Processes the call of an operation that returns.
    fn open(&mut self, position: u32) {
        let slot = self.taken.first_free().expect("the concurrency of the problem fits the width");
        self.slot_of[position as usize] = slot as u16;
        let bit = self.occupy(position);
        let act = self.act(position);
        for configuration in &mut self.configurations {
            let done = match act {
                Act::Read(value) | Act::Write(value) => configuration.value == value,
                Act::Cas(..) => false,
            };
            if !done {
                configuration.todo = configuration.todo.or(bit);
            }
            if matches!(act, Act::Write(_)) {
                configuration.tokens = configuration.tokens.or(bit);
            }
        }
    }

    /// Takes the slot of an operation.
    fn occupy(&mut self, position: u32) -> B {
        let slot = usize::from(self.slot_of[position as usize]);
        let bit = B::one(slot);
        self.slots[slot] = position;
        self.taken = self.taken.or(bit);
        let act = self.act(position);
        match act {
            Act::Read(_) => self.reads = self.reads.or(bit),
            Act::Write(_) => self.writes = self.writes.or(bit),
            Act::Cas(..) => self.cas = self.cas.or(bit),
        }
        if let Act::Read(value) | Act::Write(value) = act {
            self.fitting[value as usize] = self.fitting[value as usize].or(bit);
        }
        bit
    }

    /// Frees the slot of an operation.
    fn vacate(&mut self, position: u32) {
        let bit = B::one(usize::from(self.slot_of[position as usize]));
        self.taken = self.taken.without(bit);
        self.reads = self.reads.without(bit);
        self.writes = self.writes.without(bit);
        self.cas = self.cas.without(bit);
        if let Act::Read(value) | Act::Write(value) = self.act(position) {
            self.fitting[value as usize] = self.fitting[value as usize].without(bit);
        }
    }

    /// Undoes [`Search::open_crashed`].
    fn undo_open_crashed(&mut self, position: u32) {
        let number = self.accesses.class_of[position as usize];
        let class = self.accesses.classes[number as usize];
        if self.demand[class.to as usize] == 0 {
            return;
        }
        let available = &mut self.available[number as usize];
        *available -= 1;
        if *available == 0 {
            match class.from {
                ANY => self.crashed_writes.pop(),
                from => self.crashed_from[from as usize].pop(),
            };
        }
    }

    /// Processes the call of a crashed operation. It is left out if no operation needs its value.
    fn open_crashed(&mut self, position: u32) {
        let number = self.accesses.class_of[position as usize];
        let class = self.accesses.classes[number as usize];
        if self.demand[class.to as usize] == 0 {
            return;
        }
        let available = &mut self.available[number as usize];
        *available += 1;
        if *available == 1 {
            match class.from {
                ANY => self.crashed_writes.push(number),
                from => self.crashed_from[from as usize].push(number),
            }
        }
    }

    /// Frees the slot of an operation that has returned.
    pub(super) fn release(&mut self, position: u32) {
        self.vacate(position);
        let act = self.act(position);
        if act.expected() != ANY {
            self.demand[act.expected() as usize] -= 1;
        }
    }

    /// Continues with the configurations that passed the return of an operation.
    pub(super) fn close(&mut self, position: u32, bit: B) {
        self.release(position);
        self.passed.collect_into(&mut self.collected);
        let mut collected = std::mem::take(&mut self.collected);
        let has_tokens = matches!(self.act(position), Act::Write(_));
        if collected.len() > 1 && (has_tokens || !self.beam.is_rough) {
            // Without the token of the returned operation, and with less demand, more configurations may be dominated.
            self.passed.clear();
            for &found in &collected {
                let freed = Configuration::join(found).without(bit);
                self.add_passed(freed, None);
            }
            self.passed.collect_into(&mut collected);
        }
        self.configurations.extend(collected.iter().map(|&found| Configuration::join(found).without(bit)));
        self.collected = collected;
    }
}
