//! A FUSE file system that passes everything on to the directory that it is mounted over. On command it loses what was not synced, fails or
//! delays operations, and returns corrupt data.
//!
//! ```text
//! system ── kernel ── FuseDisk ── Faults: fail or delay? ── Volume ── the directory below
//!                                                                └── undo: UndoLog of files, Journal of names
//! ```
//!
//! All data is written to the directory below at once, so it holds the current state whichever process dies. What a power failure would
//! lose is kept as undo records: previous bytes (`undo_log`) and previous names (`journal`). A sync only discards undo records.
//!
//! Durability is the minimum that journalling file systems guarantee (XFS; ext4 with `data=ordered` guarantees more):
//!
//! * The contents and the length of a file are durable as of its last `fsync` or `fdatasync`, or write with `O_SYNC` or `O_DSYNC`.
//! * Changes of names, modes, owners and extended attributes are journalled in one order. A sync of a file or directory makes the journal
//!   durable up to the last change that involved it; for a file that includes its creation and renaming. So a prefix of that order survives
//!   a power failure.
//! * Contents and names are independent: a new file that was renamed over an old one is empty if only its name was made durable.
//! * Times are not undone. FUSE does not pass `sync` and `syncfs` on, so they sync nothing.
//!
//! | module | contents |
//! | --- | --- |
//! | [`volume`] | operations on names, and the power failure |
//! | `files`, `attributes` | operations on contents; on permissions, owners and extended attributes |
//! | `inode` | files and directories, whatever their names |
//! | `undo_log` | the undo log of writes |
//! | `journal` | the undo journal of changes of names |
//! | [`faults`] | rules by which operations fail, are delayed or return corrupt data |
//! | `dice` | random numbers from a seed |
//! | `fuse`, `replies` | the FUSE requests and their replies |
//! | [`serve`] | mounting, unmounting and the serving process |
//! | `control` | the control socket of the serving process |

mod attributes;
mod control;
pub(crate) mod dice;
pub mod faults;
mod files;
mod fuse;
mod inode;
mod journal;
mod replies;
pub mod serve;
mod undo_log;
pub mod volume;
mod writes;

pub use inode::Inode;
pub use journal::HIDDEN_DIRECTORY;
pub use volume::{Owner, Volume};
pub use writes::Writes;

/// The error of an operation.
pub type Errno = rustix::io::Errno;

/// The result of an operation.
pub type Outcome<T> = std::result::Result<T, Errno>;

/// The errno of an error of the standard library; EIO when it has none.
pub(crate) fn errno(error: std::io::Error) -> Errno {
    Errno::from_io_error(&error).unwrap_or(Errno::IO)
}

/// Locks a mutex, poisoned or not.
pub(crate) fn locked<T>(mutex: &std::sync::Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Locks for reading, poisoned or not.
pub(crate) fn reading<T>(lock: &std::sync::RwLock<T>) -> std::sync::RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Locks for writing, poisoned or not.
pub(crate) fn writing<T>(lock: &std::sync::RwLock<T>) -> std::sync::RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(std::sync::PoisonError::into_inner)
}
