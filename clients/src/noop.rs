//! Answers at once, to measure Elenchus itself.

use std::sync::Arc;

use elenchus_core::data::{Register, TypedConnection, typed};
use elenchus_core::{BoxFuture, Client, Connection, DataType, Failure, Offer, Session, Value};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Settings, TestServer};

/// Settings of the client that does nothing: none.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NoopSettings {}

impl Settings for NoopSettings {
    const EXAMPLE: &'static str = "noop";
    const TEST_SERVER: TestServer = TestServer::InProcess;

    fn build(&self) -> Arc<dyn Client> {
        Arc::new(Noop)
    }

    fn on_port(self, _: u16) -> Option<NoopSettings> {
        None
    }
}

struct Noop;

impl Client for Noop {
    fn offers(&self) -> Vec<Offer> {
        vec![Offer::all(DataType::Register)]
    }

    fn connect<'a>(&'a self, _: &'a Session) -> BoxFuture<'a, Result<Box<dyn Connection>, Failure>> {
        Box::pin(async { Ok(typed(Noop)) })
    }
}

impl TypedConnection for Noop {
    fn register(&mut self) -> Option<&mut dyn Register> {
        Some(self)
    }
}

/// Reads find nothing, writes vanish, and no compare-and-set finds what it expects: all of it together is linearizable only without writes.
impl Register for Noop {
    fn read<'a>(&'a mut self, _: &'a Value) -> BoxFuture<'a, Result<Value, Failure>> {
        Box::pin(async { Ok(Value::Nil) })
    }

    fn write<'a>(&'a mut self, _: &'a Value, _: &'a Value) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async { Ok(()) })
    }

    fn compare_and_set<'a>(&'a mut self, _: &'a Value, _: &'a Value, _: &'a Value) -> BoxFuture<'a, Result<bool, Failure>> {
        Box::pin(async { Ok(false) })
    }
}
