//! The monitor for sets whose operations each concern one element, that is added and removed at most once.
//!
//! Elements are independent objects, so a history has a linearization if what happened to each has one (locality: Herlihy & Wing 1990, §3).
//! An element is a truth that is false at first. Either its removal comes before its addition, or never: then what was told "in"
//! comes after the addition and all else before it. Or the addition comes at a gap `p` and the removal at `q`, not before it: then what was
//! told "in" lies between, and what was told "not in" does not. It is best told to come as late for `p` and as early for `q` as those
//! in between allow; what was told "not in" then must not have been called after `p` and returned before `q`.

use elenchus_core::{Membership, SetModel, Value};
use rustc_hash::FxHashMap;

use super::lives::Interval;
use super::{Breach, Monitor, NEVER, NONE, Stance};
use crate::linearizable::problem::{Moment, Problem};

/// The number of an element, by first appearance.
type Element = u32;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deed {
    Add(Element),
    Remove(Element),
    Found(Element),
    Missed(Element),
}

pub(super) struct Set<'v> {
    moments: &'v [Moment],
    /// By position.
    deeds: Vec<Deed>,
    /// By position: the moment of its call.
    calls: Vec<u32>,
    elements: usize,
}

/// Who did something, and when.
#[derive(Clone, Copy, Debug)]
struct Act {
    position: u32,
    interval: Interval,
}

impl Act {
    const NEVER: Act = Act { position: NONE, interval: Interval { call: NEVER, ret: NEVER } };

    fn has_begun(&self) -> bool {
        self.position != NONE
    }

    fn must_be(&self) -> bool {
        self.interval.ret != NEVER
    }
}

/// What is known of an element.
#[derive(Clone, Copy)]
struct Fate {
    add: Act,
    remove: Act,
    /// Who was told first that it is in, and whose question was asked last.
    found_first: Act,
    found_last: Act,
    /// Whose question was asked last of those who were told that it is not in.
    missed_last: Act,
}

impl<'v> Set<'v> {
    /// The operations of a problem, if it is one for this monitor.
    pub(super) fn new(model: &dyn SetModel, problem: &'v Problem<'_>) -> Option<Set<'v>> {
        let mut numbers: FxHashMap<&Value, Element> = FxHashMap::default();
        // By element: whether somebody adds it, and whether somebody removes it.
        let mut changed: Vec<[bool; 2]> = Vec::new();
        let mut deeds = Vec::with_capacity(problem.operations.len());
        for operation in &problem.operations {
            let membership = model.membership(operation)?;
            let (Membership::Add(value) | Membership::Remove(value) | Membership::Contains(value, _)) = membership;
            let element = *numbers.entry(value).or_insert_with(|| {
                changed.push([false; 2]);
                changed.len() as Element - 1
            });
            let [added, removed] = &mut changed[element as usize];
            let (deed, is_second) = match membership {
                Membership::Add(_) => (Deed::Add(element), std::mem::replace(added, true)),
                Membership::Remove(_) => (Deed::Remove(element), std::mem::replace(removed, true)),
                Membership::Contains(_, true) => (Deed::Found(element), false),
                Membership::Contains(_, false) => (Deed::Missed(element), false),
            };
            if is_second {
                return None;
            }
            deeds.push(deed);
        }
        let mut calls = vec![0; deeds.len()];
        for (at, &moment) in problem.moments.iter().enumerate() {
            if let Moment::Call(position) = moment {
                calls[position as usize] = at as u32;
            }
        }
        Some(Set { moments: &problem.moments, deeds, calls, elements: changed.len() })
    }

    fn fates(&self, until: u32) -> Vec<Fate> {
        let unborn = Act::NEVER;
        let fate = Fate { add: unborn, remove: unborn, found_first: unborn, found_last: unborn, missed_last: unborn };
        let mut fates = vec![fate; self.elements];
        for (&moment, at) in self.moments.iter().zip(0..until) {
            let (Moment::Call(position) | Moment::Return(position)) = moment;
            let has_returned = matches!(moment, Moment::Return(_));
            let interval = Interval { call: self.calls[position as usize], ret: if has_returned { at } else { NEVER } };
            let act = Act { position, interval };
            let later = |known: &mut Act| {
                if !known.has_begun() || known.interval.call < act.interval.call {
                    *known = act;
                }
            };
            match self.deeds[position as usize] {
                Deed::Add(element) => fates[element as usize].add = act,
                Deed::Remove(element) => fates[element as usize].remove = act,
                Deed::Found(element) if has_returned => {
                    let fate = &mut fates[element as usize];
                    later(&mut fate.found_last);
                    if !fate.found_first.has_begun() {
                        fate.found_first = act;
                    }
                }
                Deed::Missed(element) if has_returned => later(&mut fates[element as usize].missed_last),
                Deed::Found(_) | Deed::Missed(_) => {}
            }
        }
        fates
    }
}

