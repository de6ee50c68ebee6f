//! The monitor for registers, with or without compare-and-set (Gibbons & Korach 1997, §3 and §4: zones).
//!
//! All that touches one value stands together in a linearization: what put it there, then those who read it, then a compare-and-set that
//! found it, which puts the next value there at once. So values joined by a compare-and-set form one *block*, whose order is forced: it is
//! possible where nobody returned before one of his predecessors called. Blocks follow each other undivided, so one comes before another
//! unless an operation of the other returned before one of its own was called: `X` cannot come before `Y` if the first return in `Y`
//! comes before the last call in `X`. These constraints have an order if no two blocks exclude each other: in a longer cycle, the
//! block of the earliest return and the one that must come before it do so already.
//!
//! A block is a *zone* from its first return to its last call: forward if that is the order of the two, else backward. Two exclude each
//! other if both are forward and overlap, or a backward one lies within a forward one. The initial value is a block whose first operation
//! returned before all.
//!
//! A crashed operation is needed exactly when somebody found its value who is not crashed, or who is needed; else it can be left
//! out, for nothing ever asks for a value that nobody found.

use elenchus_core::{Access, RegisterModel, Value};
use rustc_hash::FxHashMap;

use super::{Breach, Monitor, NEVER, NONE, Stance};
use crate::linearizable::problem::{Moment, Problem};

/// The number of a value. The initial one is 0.
type ValueId = u32;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Read(ValueId),
    Write(ValueId),
    Cas(ValueId, ValueId),
}

impl Act {
    fn finds(self) -> Option<ValueId> {
        match self {
            Act::Read(value) | Act::Cas(value, _) => Some(value),
            Act::Write(_) => None,
        }
    }

    fn puts(self) -> Option<ValueId> {
        match self {
            Act::Write(value) | Act::Cas(_, value) => Some(value),
            Act::Read(_) => None,
        }
    }
}

/// The operations of a register in which every value is put there once, and the initial one never.
pub(super) struct Register<'v> {
    moments: &'v [Moment],
    /// By position.
    acts: Vec<Act>,
    /// By position: the moment of its call.
    calls: Vec<u32>,
    /// By value: who puts it there, or [`NONE`].
    writers: Vec<u32>,
}

/// A moment and whose it is.
type Mark = (u32, u32);

/// The first return and the last call of some operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Extent {
    first_return: Mark,
    last_call: Option<Mark>,
}

impl Extent {
    const NOTHING: Extent = Extent { first_return: (NEVER, NONE), last_call: None };

    fn add(&mut self, other: Extent) {
        self.first_return = self.first_return.min(other.first_return);
        self.last_call = self.last_call.max(other.last_call);
    }
}

/// What is known of a value.
#[derive(Clone, Copy)]
struct Cluster {
    readers: Extent,
    /// When its writer returned.
    written: u32,
    /// An operation for whose sake its writer took effect: itself, if it returned.
    reason: u32,
    /// The value that a compare-and-set put in its place, or [`NONE`].
    next: ValueId,
    is_placed: bool,
}

/// What is known of a history up to a moment.
struct Clusters<'a, 'v> {
    register: &'a Register<'v>,
    /// By value.
    clusters: Vec<Cluster>,
    /// The values that have been there, but the initial one.
    needed: Vec<ValueId>,
}

/// Values that follow each other at once.
struct Block {
    extent: Extent,
    last: ValueId,
}

