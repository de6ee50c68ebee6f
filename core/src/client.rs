//! The interface to a system: one [`Client`] per protocol, one [`Connection`] per process.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;

use crate::data::{DataType, Request};
use crate::{NodeIndex, Value, Worker};

/// A future that can be made behind `dyn`.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Why an operation did not end in `ok`. A checker that trusts a wrong `Fail` reports wrong verdicts.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Failure {
    /// The system served the request and refused it: a compare-and-set that found another value. Nothing happened. It is recorded as a `fail`
    /// without an error, so that availability figures count it as served.
    #[error("the system refused")]
    No,
    /// It certainly did not happen and never will: the system's own answer proves it, or nothing was ever sent.
    #[error("{0}")]
    Fail(String),
    /// The outcome is unknown: a time-out, a dropped connection, an answer that proves nothing.
    #[error("{0}")]
    Info(String),
}

impl Failure {
    /// The same failure of a request that changes nothing. A read whose outcome is unknown has no effect that could be unknown, so it fails.
    pub fn of_read(self) -> Failure {
        match self {
            Failure::No => Failure::No,
            Failure::Fail(why) | Failure::Info(why) => Failure::Fail(why),
        }
    }
}

/// A client of one kind of system.
///
/// A client never retries, pools or fails over by itself: hidden retries forge histories. Drivers that do so by default are configured not to.
pub trait Client: Send + Sync {
    /// The data types it offers, each with the functions that it supports.
    fn offers(&self) -> Vec<Offer>;

    /// Prepares the system once per run, before the first connection: tables, topics, users. Must be idempotent.
    ///
    /// # Errors
    /// Any failure. It is tried again until it succeeds or the time for it is over.
    fn setup<'a>(&'a self, _deployment: &'a Deployment, _data: &'a [DataType]) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async { Ok(()) })
    }

    /// Prepares one node, once per run and node, before [`Client::setup`]. Must be idempotent.
    ///
    /// # Errors
    /// As [`Client::setup`].
    fn setup_node<'a>(&'a self, _deployment: &'a Deployment, _node: NodeIndex) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async { Ok(()) })
    }

    /// Opens a connection to one node, for one process.
    ///
    /// # Errors
    /// [`Failure::Fail`]: nothing was asked yet, so nothing happened.
    fn connect<'a>(&'a self, session: &'a Session) -> BoxFuture<'a, Result<Box<dyn Connection>, Failure>>;

    /// Removes what [`Client::setup`] made outside the system's own data, once per run, after the last operation.
    ///
    /// # Errors
    /// Any failure; it is reported and does not change the verdict.
    fn teardown<'a>(&'a self, _deployment: &'a Deployment) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async { Ok(()) })
    }
}

/// One process' connection to one node.
///
/// A client for a program, a template or another untyped protocol implements this. A client with a type for each operation implements
/// [`TypedConnection`](crate::data::TypedConnection) instead and wraps it by [`typed`](crate::data::typed).
pub trait Connection: Send {
    /// Carries one request to the system. The value is what the `ok` completion records: what a read returned, the argument otherwise.
    ///
    /// # Errors
    /// [`Failure::Fail`] only where the system's own answer proves that nothing happened, or nothing was sent. Everything else on a request that may
    /// write is [`Failure::Info`].
    fn invoke<'a>(&'a mut self, request: &'a Request) -> BoxFuture<'a, Result<Value, Failure>>;

    /// Ends the connection in order, where the protocol has a way to. It may be dropped without.
    fn close(&mut self) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }
}

/// A data type that a client offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The data type.
    pub data: DataType,
    /// Those of its functions that are supported.
    pub functions: Vec<&'static str>,
}

impl Offer {
    /// A data type with all its functions.
    pub fn all(data: DataType) -> Offer {
        Offer { data, functions: data.functions().to_vec() }
    }

    /// A data type with some of its functions.
    pub fn some(data: DataType, functions: &[&'static str]) -> Offer {
        Offer { data, functions: functions.to_vec() }
    }

    /// Whether a request of the data type uses only functions that are offered.
    pub fn covers(&self, request: &Request) -> bool {
        request.functions().iter().all(|function| self.functions.contains(function))
    }
}

/// A node of the system, as clients reach it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// The node's name in the plan.
    pub node: String,
    /// Its host name or IP address.
    pub address: String,
}

/// How a client reaches the system: everything that is the same for all its connections.
#[derive(Clone, Debug, Default)]
pub struct Deployment {
    /// Every node, by [`NodeIndex`].
    pub endpoints: Vec<Endpoint>,
    /// The options of the system's definition, as the plan sets them.
    pub options: BTreeMap<String, String>,
    /// The credentials, if the plan has any.
    pub credentials: Option<Credentials>,
    /// The TLS settings, if the plan has any.
    pub tls: Option<Tls>,
    /// The longest that an operation may take, connecting included.
    pub timeout: Duration,
}

impl Deployment {
    /// A deployment on nodes, by name and address, with no options and a time-out of five seconds.
    pub fn to(endpoints: Vec<Endpoint>) -> Deployment {
        Deployment { endpoints, timeout: Duration::from_secs(5), ..Deployment::default() }
    }
}

/// One process that connects to one node.
#[derive(Clone, Debug)]
pub struct Session {
    /// How the system is reached.
    pub deployment: Arc<Deployment>,
    /// The node to connect to.
    pub node: NodeIndex,
    /// The worker slot that runs the process.
    pub worker: Worker,
    /// The process' number, unique in the run.
    pub process: u32,
}

impl Session {
    /// The node to connect to.
    pub fn endpoint(&self) -> &Endpoint {
        &self.deployment.endpoints[usize::from(self.node.0)]
    }
}

/// A user and a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// The user.
    pub user: String,
    /// The password.
    pub password: Secret,
}

/// How connections are encrypted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// Certificates of the authorities to trust, as PEM; the web's authorities when absent.
    pub authorities: Option<String>,
    /// The client's own certificate and key, as PEM.
    pub identity: Option<(String, Secret)>,
}

/// A text that is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a text.
    pub fn new(text: impl Into<String>) -> Secret {
        Secret(text.into())
    }

    /// The text, to be handed to a protocol and nowhere else.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("***")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("***")
    }
}
