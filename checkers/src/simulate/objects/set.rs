//! Sets.

use std::collections::BTreeSet;

use elenchus_core::Value;

use super::{NEVER_WRITTEN, Object, Reply, Request, RequestContext};
use crate::simulate::recipe::Recipe;
use crate::simulate::table::Store;

/// `add v`, `remove v`, `contains v → true or false`, `read → all`. Initially empty.
#[derive(Clone, Debug)]
pub(in crate::simulate) struct Set(BTreeSet<i64>);

impl Object for Set {
    fn new(_: &Recipe) -> Set {
        Set(BTreeSet::new())
    }

    fn next_request(context: &mut RequestContext<'_>) -> Request {
        match (context.wants_read(), context.rng.below(3)) {
            (true, 0) => Request::new("contains", context.recent_value()),
            (true, _) => Request::without_argument("read"),
            (false, 0) => Request::new("remove", context.recent_value()),
            (false, _) => Request::new("add", context.new_value()),
        }
    }

    fn apply(&mut self, _: u32, request: &Request) -> Reply {
        let element = request.value.as_int().unwrap_or_default();
        match request.f.as_str() {
            "add" => drop(self.0.insert(element)),
            "remove" => drop(self.0.remove(&element)),
            "contains" => return Reply::Value(self.0.contains(&element).into()),
            _ => return Reply::Value(self.0.iter().copied().map(Value::Int).collect::<Vec<_>>().into()),
        }
        Reply::Done
    }

    fn apply_defect(&mut self, store: Store, _: u32, request: &Request) -> Option<Reply> {
        let reads_all = store == Store::Invented && request.f == "read";
        reads_all.then(|| Reply::Value(self.0.iter().copied().chain([NEVER_WRITTEN]).map(Value::Int).collect::<Vec<_>>().into()))
    }
}
