//! The monitor for sets whose operations each concern one element, with each element added and removed at most once.
//!
//! Elements are independent objects, so a history has a linearization if the history of each element has one (locality: Herlihy & Wing
//! 1990, §3). An element is absent at first. Either its removal precedes its addition or never happens: then the observations "present"
//! come after the addition, and all other operations before it. Or the addition comes at a gap `p` and the removal at a gap `q`, not before
//! `p`: then the observations "present" lie between, and the observations "absent" do not. The best choice is the latest `p` and the
//! earliest `q` that the operations between them allow; no observation "absent" must then have been called after `p` and returned before
//! `q`.

use elenchus_core::{Membership, SetModel, Value};
use rustc_hash::FxHashMap;

use super::lifetimes::Interval;
use super::{Approximation, BadPattern, Monitor, NEVER, NONE};
use crate::linearizable::problem::{Moment, Problem};

/// The number of an element, by first appearance.
type Element = u32;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Add(Element),
    Remove(Element),
    Present(Element),
    Absent(Element),
}

pub(super) struct Set<'v> {
    moments: &'v [Moment],
    /// By position.
    actions: Vec<Action>,
    /// By position: the moment of the operation's call.
    calls: Vec<u32>,
    elements: usize,
}

/// An operation and its interval.
#[derive(Clone, Copy, Debug)]
struct Occurrence {
    position: u32,
    interval: Interval,
}

impl Occurrence {
    const NEVER: Occurrence = Occurrence { position: NONE, interval: Interval { call: NEVER, ret: NEVER } };

    fn has_begun(&self) -> bool {
        self.position != NONE
    }

    fn must_be(&self) -> bool {
        self.interval.ret != NEVER
    }
}

/// The knowledge about an element.
#[derive(Clone, Copy)]
struct ElementState {
    add: Occurrence,
    remove: Occurrence,
    /// Of the observations "present": the first to return and the last to be called.
    present_first: Occurrence,
    present_last: Occurrence,
    /// Of the observations "absent": the last to be called.
    absent_last: Occurrence,
}

impl<'v> Set<'v> {
    /// Decodes the operations of a problem, if this monitor supports them.
    pub(super) fn new(model: &dyn SetModel, problem: &'v Problem<'_>) -> Option<Set<'v>> {
        let mut numbers: FxHashMap<&Value, Element> = FxHashMap::default();
        // By element: whether it has an addition, and whether it has a removal.
        let mut changed: Vec<[bool; 2]> = Vec::new();
        let mut actions = Vec::with_capacity(problem.operations.len());
        for operation in &problem.operations {
            let membership = model.membership(operation)?;
            let (Membership::Add(value) | Membership::Remove(value) | Membership::Contains(value, _)) = membership;
            let element = *numbers.entry(value).or_insert_with(|| {
                changed.push([false; 2]);
                changed.len() as Element - 1
            });
            let [added, removed] = &mut changed[element as usize];
            let (action, is_second) = match membership {
                Membership::Add(_) => (Action::Add(element), std::mem::replace(added, true)),
                Membership::Remove(_) => (Action::Remove(element), std::mem::replace(removed, true)),
                Membership::Contains(_, true) => (Action::Present(element), false),
                Membership::Contains(_, false) => (Action::Absent(element), false),
            };
            if is_second {
                return None;
            }
            actions.push(action);
        }
        let mut calls = vec![0; actions.len()];
        for (at, &moment) in problem.moments.iter().enumerate() {
            if let Moment::Call(position) = moment {
                calls[position as usize] = at as u32;
            }
        }
        Some(Set { moments: &problem.moments, actions, calls, elements: changed.len() })
    }

    fn states(&self, until: u32) -> Vec<ElementState> {
        let not_yet = Occurrence::NEVER;
        let state = ElementState { add: not_yet, remove: not_yet, present_first: not_yet, present_last: not_yet, absent_last: not_yet };
        let mut states = vec![state; self.elements];
        for (&moment, at) in self.moments.iter().zip(0..until) {
            let (Moment::Call(position) | Moment::Return(position)) = moment;
            let has_returned = matches!(moment, Moment::Return(_));
            let interval = Interval { call: self.calls[position as usize], ret: if has_returned { at } else { NEVER } };
            let occurrence = Occurrence { position, interval };
            let later = |known: &mut Occurrence| {
                if !known.has_begun() || known.interval.call < occurrence.interval.call {
                    *known = occurrence;
                }
            };
            match self.actions[position as usize] {
                Action::Add(element) => states[element as usize].add = occurrence,
                Action::Remove(element) => states[element as usize].remove = occurrence,
                Action::Present(element) if has_returned => {
                    let state = &mut states[element as usize];
                    later(&mut state.present_last);
                    if !state.present_first.has_begun() {
                        state.present_first = occurrence;
                    }
                }
                Action::Absent(element) if has_returned => later(&mut states[element as usize].absent_last),
                Action::Present(_) | Action::Absent(_) => {}
            }
        }
        states
    }
}

