//! The elements of a collection and when each was put in and taken out.

use elenchus_core::{CollectionModel, Kind, Transfer, Value};
use rustc_hash::FxHashMap;

use super::{Breach, NEVER, NONE, Stance};
use crate::linearizable::problem::{Moment, Problem};

/// The number of an element, by first appearance.
pub(super) type Element = u32;

/// What an operation does, in numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deed {
    Put(Element),
    Take(Element),
    /// Takes nobody knows what, or nothing.
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

/// An element that is certainly put in.
///
/// Gap `g` is the time just before moment `g`. The element is certainly in during the gaps after [`Interval::ret`] of its put up to
/// [`Interval::call`] of its take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Life {
    pub(super) element: Element,
    pub(super) put: Interval,
    /// Of one that nobody is known to take: from the end of the prefix on, for all that is left can be taken out then, in its order.
    pub(super) take: Interval,
    /// Who takes it, [`SOMEBODY`] or [`NONE`].
    pub(super) taker: u32,
}

/// One of those that take nobody knows what.
pub(super) const SOMEBODY: u32 = NONE - 1;

impl Life {
    /// The gaps in which it is certainly in.
    pub(super) fn stay(&self) -> Option<(u32, u32)> {
        (self.put.ret < self.take.call).then(|| (self.put.ret + 1, self.take.call))
    }

    /// Whether nobody is known to take it.
    pub(super) fn lasts(&self) -> bool {
        self.taker == NONE
    }
}

/// What has become of each element up to a moment.
pub(super) struct Lives {
    pub(super) until: u32,
    /// In order of the elements' numbers. An element that nobody needs is left out with all that is done to it: whoever takes an element
    /// that was never put in is a [`Breach`], and erasing one from a sequence leaves it possible.
    pub(super) lives: Vec<Life>,
    /// By element: its place in `lives`, or [`NONE`].
    pub(super) life_of: Vec<u32>,
    /// Who found the collection empty.
    pub(super) empties: Vec<(u32, Interval)>,
    /// When each of those began that take nobody knows what, in order.
    pub(super) unknown: Vec<u32>,
}

/// The operations of a collection in which every element is put in once.
pub(super) struct Transfers<'v> {
    pub(super) moments: &'v [Moment],
    /// By position.
    pub(super) deeds: Vec<Deed>,
    /// By position: the moment of its call.
    pub(super) calls: Vec<u32>,
    /// By element: who puts it in, or [`NONE`].
    pub(super) putters: Vec<u32>,
    /// By element.
    pub(super) values: Vec<&'v Value>,
    /// Whether some take nobody knows what.
    pub(super) has_unknown: bool,
    /// Whether some take the same element.
    pub(super) has_rivals: bool,
}

/// What is known of an element while moments pass.
#[derive(Clone, Copy)]
struct Fate {
    put: Interval,
    take: Interval,
    taker: u32,
}

