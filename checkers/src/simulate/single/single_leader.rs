//! Single-leader replication with lagging replicas.

use std::collections::VecDeque;

use elenchus_core::Rng;

use super::super::objects::{Object, Reply, Request};
use super::super::recipe::Recipe;
use super::super::table::Store;

/// The maximum number of replicas.
pub(super) const MAX_REPLICAS: usize = 5;
/// The maximum number of updates by which a replica lags.
pub(super) const MAX_LAG: u64 = 16;

/// An object whose updates are ordered by a leader and read from replicas that apply them later, in order.
pub(super) struct SingleLeader<O> {
    leader: O,
    replicas: Vec<Replica<O>>,
    /// Updates that some replica has not applied.
    updates: VecDeque<(u32, Request)>,
    /// The number of updates before those.
    forgotten: u64,
    store: Store,
}

struct Replica<O> {
    object: O,
    /// The number of updates it has applied.
    applied: u64,
}

impl<O: Object> SingleLeader<O> {
    pub(super) fn new(recipe: &Recipe) -> SingleLeader<O> {
        let replicas = MAX_REPLICAS.min(recipe.processes as usize);
        SingleLeader {
            leader: O::new(recipe),
            replicas: (0..replicas).map(|_| Replica { object: O::new(recipe), applied: 0 }).collect(),
            updates: VecDeque::new(),
            forgotten: 0,
            store: recipe.store,
        }
    }

    pub(super) fn serve(&mut self, worker: usize, process: u32, request: &Request, rng: &mut Rng) -> Reply {
        let own = worker % self.replicas.len();
        if request.is_read_only() {
            let at = if self.store == Store::NoMonotonicReads { rng.below(self.replicas.len() as u64) as usize } else { own };
            if rng.chance(0.5) {
                let applied = self.replicas[at].applied;
                self.catch_up(at, applied + rng.below(self.update_count() - applied + 1));
            }
            return self.replicas[at].object.apply(process, request);
        }
        let reply = self.leader.apply(process, request);
        if matches!(reply, Reply::Done | Reply::Value(_)) {
            self.updates.push_back((process, request.clone()));
            let update_count = self.update_count();
            if self.store == Store::Sequential {
                self.catch_up(own, update_count);
            }
            for at in 0..self.replicas.len() {
                self.catch_up(at, update_count.saturating_sub(MAX_LAG));
            }
            let needed = self.replicas.iter().map(|replica| replica.applied).min().unwrap_or(update_count);
            self.updates.drain(..(needed - self.forgotten) as usize);
            self.forgotten = needed;
        }
        reply
    }

    /// The number of updates.
    fn update_count(&self) -> u64 {
        self.forgotten + self.updates.len() as u64
    }

    /// Lets a replica apply updates until it has applied `until`.
    fn catch_up(&mut self, at: usize, until: u64) {
        let replica = &mut self.replicas[at];
        while replica.applied < until {
            let Some((process, request)) = self.updates.get((replica.applied - self.forgotten) as usize) else { return };
            replica.object.apply(*process, request);
            replica.applied += 1;
        }
    }
}
