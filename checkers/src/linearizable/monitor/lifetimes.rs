//! The lifetimes of the elements of a collection: when each was put and taken.

use elenchus_core::{CollectionModel, Kind, Transfer, Value};
use rustc_hash::FxHashMap;

use super::{Approximation, BadPattern, NEVER, NONE};
use crate::linearizable::problem::{Moment, Problem};

/// The number of an element, by first appearance.
pub(super) type Element = u32;

/// An operation in numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Put(Element),
    Take(Element),
    /// Takes an unknown element, or finds the collection empty.
    TakeUnknown,
    Empty,
}

/// When an operation may take effect: after the moment of its call and before that of its return.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Interval {
    pub(super) call: u32,
    /// [`NEVER`] if it has not returned.
    pub(super) ret: u32,
}

/// An element that was certainly put.
///
/// Gap `g` is the time just before moment `g`. The element is certainly present in the gaps after [`Interval::ret`] of its put up to
/// [`Interval::call`] of its take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lifetime {
    pub(super) element: Element,
    pub(super) put: Interval,
    /// If no take is known: from the end of the prefix on, because all that is left can be taken then, in its order.
    pub(super) take: Interval,
    /// The position of the take, [`UNKNOWN_TAKER`] or [`NONE`].
    pub(super) taker: u32,
}

/// Some take of an unknown element.
pub(super) const UNKNOWN_TAKER: u32 = NONE - 1;

impl Lifetime {
    /// The gaps in which the element is certainly present.
    pub(super) fn presence(&self) -> Option<(u32, u32)> {
        (self.put.ret < self.take.call).then(|| (self.put.ret + 1, self.take.call))
    }

    /// Whether no take of the element is known.
    pub(super) fn has_no_take(&self) -> bool {
        self.taker == NONE
    }
}

/// The lifetimes of all elements up to a moment.
pub(super) struct Lifetimes {
    pub(super) until: u32,
    /// In order of the elements' numbers. An element that was not certainly put is left out with all its operations: a take of an element
    /// that was never put is a [`BadPattern`], and removing the operations on one element from a sequence leaves the sequence possible.
    pub(super) all: Vec<Lifetime>,
    /// By element: its index in `all`, or [`NONE`].
    pub(super) lifetime_of: Vec<u32>,
    /// The operations that found the collection empty.
    pub(super) empties: Vec<(u32, Interval)>,
    /// The calls of the takes of unknown elements, in order.
    pub(super) unknown: Vec<u32>,
}

/// The operations on a collection in which every element is put once.
pub(super) struct Transfers<'v> {
    pub(super) moments: &'v [Moment],
    /// By position.
    pub(super) actions: Vec<Action>,
    /// By position: the moment of the operation's call.
    pub(super) calls: Vec<u32>,
    /// By element: the position of its put, or [`NONE`].
    pub(super) puts: Vec<u32>,
    /// By element.
    pub(super) values: Vec<&'v Value>,
    /// Whether there are takes of unknown elements.
    pub(super) has_unknown: bool,
    /// Whether several operations take the same element.
    pub(super) has_rival_takes: bool,
}

/// The knowledge about an element up to a moment.
#[derive(Clone, Copy)]
struct ElementState {
    put: Interval,
    take: Interval,
    taker: u32,
}

