//! The processes of the node, from `/proc`.

use std::fs;
use std::path::Path;

use crate::{Result, failed};

/// A process, distinguished from a later one with the same PID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Process {
    /// Its PID.
    pub pid: i32,
    /// When it was started, in clock ticks since boot.
    pub start_time: u64,
}

impl Process {
    /// The process with this PID, unless there is none or it has exited.
    pub fn of(pid: i32) -> Option<Process> {
        let (state, start_time) = stat(Path::new(&format!("/proc/{pid}/stat")))?;
        (!has_exited(state)).then_some(Process { pid, start_time })
    }

    /// Whether it is still running.
    pub fn is_alive(&self) -> bool {
        Process::of(self.pid) == Some(*self)
    }
}

/// All processes of the node except this one.
pub fn all() -> Vec<Process> {
    let own = std::process::id();
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.filter(|&pid| u32::try_from(pid) != Ok(own)).filter_map(Process::of).collect()
}

/// Whether this process has an effective capability, by its number.
pub(crate) fn has_capability(number: u32) -> Result<bool> {
    let status = fs::read_to_string("/proc/self/status").map_err(failed("the capabilities of this process"))?;
    let mask = status.lines().find_map(|line| u64::from_str_radix(line.strip_prefix("CapEff:")?.trim(), 16).ok()).unwrap_or(0);
    Ok(mask >> number & 1 == 1)
}

/// The threads of a process that have not exited.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
pub(crate) fn threads(pid: i32) -> Vec<i32> {
    let folder = format!("/proc/{pid}/task");
    let entries = fs::read_dir(&folder).into_iter().flatten().flatten();
    let threads = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    threads
        .filter(|thread: &i32| stat(Path::new(&format!("{folder}/{thread}/stat"))).is_some_and(|(state, _)| !has_exited(state)))
        .collect()
}

/// Zombie or dead.
fn has_exited(state: char) -> bool {
    matches!(state, 'Z' | 'X' | 'x')
}

/// State and start time. The command name may contain spaces and parentheses, so fields are counted from the last parenthesis.
fn stat(path: &Path) -> Option<(char, u64)> {
    let line = fs::read(path).ok()?;
    let line = String::from_utf8_lossy(&line);
    let mut fields = line.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?.chars().next()?;
    Some((state, fields.nth(18)?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_identified_until_it_exits() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let process = Process::of(child.id() as i32).unwrap();
        assert!(all().contains(&process) && process.is_alive());
        assert_eq!(threads(process.pid), [process.pid]);
        assert!(!Process { start_time: process.start_time + 1, ..process }.is_alive());
        child.kill().unwrap();
        while process.is_alive() {
            std::thread::yield_now();
        }
        assert!(threads(process.pid).is_empty(), "a zombie has exited");
        child.wait().unwrap();
    }
}
