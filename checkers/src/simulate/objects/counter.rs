//! Counters.

use elenchus_core::Value;

use super::{Asker, Object, Reply, Request};
use crate::simulate::recipe::Recipe;

/// `add n`, `increment`, `decrement`, `read → n`. Initially 0.
#[derive(Clone, Debug)]
pub(in crate::simulate) struct Counter(i64);

impl Object for Counter {
    fn new(_: &Recipe) -> Counter {
        Counter(0)
    }

    fn ask(asker: &mut Asker<'_>) -> Request {
        if asker.reads() {
            return Request::bare("read");
        }
        match asker.rng.below(4) {
            0 => Request::bare("increment"),
            1 => Request::bare("decrement"),
            _ => Request::new("add", 1 + asker.rng.below(5) as i64),
        }
    }

    fn apply(&mut self, _: u32, request: &Request) -> Reply {
        let addend = match request.f.as_str() {
            "increment" => 1,
            "decrement" => -1,
            "add" => request.value.as_int().unwrap_or_default(),
            _ => return Reply::Told(Value::Int(self.0)),
        };
        self.0 = self.0.wrapping_add(addend);
        Reply::Done
    }

    fn repeats(&self, _request: &Request) -> bool {
        true
    }
}
