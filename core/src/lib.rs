//! The data types of Elenchus, and the traits at its seams.
//!
//! Every other crate depends on this one, and this one on none of them: no network, no YAML, no async runtime. Only [`recorder`] reads a clock.
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`op`] | [`Event`]: an invocation or a completion; [`Process`], [`Kind`], [`Invocation`] |
//! | [`value`] | [`Value`]: arguments, results and keys, whatever the system stores |
//! | [`history`] | [`History`]: all events in real-time order, paired into [`Operation`]s |
//! | [`recorder`] | [`Recorder`]: records a history while threads call a store |
//! | [`notation`] | [`History::parse`]: small histories as text, for tests |
//! | [`fault`] | [`FaultWindow`]: when which fault was in force, read back from the history |
//! | [`journal`] | the history on disk: append-only, checksummed, readable after `kill -9` |
//! | [`exchange`] | reads Jepsen's EDN and logs, JSON and journals, compressed or not; writes EDN and JSON |
//! | [`generator`] | [`Generator`]: decides what is invoked next |
//! | [`data`] | [`Request`] and one small trait per data type: what can be asked of a system |
//! | [`client`] | [`Client`], [`Connection`], [`Failure`]: how a system is called |
//! | [`workload`] | [`Workload`]: what is invoked, and the checks that the history must pass |
//! | [`checker`] | [`Checker`], [`Finding`], [`Verdict`], [`Anomaly`]: what a history proves |
//! | [`model`] | [`Model`]: a sequential specification |
//! | [`rng`] | named random streams of one seed |
//! | [`suggest`] | suggests the valid word nearest to a misspelt one |

pub mod checker;
pub mod client;
pub mod data;
pub mod exchange;
pub mod fault;
pub mod generator;
pub mod history;
pub mod journal;
pub mod model;
pub mod notation;
pub mod op;
pub mod recorder;
pub mod rng;
pub mod suggest;
pub mod symbol;
pub mod time;
pub mod value;
pub mod workload;

pub use checker::{Anomaly, CheckSpec, Checker, Finding, Reading, Verdict, Watch};
pub use client::{BoxFuture, Client, Connection, Credentials, Deployment, Endpoint, Failure, Offer, Secret, Session, Tls};
pub use data::{DataType, Encoded, Request};
pub use fault::{FaultEvent, FaultPhase, FaultWindow};
pub use generator::{Context, Generator, Poll, WorkerSet};
pub use history::{History, HistoryError, Interval, Operation};
pub use model::{Access, Change, CollectionModel, Growth, Membership, Model, RegisterModel, SetModel, Step, TakeOrder, Transfer};
pub use notation::NotationError;
pub use op::{Event, EventIndex, Invocation, Kind, NodeIndex, Process, Worker};
pub use recorder::{PendingOperation, RecordedClient, Recorder};
pub use rng::{Rng, Seed};
pub use symbol::Symbol;
pub use time::{Nanos, Span};
pub use value::Value;
pub use workload::{Need, Phases, RunScope, Workload};
