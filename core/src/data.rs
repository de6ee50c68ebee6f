//! The requests that clients can send to a system, described once per data type.
//!
//! A *data type* is a small interface that a system may offer and a workload may need: a register, a set, transactions over keys. Each file of this
//! module describes one of them:
//!
//! - a trait, which a connection to a system implements ([`Register`], [`Set`], [`Transactions`]);
//! - its requests as an enum, with their encoding to and decoding from the events of a history, and the dispatch to the trait.
//!
//! Workloads make requests, the conductor records them, connections carry them out. None of these matches on strings.
//!
//! ```text
//! workload ── Request ──> conductor ── Connection::invoke(&Request) ──> typed connection ── Register::read(key) ──> system
//!                             │                                    └──> program, HTTP or SQL template: Request::encode() -> {f, key, value}
//!                             └── Request::encode() ──> history
//! ```
//!
//! A new data type is one file and one line in the table below. The types to come fit the same shape:
//!
//! | type | requests | result of `ok` |
//! | --- | --- | --- |
//! | register | read, write, cas | the value read |
//! | transactions | txn: steps r, append, w, add, inc, rp | the steps with their reads; optional store timestamps |
//! | set | add, read | the elements read |
//! | bank | transfer, read | the balances |
//! | counter | add, read | the total |
//! | queue | enqueue, dequeue, acknowledge, drain | the elements taken |
//! | log | send, poll, assign, subscribe, txn | offsets; messages by partition |
//! | lock | acquire, renew, release | the fencing token, the lease |
//! | key-value | read, write, delete, scan | the value read |
//! | ids | generate | the id |
//! | saga | start, await | the state of every step |
//! | membership | view | the members that a node sees |
//!
//! Two stores side by side are two clients of one plan, each with a data type of its own: see [`crate::Need`].

use std::fmt;

use thiserror::Error;

use crate::{BoxFuture, Connection, Failure, Symbol, Value};

pub use transactions::{Predicate, StepKind, TransactionResult, TransactionStep};

/// A request as histories record it and as untyped clients see it: a function, the key it concerns, and its argument.
#[derive(Clone, Debug, PartialEq)]
pub struct Encoded {
    /// The function: `read`, `write`, `cas`, `txn` …
    pub f: Symbol,
    /// The key, where the data type has keys.
    pub key: Option<Value>,
    /// The argument.
    pub value: Value,
}

impl Encoded {
    /// A function of a key, with its argument.
    pub fn keyed(f: Symbol, key: &Value, value: Value) -> Encoded {
        Encoded { f, key: Some(key.clone()), value }
    }

    /// The key.
    ///
    /// # Errors
    /// When there is none.
    pub fn required_key(&self) -> Result<Value, DecodeError> {
        self.key.clone().ok_or_else(|| DecodeError::new(self, "a key"))
    }
}

/// An encoded request that is not one of its data type.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{found}` is not a valid request; expected {expected}")]
pub struct DecodeError {
    /// The encoded request.
    pub found: String,
    /// The expected form.
    pub expected: String,
}

impl DecodeError {
    /// An error about this request.
    pub fn new(found: &Encoded, expected: impl Into<String>) -> DecodeError {
        let key = found.key.as_ref().map_or(String::new(), |key| format!(" {key}"));
        DecodeError { found: format!("{}{key} {}", found.f, found.value), expected: expected.into() }
    }
}

/// The requests of one data type.
pub trait DataRequest: Sized {
    /// The functions of the data type that a client may offer and a workload may need, one by one.
    const FUNCTIONS: &'static [&'static str];

    /// The trait that a connection implements to carry the requests out.
    type Service<'s>: ?Sized
    where
        Self: 's;

    /// The request as a history records it.
    fn encode(&self) -> Encoded;

    /// The request that a history recorded.
    ///
    /// # Errors
    /// When it is not a request of this type.
    fn decode(encoded: &Encoded) -> Result<Self, DecodeError>;

    /// Those of [`DataRequest::FUNCTIONS`] that the request uses.
    fn functions(&self) -> Vec<&'static str> {
        vec![self.encode().f.as_str()]
    }

    /// Whether the request changes nothing, so that an unknown outcome is a plain failure.
    fn is_read_only(&self) -> bool;

    /// Carries the request out. The value is what the `ok` completion records.
    fn perform<'a>(&'a self, service: &'a mut Self::Service<'a>) -> BoxFuture<'a, Result<Value, Failure>>;

    /// One request of every function, on this key: what the conformance suites ask of every client.
    fn samples(key: &Value) -> Vec<Self>;
}

