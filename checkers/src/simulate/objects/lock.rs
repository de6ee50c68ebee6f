//! Locks.

use super::{Asker, Object, Reply, Request};
use crate::simulate::recipe::Recipe;
use crate::simulate::table::{Store, Workload};

/// `acquire` and `release`; for [`Workload::FencedMutex`] an acquire is told a token, greater than any before.
#[derive(Clone, Debug)]
pub(in crate::simulate) struct Lock {
    /// The holder, and how often it has acquired.
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
        // What a dead process holds of a lock that knows no holder, only a stranger can give back.
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

    /// The dead cannot release, and only the holder may: so a crashed acquire must not, and a crashed release must take effect, or the
    /// lock is stuck.
    fn settles(&self, request: &Request) -> Option<bool> {
        (self.workload != Workload::Mutex).then_some(request.f == "release")
    }
}
