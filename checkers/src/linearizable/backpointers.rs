//! Backpointers: an arena of linearization steps, each with its predecessor.

use elenchus_core::Kind;

use super::problem::{Moment, Problem};

/// The number of a step. [`ROOT`] is not a step.
pub(crate) type BackpointerId = u32;

/// The predecessor of first steps.
pub(crate) const ROOT: BackpointerId = 0;

/// The number of steps that may accumulate before unreferenced ones are dropped.
const COMPACTION_SLACK: usize = if cfg!(test) { 8 } else { 1 << 16 };

/// The operation that takes a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StepOperation {
    /// The open operation at this position.
    Open(u32),
    /// Some crashed operation of this class.
    Crashed(u32),
}

/// A linearization point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LinearizationPoint {
    /// The operation's position.
    pub(crate) position: u32,
    /// The moment before which it takes effect: always a return.
    pub(crate) moment: u32,
}

#[derive(Clone, Copy)]
struct Link {
    before: BackpointerId,
    by: StepOperation,
    moment: u32,
}

/// The steps of all configurations that are still referenced; empty if paths are not recorded.
pub(crate) struct Backpointers {
    is_kept: bool,
    links: Vec<Link>,
    /// The number of steps after the last compaction.
    len_after_compaction: usize,
}

impl Backpointers {
    pub(crate) fn new(is_kept: bool) -> Backpointers {
        Backpointers { is_kept, links: Vec::new(), len_after_compaction: 0 }
    }

    /// Whether steps are recorded.
    pub(crate) fn is_kept(&self) -> bool {
        self.is_kept
    }

    /// Drops all steps.
    pub(crate) fn clear(&mut self) {
        (self.links, self.len_after_compaction) = (Vec::new(), 0);
    }

    /// Records a step.
    pub(crate) fn add(&mut self, before: BackpointerId, by: StepOperation, moment: u32) -> BackpointerId {
        if !self.is_kept {
            return ROOT;
        }
        self.links.push(Link { before, by, moment });
        self.links.len() as BackpointerId
    }

    /// Whether [`compact`](Backpointers::compact) is due.
    pub(crate) fn needs_compaction(&self) -> bool {
        self.links.len() > 2 * self.len_after_compaction + COMPACTION_SLACK
    }

    /// Drops the steps that lead to none of these, which are renumbered. O(steps).
    pub(crate) fn compact<'t>(&mut self, ends: impl Iterator<Item = &'t mut BackpointerId>) {
        let mut number = vec![ROOT; self.links.len() + 1];
        let ends: Vec<&mut BackpointerId> = ends.collect();
        const WANTED: BackpointerId = 1;
        for end in &ends {
            let mut at = **end;
            while at != ROOT && number[at as usize] != WANTED {
                number[at as usize] = WANTED;
                at = self.links[at as usize - 1].before;
            }
        }
        let mut kept = 0;
        for at in 0..self.links.len() {
            if number[at + 1] == WANTED {
                let link = self.links[at];
                self.links[kept] = Link { before: number[link.before as usize], ..link };
                kept += 1;
                number[at + 1] = kept as BackpointerId;
            }
        }
        self.links.truncate(kept);
        self.len_after_compaction = kept;
        for end in ends {
            *end = number[*end as usize];
        }
    }

    /// The approximate number of bytes held.
    pub(crate) fn bytes(&self) -> usize {
        self.links.capacity() * size_of::<Link>()
    }

    /// The path up to a step. Of each class of crashed operations, the earliest are used first; none if more of a class were used than had
    /// been called, which can happen in a search that does not count all uses.
    pub(crate) fn steps(&self, end: BackpointerId, problem: &Problem<'_>, class: impl Fn(u32) -> u32) -> Option<Vec<LinearizationPoint>> {
        let mut links = Vec::new();
        let mut at = end;
        while at != ROOT {
            let link = self.links[at as usize - 1];
            links.push(link);
            at = link.before;
        }
        let mut begun: rustc_hash::FxHashMap<u32, std::collections::VecDeque<u32>> = rustc_hash::FxHashMap::default();
        let mut passed = 0;
        let named = links.into_iter().rev().map(|Link { by, moment, .. }| {
            let position = match by {
                StepOperation::Open(position) => position,
                StepOperation::Crashed(used) => {
                    for &moment in &problem.moments[passed..moment as usize] {
                        if let Moment::Call(position) = moment
                            && problem.operation(position).kind != Kind::Ok
                        {
                            begun.entry(class(position)).or_default().push_back(position);
                        }
                    }
                    passed = moment as usize;
                    begun.get_mut(&used)?.pop_front()?
                }
            };
            Some(LinearizationPoint { position, moment })
        });
        named.collect()
    }
}
