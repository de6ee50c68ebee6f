//! Locks among the scripts that run on one node.

use elenchus_control::command::quote;

/// The lock of scripts that undo an injection or start the system.
pub(crate) const LOCKED: &str = "/run/elenchus/undoing";

/// Takes the lock in file descriptor 9, where the node has `flock`. It is not waited for longer than this many seconds: to heal a node twice is better than not to
/// heal it.
pub(crate) const LOCK: &str = "flock -w 5 9 2>/dev/null; ";

/// Returns a command that runs a script with the lock held.
pub(crate) fn with_undo_lock(script: &str) -> String {
    format!("( {LOCK}sh -c {} 9>&- ) 9>{LOCKED}", quote(script))
}

/// Returns a script that puts copies of files in place, which only one at a time may do, however long it takes: the first deletes the copies. A command within
/// the script that starts the system must close file descriptor 8, or the system keeps the lock.
pub(crate) fn with_copy_lock(script: &str) -> String {
    format!("mkdir -p /run/elenchus\n( flock 8 2>/dev/null\n{script}) 8>/run/elenchus/copying\n")
}
