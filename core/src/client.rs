//! How a system is asked: one [`Client`] per protocol, and a small trait per type of data.
//!
//! A system is written once, and every workload that needs a type it offers runs on it.

use std::future::Future;
use std::pin::Pin;

use thiserror::Error;

use crate::Value;

/// A future that can be made behind `dyn`.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Why an operation did not end well. `Fail` and `Info` are as different as can be: a checker that trusts a wrong `Fail` lies.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Failure {
    /// The system served it, and its answer is no: a compare-and-set that found another value. Nothing happened. It is recorded as a `fail`
    /// without an error, so that whoever counts availability can tell it from a system that did not serve.
    #[error("the answer is no")]
    No,
    /// It certainly did not happen and never will: the system's own answer proves it, or nothing was ever sent.
    #[error("{0}")]
    Fail(String),
    /// Nobody knows: a time-out, a dropped connection, an answer that proves nothing.
    #[error("{0}")]
    Info(String),
}

impl Failure {
    /// The same failure of an operation that changes nothing. A read whose outcome is unknown has no effect to be unknown of, so it fails.
    pub fn of_read(self) -> Failure {
        match self {
            Failure::No => Failure::No,
            Failure::Fail(why) | Failure::Info(why) => Failure::Fail(why),
        }
    }
}

/// A type of data that a system may offer and a workload may need.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DataType {
    /// Single values under keys: [`Register`].
    Register,
}

impl DataType {
    /// Its name, for messages.
    pub fn as_str(self) -> &'static str {
        match self {
            DataType::Register => "register",
        }
    }
}

/// A node to speak to, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The node's name in the plan.
    pub node: String,
    /// Its host name or IP address.
    pub address: String,
}

/// How to speak to one kind of system.
pub trait Client: Send + Sync {
    /// The types of data it offers.
    fn offers(&self) -> &'static [DataType];

    /// Opens a connection to one node, for one process. It must not retry, pool or fail over to another node behind the caller's back: hidden
    /// retries forge histories.
    ///
    /// # Errors
    /// [`Failure::Fail`]: nothing was asked yet, so nothing happened.
    fn connect<'a>(&'a self, target: &'a Target) -> BoxFuture<'a, Result<Box<dyn Connection>, Failure>>;
}

/// One process' connection to one node. It returns itself as each type of data it offers.
pub trait Connection: Send {
    /// As registers, if the system has them.
    fn register(&mut self) -> Option<&mut dyn Register> {
        None
    }
}

/// Values under keys, each independent of the others. A key that was never written holds [`Value::Nil`].
pub trait Register: Send {
    /// What the key holds.
    fn read<'a>(&'a mut self, key: &'a Value) -> BoxFuture<'a, Result<Value, Failure>>;

    /// Puts a value under the key.
    fn write<'a>(&'a mut self, key: &'a Value, value: &'a Value) -> BoxFuture<'a, Result<(), Failure>>;

    /// Puts `new` under the key if it holds `old`, and says whether it did.
    fn compare_and_set<'a>(&'a mut self, key: &'a Value, old: &'a Value, new: &'a Value) -> BoxFuture<'a, Result<bool, Failure>>;
}
