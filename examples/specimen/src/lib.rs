//! The specimen: a small replicated key-value service for trying Elenchus, with defects that are enabled by name.
//!
//! Every node holds all keys. Raft (openraft) replicates every change, and an operation is acknowledged when a majority has it on disk. Reads are
//! confirmed by a majority, too. Without a [`Defect`], the service is linearizable.
//!
//! ```text
//! client ──HTTP──> routes ─> service ──(not the leader)──> the leader's service
//!                               │ (the leader)
//!                            openraft ──network──> the other nodes' openraft
//!                             │     │
//!                       log_store  state
//!                             │
//!                          journal ─> one append-only file
//! ```
//!
//! | request | answer |
//! | --- | --- |
//! | `GET /v1/keys/{key}` | `{"value": …}`, null for a key never set |
//! | `PUT /v1/keys/{key}` with `{"value": …}` | `{"done": true}` |
//! | `POST /v1/keys/{key}/cas` with `{"expect": …, "value": …}` | `{"swapped": true}` or `{"swapped": false}` |
//! | `POST /v1/keys/{key}/append` with `{"element": …}` | `{"done": true}`; the key holds a list |
//! | `POST /v1/transactions` with `{"steps": [["append", "x", 1], ["r", "x", null]]}` | `{"reads": [[1]]}`: what each `r` found; other words are `w`, `add`, `inc` |
//! | `GET /v1/status` | the node's own view, a [`Status`] |
//!
//! A failed request is answered with status 4xx or 503 and `{"error": "…", "effect": "none"}`, or `"unknown"` where the change may still be applied.

mod bootstrap;
mod command;
mod defect;
mod early_ack;
mod journal;
mod log_store;
mod members;
mod network;
mod node;
mod raft;
mod routes;
mod service;
mod state;
mod status;

pub use command::{Command, Query, Serve, run};
pub use defect::Defect;
pub use journal::JournalError;
pub use members::{Members, MembersError};
pub use node::{NodeError, Settings, serve};
pub use status::Status;
