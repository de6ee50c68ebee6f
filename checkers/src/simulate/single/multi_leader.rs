//! Multi-leader replication.

use std::collections::VecDeque;

use elenchus_core::Rng;

use super::super::objects::{Object, Reply, Request};
use super::super::recipe::Recipe;
use super::super::table::Store;
use super::single_leader::{MAX_LAG, MAX_REPLICAS};

/// The probability that a replica applies updates of another one before an operation. Some links are slower than the detour over others,
/// so that effects overtake their causes.
const APPLY_CHANCE: [f64; 3] = [0.5, 0.2, 0.04];

/// An object of which every replica accepts updates and applies those of the others later: in order for each origin and, with
/// [`Store::Causal`], after everything that the origin had applied.
pub(super) struct MultiLeader<O> {
    replicas: Vec<Replica<O>>,
    store: Store,
}

struct Replica<O> {
    object: O,
    /// The number of updates of each origin that it has applied.
    applied: VectorClock,
    /// Its own updates that some replica has not applied.
    updates: VecDeque<Update>,
    /// The number of its own updates before those.
    forgotten: u64,
}

/// A vector clock: a count for each replica.
type VectorClock = [u64; MAX_REPLICAS];

#[derive(Clone)]
struct Update {
    process: u32,
    request: Request,
    /// The updates that its origin had applied before.
    dependencies: VectorClock,
}

impl<O: Object> MultiLeader<O> {
    pub(super) fn new(recipe: &Recipe) -> MultiLeader<O> {
        let replica = || Replica { object: O::new(recipe), applied: [0; MAX_REPLICAS], updates: VecDeque::new(), forgotten: 0 };
        MultiLeader { replicas: (0..MAX_REPLICAS.min(recipe.processes as usize)).map(|_| replica()).collect(), store: recipe.store }
    }

    pub(super) fn serve(&mut self, worker: usize, process: u32, request: &Request, rng: &mut Rng) -> Reply {
        let own = worker % self.replicas.len();
        for origin in 0..self.replicas.len() {
            let (applied, update_count) = (self.replicas[own].applied[origin], self.update_count(origin));
            if applied < update_count && rng.chance(APPLY_CHANCE[(2 * own + origin) % APPLY_CHANCE.len()]) {
                self.apply_from(own, origin, applied + 1 + rng.below(update_count - applied));
            }
        }
        let replica = &mut self.replicas[own];
        let reply = replica.object.apply(process, request);
        if !request.is_read_only() {
            replica.updates.push_back(Update { process, request: request.clone(), dependencies: replica.applied });
            replica.applied[own] += 1;
            self.forget(own);
        }
        reply
    }

    /// The number of updates of a replica.
    fn update_count(&self, origin: usize) -> u64 {
        self.replicas[origin].applied[origin]
    }

    /// Lets a replica apply updates of an origin until it has applied `until`.
    fn apply_from(&mut self, at: usize, origin: usize, until: u64) {
        while self.replicas[at].applied[origin] < until {
            let next = (self.replicas[at].applied[origin] - self.replicas[origin].forgotten) as usize;
            let Some(update) = self.replicas[origin].updates.get(next).cloned() else { return };
            if self.store == Store::Causal {
                // The origin's own earlier updates are applied anyway, since they come in order.
                for cause in (0..self.replicas.len()).filter(|&cause| cause != origin && cause != at) {
                    self.apply_from(at, cause, update.dependencies[cause]);
                }
            }
            let replica = &mut self.replicas[at];
            replica.object.apply(update.process, &update.request);
            replica.applied[origin] += 1;
        }
    }

    /// Limits the lag of all replicas behind an origin, and drops the updates that all have applied.
    fn forget(&mut self, origin: usize) {
        let update_count = self.update_count(origin);
        for at in (0..self.replicas.len()).filter(|&at| at != origin) {
            self.apply_from(at, origin, update_count.saturating_sub(MAX_LAG));
        }
        let needed = self.replicas.iter().map(|replica| replica.applied[origin]).min().unwrap_or(update_count);
        let own = &mut self.replicas[origin];
        own.updates.drain(..(needed - own.forgotten) as usize);
        own.forgotten = needed;
    }
}
