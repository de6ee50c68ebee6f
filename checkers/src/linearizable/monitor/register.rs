//! The monitor for registers, with or without compare-and-set (Gibbons & Korach 1997, §3 and §4: zones).
//!
//! In a linearization, all operations on one value are adjacent: the operation that stores it, then its reads, then a compare-and-set that
//! finds it, which stores the next value at once. So values joined by a compare-and-set form one *block*, whose order is forced: it is
//! possible unless an operation returned before the call of one of its predecessors. Blocks are not interleaved. `X` cannot precede `Y` if
//! the first return in `Y` comes before the last call in `X`. These constraints admit an order if no two blocks exclude each other: in a
//! longer cycle, the block with the earliest return and its required predecessor already do.
//!
//! A block is a *zone* from its first return to its last call: forward if they are in that order, else backward. Two blocks exclude each
//! other if both are forward and overlap, or if a backward one lies within a forward one. The initial value is a block whose first
//! operation returned before all moments.
//!
//! A crashed operation is needed if an operation that completed, or one that is needed, found its value; otherwise it can be left out,
//! because no operation needs its value.

use elenchus_core::{Access, RegisterModel, Value};
use rustc_hash::FxHashMap;

use super::{Approximation, BadPattern, Monitor, NEVER, NONE};
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
    fn expected(self) -> Option<ValueId> {
        match self {
            Act::Read(value) | Act::Cas(value, _) => Some(value),
            Act::Write(_) => None,
        }
    }

    fn stored(self) -> Option<ValueId> {
        match self {
            Act::Write(value) | Act::Cas(_, value) => Some(value),
            Act::Read(_) => None,
        }
    }
}

/// The operations on a register in which every value is stored once, and the initial one never.
pub(super) struct Register<'v> {
    moments: &'v [Moment],
    /// By position.
    acts: Vec<Act>,
    /// By position: the moment of the operation's call.
    calls: Vec<u32>,
    /// By value: the position of its write, or [`NONE`].
    writers: Vec<u32>,
}

/// A moment and the position of its operation.
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

/// The knowledge about a value.
#[derive(Clone, Copy)]
struct Cluster {
    readers: Extent,
    /// When its write returned.
    written: u32,
    /// An operation that requires its write to take effect: the write itself, if it returned.
    reason: u32,
    /// The value that a compare-and-set replaced it with, or [`NONE`].
    next: ValueId,
    is_placed: bool,
}

/// The clusters of a history up to a moment.
struct Clusters<'a, 'v> {
    register: &'a Register<'v>,
    /// By value.
    clusters: Vec<Cluster>,
    /// The values that the register must have held, except the initial one.
    needed: Vec<ValueId>,
}

/// Values that follow each other through compare-and-sets.
struct Block {
    extent: Extent,
    last: ValueId,
}

impl<'v> Register<'v> {
    /// Decodes the operations of a problem, if this monitor supports them.
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
                Access::Read(result) => Act::Read(number(result?)),
                Access::Write(new) => Act::Write(number(new)),
                Access::Cas(old, new) if old == new => Act::Read(number(old)),
                Access::Cas(old, new) => Act::Cas(number(old), number(new)),
            };
            if let Some(value) = act.stored()
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

    /// The value that the write of a value expected, if it is a compare-and-set.
    fn before(&self, value: ValueId) -> Option<ValueId> {
        self.acts[self.writer(value)? as usize].expected()
    }
}

impl<'a, 'v> Clusters<'a, 'v> {
    /// Collects the clusters of the first `until` moments.
    fn gather(register: &'a Register<'v>, until: u32) -> Result<Self, BadPattern> {
        let nothing = Cluster { readers: Extent::NOTHING, written: NEVER, reason: NONE, next: NONE, is_placed: false };
        let mut clusters = Clusters { register, clusters: vec![nothing; register.writers.len()], needed: Vec::new() };
        for (&moment, at) in register.moments.iter().zip(0..until) {
            let Moment::Return(position) = moment else { continue };
            let act = register.acts[position as usize];
            let call = register.calls[position as usize];
            if let Act::Read(value) = act {
                clusters.clusters[value as usize].readers.add(Extent { first_return: (at, position), last_call: Some((call, position)) });
            }
            if let Some(value) = act.stored() {
                clusters.clusters[value as usize].written = at;
                clusters.require(value, position, until)?;
            } else if let Some(value) = act.expected() {
                clusters.require(value, position, until)?;
            }
        }
        clusters.link()?;
        Ok(clusters)
    }

    /// Records that the register must have held a value, as an operation requires, and all values before it in its block.
    fn require(&mut self, mut value: ValueId, mut reason: u32, until: u32) -> Result<(), BadPattern> {
        while value != 0 && self.clusters[value as usize].reason == NONE {
            self.clusters[value as usize].reason = reason;
            let Some(writer) = self.register.writer(value).filter(|&writer| self.register.calls[writer as usize] < until) else {
                return Err(BadPattern::new(self.with_reasons(reason)));
            };
            self.needed.push(value);
            let Some(before) = self.register.acts[writer as usize].expected() else { break };
            (value, reason) = (before, writer);
        }
        Ok(())
    }

