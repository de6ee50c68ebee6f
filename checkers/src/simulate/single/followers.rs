//! Single-leader replication with lagging replicas.

use std::collections::VecDeque;

use elenchus_core::Rng;

use super::super::objects::{Object, Reply, Request};
use super::super::recipe::Recipe;
use super::super::table::Store;

/// The maximum number of replicas.
pub(super) const COPIES: usize = 5;
/// The maximum number of updates by which a replica lags.
pub(super) const MAX_LAG: u64 = 16;

/// An object whose updates are ordered by a leader and read from replicas that apply them later, in order.
pub(super) struct Followers<O> {
    leader: O,
    copies: Vec<Copy<O>>,
    /// Updates that some replica has not applied.
    updates: VecDeque<(u32, Request)>,
    /// The number of updates before those.
    forgotten: u64,
    store: Store,
}

struct Copy<O> {
    object: O,
    /// The number of updates it has applied.
    taken: u64,
}

impl<O: Object> Followers<O> {
    pub(super) fn new(recipe: &Recipe) -> Followers<O> {
        let copies = COPIES.min(recipe.processes as usize);
        Followers {
            leader: O::new(recipe),
            copies: (0..copies).map(|_| Copy { object: O::new(recipe), taken: 0 }).collect(),
            updates: VecDeque::new(),
            forgotten: 0,
            store: recipe.store,
        }
    }

    pub(super) fn serve(&mut self, seat: usize, process: u32, request: &Request, rng: &mut Rng) -> Reply {
        let own = seat % self.copies.len();
        if request.observes() {
            let at = if self.store == Store::NoMonotonicReads { rng.below(self.copies.len() as u64) as usize } else { own };
            if rng.chance(0.5) {
                let taken = self.copies[at].taken;
                self.catch_up(at, taken + rng.below(self.decided() - taken + 1));
            }
            return self.copies[at].object.apply(process, request);
        }
        let reply = self.leader.apply(process, request);
        if matches!(reply, Reply::Done | Reply::Told(_)) {
            self.updates.push_back((process, request.clone()));
            let decided = self.decided();
            if self.store == Store::Sequential {
                self.catch_up(own, decided);
            }
            for at in 0..self.copies.len() {
                self.catch_up(at, decided.saturating_sub(MAX_LAG));
            }
            let needed = self.copies.iter().map(|copy| copy.taken).min().unwrap_or(decided);
            self.updates.drain(..(needed - self.forgotten) as usize);
            self.forgotten = needed;
        }
        reply
    }

    /// The number of updates.
    fn decided(&self) -> u64 {
        self.forgotten + self.updates.len() as u64
    }

    /// Lets a replica apply updates until it has applied `until`.
    fn catch_up(&mut self, at: usize, until: u64) {
        let copy = &mut self.copies[at];
        while copy.taken < until {
            let Some((process, request)) = self.updates.get((copy.taken - self.forgotten) as usize) else { return };
            copy.object.apply(*process, request);
            copy.taken += 1;
        }
    }
}
