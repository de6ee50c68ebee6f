//! Append-only lists.

use elenchus_core::Value;

use super::{NEVER_WRITTEN, Object, Reply, Request, RequestContext};
use crate::simulate::recipe::Recipe;
use crate::simulate::table::Store;

/// `append v`, `read → all in order`. Initially empty.
#[derive(Clone, Debug)]
pub(in crate::simulate) struct Log(Vec<Value>);

impl Object for Log {
    fn new(_: &Recipe) -> Log {
        Log(Vec::new())
    }

    fn next_request(context: &mut RequestContext<'_>) -> Request {
        if context.wants_read() { Request::without_argument("read") } else { Request::new("append", context.new_value()) }
    }

    fn apply(&mut self, _: u32, request: &Request) -> Reply {
        if request.f == "read" {
            return Reply::Value(Value::List(self.0.clone()));
        }
        self.0.push(request.value.clone());
        Reply::Done
    }

    fn apply_defect(&mut self, store: Store, _: u32, request: &Request) -> Option<Reply> {
        match store {
            Store::Reordered if request.f == "append" && !self.0.is_empty() => {
                self.0.insert(self.0.len() - 1, request.value.clone());
                Some(Reply::Done)
            }
            Store::Invented if request.f == "read" => {
                Some(Reply::Value(Value::List(self.0.iter().cloned().chain([NEVER_WRITTEN.into()]).collect())))
            }
            _ => None,
        }
    }

    fn is_not_idempotent(&self, _request: &Request) -> bool {
        true
    }
}
