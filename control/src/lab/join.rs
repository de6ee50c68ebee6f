//! Joining the namespaces of a process from the host.

use std::fs::{self, File};
use std::io;

use nix::sched::{CloneFlags, setns};

/// The kinds of namespaces in the order of joining: user first, because it gives the right to join the others; mount last, because the paths of the others are
/// paths of the host.
const KINDS: [(&str, CloneFlags); 7] = [
    ("user", CloneFlags::CLONE_NEWUSER),
    ("cgroup", CloneFlags::CLONE_NEWCGROUP),
    ("net", CloneFlags::CLONE_NEWNET),
    ("uts", CloneFlags::CLONE_NEWUTS),
    ("ipc", CloneFlags::CLONE_NEWIPC),
    ("pid", CloneFlags::CLONE_NEWPID),
    ("mnt", CloneFlags::CLONE_NEWNS),
];

/// Joins all namespaces of a process in which this process is not already. This process must have one thread only. The pid namespace applies to its children,
/// not to itself.
pub(super) fn join(pid: u32) -> io::Result<()> {
    let mut namespaces = Vec::new();
    for (kind, flag) in KINDS {
        let (there, here) = (format!("/proc/{pid}/ns/{kind}"), format!("/proc/self/ns/{kind}"));
        if fs::read_link(&there)? != fs::read_link(&here)? {
            namespaces.push((kind, flag, File::open(&there)?));
        }
    }
    for (kind, flag, namespace) in &namespaces {
        setns(namespace, *flag).map_err(|error| io::Error::other(format!("cannot join its {kind} namespace: {error}")))?;
    }
    Ok(())
}
