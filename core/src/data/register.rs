//! Registers: single values under keys.

use super::{DataRequest, DecodeError, Encoded};
use crate::{BoxFuture, Failure, Symbol, Value};

/// Values under keys, each independent of the others. A key that was never written holds [`Value::Nil`].
pub trait Register: Send {
    /// The value under the key.
    fn read<'a>(&'a mut self, key: &'a Value) -> BoxFuture<'a, Result<Value, Failure>>;

    /// Puts a value under the key.
    fn write<'a>(&'a mut self, key: &'a Value, value: &'a Value) -> BoxFuture<'a, Result<(), Failure>>;

    /// Puts `new` under the key if it holds `old`, and returns whether it did.
    fn compare_and_set<'a>(&'a mut self, key: &'a Value, old: &'a Value, new: &'a Value) -> BoxFuture<'a, Result<bool, Failure>>;
}

/// A request to a [`Register`].
#[derive(Clone, Debug, PartialEq)]
pub enum RegisterRequest {
    /// `read`: the value under the key.
    Read {
        /// The key.
        key: Value,
    },
    /// `write`: puts a value under the key.
    Write {
        /// The key.
        key: Value,
        /// The value.
        value: Value,
    },
    /// `cas`: puts `new` under the key if it holds `old`. The argument is the pair `[old new]`; where another value was found the completion is a
    /// `fail` without an error.
    CompareAndSet {
        /// The key.
        key: Value,
        /// The value that is expected.
        old: Value,
        /// The value to put there.
        new: Value,
    },
}

const READ: Symbol = Symbol::of("read");
const WRITE: Symbol = Symbol::of("write");
const CAS: Symbol = Symbol::of("cas");

impl DataRequest for RegisterRequest {
    const FUNCTIONS: &'static [&'static str] = &["read", "write", "cas"];

    type Service<'s> = dyn Register + 's;

    fn encode(&self) -> Encoded {
        match self {
            RegisterRequest::Read { key } => Encoded::keyed(READ, key, Value::Nil),
            RegisterRequest::Write { key, value } => Encoded::keyed(WRITE, key, value.clone()),
            RegisterRequest::CompareAndSet { key, old, new } => Encoded::keyed(CAS, key, Value::pair(old.clone(), new.clone())),
        }
    }

    fn decode(encoded: &Encoded) -> Result<RegisterRequest, DecodeError> {
        match encoded.f.as_str() {
            "read" => Ok(RegisterRequest::Read { key: encoded.required_key()? }),
            "write" => Ok(RegisterRequest::Write { key: encoded.required_key()?, value: encoded.value.clone() }),
            "cas" => {
                let (old, new) = encoded.value.as_pair().ok_or_else(|| DecodeError::new(encoded, "the pair [old new]"))?;
                Ok(RegisterRequest::CompareAndSet { key: encoded.required_key()?, old: old.clone(), new: new.clone() })
            }
            _ => Err(DecodeError::new(encoded, "read, write or cas")),
        }
    }

    fn is_read_only(&self) -> bool {
        matches!(self, RegisterRequest::Read { .. })
    }

    fn perform<'a>(&'a self, service: &'a mut (dyn Register + 'a)) -> BoxFuture<'a, Result<Value, Failure>> {
        Box::pin(async move {
            match self {
                RegisterRequest::Read { key } => service.read(key).await,
                RegisterRequest::Write { key, value } => service.write(key, value).await.map(|()| value.clone()),
                RegisterRequest::CompareAndSet { key, old, new } => match service.compare_and_set(key, old, new).await? {
                    true => Ok(Value::pair(old.clone(), new.clone())),
                    false => Err(Failure::No),
                },
            }
        })
    }

    fn samples(key: &Value) -> Vec<RegisterRequest> {
        let (key, old, new) = (key.clone(), Value::Int(1), Value::Int(2));
        vec![
            RegisterRequest::Write { key: key.clone(), value: old.clone() },
            RegisterRequest::Read { key: key.clone() },
            RegisterRequest::CompareAndSet { key, old, new },
        ]
    }
}