/// Between two gaps, an empty window or not.
enum Window {
    /// None of both could be.
    Impossible,
    /// The element need not stay in at all.
    Empty,
    /// It is certainly in between these two moments.
    Between(u32, u32),
}

impl Fate {
    /// Whether it may be that the element, once added, was not removed.
    fn may_last(&self) -> bool {
        let latest = |acts: [&Act; 3]| acts.into_iter().filter(|act| act.has_begun()).map(|act| act.interval.call).max();
        let mandatory_removal = if self.remove.must_be() { &self.remove } else { &Act::NEVER };
        if !self.add.has_begun() {
            return !self.found_first.has_begun();
        }
        if !self.add.must_be() && !self.found_first.has_begun() {
            return true;
        }
        let before = latest([&self.add, &self.missed_last, mandatory_removal]).unwrap_or(0);
        before < self.add.interval.ret.min(self.found_first.interval.ret)
    }

    /// How long it must have been in if it was added and then removed.
    fn window(&self) -> Window {
        if !self.add.has_begun() || !self.remove.has_begun() {
            return Window::Impossible;
        }
        let add_by = self.add.interval.ret.min(self.found_first.interval.ret);
        let remove_after = if self.found_last.has_begun() {
            self.remove.interval.call.max(self.found_last.interval.call)
        } else {
            self.remove.interval.call
        };
        if self.add.interval.call > add_by || remove_after > self.remove.interval.ret || self.add.interval.call > self.remove.interval.ret {
            Window::Impossible
        } else if remove_after < add_by {
            Window::Empty
        } else {
            Window::Between(add_by, remove_after)
        }
    }

    /// All that is known of it.
    fn acts(&self) -> impl Iterator<Item = u32> {
        let acts = [self.add, self.remove, self.found_first, self.found_last, self.missed_last];
        acts.into_iter().filter(Act::has_begun).map(|act| act.position)
    }
}

impl Monitor for Set<'_> {
    fn algorithm(&self) -> &'static str {
        "unique-set"
    }

    fn check(&self, until: u32, _: Stance) -> Result<(), Breach> {
        let fates = self.fates(until);
        let mut windows = vec![(NEVER, 0); self.elements];
        for (fate, window) in fates.iter().zip(&mut windows) {
            if !fate.may_last() {
                match fate.window() {
                    Window::Impossible => return Err(Breach::new(fate.acts())),
                    Window::Empty => {}
                    Window::Between(from, to) => *window = (from, to),
                }
            }
        }
        for (&moment, at) in self.moments.iter().zip(0..until) {
            if let Moment::Return(position) = moment
                && let Deed::Missed(element) = self.deeds[position as usize]
            {
                let (from, to) = windows[element as usize];
                if self.calls[position as usize] > from && at < to {
                    return Err(Breach::new(fates[element as usize].acts().chain([position])));
                }
            }
        }
        Ok(())
    }

    fn is_exact(&self) -> bool {
        true
    }

    fn is_steady(&self) -> bool {
        true
    }
}