macro_rules! data_types {
    ($($module:ident: $trait:ident, $request:ident = $name:literal, $about:literal;)+) => {
        $(pub mod $module;)+
        $(pub use $module::{$trait, $request};)+

        /// A data type that a system may offer and a workload may need.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum DataType {
            $(#[doc = $about] $trait,)+
        }

        impl DataType {
            /// Every data type.
            pub const ALL: &'static [DataType] = &[$(DataType::$trait),+];

            /// Its name, in messages and lists.
            pub fn name(self) -> &'static str {
                match self { $(DataType::$trait => $name,)+ }
            }

            /// A description in a few words.
            pub fn about(self) -> &'static str {
                match self { $(DataType::$trait => $about,)+ }
            }

            /// All its functions.
            pub fn functions(self) -> &'static [&'static str] {
                match self { $(DataType::$trait => $request::FUNCTIONS,)+ }
            }

            /// One request of every function, on this key.
            pub fn samples(self, key: &Value) -> Vec<Request> {
                match self { $(DataType::$trait => $request::samples(key).into_iter().map(Request::$trait).collect(),)+ }
            }

            /// The request of this type that a history recorded.
            ///
            /// # Errors
            /// When it is not a request of this type.
            pub fn decode(self, encoded: &Encoded) -> Result<Request, DecodeError> {
                match self { $(DataType::$trait => $request::decode(encoded).map(Request::$trait),)+ }
            }
        }

        /// A request to a system, of any data type.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Request {
            $(#[doc = $about] $trait($request),)+
        }

        $(impl From<$request> for Request {
            fn from(request: $request) -> Request {
                Request::$trait(request)
            }
        })+

        impl Request {
            /// Its data type.
            pub fn data_type(&self) -> DataType {
                match self { $(Request::$trait(_) => DataType::$trait,)+ }
            }

            /// The request as a history records it.
            pub fn encode(&self) -> Encoded {
                match self { $(Request::$trait(request) => request.encode(),)+ }
            }

            /// The functions of its data type that it uses.
            pub fn functions(&self) -> Vec<&'static str> {
                match self { $(Request::$trait(request) => request.functions(),)+ }
            }

            /// Whether the request changes nothing, so that an unknown outcome is a plain failure.
            pub fn is_read_only(&self) -> bool {
                match self { $(Request::$trait(request) => request.is_read_only(),)+ }
            }
        }

        /// A connection that implements data types one by one, each by its trait. [`typed`] makes a [`Connection`] of it.
        pub trait TypedConnection: Send {
            $(#[doc = concat!("The connection as a ", $name, ", if the system offers it.")]
            fn $module(&mut self) -> Option<&mut dyn $trait> {
                None
            })+

            /// Ends the connection in order, where the protocol has a way to.
            fn close(&mut self) -> BoxFuture<'_, ()> {
                Box::pin(async {})
            }
        }

        impl<T: TypedConnection> Connection for Typed<T> {
            fn invoke<'a>(&'a mut self, request: &'a Request) -> BoxFuture<'a, Result<Value, Failure>> {
                match request {
                    $(Request::$trait(request) => match self.0.$module() {
                        Some(service) => request.perform(service),
                        None => not_offered(DataType::$trait),
                    },)+
                }
            }

            fn close(&mut self) -> BoxFuture<'_, ()> {
                self.0.close()
            }
        }
    };
}

data_types! {
    register: Register, RegisterRequest = "register", "Single values under keys: read, write, compare-and-set.";
    set: Set, SetRequest = "set", "Growing sets under keys: add an element, read all.";
    transactions: Transactions, TransactionRequest = "transactions", "Several steps over keys, all or none.";
}

impl fmt::Display for DataType {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

impl fmt::Display for Request {
    /// The request as a line of a history shows it: `cas "r0" [1 2]`.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Encoded { f, key, value } = self.encode();
        match key {
            Some(key) => write!(out, "{f} {key} {value}"),
            None => write!(out, "{f} {value}"),
        }
    }
}

/// A [`TypedConnection`] as a [`Connection`].
struct Typed<T>(T);

/// Makes a [`Connection`] that dispatches each request to the trait of its data type.
pub fn typed<'a>(connection: impl TypedConnection + 'a) -> Box<dyn Connection + 'a> {
    Box::new(Typed(connection))
}

fn not_offered<'a>(data: DataType) -> BoxFuture<'a, Result<Value, Failure>> {
    Box::pin(async move { Err(Failure::Fail(format!("the client does not offer the data type `{data}`"))) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sample_survives_encoding() {
        for data in DataType::ALL {
            let samples = data.samples(&Value::from("k"));
            assert!(!samples.is_empty(), "{data} has no samples");
            for sample in samples {
                assert_eq!(data.decode(&sample.encode()), Ok(sample.clone()), "{data}");
                assert_eq!(sample.data_type(), *data);
            }
        }
    }

    #[test]
    fn a_request_of_another_type_is_refused() {
        let error = DataType::Register.decode(&Encoded { f: Symbol::of("add"), key: None, value: Value::Int(1) }).unwrap_err();
        assert_eq!(error.to_string(), "`add 1` is not a valid request; expected read, write or cas");
    }
}