impl<'v> Transfers<'v> {
    /// Decodes the operations of a problem, if no element is put twice.
    pub(super) fn new(model: &dyn CollectionModel, problem: &'v Problem<'_>) -> Option<Transfers<'v>> {
        let mut numbers: FxHashMap<&Value, Element> = FxHashMap::default();
        let (mut puts, mut values, mut takers): (Vec<u32>, Vec<&Value>, Vec<bool>) = (Vec::new(), Vec::new(), Vec::new());
        let mut has_rival_takes = false;
        let mut actions = Vec::with_capacity(problem.operations.len());
        for (position, operation) in problem.operations.iter().enumerate() {
            let mut number = |value| {
                *numbers.entry(value).or_insert_with(|| {
                    values.push(value);
                    puts.push(NONE);
                    takers.push(false);
                    values.len() as Element - 1
                })
            };
            actions.push(match model.transfer(operation)? {
                Transfer::Put(value) => {
                    let element = number(value);
                    if std::mem::replace(&mut puts[element as usize], position as u32) != NONE {
                        return None;
                    }
                    Action::Put(element)
                }
                Transfer::Take(Some(value)) => {
                    let element = number(value);
                    has_rival_takes |= std::mem::replace(&mut takers[element as usize], true);
                    Action::Take(element)
                }
                Transfer::Take(None) if operation.kind == Kind::Ok => return None,
                Transfer::Take(None) => Action::TakeUnknown,
                Transfer::Empty => Action::Empty,
            });
        }
        let mut calls = vec![0; actions.len()];
        for (at, &moment) in problem.moments.iter().enumerate() {
            if let Moment::Call(position) = moment {
                calls[position as usize] = at as u32;
            }
        }
        let has_unknown = actions.contains(&Action::TakeUnknown);
        Some(Transfers { moments: &problem.moments, actions, calls, puts, values, has_unknown, has_rival_takes })
    }

    /// The lifetimes of all elements after `until` moments. O(n).
    ///
    /// # Errors
    /// When an element is taken that was not put, or is taken twice.
    pub(super) fn lifetimes(&self, until: u32, approximation: Approximation) -> Result<Lifetimes, BadPattern> {
        let not_yet = Interval { call: NEVER, ret: NEVER };
        let mut states = vec![ElementState { put: not_yet, take: not_yet, taker: NONE }; self.values.len()];
        let (mut empties, mut unknown) = (Vec::new(), Vec::new());
        for (&moment, at) in self.moments.iter().zip(0..until) {
            match moment {
                Moment::Call(position) => match self.actions[position as usize] {
                    Action::Put(element) => states[element as usize].put.call = at,
                    Action::Take(element) => {
                        let state = &mut states[element as usize];
                        // Of several takes that have not returned, the first can do whatever another can.
                        if state.taker == NONE {
                            (state.take.call, state.taker) = (at, position);
                        }
                    }
                    Action::TakeUnknown => unknown.push(at),
                    Action::Empty => {}
                },
                Moment::Return(position) => {
                    let interval = Interval { call: self.calls[position as usize], ret: at };
                    match self.actions[position as usize] {
                        Action::Put(element) => states[element as usize].put.ret = at,
                        Action::Take(element) => {
                            let state = &mut states[element as usize];
                            if state.take.ret != NEVER {
                                return Err(BadPattern::at(at, [state.taker, position]));
                            }
                            if state.put.call == NEVER {
                                let putter = self.puts[element as usize];
                                return Err(BadPattern::at(at, [position, putter].into_iter().filter(|&one| one != NONE)));
                            }
                            (state.take, state.taker) = (interval, position);
                        }
                        Action::TakeUnknown => {}
                        Action::Empty => empties.push((position, interval)),
                    }
                }
            }
        }
        let mut all = Vec::with_capacity(states.len());
        let mut lifetime_of = vec![NONE; states.len()];
        for (mut state, element) in states.into_iter().zip(0..) {
            let is_taken = state.take.ret != NEVER;
            if state.put.call == NEVER || (state.put.ret == NEVER && !is_taken) {
                continue;
            }
            if !is_taken && state.taker != NONE && approximation == Approximation::Over && !unknown.is_empty() {
                // A take of an unknown element may have taken it earlier.
                continue;
            }
            if state.taker == NONE {
                state.take = Interval { call: until, ret: NEVER };
            }
            lifetime_of[element as usize] = all.len() as u32;
            all.push(Lifetime { element, put: state.put, take: state.take, taker: state.taker });
        }
        Ok(Lifetimes { until, all, lifetime_of, empties, unknown })
    }

    /// The put and the take of an element.
    pub(super) fn put_and_take(&self, lifetime: &Lifetime) -> impl Iterator<Item = u32> {
        [self.puts[lifetime.element as usize], lifetime.taker].into_iter().filter(|&position| position < UNKNOWN_TAKER)
    }

    /// All takes of unknown elements that were called before a moment.
    pub(super) fn unknown_before(&self, at: u32) -> impl Iterator<Item = u32> {
        let positions = 0..self.actions.len() as u32;
        positions.filter(move |&position| self.actions[position as usize] == Action::TakeUnknown && self.calls[position as usize] < at)
    }
}