/// The time between the addition and the removal of an element.
enum Window {
    /// The element cannot have been added and then removed.
    Impossible,
    /// The element need not have been present at all.
    Empty,
    /// The element was certainly present between these two moments.
    Between(u32, u32),
}

impl ElementState {
    /// Whether the element, once added, may never have been removed.
    fn may_stay(&self) -> bool {
        let latest = |occurrences: [&Occurrence; 3]| {
            occurrences.into_iter().filter(|occurrence| occurrence.has_begun()).map(|occurrence| occurrence.interval.call).max()
        };
        let mandatory_removal = if self.remove.must_be() { &self.remove } else { &Occurrence::NEVER };
        if !self.add.has_begun() {
            return !self.present_first.has_begun();
        }
        if !self.add.must_be() && !self.present_first.has_begun() {
            return true;
        }
        let before = latest([&self.add, &self.absent_last, mandatory_removal]).unwrap_or(0);
        before < self.add.interval.ret.min(self.present_first.interval.ret)
    }

    /// The time for which it must have been present if it was added and then removed.
    fn window(&self) -> Window {
        if !self.add.has_begun() || !self.remove.has_begun() {
            return Window::Impossible;
        }
        let add_by = self.add.interval.ret.min(self.present_first.interval.ret);
        let remove_after = if self.present_last.has_begun() {
            self.remove.interval.call.max(self.present_last.interval.call)
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

    /// The positions of all known operations on it.
    fn occurrences(&self) -> impl Iterator<Item = u32> {
        let occurrences = [self.add, self.remove, self.present_first, self.present_last, self.absent_last];
        occurrences.into_iter().filter(Occurrence::has_begun).map(|occurrence| occurrence.position)
    }
}

impl Monitor for Set<'_> {
    fn algorithm(&self) -> &'static str {
        "unique-set"
    }

    fn check(&self, until: u32, _: Approximation) -> Result<(), BadPattern> {
        let states = self.states(until);
        let mut windows = vec![(NEVER, 0); self.elements];
        for (state, window) in states.iter().zip(&mut windows) {
            if !state.may_stay() {
                match state.window() {
                    Window::Impossible => return Err(BadPattern::new(state.occurrences())),
                    Window::Empty => {}
                    Window::Between(from, to) => *window = (from, to),
                }
            }
        }
        for (&moment, at) in self.moments.iter().zip(0..until) {
            if let Moment::Return(position) = moment
                && let Action::Absent(element) = self.actions[position as usize]
            {
                let (from, to) = windows[element as usize];
                if self.calls[position as usize] > from && at < to {
                    return Err(BadPattern::new(states[element as usize].occurrences().chain([position])));
                }
            }
        }
        Ok(())
    }

    fn is_exact(&self) -> bool {
        true
    }

    fn is_prefix_stable(&self) -> bool {
        true
    }
}