    /// An operation and the chain of operations that require it to take effect.
    fn with_reasons(&self, mut position: u32) -> Vec<u32> {
        let mut chain = vec![position];
        while let Some(value) = self.register.acts[position as usize].stored() {
            let reason = self.clusters[value as usize].reason;
            if reason == position || reason == NONE {
                break;
            }
            chain.push(reason);
            position = reason;
        }
        chain
    }

    /// Joins each value to the one that a compare-and-set replaced it with.
    fn link(&mut self) -> Result<(), BadPattern> {
        for &value in &self.needed {
            let Some(before) = self.register.before(value) else { continue };
            let other = std::mem::replace(&mut self.clusters[before as usize].next, value);
            if other != NONE {
                let both = [value, other].into_iter().filter_map(|value| self.register.writer(value));
                return Err(BadPattern::new(both.flat_map(|writer| self.with_reasons(writer))));
            }
        }
        Ok(())
    }

    /// The block that begins with a value.
    fn block(&mut self, root: ValueId) -> Result<Block, BadPattern> {
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

    /// Appends operations to a block, after all others.
    fn append(&self, block: &mut Block, part: Extent) -> Result<(), BadPattern> {
        if let Some((call, position)) = block.extent.last_call
            && part.first_return.0 < call
        {
            return Err(BadPattern::new(self.writers_of(block.last).chain([position, part.first_return.1])));
        }
        let part = Extent { first_return: (part.first_return.0.saturating_add(1), part.first_return.1), ..part };
        block.extent.add(part);
        Ok(())
    }

    /// The writes of a value and of all values before it in its block.
    fn writers_of(&self, value: ValueId) -> impl Iterator<Item = u32> {
        let values = std::iter::successors(Some(value), |&value| self.register.before(value));
        values.filter_map(|value| self.register.writer(value))
    }

    /// Operations that determine the first return and the last call of a block.
    fn proof(&self, block: &Block) -> Vec<u32> {
        let mut proof: Vec<u32> = self.writers_of(block.last).collect();
        proof.extend(self.register.writer(block.last).into_iter().flat_map(|writer| self.with_reasons(writer)));
        let ends = [Some(block.extent.first_return), block.extent.last_call];
        proof.extend(ends.into_iter().flatten().map(|(_, position)| position).filter(|&position| position != NONE));
        proof
    }

    /// Partitions the operations into blocks.
    fn blocks(&mut self) -> Result<Vec<Block>, BadPattern> {
        let mut blocks = vec![self.block(0)?];
        for value in self.needed.clone() {
            if self.register.before(value).is_none() {
                blocks.push(self.block(value)?);
            }
        }
        // A value whose block does not begin with a plain write is part of a cycle.
        match self.needed.iter().find(|&&value| !self.clusters[value as usize].is_placed) {
            None => Ok(blocks),
            Some(&value) => {
                let others = std::iter::successors(self.register.before(value), |&value| self.register.before(value));
                let cycle = std::iter::once(value).chain(others.take_while(|&other| other != value));
                let writers = cycle.filter_map(|value| self.register.writer(value));
                Err(BadPattern::new(writers.flat_map(|writer| self.with_reasons(writer))))
            }
        }
    }

    /// Checks that no two blocks exclude each other. O(n log n).
    fn order(&self, blocks: &[Block]) -> Result<(), BadPattern> {
        let zone = |block: &Block| (block.extent.first_return.0, block.extent.last_call.map_or(0, |(call, _)| call + 1));
        let (mut forward, backward): (Vec<&Block>, Vec<&Block>) = blocks.iter().partition(|block| zone(block).0 < zone(block).1);
        let conflict = |one: &Block, other: &Block| Err(BadPattern::new(self.proof(one).into_iter().chain(self.proof(other))));
        forward.sort_unstable_by_key(|block| zone(block));
        if let Some(pair) = forward.windows(2).find(|pair| zone(pair[1]).0 < zone(pair[0]).1) {
            return conflict(pair[0], pair[1]);
        }
        for block in backward {
            let (end, start) = zone(block);
            let begun = forward.partition_point(|forward| zone(forward).0 < start);
            if let Some(around) = begun.checked_sub(1).map(|last| forward[last]).filter(|around| end < zone(around).1) {
                return conflict(around, block);
            }
        }
        Ok(())
    }
}

impl Monitor for Register<'_> {
    fn algorithm(&self) -> &'static str {
        "unique-register"
    }

    fn check(&self, until: u32, _: Approximation) -> Result<(), BadPattern> {
        let mut clusters = Clusters::gather(self, until)?;
        let blocks = clusters.blocks()?;
        clusters.order(&blocks)
    }

    fn is_exact(&self) -> bool {
        true
    }

    fn is_prefix_stable(&self) -> bool {
        true
    }
}