impl<'v> Register<'v> {
    /// The operations of a problem, if it is one for this monitor.
    pub(super) fn new(model: &dyn RegisterModel, problem: &'v Problem<'_>) -> Option<Register<'v>> {
        let initial = model.initial_value();
        let mut numbers: FxHashMap<&Value, ValueId> = FxHashMap::default();
        let mut writers = vec![NONE];
        let mut acts = Vec::with_capacity(problem.operations.len());
        for (position, operation) in problem.operations.iter().enumerate() {
            let mut number = |value: &'v Value| {
                if *value == initial {
                    return 0;
                }
                *numbers.entry(value).or_insert_with(|| {
                    writers.push(NONE);
                    writers.len() as ValueId - 1
                })
            };
            let act = match model.access(operation)? {
                Access::Read(told) => Act::Read(number(told?)),
                Access::Write(new) => Act::Write(number(new)),
                Access::Cas(old, new) if old == new => Act::Read(number(old)),
                Access::Cas(old, new) => Act::Cas(number(old), number(new)),
            };
            if let Some(value) = act.puts()
                && (value == 0 || std::mem::replace(&mut writers[value as usize], position as u32) != NONE)
            {
                return None;
            }
            acts.push(act);
        }
        let mut calls = vec![0; acts.len()];
        for (at, &moment) in problem.moments.iter().enumerate() {
            if let Moment::Call(position) = moment {
                calls[position as usize] = at as u32;
            }
        }
        Some(Register { moments: &problem.moments, acts, calls, writers })
    }

    fn writer(&self, value: ValueId) -> Option<u32> {
        Some(self.writers[value as usize]).filter(|&position| position != NONE)
    }

    /// The value that the writer of a value found, if it is a compare-and-set.
    fn before(&self, value: ValueId) -> Option<ValueId> {
        self.acts[self.writer(value)? as usize].finds()
    }
}

impl<'a, 'v> Clusters<'a, 'v> {
    /// Gathers what happened in the first moments.
    fn gather(register: &'a Register<'v>, until: u32) -> Result<Self, Breach> {
        let nothing = Cluster { readers: Extent::NOTHING, written: NEVER, reason: NONE, next: NONE, is_placed: false };
        let mut clusters = Clusters { register, clusters: vec![nothing; register.writers.len()], needed: Vec::new() };
        for (&moment, at) in register.moments.iter().zip(0..until) {
            let Moment::Return(position) = moment else { continue };
            let act = register.acts[position as usize];
            let call = register.calls[position as usize];
            if let Act::Read(value) = act {
                clusters.clusters[value as usize].readers.add(Extent { first_return: (at, position), last_call: Some((call, position)) });
            }
            if let Some(value) = act.puts() {
                clusters.clusters[value as usize].written = at;
                clusters.need(value, position, until)?;
            } else if let Some(value) = act.finds() {
                clusters.need(value, position, until)?;
            }
        }
        clusters.link()?;
        Ok(clusters)
    }

    /// Notes that a value must have been there, for the sake of an operation, and all before it in its block.
    fn need(&mut self, mut value: ValueId, mut reason: u32, until: u32) -> Result<(), Breach> {
        while value != 0 && self.clusters[value as usize].reason == NONE {
            self.clusters[value as usize].reason = reason;
            let Some(writer) = self.register.writer(value).filter(|&writer| self.register.calls[writer as usize] < until) else {
                return Err(Breach::new(self.because(reason)));
            };
            self.needed.push(value);
            let Some(before) = self.register.acts[writer as usize].finds() else { break };
            (value, reason) = (before, writer);
        }
        Ok(())
    }

    /// An operation and those for whose sake it took effect.
    fn because(&self, mut position: u32) -> Vec<u32> {
        let mut chain = vec![position];
        while let Some(value) = self.register.acts[position as usize].puts() {
            let reason = self.clusters[value as usize].reason;
            if reason == position || reason == NONE {
                break;
            }
            chain.push(reason);
            position = reason;
        }
        chain
    }

    /// Joins each value to the one that a compare-and-set put in its place.
    fn link(&mut self) -> Result<(), Breach> {
        for &value in &self.needed {
            let Some(before) = self.register.before(value) else { continue };
            let other = std::mem::replace(&mut self.clusters[before as usize].next, value);
            if other != NONE {
                let both = [value, other].into_iter().filter_map(|value| self.register.writer(value));
                return Err(Breach::new(both.flat_map(|writer| self.because(writer))));
            }
        }
        Ok(())
    }

