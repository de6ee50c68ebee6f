//! Locks.

use super::{Object, Reply, Request, RequestContext};
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
        if self.workload == Workload::FencedMutex { Reply::Value(self.token.into()) } else { Reply::Done }
    }
}

impl Object for Lock {
    fn new(recipe: &Recipe) -> Lock {
        Lock { held: None, token: 0, workload: recipe.workload }
    }

    fn next_request(context: &mut RequestContext<'_>) -> Request {
        // A plain mutex held by a crashed process can only be released by another process.
        let releases_foreign = context.recipe.workload == Workload::Mutex && context.rng.below(10) == 0;
        Request::without_argument(if releases_foreign { "release" } else { "acquire" })
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
            _ => Reply::Failed,
        }
    }

    fn apply_defect(&mut self, store: Store, process: u32, request: &Request) -> Option<Reply> {
        let expires = store == Store::EarlyExpiry && request.f == "acquire" && self.held.is_some_and(|(holder, _)| holder != process);
        expires.then(|| self.grant(process, 1))
    }

    fn follow_up(granted: &Request) -> Option<Request> {
        (granted.f == "acquire").then(|| Request::without_argument("release"))
    }

    fn request_before_follow_up(context: &mut RequestContext<'_>, follow_ups: usize) -> Option<Request> {
        let reenters = context.recipe.workload == Workload::ReentrantMutex && follow_ups < 3 && context.rng.below(3) == 0;
        reenters.then(|| Request::without_argument("acquire"))
    }

    /// A crashed process cannot release, and only the holder may: unless a crashed acquire has no effect and a crashed release has one,
    /// the lock stays held forever.
    fn crash_effect(&self, request: &Request) -> Option<bool> {
        (self.workload != Workload::Mutex).then_some(request.f == "release")
    }
}
