//! Sets.

use std::collections::BTreeSet;

use elenchus_core::Value;

use super::{Asker, INVENTED, Object, Reply, Request};
use crate::simulate::recipe::Recipe;
use crate::simulate::table::Store;

/// `add v`, `remove v`, `contains v → true or false`, `read → all`. Initially empty.
#[derive(Clone, Debug)]
pub(in crate::simulate) struct Set(BTreeSet<i64>);

impl Object for Set {
    fn new(_: &Recipe) -> Set {
        Set(BTreeSet::new())
    }

    fn ask(asker: &mut Asker<'_>) -> Request {
        match (asker.reads(), asker.rng.below(3)) {
            (true, 0) => Request::new("contains", asker.known()),
            (true, _) => Request::bare("read"),
            (false, 0) => Request::new("remove", asker.known()),
            (false, _) => Request::new("add", asker.value()),
        }
    }

    fn apply(&mut self, _: u32, request: &Request) -> Reply {
        let element = request.value.as_int().unwrap_or_default();
        match request.f.as_str() {
            "add" => drop(self.0.insert(element)),
            "remove" => drop(self.0.remove(&element)),
            "contains" => return Reply::Told(self.0.contains(&element).into()),
            _ => return Reply::Told(self.0.iter().copied().map(Value::Int).collect::<Vec<_>>().into()),
        }
        Reply::Done
    }

    fn err(&mut self, store: Store, _: u32, request: &Request) -> Option<Reply> {
        let reads_all = store == Store::Invented && request.f == "read";
        reads_all.then(|| Reply::Told(self.0.iter().copied().chain([INVENTED]).map(Value::Int).collect::<Vec<_>>().into()))
    }
}