    /// The block that begins with a value.
    fn block(&mut self, root: ValueId) -> Result<Block, Breach> {
        let mut block = Block { extent: Extent::NOTHING, last: root };
        if root == 0 {
            block.extent.first_return = (0, NONE);
        }
        let mut value = root;
        loop {
            self.clusters[value as usize].is_placed = true;
            let Cluster { readers, written, next, .. } = self.clusters[value as usize];
            block.last = value;
            if let Some(writer) = self.register.writer(value) {
                let call = self.register.calls[writer as usize];
                self.append(&mut block, Extent { first_return: (written, writer), last_call: Some((call, writer)) })?;
            }
            self.append(&mut block, readers)?;
            if next == NONE {
                return Ok(block);
            }
            value = next;
        }
    }

    /// Adds operations that come after all others of a block.
    fn append(&self, block: &mut Block, part: Extent) -> Result<(), Breach> {
        if let Some((call, position)) = block.extent.last_call
            && part.first_return.0 < call
        {
            return Err(Breach::new(self.writers_of(block.last).chain([position, part.first_return.1])));
        }
        let part = Extent { first_return: (part.first_return.0.saturating_add(1), part.first_return.1), ..part };
        block.extent.add(part);
        Ok(())
    }

    /// Who put a value there and all those before it in its block.
    fn writers_of(&self, value: ValueId) -> impl Iterator<Item = u32> {
        let values = std::iter::successors(Some(value), |&value| self.register.before(value));
        values.filter_map(|value| self.register.writer(value))
    }

    /// Operations that fix the first return and the last call of a block.
    fn proof(&self, block: &Block) -> Vec<u32> {
        let mut proof: Vec<u32> = self.writers_of(block.last).collect();
        proof.extend(self.register.writer(block.last).into_iter().flat_map(|writer| self.because(writer)));
        let ends = [Some(block.extent.first_return), block.extent.last_call];
        proof.extend(ends.into_iter().flatten().map(|(_, position)| position).filter(|&position| position != NONE));
        proof
    }

    /// Cuts what happened into blocks.
    fn blocks(&mut self) -> Result<Vec<Block>, Breach> {
        let mut blocks = vec![self.block(0)?];
        for value in self.needed.clone() {
            if self.register.before(value).is_none() {
                blocks.push(self.block(value)?);
            }
        }
        // What no write began goes in a circle.
        match self.needed.iter().find(|&&value| !self.clusters[value as usize].is_placed) {
            None => Ok(blocks),
            Some(&value) => {
                let others = std::iter::successors(self.register.before(value), |&value| self.register.before(value));
                let circle = std::iter::once(value).chain(others.take_while(|&other| other != value));
                let writers = circle.filter_map(|value| self.register.writer(value));
                Err(Breach::new(writers.flat_map(|writer| self.because(writer))))
            }
        }
    }

    /// Finds two blocks that exclude each other. O(n log n).
    fn order(&self, blocks: &[Block]) -> Result<(), Breach> {
        let zone = |block: &Block| (block.extent.first_return.0, block.extent.last_call.map_or(0, |(call, _)| call + 1));
        let (mut forward, backward): (Vec<&Block>, Vec<&Block>) = blocks.iter().partition(|block| zone(block).0 < zone(block).1);
        let clash = |one: &Block, other: &Block| Err(Breach::new(self.proof(one).into_iter().chain(self.proof(other))));
        forward.sort_unstable_by_key(|block| zone(block));
        if let Some(pair) = forward.windows(2).find(|pair| zone(pair[1]).0 < zone(pair[0]).1) {
            return clash(pair[0], pair[1]);
        }
        for block in backward {
            let (end, start) = zone(block);
            let begun = forward.partition_point(|forward| zone(forward).0 < start);
            if let Some(around) = begun.checked_sub(1).map(|last| forward[last]).filter(|around| end < zone(around).1) {
                return clash(around, block);
            }
        }
        Ok(())
    }
}

impl Monitor for Register<'_> {
    fn algorithm(&self) -> &'static str {
        "unique-register"
    }

    fn check(&self, until: u32, _: Stance) -> Result<(), Breach> {
        let mut clusters = Clusters::gather(self, until)?;
        let blocks = clusters.blocks()?;
        clusters.order(&blocks)
    }

    fn is_exact(&self) -> bool {
        true
    }

    fn is_steady(&self) -> bool {
        true
    }
}
