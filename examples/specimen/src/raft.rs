//! The type parameters of openraft.

use std::io::Cursor;

use openraft::EmptyNode;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

/// A replicated change of one key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Change {
    Put { key: String, value: Json },
    CompareAndSet { key: String, expect: Json, value: Json },
}

/// The result of applying a log entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Applied {
    /// Whether the value was set: false only for a compare-and-set that found another value.
    pub(crate) swapped: bool,
}

openraft::declare_raft_types!(
    pub(crate) Types:
        D = Change,
        R = Applied,
        Node = EmptyNode,
);

pub(crate) type Raft = openraft::Raft<Types>;
pub(crate) type Entry = openraft::Entry<Types>;
pub(crate) type LogId = openraft::LogId<u64>;
pub(crate) type Vote = openraft::Vote<u64>;
pub(crate) type StorageError = openraft::StorageError<u64>;
