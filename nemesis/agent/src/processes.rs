//! Who runs on the node, as `/proc` tells.

use std::fs;
use std::path::Path;

use crate::{Result, failed};

/// A process that cannot be mistaken for a later one of the same number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Process {
    /// Its number.
    pub pid: i32,
    /// When it was started, in clock ticks since the node was.
    pub born: u64,
}

impl Process {
    /// The process of this number, if there is one that has not ended.
    pub fn of(pid: i32) -> Option<Process> {
        let (state, born) = stat(Path::new(&format!("/proc/{pid}/stat")))?;
        (!is_over(state)).then_some(Process { pid, born })
    }

    /// Whether it has not ended.
    pub fn is_alive(&self) -> bool {
        Process::of(self.pid) == Some(*self)
    }
}

/// All processes of the node but this one.
pub fn all() -> Vec<Process> {
    let own = std::process::id();
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.filter(|&pid| u32::try_from(pid) != Ok(own)).filter_map(Process::of).collect()
}

/// Whether this process has the capability of this number in force.
pub(crate) fn has_capability(number: u32) -> Result<bool> {
    let status = fs::read_to_string("/proc/self/status").map_err(failed("own capabilities"))?;
    let mask = status.lines().find_map(|line| u64::from_str_radix(line.strip_prefix("CapEff:")?.trim(), 16).ok()).unwrap_or(0);
    Ok(mask >> number & 1 == 1)
}

/// The threads of a process that have not ended. Only who writes into processes asks.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
pub(crate) fn threads(pid: i32) -> Vec<i32> {
    let folder = format!("/proc/{pid}/task");
    let entries = fs::read_dir(&folder).into_iter().flatten().flatten();
    let threads = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    threads.filter(|thread: &i32| stat(Path::new(&format!("{folder}/{thread}/stat"))).is_some_and(|(state, _)| !is_over(state))).collect()
}

/// A zombie, or one that is about to vanish.
fn is_over(state: char) -> bool {
    matches!(state, 'Z' | 'X' | 'x')
}

/// State and time of birth. The command's name may hold spaces and brackets, so fields are counted from the last bracket.
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
    fn a_process_is_itself_until_it_ends() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let process = Process::of(child.id() as i32).unwrap();
        assert!(all().contains(&process) && process.is_alive());
        assert_eq!(threads(process.pid), [process.pid]);
        assert!(!Process { born: process.born + 1, ..process }.is_alive());
        child.kill().unwrap();
        while process.is_alive() {
            std::thread::yield_now();
        }
        assert!(threads(process.pid).is_empty(), "a zombie is over");
        child.wait().unwrap();
    }
}
