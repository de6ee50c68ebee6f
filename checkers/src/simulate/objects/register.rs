//! Registers.

use elenchus_core::Value;

use super::{Asker, INVENTED, Object, Reply, Request};
use crate::simulate::recipe::Recipe;
use crate::simulate::table::{Store, Workload};

/// `read → v`, `write v`, and for [`Workload::CasRegister`] `cas [old new]`. Initially nil.
#[derive(Clone, Debug)]
pub(in crate::simulate) struct Register(Value);

impl Object for Register {
    fn new(_: &Recipe) -> Register {
        Register(Value::Nil)
    }

    fn ask(asker: &mut Asker<'_>) -> Request {
        if asker.reads() {
            Request::bare("read")
        } else if asker.recipe.workload == Workload::CasRegister && asker.rng.chance(0.5) {
            let old = asker.known();
            Request::new("cas", Value::pair(old, asker.value()))
        } else {
            Request::new("write", asker.value())
        }
    }

    fn apply(&mut self, _: u32, request: &Request) -> Reply {
        match (request.f.as_str(), request.value.as_pair()) {
            ("read", _) => Reply::Told(self.0.clone()),
            ("write", _) => {
                self.0 = request.value.clone();
                Reply::Done
            }
            (_, Some((old, new))) if *old == self.0 => {
                self.0 = new.clone();
                Reply::Done
            }
            _ => Reply::Refused,
        }
    }

    fn err(&mut self, store: Store, _: u32, request: &Request) -> Option<Reply> {
        (store == Store::Invented && request.observes()).then(|| Reply::Told(INVENTED.into()))
    }
}
