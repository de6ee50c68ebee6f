//! Objects in a single copy, with a defect.

use std::collections::VecDeque;

use elenchus_core::Rng;

use super::super::objects::{Object, Reply, Request};
use super::super::recipe::Recipe;
use super::super::table::Store;

/// An object in a single copy. It is linearizable as long as the defect does not occur, except with [`Store::Stale`].
pub(super) struct Defective<O> {
    object: O,
    store: Store,
    /// The states before the last updates, the oldest first.
    past: VecDeque<O>,
    staleness: usize,
}

impl<O: Object> Defective<O> {
    pub(super) fn new(recipe: &Recipe) -> Defective<O> {
        let is_kept = matches!(recipe.store, Store::Stale | Store::StaleRead);
        let staleness = if is_kept { recipe.staleness as usize } else { 0 };
        Defective { object: O::new(recipe), store: recipe.store, past: VecDeque::new(), staleness }
    }

    pub(super) fn serve(&mut self, process: u32, request: &Request, defect_due: bool, rng: &mut Rng) -> (Reply, bool) {
        if self.store == Store::Stale && request.is_read_only() {
            return self.apply_stale(process, request, rng.below(self.past.len() as u64 + 1) as usize);
        }
        if defect_due && let Some(reply) = self.apply_defect(process, request) {
            return reply;
        }
        (self.apply_correctly(process, request), false)
    }

    pub(super) fn crash_effect(&self, request: &Request) -> Option<bool> {
        self.object.crash_effect(request)
    }

    fn apply_correctly(&mut self, process: u32, request: &Request) -> Reply {
        if self.staleness > 0 && !request.is_read_only() {
            if self.past.len() == self.staleness {
                self.past.pop_front();
            }
            self.past.push_back(self.object.clone());
            let reply = self.object.apply(process, request);
            if !is_done(&reply) {
                self.past.pop_back();
            }
            return reply;
        }
        self.object.apply(process, request)
    }

    /// Replies from a state this many versions ago.
    fn apply_stale(&mut self, process: u32, request: &Request, versions: usize) -> (Reply, bool) {
        let newest = self.object.apply(process, request);
        let Some(old) = self.past.len().checked_sub(versions).and_then(|at| self.past.get_mut(at)) else { return (newest, false) };
        let reply = old.apply(process, request);
        let is_stale = reply != newest;
        (reply, is_stale)
    }

    /// Applies a request with the defect; returns `None` if the defect cannot occur here.
    fn apply_defect(&mut self, process: u32, request: &Request) -> Option<(Reply, bool)> {
        match self.store {
            Store::StaleRead if request.is_read_only() => Some(self.apply_stale(process, request, self.past.len())),
            Store::LostUpdate if !request.is_read_only() => {
                let reply = self.object.clone().apply(process, request);
                let is_defect = is_done(&reply);
                Some((reply, is_defect))
            }
            Store::DirtyRead if !request.is_read_only() => {
                let is_defect = is_done(&self.object.apply(process, request));
                Some((Reply::Failed, is_defect))
            }
            Store::Linearizable => None,
            store => {
                if let Some(reply) = self.object.apply_defect(store, process, request) {
                    return Some((reply, true));
                }
                let is_repeated = store == Store::Duplicated && !request.is_read_only() && self.object.is_not_idempotent(request);
                is_repeated.then(|| {
                    self.object.apply(process, request);
                    (self.object.apply(process, request), true)
                })
            }
        }
    }
}

fn is_done(reply: &Reply) -> bool {
    matches!(reply, Reply::Done | Reply::Value(_))
}
