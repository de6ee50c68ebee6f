//! Processes as `/proc` shows them.

use std::collections::HashSet;
use std::fs;

/// A process identified by pid and start time, so that a later process with the same pid is not mistaken for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub(super) struct ProcessId {
    pub(super) pid: u32,
    /// Its start time, in clock ticks since boot.
    pub(super) started: u64,
}

/// The fields used of `/proc/PID/stat`.
struct Stat {
    state: char,
    parent: u32,
    started: u64,
}

impl ProcessId {
    /// The process that has this pid now.
    pub(super) fn of(pid: u32) -> Option<ProcessId> {
        Some(ProcessId { pid, started: stat(pid)?.started })
    }

    /// Whether it is running. A zombie is not.
    pub(super) fn is_alive(self) -> bool {
        stat(self.pid).is_some_and(|stat| stat.started == self.started && !matches!(stat.state, 'Z' | 'X'))
    }

    /// Its children, their children, and so on.
    pub(super) fn descendants(self) -> Vec<ProcessId> {
        let all: Vec<(ProcessId, u32)> = pids()
            .filter_map(|pid| {
                let stat = stat(pid)?;
                Some((ProcessId { pid, started: stat.started }, stat.parent))
            })
            .collect();
        let (mut found, mut known) = (Vec::new(), HashSet::from([self.pid]));
        loop {
            let before = found.len();
            for (process, parent) in &all {
                if known.contains(parent) && known.insert(process.pid) {
                    found.push(*process);
                }
            }
            if found.len() == before {
                return found;
            }
        }
    }

    /// Its pids in the pid namespaces that contain it, from that of this `/proc` inwards.
    pub(super) fn namespace_pids(self) -> Vec<u32> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid)).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("NSpid:")).unwrap_or_default();
        line.split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
    }
}

fn pids() -> impl Iterator<Item = u32> {
    fs::read_dir("/proc").into_iter().flatten().flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

fn stat(pid: u32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the name in brackets, which may contain any character. `state` is field 3, so `starttime`, field 22, has index 19 here.
    let fields: Vec<&str> = text.rsplit_once(") ")?.1.split_whitespace().collect();
    Some(Stat { state: fields.first()?.chars().next()?, parent: fields.get(1)?.parse().ok()?, started: fields.get(19)?.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_is_a_descendant_until_it_ends() {
        let mut child = std::process::Command::new("sleep").arg("30").spawn().unwrap();
        let process = ProcessId::of(child.id()).unwrap();
        assert!(process.is_alive());
        assert_eq!(process.namespace_pids().last(), Some(&child.id()));
        assert!(ProcessId::of(std::process::id()).unwrap().descendants().contains(&process));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!process.is_alive());
    }
}
