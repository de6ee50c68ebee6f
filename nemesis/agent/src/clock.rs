//! Changing the clocks of processes while an injection is active, and restoring them.
//!
//! Each injection has a folder that says which processes have which clock. Clocks are patched and restored only under the lock, and patched
//! only while the folder of the injection exists, so that no clock is patched again after it was restored.
//!
//! ```text
//! /run/elenchus/clocks/lock      held while clocks are patched or restored
//! /run/elenchus/clocks/7/members a script that prints `pid state` of each process of the system
//! /run/elenchus/clocks/7/skew    the clock of these processes under injection 7
//! ```
//!
//! The data written into a process name their owner: this folder and PID namespace. Clocks that another owner changed, for example on a
//! node inside this one, are left alone.
//!
//! A child that a patched process forks has the changed clock from the start. After `exec` the clock is the true one until the keeper finds
//! the process; it looks twenty times a second.

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod payload;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod process;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod processor;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod tracee;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod vdso;

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
#[path = "clock/elsewhere.rs"]
mod process;

mod trial;

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use process::{ClockState, Patcher, now};

pub use trial::{trial, trial_child};

use crate::change::ClockChange;
use crate::processes::{self, Process};
use crate::skew::Skew;
use crate::{Result, failed, state};

/// How often the keeper looks for processes of the system with an unpatched clock.
const POLL: Duration = Duration::from_millis(50);

/// How often the keeper runs the `members` script even if there is no new process.
const REFRESH: Duration = Duration::from_secs(2);

/// How long verification waits for processes that were just started and are not patched yet.
const GRACE: Duration = Duration::from_secs(5);

/// How many times all processes are scanned for new ones.
const PASSES: u32 = 20;

/// How often a clock is read before its time is reported as changed: a reading can coincide with a step.
const READINGS: u32 = 10;

/// The folder of all injections.
#[derive(Clone, Debug)]
pub struct Clocks {
    folder: PathBuf,
}

impl Default for Clocks {
    fn default() -> Clocks {
        Clocks { folder: "/run/elenchus/clocks".into() }
    }
}

impl Clocks {
    /// With its state in another folder.
    pub fn in_folder(folder: impl Into<PathBuf>) -> Clocks {
        Clocks { folder: folder.into() }
    }

    /// Changes the clocks of the processes that `members` prints, and returns their PIDs.
    ///
    /// # Errors
    /// When a process cannot be patched; others may be patched already.
    pub fn begin(&self, id: u32, members: &str, change: ClockChange) -> Result<Vec<i32>> {
        let one = self.folder.join(id.to_string());
        fs::create_dir_all(&one).map_err(failed(one.display()))?;
        let _lock = state::lock(&self.folder)?;
        state::write(&one.join("members"), members)?;
        state::write(&one.join("skew"), &change.skew(now()).line())?;
        self.patch_members(id)
    }

    /// Changes the clocks of processes that were started since, while the injection is active. Returns the PIDs of all patched processes.
    ///
    /// # Errors
    /// As [`Clocks::begin`].
    pub fn apply(&self, id: u32) -> Result<Vec<i32>> {
        let _lock = state::lock(&self.folder)?;
        if self.skew(id)?.is_none() { Ok(Vec::new()) } else { self.patch_members(id) }
    }

