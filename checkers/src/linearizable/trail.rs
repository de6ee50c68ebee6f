//! How configurations came about: an arena of steps, each of which knows the one before it.

use elenchus_core::Kind;

use super::problem::{Moment, Problem};

/// The number of a step. [`BEGINNING`] is none.
pub(crate) type TrailId = u32;

/// Before every step.
pub(crate) const BEGINNING: TrailId = 0;

/// How many steps may pile up before those that lead nowhere are dropped.
const CROWD: usize = if cfg!(test) { 8 } else { 1 << 16 };

/// Whose step it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taker {
    /// The open operation at this position.
    Open(u32),
    /// Any crashed operation of this class.
    Crashed(u32),
}

/// An operation takes effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Taken {
    /// Its position.
    pub(crate) position: u32,
    /// The moment before which it does: always a return.
    pub(crate) moment: u32,
}

#[derive(Clone, Copy)]
struct Link {
    before: TrailId,
    by: Taker,
    moment: u32,
}

/// The steps of all configurations that are still of interest; nothing, where nobody will ask.
pub(crate) struct Trails {
    is_kept: bool,
    links: Vec<Link>,
    /// How many there were after the last tidying.
    tidy: usize,
}

impl Trails {
    pub(crate) fn new(is_kept: bool) -> Trails {
        Trails { is_kept, links: Vec::new(), tidy: 0 }
    }

    /// Whether steps are remembered.
    pub(crate) fn is_kept(&self) -> bool {
        self.is_kept
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        (self.links, self.tidy) = (Vec::new(), 0);
    }

    /// Remembers a step.
    pub(crate) fn add(&mut self, before: TrailId, by: Taker, moment: u32) -> TrailId {
        if !self.is_kept {
            return BEGINNING;
        }
        self.links.push(Link { before, by, moment });
        self.links.len() as TrailId
    }

    /// Whether it is time to [`tidy`](Trails::tidy).
    pub(crate) fn is_crowded(&self) -> bool {
        self.links.len() > 2 * self.tidy + CROWD
    }

    /// Drops the steps that lead to none of these, which are renumbered. O(steps).
    pub(crate) fn tidy<'t>(&mut self, ends: impl Iterator<Item = &'t mut TrailId>) {
        let mut number = vec![BEGINNING; self.links.len() + 1];
        let ends: Vec<&mut TrailId> = ends.collect();
        const WANTED: TrailId = 1;
        for end in &ends {
            let mut at = **end;
            while at != BEGINNING && number[at as usize] != WANTED {
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
                number[at + 1] = kept as TrailId;
            }
        }
        self.links.truncate(kept);
        self.tidy = kept;
        for end in ends {
            *end = number[*end as usize];
        }
    }

    /// Roughly the bytes held.
    pub(crate) fn bytes(&self) -> usize {
        self.links.capacity() * size_of::<Link>()
    }

    /// The steps up to one, from the first. Crashed operations are named, of each class the earliest first; none where more of a class
    /// were used than had begun, which a search may do that forgets how many it used.
    pub(crate) fn steps(&self, end: TrailId, problem: &Problem<'_>, class: impl Fn(u32) -> u32) -> Option<Vec<Taken>> {
        let mut links = Vec::new();
        let mut at = end;
        while at != BEGINNING {
            let link = self.links[at as usize - 1];
            links.push(link);
            at = link.before;
        }
        let mut begun: rustc_hash::FxHashMap<u32, std::collections::VecDeque<u32>> = rustc_hash::FxHashMap::default();
        let mut passed = 0;
        let named = links.into_iter().rev().map(|Link { by, moment, .. }| {
            let position = match by {
                Taker::Open(position) => position,
                Taker::Crashed(used) => {
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
            Some(Taken { position, moment })
        });
        named.collect()
    }
}
