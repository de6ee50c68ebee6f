//! From the host into the namespaces of a process.

use std::fs::{self, File};
use std::io;

use nix::sched::{CloneFlags, setns};

/// The kinds, in the order in which they are joined: the one of users first, as it gives the right to join the others, and that of mounts last, as the paths of the others are
/// the host's.
const KINDS: [(&str, CloneFlags); 7] = [
    ("user", CloneFlags::CLONE_NEWUSER),
    ("cgroup", CloneFlags::CLONE_NEWCGROUP),
    ("net", CloneFlags::CLONE_NEWNET),
    ("uts", CloneFlags::CLONE_NEWUTS),
    ("ipc", CloneFlags::CLONE_NEWIPC),
    ("pid", CloneFlags::CLONE_NEWPID),
    ("mnt", CloneFlags::CLONE_NEWNS),
];

/// Joins all namespaces of a process that are not this one's already. This process must have no other thread; of processes, only its children are in the namespace
/// joined.
pub(super) fn join(pid: u32) -> io::Result<()> {
    let mut doors = Vec::new();
    for (kind, flag) in KINDS {
        let (there, here) = (format!("/proc/{pid}/ns/{kind}"), format!("/proc/self/ns/{kind}"));
        if fs::read_link(&there)? != fs::read_link(&here)? {
            doors.push((kind, flag, File::open(&there)?));
        }
    }
    for (kind, flag, door) in &doors {
        setns(door, *flag).map_err(|error| io::Error::other(format!("its {kind} namespace cannot be joined: {error}")))?;
    }
    Ok(())
}
