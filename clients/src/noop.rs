//! Answers at once, for measuring Elenchus itself.

use elenchus_core::{BoxFuture, Client, Connection, DataType, Failure, Register, Target, Value};

pub(crate) struct Noop;

impl Client for Noop {
    fn offers(&self) -> &'static [DataType] {
        &[DataType::Register]
    }

    fn connect<'a>(&'a self, _: &'a Target) -> BoxFuture<'a, Result<Box<dyn Connection>, Failure>> {
        Box::pin(async { Ok(Box::new(Noop) as Box<dyn Connection>) })
    }
}

impl Connection for Noop {
    fn register(&mut self) -> Option<&mut dyn Register> {
        Some(self)
    }
}

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
