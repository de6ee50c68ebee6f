//! Semaphores.

use super::{Object, Reply, Request, RequestContext};
use crate::simulate::recipe::Recipe;
use crate::simulate::table::Store;

/// `acquire n`, `release n`, for [`Recipe::permits`] permits, all free initially.
#[derive(Clone, Debug)]
pub(in crate::simulate) struct Semaphore {
    free: i64,
    permits: i64,
}

impl Object for Semaphore {
    fn new(recipe: &Recipe) -> Semaphore {
        Semaphore { free: recipe.permits.into(), permits: recipe.permits.into() }
    }

    fn next_request(context: &mut RequestContext<'_>) -> Request {
        // Permits held by a crashed process can only be released by another process.
        let f = if context.rng.below(10) == 0 { "release" } else { "acquire" };
        Request::new(f, 1 + context.rng.below(u64::from(context.recipe.permits.min(3))) as i64)
    }

    fn apply(&mut self, _: u32, request: &Request) -> Reply {
        let amount = request.value.as_int().unwrap_or(1);
        match request.f.as_str() {
            "acquire" if amount > self.free => Reply::Busy,
            "acquire" => {
                self.free -= amount;
                Reply::Done
            }
            _ if amount > self.permits - self.free => Reply::Failed,
            _ => {
                self.free += amount;
                Reply::Done
            }
        }
    }

    fn apply_defect(&mut self, store: Store, _: u32, request: &Request) -> Option<Reply> {
        let amount = request.value.as_int().unwrap_or(1);
        if store != Store::EarlyExpiry || request.f != "acquire" || amount <= self.free {
            return None;
        }
        self.free = 0;
        Some(Reply::Done)
    }

    fn follow_up(granted: &Request) -> Option<Request> {
        (granted.f == "acquire").then(|| Request { value: granted.value.clone(), ..Request::without_argument("release") })
    }
}
