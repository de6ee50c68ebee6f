//! Sets: elements are added and all of them are read.

use super::{DataRequest, DecodeError, Encoded};
use crate::{BoxFuture, Failure, Symbol, Value};

/// Growing sets under keys. A key to which nothing was added holds the empty set.
pub trait Set: Send {
    /// Adds an element.
    fn add<'a>(&'a mut self, key: &'a Value, element: &'a Value) -> BoxFuture<'a, Result<(), Failure>>;

    /// All elements, in any order.
    fn read<'a>(&'a mut self, key: &'a Value) -> BoxFuture<'a, Result<Vec<Value>, Failure>>;
}

/// A request to a [`Set`].
#[derive(Clone, Debug, PartialEq)]
pub enum SetRequest {
    /// `add`: adds an element.
    Add {
        /// The key.
        key: Value,
        /// The element.
        element: Value,
    },
    /// `read`: all elements.
    Read {
        /// The key.
        key: Value,
    },
}

const ADD: Symbol = Symbol::of("add");
const READ: Symbol = Symbol::of("read");

impl DataRequest for SetRequest {
    const FUNCTIONS: &'static [&'static str] = &["add", "read"];

    type Service<'s> = dyn Set + 's;

    fn encode(&self) -> Encoded {
        match self {
            SetRequest::Add { key, element } => Encoded::keyed(ADD, key, element.clone()),
            SetRequest::Read { key } => Encoded::keyed(READ, key, Value::Nil),
        }
    }

    fn decode(encoded: &Encoded) -> Result<SetRequest, DecodeError> {
        match encoded.f.as_str() {
            "add" => Ok(SetRequest::Add { key: encoded.required_key()?, element: encoded.value.clone() }),
            "read" => Ok(SetRequest::Read { key: encoded.required_key()? }),
            _ => Err(DecodeError::new(encoded, "add or read")),
        }
    }

    fn is_read_only(&self) -> bool {
        matches!(self, SetRequest::Read { .. })
    }

    fn perform<'a>(&'a self, service: &'a mut (dyn Set + 'a)) -> BoxFuture<'a, Result<Value, Failure>> {
        Box::pin(async move {
            match self {
                SetRequest::Add { key, element } => service.add(key, element).await.map(|()| element.clone()),
                SetRequest::Read { key } => service.read(key).await.map(Value::List),
            }
        })
    }

    fn samples(key: &Value) -> Vec<SetRequest> {
        vec![SetRequest::Add { key: key.clone(), element: Value::Int(1) }, SetRequest::Read { key: key.clone() }]
    }
}
