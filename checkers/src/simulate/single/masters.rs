//! Multi-leader replication.

use std::collections::VecDeque;

use elenchus_core::Rng;

use super::super::objects::{Object, Reply, Request};
use super::super::recipe::Recipe;
use super::super::table::Store;
use super::followers::{COPIES, MAX_LAG};

/// The probability that a replica applies updates of another one before an operation. Some links are slower than the detour over others,
/// so that effects overtake their causes.
const EAGERNESS: [f64; 3] = [0.5, 0.2, 0.04];

/// An object of which every replica accepts updates and applies those of the others later: in order for each origin and, with
/// [`Store::Causal`], after everything that the origin had applied.
pub(super) struct Masters<O> {
    copies: Vec<Master<O>>,
    store: Store,
}

struct Master<O> {
    object: O,
    /// The number of updates of each origin that it has applied.
    heard: Clock,
    /// Its own updates that some replica has not applied.
    updates: VecDeque<Update>,
    /// The number of its own updates before those.
    forgotten: u64,
}

/// A vector clock: a count for each replica.
type Clock = [u64; COPIES];

#[derive(Clone)]
struct Update {
    process: u32,
    request: Request,
    /// What its origin had applied before.
    after: Clock,
}

impl<O: Object> Masters<O> {
    pub(super) fn new(recipe: &Recipe) -> Masters<O> {
        let master = || Master { object: O::new(recipe), heard: [0; COPIES], updates: VecDeque::new(), forgotten: 0 };
        Masters { copies: (0..COPIES.min(recipe.processes as usize)).map(|_| master()).collect(), store: recipe.store }
    }

    pub(super) fn serve(&mut self, seat: usize, process: u32, request: &Request, rng: &mut Rng) -> Reply {
        let own = seat % self.copies.len();
        for origin in 0..self.copies.len() {
            let (heard, made) = (self.copies[own].heard[origin], self.made(origin));
            if heard < made && rng.chance(EAGERNESS[(2 * own + origin) % EAGERNESS.len()]) {
                self.hear(own, origin, heard + 1 + rng.below(made - heard));
            }
        }
        let copy = &mut self.copies[own];
        let reply = copy.object.apply(process, request);
        if !request.observes() {
            copy.updates.push_back(Update { process, request: request.clone(), after: copy.heard });
            copy.heard[own] += 1;
            self.forget(own);
        }
        reply
    }

    /// The number of updates of a replica.
    fn made(&self, origin: usize) -> u64 {
        self.copies[origin].heard[origin]
    }

    /// Lets a replica apply updates of an origin until it has applied `until`.
    fn hear(&mut self, at: usize, origin: usize, until: u64) {
        while self.copies[at].heard[origin] < until {
            let next = (self.copies[at].heard[origin] - self.copies[origin].forgotten) as usize;
            let Some(update) = self.copies[origin].updates.get(next).cloned() else { return };
            if self.store == Store::Causal {
                // The origin's own earlier updates are applied anyway, since they come in order.
                for cause in (0..self.copies.len()).filter(|&cause| cause != origin && cause != at) {
                    self.hear(at, cause, update.after[cause]);
                }
            }
            let copy = &mut self.copies[at];
            copy.object.apply(update.process, &update.request);
            copy.heard[origin] += 1;
        }
    }

    /// Limits the lag of all replicas behind an origin, and drops the updates that all have applied.
    fn forget(&mut self, origin: usize) {
        let made = self.made(origin);
        for at in (0..self.copies.len()).filter(|&at| at != origin) {
            self.hear(at, origin, made.saturating_sub(MAX_LAG));
        }
        let needed = self.copies.iter().map(|copy| copy.heard[origin]).min().unwrap_or(made);
        let own = &mut self.copies[origin];
        own.updates.drain(..(needed - own.forgotten) as usize);
        own.forgotten = needed;
    }
}
