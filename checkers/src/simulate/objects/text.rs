//! Strings with append.

use elenchus_core::Value;

use super::{Asker, Object, Reply, Request};
use crate::simulate::recipe::Recipe;
use crate::simulate::table::Store;

/// `get → text`, `put text`, `append text`. Initially empty.
#[derive(Clone, Debug)]
pub(in crate::simulate) struct Text(String);

impl Object for Text {
    fn new(_: &Recipe) -> Text {
        Text(String::new())
    }

    fn ask(asker: &mut Asker<'_>) -> Request {
        if asker.reads() {
            return Request::bare("get");
        }
        let f = if asker.rng.below(10) == 0 { "put" } else { "append" };
        Request::new(f, format!("{} ", asker.value()))
    }

    fn apply(&mut self, _: u32, request: &Request) -> Reply {
        match (request.f.as_str(), request.value.as_text()) {
            ("put", Some(text)) => text.clone_into(&mut self.0),
            ("append", Some(text)) => self.0.push_str(text),
            _ => return Reply::Told(self.0.as_str().into()),
        }
        Reply::Done
    }

    fn err(&mut self, store: Store, _: u32, request: &Request) -> Option<Reply> {
        match store {
            Store::Invented if request.observes() => Some(Reply::Told(Value::from(format!("{}? ", self.0)))),
            Store::Reordered if request.f == "append" && !self.0.is_empty() => {
                self.0.insert_str(0, request.value.as_text()?);
                Some(Reply::Done)
            }
            _ => None,
        }
    }

    fn repeats(&self, request: &Request) -> bool {
        request.f == "append"
    }
}
