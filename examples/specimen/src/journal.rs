//! The one file in which a node keeps everything that must survive: votes, log entries, and what of the log is committed.
//!
//! It is only ever appended to, and nothing is removed from it: the whole history of the cluster stays on disk and in memory, which a service that
//! lives for a test can afford and which makes snapshots needless. The state of the keys is rebuilt from it at every start.

mod frame;
mod open;
mod writer;

use serde::{Deserialize, Serialize};

use crate::raft::{Entry, LogId, Vote};

pub use open::JournalError;
pub(crate) use open::open;
pub(crate) use writer::{Durability, Writer};

/// One thing that is remembered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Record {
    /// Whose file it is: the first record.
    Owner { name: String, members: Vec<String> },
    /// The last of these holds.
    Vote(Vote),
    /// Entries that follow those before.
    Entries(Vec<Entry>),
    /// The entries from this index on are void.
    Truncate { since: u64 },
    /// What is known to be committed. Only saves time at the start; it is not waited for.
    Committed(LogId),
}