impl<'v> Transfers<'v> {
    /// The operations of a problem, if no element is put in twice.
    pub(super) fn new(model: &dyn CollectionModel, problem: &'v Problem<'_>) -> Option<Transfers<'v>> {
        let mut numbers: FxHashMap<&Value, Element> = FxHashMap::default();
        let (mut putters, mut values, mut takers): (Vec<u32>, Vec<&Value>, Vec<bool>) = (Vec::new(), Vec::new(), Vec::new());
        let mut has_rivals = false;
        let mut deeds = Vec::with_capacity(problem.operations.len());
        for (position, operation) in problem.operations.iter().enumerate() {
            let mut number = |value| {
                *numbers.entry(value).or_insert_with(|| {
                    values.push(value);
                    putters.push(NONE);
                    takers.push(false);
                    values.len() as Element - 1
                })
            };
            deeds.push(match model.transfer(operation)? {
                Transfer::Put(value) => {
                    let element = number(value);
                    if std::mem::replace(&mut putters[element as usize], position as u32) != NONE {
                        return None;
                    }
                    Deed::Put(element)
                }
                Transfer::Take(Some(value)) => {
                    let element = number(value);
                    has_rivals |= std::mem::replace(&mut takers[element as usize], true);
                    Deed::Take(element)
                }
                Transfer::Take(None) if operation.kind == Kind::Ok => return None,
                Transfer::Take(None) => Deed::TakeUnknown,
                Transfer::Empty => Deed::Empty,
            });
        }
        let mut calls = vec![0; deeds.len()];
        for (at, &moment) in problem.moments.iter().enumerate() {
            if let Moment::Call(position) = moment {
                calls[position as usize] = at as u32;
            }
        }
        let has_unknown = deeds.contains(&Deed::TakeUnknown);
        Some(Transfers { moments: &problem.moments, deeds, calls, putters, values, has_unknown, has_rivals })
    }

    /// What has become of each element after `until` moments. O(n).
    ///
    /// # Errors
    /// When an element is taken that was not put in, or is taken twice.
    pub(super) fn lives(&self, until: u32, stance: Stance) -> Result<Lives, Breach> {
        let unborn = Interval { call: NEVER, ret: NEVER };
        let mut fates = vec![Fate { put: unborn, take: unborn, taker: NONE }; self.values.len()];
        let (mut empties, mut unknown) = (Vec::new(), Vec::new());
        for (&moment, at) in self.moments.iter().zip(0..until) {
            match moment {
                Moment::Call(position) => match self.deeds[position as usize] {
                    Deed::Put(element) => fates[element as usize].put.call = at,
                    Deed::Take(element) => {
                        let fate = &mut fates[element as usize];
                        // Of several that have not returned, the first can do whatever another can.
                        if fate.taker == NONE {
                            (fate.take.call, fate.taker) = (at, position);
                        }
                    }
                    Deed::TakeUnknown => unknown.push(at),
                    Deed::Empty => {}
                },
                Moment::Return(position) => {
                    let interval = Interval { call: self.calls[position as usize], ret: at };
                    match self.deeds[position as usize] {
                        Deed::Put(element) => fates[element as usize].put.ret = at,
                        Deed::Take(element) => {
                            let fate = &mut fates[element as usize];
                            if fate.take.ret != NEVER {
                                return Err(Breach::at(at, [fate.taker, position]));
                            }
                            if fate.put.call == NEVER {
                                let putter = self.putters[element as usize];
                                return Err(Breach::at(at, [position, putter].into_iter().filter(|&one| one != NONE)));
                            }
                            (fate.take, fate.taker) = (interval, position);
                        }
                        Deed::TakeUnknown => {}
                        Deed::Empty => empties.push((position, interval)),
                    }
                }
            }
        }
        let mut lives = Vec::with_capacity(fates.len());
        let mut life_of = vec![NONE; fates.len()];
        for (mut fate, element) in fates.into_iter().zip(0..) {
            let is_taken = fate.take.ret != NEVER;
            if fate.put.call == NEVER || (fate.put.ret == NEVER && !is_taken) {
                continue;
            }
            if !is_taken && fate.taker != NONE && stance == Stance::Generous && !unknown.is_empty() {
                // Somebody unknown may have taken it earlier.
                continue;
            }
            if fate.taker == NONE {
                fate.take = Interval { call: until, ret: NEVER };
            }
            life_of[element as usize] = lives.len() as u32;
            lives.push(Life { element, put: fate.put, take: fate.take, taker: fate.taker });
        }
        Ok(Lives { until, lives, life_of, empties, unknown })
    }

    /// Who put an element in and who took it out.
    pub(super) fn handlers(&self, life: &Life) -> impl Iterator<Item = u32> {
        [self.putters[life.element as usize], life.taker].into_iter().filter(|&position| position < SOMEBODY)
    }

    /// All those that take nobody knows what and began before a moment.
    pub(super) fn unknown_before(&self, at: u32) -> impl Iterator<Item = u32> {
        let positions = 0..self.deeds.len() as u32;
        positions.filter(move |&position| self.deeds[position as usize] == Deed::TakeUnknown && self.calls[position as usize] < at)
    }
}
