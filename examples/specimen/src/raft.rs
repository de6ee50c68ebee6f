//! The type parameters of openraft.

use std::io::Cursor;

use openraft::EmptyNode;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

/// A replicated change of one key, or of several at once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Change {
    Put {
        key: String,
        value: Json,
    },
    CompareAndSet {
        key: String,
        expect: Json,
        value: Json,
    },
    /// Adds an element to the end of the key's list.
    Append {
        key: String,
        element: Json,
    },
    /// Carries out the steps in order, at one moment.
    Transaction {
        steps: Vec<Step>,
    },
}

/// A step of a transaction, `["word", "key", argument]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Step(pub(crate) Word, pub(crate) String, pub(crate) Json);

/// The effect of a step on its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Word {
    /// Reads the value.
    R,
    /// Sets the value.
    W,
    /// Adds an element to the end of the list.
    Append,
    /// Adds an element to the set, which is kept as a list.
    Add,
    /// Adds to the number.
    Inc,
}

/// The result of applying a log entry.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Applied {
    /// Whether the value was set: false only for a compare-and-set that found another value.
    pub(crate) swapped: bool,
    /// The results of a transaction's reads, in order.
    pub(crate) reads: Vec<Json>,
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
