//! The file in which a node keeps everything that must survive a crash: votes, log entries, and the committed index.
//!
//! It is append-only and never compacted: the cluster's whole log stays on disk and in memory. For a service that lives as long as a test this is affordable, and
//! it makes snapshots unnecessary. The values are rebuilt from the file at every start.

mod frame;
mod open;
mod writer;

use serde::{Deserialize, Serialize};

use crate::raft::{Entry, LogId, Vote};

pub use open::JournalError;
pub(crate) use open::open;
pub(crate) use writer::{Durability, Writer};

/// One record of the file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Record {
    /// The node and members to which the file belongs: the first record.
    Owner { name: String, members: Vec<String> },
    /// A vote. The last one counts.
    Vote(Vote),
    /// Log entries that follow the ones before.
    Entries(Vec<Entry>),
    /// The deletion of the entries from this index on.
    Truncate { since: u64 },
    /// The last entry known to be committed. It only shortens recovery, so it is not synced.
    Committed(LogId),
}
