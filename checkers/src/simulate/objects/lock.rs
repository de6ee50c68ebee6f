//! Locks.

use super::{Asker, Object, Reply, Request};
use crate::simulate::recipe::Recipe;
use crate::simulate::table::{Store, Workload};

/// `acquire` and `release`; for [`Workload::FencedMutex`], `acquire` returns a token greater than all earlier ones.
#[derive(Clone, Debug)]
pub(in crate::simulate) struct Lock {
    /// The holder, and the number of its acquisitions.
    held: Option<(u32, u32)>,
    token: i64,
    workload: Workload,
}

impl Lock {
    fn grant(&mut self, process: u32, depth: u32) -> Reply {
        self.held = Some((process, depth));
        self.token += 1;
        if self.workload == Workload::FencedMutex { Reply::Told(self.token.into()) } else { Reply::Done }
    }
}

impl Object for Lock {
    fn new(recipe: &Recipe) -> Lock {
        Lock { held: None, token: 0, workload: recipe.workload }
    }

    fn ask(asker: &mut Asker<'_>) -> Request {
        // A plain mutex held by a crashed process can only be released by another process.
        let meddles = asker.recipe.workload == Workload::Mutex && asker.rng.below(10) == 0;
        Request::bare(if meddles { "release" } else { "acquire" })
    }

    fn apply(&mut self, process: u32, request: &Request) -> Reply {
        match (request.f.as_str(), self.held) {
            ("acquire", None) => self.grant(process, 1),
            ("acquire", Some((holder, depth))) if self.workload == Workload::ReentrantMutex && holder == process => {
                self.grant(process, depth + 1)
            }
            ("acquire", Some(_)) => Reply::Busy,
            (_, Some((holder, depth))) if holder == process || self.workload == Workload::Mutex => {
                self.held = (depth > 1).then_some((holder, depth - 1));
                Reply::Done
            }
            _ => Reply::Refused,
        }
    }

    fn err(&mut self, store: Store, process: u32, request: &Request) -> Option<Reply> {
        let expires = store == Store::EarlyExpiry && request.f == "acquire" && self.held.is_some_and(|(holder, _)| holder != process);
        expires.then(|| self.grant(process, 1))
    }

    fn owes(granted: &Request) -> Option<Request> {
        (granted.f == "acquire").then(|| Request::bare("release"))
    }

    fn digress(asker: &mut Asker<'_>, owes: usize) -> Option<Request> {
        let reenters = asker.recipe.workload == Workload::ReentrantMutex && owes < 3 && asker.rng.below(3) == 0;
        reenters.then(|| Request::bare("acquire"))
    }

    /// A crashed process cannot release, and only the holder may: unless a crashed acquire has no effect and a crashed release has one,
    /// the lock stays held for ever.
    fn settles(&self, request: &Request) -> Option<bool> {
        (self.workload != Workload::Mutex).then_some(request.f == "release")
    }
}
