//! Registers.

use elenchus_core::Value;

use super::{NEVER_WRITTEN, Object, Reply, Request, RequestContext};
use crate::simulate::recipe::Recipe;
use crate::simulate::table::{Store, Workload};

/// `read → v`, `write v`, and for [`Workload::CasRegister`] `cas [old new]`. Initially nil.
#[derive(Clone, Debug)]
pub(in crate::simulate) struct Register(Value);

impl Object for Register {
    fn new(_: &Recipe) -> Register {
        Register(Value::Nil)
    }

    fn next_request(context: &mut RequestContext<'_>) -> Request {
        if context.wants_read() {
            Request::without_argument("read")
        } else if context.recipe.workload == Workload::CasRegister && context.rng.chance(0.5) {
            let old = context.recent_value();
            Request::new("cas", Value::pair(old, context.new_value()))
        } else {
            Request::new("write", context.new_value())
        }
    }

    fn apply(&mut self, _: u32, request: &Request) -> Reply {
        match (request.f.as_str(), request.value.as_pair()) {
            ("read", _) => Reply::Value(self.0.clone()),
            ("write", _) => {
                self.0 = request.value.clone();
                Reply::Done
            }
            (_, Some((old, new))) if *old == self.0 => {
                self.0 = new.clone();
                Reply::Done
            }
            _ => Reply::Failed,
        }
    }

    fn apply_defect(&mut self, store: Store, _: u32, request: &Request) -> Option<Reply> {
        (store == Store::Invented && request.is_read_only()).then(|| Reply::Value(NEVER_WRITTEN.into()))
    }
}
