//! Counters.

use elenchus_core::Value;

use super::{Object, Reply, Request, RequestContext};
use crate::simulate::recipe::Recipe;

/// `add n`, `increment`, `decrement`, `read → n`. Initially 0.
#[derive(Clone, Debug)]
pub(in crate::simulate) struct Counter(i64);

impl Object for Counter {
    fn new(_: &Recipe) -> Counter {
        Counter(0)
    }

    fn next_request(context: &mut RequestContext<'_>) -> Request {
        if context.wants_read() {
            return Request::without_argument("read");
        }
        match context.rng.below(4) {
            0 => Request::without_argument("increment"),
            1 => Request::without_argument("decrement"),
            _ => Request::new("add", 1 + context.rng.below(5) as i64),
        }
    }

    fn apply(&mut self, _: u32, request: &Request) -> Reply {
        let addend = match request.f.as_str() {
            "increment" => 1,
            "decrement" => -1,
            "add" => request.value.as_int().unwrap_or_default(),
            _ => return Reply::Value(Value::Int(self.0)),
        };
        self.0 = self.0.wrapping_add(addend);
        Reply::Done
    }

    fn is_not_idempotent(&self, _request: &Request) -> bool {
        true
    }
}
