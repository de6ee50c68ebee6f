//! A disk that forgets and fails: a file system that is mounted over a directory and passes everything on to it, and can be told to lose what was never synced,
//! to fail, to be slow, and to give back other bits than were written.
//!
//! ```text
//! a system ── kernel ── Mounted (fuse) ── Faults: is it to fail? ── Volume ── the directory below
//!                                                                     └── how to undo what is not synced: Contents of files, Journal of names
//! ```
//!
//! Everything is written to the directory below at once, so that it always holds the present, whoever dies. What a power failure would lose is kept as what
//! would have to be undone: bytes as they were (`contents`), and names as they were (`journal`). A sync only forgets how to undo.
//!
//! What is durable, when, is what a journalling file system promises at the least (XFS; ext4 with `data=ordered` keeps more):
//!
//! * The contents and the length of a file are durable as of its last `fsync` or `fdatasync`, or write with `O_SYNC` or `O_DSYNC`.
//! * Changes of names, modes, owners and extended attributes are journalled in one order. A sync of a file or of a directory makes durable what was journalled up
//!   to the last change that concerned it, which for a file includes its own creation and renaming. So after a power failure there is a prefix of that order.
//! * Contents and names are apart: a new file that was renamed over an old one, and of which only the new name was made durable, is empty.
//! * Times are not undone. `sync` and `syncfs` are not heard of by such a file system, and sync nothing.
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`volume`] | the file system's operations, and the power failure |
//! | `files`, `attributes` | those on the contents of files; on owners, permissions and the like |
//! | `inode` | files and directories, by identity and not by name |
//! | `contents` | what undoes writes |
//! | `journal` | what undoes changes of names |
//! | [`faults`] | what is to fail, be late or be falsified |
//! | `dice` | chance, from a seed |
//! | `mounted`, `answers` | how the kernel asks for all of it, and is answered |
//! | [`serve`] | mounting, unmounting, and the process that serves |
//! | `orders` | what that process is told while it serves |

mod answers;
mod attributes;
mod contents;
pub(crate) mod dice;
pub mod faults;
mod files;
mod inode;
mod journal;
mod mounted;
mod orders;
pub mod serve;
pub mod volume;

pub use inode::Inode;
pub use journal::ATTIC;
pub use volume::{Owner, Volume};

/// Why an operation fails, as the kernel says it.
pub type Errno = rustix::io::Errno;

/// What an operation comes to.
pub type Outcome<T> = std::result::Result<T, Errno>;

/// The kernel's word for an error of the standard library.
pub(crate) fn errno(error: std::io::Error) -> Errno {
    Errno::from_io_error(&error).unwrap_or(Errno::IO)
}

/// Takes a lock, whatever happened to who held it before.
pub(crate) fn locked<T>(mutex: &std::sync::Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// As [`locked`], beside other readers.
pub(crate) fn reading<T>(lock: &std::sync::RwLock<T>) -> std::sync::RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// As [`locked`], alone.
pub(crate) fn writing<T>(lock: &std::sync::RwLock<T>) -> std::sync::RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(std::sync::PoisonError::into_inner)
}