    /// Keeps the clocks of all members changed until the injection ends. Patches through another process, `apply`: when a tracer exits, the
    /// kernel releases its tracees.
    ///
    /// # Errors
    /// When the PIDs of the system's processes cannot be read.
    pub fn keep(&self, id: u32, apply: impl Fn() -> Command) -> Result<()> {
        let patcher = Patcher::new()?;
        let (mut members, mut known, mut refreshed) = (Vec::new(), BTreeSet::new(), None::<Instant>);
        while self.skew(id)?.is_some() {
            let there: BTreeSet<Process> = processes::all().into_iter().collect();
            let is_due = refreshed.is_none_or(|refreshed| refreshed.elapsed() > REFRESH);
            if is_due || !there.is_subset(&known) {
                members = self.members(id).unwrap_or_default();
                (known, refreshed) = (there, Some(Instant::now()));
            }
            // A process that has exited, or cannot be inspected, is handled when the members are next refreshed.
            if members.iter().any(|&pid| matches!(patcher.inspect(pid), Ok(Some(ClockState::Unpatched)))) {
                match apply().status() {
                    Ok(status) if status.success() => {}
                    outcome => {
                        eprintln!("not all clocks could be changed: {outcome:?}");
                        std::thread::sleep(Duration::from_secs(1));
                    }
                }
            }
            std::thread::sleep(POLL);
        }
        Ok(())
    }

    /// Fails unless there are members and the clock of each shows the expected time. Waits a while for processes that another fault is
    /// restarting.
    ///
    /// # Errors
    /// The process, its time and the expected time.
    pub fn verify(&self, id: u32) -> Result<()> {
        let began = Instant::now();
        loop {
            // The lock is free meanwhile, so that the keeper can patch new processes.
            let outcome = self.verify_now(id);
            if outcome.is_ok() || began.elapsed() > GRACE || self.skew(id)?.is_none() {
                return outcome;
            }
            std::thread::sleep(POLL);
        }
    }

    fn verify_now(&self, id: u32) -> Result<()> {
        let _lock = state::lock(&self.folder)?;
        let (patcher, skew) = (Patcher::new()?, self.skew(id)?.ok_or_else(|| format!("injection {id} changes no clocks"))?);
        let members = self.members(id)?;
        if members.is_empty() {
            return Err("no process of the system is running, so no clock is changed".into());
        }
        members.into_iter().try_for_each(|pid| verify_one(&patcher, pid, &skew))
    }

    /// Ends an injection: restores every clock that no other injection changes.
    ///
    /// # Errors
    /// The processes whose clocks could not be restored; all others were.
    pub fn end(&self, id: u32) -> Result<()> {
        let _lock = state::lock(&self.folder)?;
        state::remove(&self.folder.join(id.to_string()))?;
        self.restore_inactive()
    }

    /// Ends all injections.
    ///
    /// # Errors
    /// As [`Clocks::end`].
    pub fn end_all(&self) -> Result<()> {
        let _lock = state::lock(&self.folder)?;
        for id in self.ids() {
            state::remove(&self.folder.join(id.to_string()))?;
        }
        self.restore_inactive()
    }

    /// Fails unless the injection has ended and only clocks that other injections change are changed.
    ///
    /// # Errors
    /// The PIDs of processes with a changed clock.
    pub fn verify_ended(&self, id: u32) -> Result<()> {
        let _lock = state::lock(&self.folder)?;
        if self.skew(id)?.is_some() {
            return Err(format!("injection {id} is still active"));
        }
        match self.inactive()?.as_slice() {
            [] => Ok(()),
            pids => Err(format!("the clocks of these processes are still changed: {pids:?}")),
        }
    }

    /// The PID of every process with a changed clock, and its current offset in nanoseconds.
    ///
    /// # Errors
    /// When the vDSO of this kernel is not supported.
    pub fn readings(&self) -> Result<Vec<(i32, i64)>> {
        let patcher = Patcher::new()?;
        let reading = |process: Process| match patcher.inspect(process.pid) {
            Ok(Some(ClockState::Patched { skew, owner, .. })) if owner == self.owner() => {
                let real = now();
                Some((process.pid, skew.shown(real).wrapping_sub(real)))
            }
            _ => None,
        };
        Ok(processes::all().into_iter().filter_map(reading).collect())
    }

