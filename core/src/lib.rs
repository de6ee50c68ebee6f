//! The nouns of Elenchus, and the traits at its seams.
//!
//! Everything else stands on this crate, and this crate stands on nothing: no network, no YAML, no async runtime, no clock.
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`op`] | [`Event`]: one line of testimony; [`Process`], [`Kind`], [`Invocation`] |
//! | [`value`] | [`Value`]: what operations carry, whatever the system stores |
//! | [`history`] | [`History`]: all events in real-time order, paired into [`Operation`]s |
//! | [`fault`] | [`FaultWindow`]: when what was broken, read back from the history |
//! | [`journal`] | the history on disk: append-only, checksummed, readable after `kill -9` |
//! | [`exchange`] | any history in: Jepsen's EDN and logs, JSON, journals, compressed or not; EDN and JSON out |
//! | [`generator`] | [`Generator`]: what is invoked next |
//! | [`data`] | [`Request`] and one small trait per data type: what can be asked of a system |
//! | [`client`] | [`Client`], [`Connection`], [`Failure`]: how a system is asked |
//! | [`workload`] | [`Workload`]: what to ask for, and the checks it must pass |
//! | [`checker`] | [`Checker`], [`Verdict`], [`Anomaly`]: what the testimony proves |
//! | [`model`] | [`Model`]: a sequential specification |
//! | [`rng`] | named random streams of one seed |
//! | [`words`] | the nearest valid word to a wrong one |

pub mod checker;
pub mod client;
pub mod data;
pub mod exchange;
pub mod fault;
pub mod generator;
pub mod history;
pub mod journal;
pub mod model;
pub mod op;
pub mod rng;
pub mod symbol;
pub mod time;
pub mod value;
pub mod words;
pub mod workload;

pub use checker::{Anomaly, CheckSpec, Checker, Finding, Reading, Verdict, Watch};
pub use client::{BoxFuture, Client, Connection, Credentials, Deployment, Endpoint, Failure, Offer, Secret, Session, Tls};
pub use data::{DataType, Encoded, Request};
pub use fault::{FaultEvent, FaultPhase, FaultWindow};
pub use generator::{Context, Generator, Poll, WorkerSet};
pub use history::{History, HistoryError, Interval, Operation};
pub use model::{Access, Change, CollectionModel, Growth, Membership, Model, RegisterModel, SetModel, Step, TakeOrder, Transfer};
pub use op::{Event, EventIndex, Invocation, Kind, NodeIndex, Process, Worker};
pub use rng::{Rng, Seed};
pub use symbol::Symbol;
pub use time::{Nanos, Span};
pub use value::Value;
pub use workload::{Need, Phases, Workload};
