//! Strings with append.

use elenchus_core::Value;

use super::{Object, Reply, Request, RequestContext};
use crate::simulate::recipe::Recipe;
use crate::simulate::table::Store;

/// `get → text`, `put text`, `append text`. Initially empty.
#[derive(Clone, Debug)]
pub(in crate::simulate) struct Text(String);

impl Object for Text {
    fn new(_: &Recipe) -> Text {
        Text(String::new())
    }

    fn next_request(context: &mut RequestContext<'_>) -> Request {
        if context.wants_read() {
            return Request::without_argument("get");
        }
        let f = if context.rng.below(10) == 0 { "put" } else { "append" };
        Request::new(f, format!("{} ", context.new_value()))
    }

    fn apply(&mut self, _: u32, request: &Request) -> Reply {
        match (request.f.as_str(), request.value.as_text()) {
            ("put", Some(text)) => text.clone_into(&mut self.0),
            ("append", Some(text)) => self.0.push_str(text),
            _ => return Reply::Value(self.0.as_str().into()),
        }
        Reply::Done
    }

    fn apply_defect(&mut self, store: Store, _: u32, request: &Request) -> Option<Reply> {
        match store {
            Store::Invented if request.is_read_only() => Some(Reply::Value(Value::from(format!("{}? ", self.0)))),
            Store::Reordered if request.f == "append" && !self.0.is_empty() => {
                self.0.insert_str(0, request.value.as_text()?);
                Some(Reply::Done)
            }
            _ => None,
        }
    }

    fn is_not_idempotent(&self, request: &Request) -> bool {
        request.f == "append"
    }
}