    fn patch_members(&self, id: u32) -> Result<Vec<i32>> {
        let (patcher, skew) = (Patcher::new()?, self.skew(id)?.ok_or("the injection has no skew")?);
        let mut patched = Vec::new();
        // A child forked from a process that is not patched yet has an unpatched clock too: repeat until there are no new processes.
        for _ in 0..PASSES {
            let new: Vec<i32> = self.members(id)?.into_iter().filter(|pid| !patched.contains(pid)).collect();
            if new.is_empty() {
                return Ok(patched);
            }
            for pid in new {
                // A process that has exited is not looked for again.
                patcher.patch(pid, &skew, self.owner())?;
                patched.push(pid);
            }
        }
        Ok(patched)
    }

    /// Restores every clock that no active injection changes. Repeats, because a process that is not restored yet can fork.
    fn restore_inactive(&self) -> Result<()> {
        let patcher = Patcher::new()?;
        for _ in 0..PASSES {
            let changed = self.inactive()?;
            let failures: Vec<String> = changed.iter().filter_map(|&pid| patcher.restore(pid).err()).collect();
            match (changed.len(), failures.len()) {
                (0, _) => return Ok(()),
                (changed, failed) if changed == failed => return Err(failures.join("; ")),
                _ => {}
            }
        }
        Err(format!("some clocks are still changed after {PASSES} attempts"))
    }

    /// The processes with a changed clock that no active injection accounts for.
    fn inactive(&self) -> Result<Vec<i32>> {
        let patcher = Patcher::new()?;
        let active: Vec<Skew> = self.ids().into_iter().filter_map(|id| self.skew(id).ok().flatten()).collect();
        let is_inactive = |process: &Process| match patcher.inspect(process.pid) {
            Ok(Some(ClockState::Patched { skew, owner, .. })) => owner == self.owner() && !active.contains(&skew),
            _ => false,
        };
        Ok(processes::all().into_iter().filter(is_inactive).map(|process| process.pid).collect())
    }

    /// A number that identifies this folder in this PID namespace.
    fn owner(&self) -> u64 {
        use std::os::unix::{ffi::OsStrExt, fs::MetadataExt};
        let namespace = fs::metadata("/proc/self/ns/pid").map_or(0, |namespace| namespace.ino());
        // FNV-1a.
        let bytes = self.folder.as_os_str().as_bytes().iter().copied().chain(namespace.to_le_bytes());
        bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
    }

    fn ids(&self) -> Vec<u32> {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
    }

    fn skew(&self, id: u32) -> Result<Option<Skew>> {
        let path = self.folder.join(id.to_string()).join("skew");
        let line = state::read(&path)?;
        line.map(|line| Skew::of_line(&line).ok_or_else(|| format!("{} does not contain a skew", path.display()))).transpose()
    }

    fn members(&self, id: u32) -> Result<Vec<i32>> {
        let script = self.folder.join(id.to_string()).join("members");
        let output = Command::new("sh").arg(&script).output().map_err(failed("listing the system's processes"))?;
        if !output.status.success() {
            return Err(format!("listing the system's processes: {}", String::from_utf8_lossy(&output.stderr).trim()));
        }
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        Ok(printed.lines().filter_map(|line| line.split_whitespace().next()?.parse().ok()).collect())
    }
}

fn verify_one(patcher: &Patcher, pid: i32, skew: &Skew) -> Result<()> {
    let mut shown = String::new();
    for _ in 0..READINGS {
        match patcher.inspect(pid)? {
            // It has exited; its successor is patched when it appears.
            None => return Ok(()),
            Some(ClockState::Patched { skew: is, is_complete: true, .. }) if is == *skew => {}
            Some(other) => return Err(format!("the clock of process {pid} is not changed as expected: {other:?}")),
        }
        match patcher.read_time(pid)? {
            Some((time, from, to)) if skew.may_show(time, from, to) => return Ok(()),
            Some((time, from, _)) => shown = format!("process {pid} shows {time} ns since 1970, expected {}", skew.shown(from)),
            None => {}
        }
    }
    Err(shown)
}
