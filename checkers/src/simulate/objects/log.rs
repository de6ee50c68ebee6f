//! Append-only lists.

use elenchus_core::Value;

use super::{Asker, INVENTED, Object, Reply, Request};
use crate::simulate::recipe::Recipe;
use crate::simulate::table::Store;

/// `append v`, `read → all in order`. Initially empty.
#[derive(Clone, Debug)]
pub(in crate::simulate) struct Log(Vec<Value>);

impl Object for Log {
    fn new(_: &Recipe) -> Log {
        Log(Vec::new())
    }

    fn ask(asker: &mut Asker<'_>) -> Request {
        if asker.reads() { Request::bare("read") } else { Request::new("append", asker.value()) }
    }

    fn apply(&mut self, _: u32, request: &Request) -> Reply {
        if request.f == "read" {
            return Reply::Told(Value::List(self.0.clone()));
        }
        self.0.push(request.value.clone());
        Reply::Done
    }

    fn err(&mut self, store: Store, _: u32, request: &Request) -> Option<Reply> {
        match store {
            Store::Reordered if request.f == "append" && !self.0.is_empty() => {
                self.0.insert(self.0.len() - 1, request.value.clone());
                Some(Reply::Done)
            }
            Store::Invented if request.f == "read" => {
                Some(Reply::Told(Value::List(self.0.iter().cloned().chain([INVENTED.into()]).collect())))
            }
            _ => None,
        }
    }

    fn repeats(&self, _request: &Request) -> bool {
        true
    }
}
