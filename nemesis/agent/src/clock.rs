//! Giving processes a wrong clock, as long as an injection lasts, and taking it away.
//!
//! Whose clocks are wrong, and how, is in a folder for each injection. A clock is struck or healed only by who holds the lock, and struck only as long as the
//! folder is there: so nobody strikes what another has just healed.
//!
//! ```text
//! /run/elenchus/clocks/lock      held by who strikes or heals
//! /run/elenchus/clocks/7/members a script that prints `pid state` of each process of the system
//! /run/elenchus/clocks/7/skew    how injection 7 has their clocks wrong
//! ```
//!
//! What is written into a process says whose deed it is: this folder's, in this node's own space of process numbers. Clocks that somebody else has set wrong, as on
//! a node inside this one, are left alone.
//!
//! A program that a struck process starts by `fork` has the same clock from the beginning, one that it becomes by `exec` a right one until the keeper looks:
//! twenty times in a second.

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

use process::{Clock, Ground, now};

pub use trial::{sit, trial};

use crate::change::Change;
use crate::processes::{self, Process};
use crate::skew::Skew;
use crate::{Result, failed, kept};

/// How often the keeper looks whether a process of the system has a right clock.
const LOOK: Duration = Duration::from_millis(50);

/// How often the keeper asks who the system's processes are, even if none is new.
const ASK: Duration = Duration::from_secs(2);

/// How long a process may be without the wrong clock when it is looked for: it may just have come.
const COMING: Duration = Duration::from_secs(5);

/// How often processes are looked through for one that was made meanwhile.
const PASSES: u32 = 20;

/// How often a clock is asked before what it shows is said to be wrong: it may be asked just when it steps.
const QUESTIONS: u32 = 10;

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
    /// Those that are kept in another folder.
    pub fn in_folder(folder: impl Into<PathBuf>) -> Clocks {
        Clocks { folder: folder.into() }
    }

    /// Sets the clocks of the processes that `members` prints wrong from now on, and returns whose.
    ///
    /// # Errors
    /// When one of them cannot be struck; others may have been.
    pub fn begin(&self, id: u32, members: &str, change: Change) -> Result<Vec<i32>> {
        let one = self.folder.join(id.to_string());
        fs::create_dir_all(&one).map_err(failed(one.display()))?;
        let _lock = kept::lock(&self.folder)?;
        kept::write(&one.join("members"), members)?;
        kept::write(&one.join("skew"), &change.skew(now()).line())?;
        self.strike_members(id)
    }

    /// Sets the clocks of those wrong who have come since, as long as the injection lasts, and returns whose clocks are.
    ///
    /// # Errors
    /// As [`Clocks::begin`].
    pub fn strike(&self, id: u32) -> Result<Vec<i32>> {
        let _lock = kept::lock(&self.folder)?;
        if self.skew(id)?.is_none() { Ok(Vec::new()) } else { self.strike_members(id) }
    }

    /// Keeps the clocks of all members wrong until the injection ends. Strikes by another process, `strike`, as who has not let go of a process lets go of it
    /// when it ends.
    ///
    /// # Errors
    /// When the node does not tell who its processes are.
    pub fn keep(&self, id: u32, strike: impl Fn() -> Command) -> Result<()> {
        let ground = Ground::new()?;
        let (mut members, mut known, mut asked) = (Vec::new(), BTreeSet::new(), None::<Instant>);
        while self.skew(id)?.is_some() {
            let there: BTreeSet<Process> = processes::all().into_iter().collect();
            let is_due = asked.is_none_or(|asked| asked.elapsed() > ASK);
            if is_due || !there.is_subset(&known) {
                members = self.members(id).unwrap_or_default();
                (known, asked) = (there, Some(Instant::now()));
            }
            // Who has ended, or cannot be looked at, is for the next list of members to tell.
            if members.iter().any(|&pid| matches!(ground.look(pid), Ok(Some(Clock::Whole)))) {
                match strike().status() {
                    Ok(status) if status.success() => {}
                    outcome => {
                        eprintln!("not all clocks could be set wrong: {outcome:?}");
                        std::thread::sleep(Duration::from_secs(1));
                    }
                }
            }
            std::thread::sleep(LOOK);
        }
        Ok(())
    }

    /// Fails unless there are members and each of them, asked, shows what it is to show. Waits a while for those that another fault is just starting again.
    ///
    /// # Errors
    /// Who does not, and what it shows.
    pub fn verify(&self, id: u32) -> Result<()> {
        let began = Instant::now();
        loop {
            // Between two looks the keeper has its turn.
            let outcome = self.verify_now(id);
            if outcome.is_ok() || began.elapsed() > COMING || self.skew(id)?.is_none() {
                return outcome;
            }
            std::thread::sleep(LOOK);
        }
    }

    fn verify_now(&self, id: u32) -> Result<()> {
        let _lock = kept::lock(&self.folder)?;
        let (ground, skew) = (Ground::new()?, self.skew(id)?.ok_or_else(|| format!("no clocks are wrong by injection {id}"))?);
        let members = self.members(id)?;
        if members.is_empty() {
            return Err("the system does not run, so that no clock of it is wrong".into());
        }
        members.into_iter().try_for_each(|pid| verify_one(&ground, pid, &skew))
    }

    /// Ends an injection: everybody's clock is right, but for those that another injection has wrong.
    ///
    /// # Errors
    /// Whose clock could not be put right, after all others were.
    pub fn end(&self, id: u32) -> Result<()> {
        let _lock = kept::lock(&self.folder)?;
        kept::remove(&self.folder.join(id.to_string()))?;
        self.heal()
    }

    /// Ends all injections.
    ///
    /// # Errors
    /// As [`Clocks::end`].
    pub fn end_all(&self) -> Result<()> {
        let _lock = kept::lock(&self.folder)?;
        for id in self.ids() {
            kept::remove(&self.folder.join(id.to_string()))?;
        }
        self.heal()
    }

    /// Fails unless an injection has ended and no process has a wrong clock, but those that another injection has.
    ///
    /// # Errors
    /// Who has one.
    pub fn verify_ended(&self, id: u32) -> Result<()> {
        let _lock = kept::lock(&self.folder)?;
        if self.skew(id)?.is_some() {
            return Err(format!("injection {id} still has clocks wrong"));
        }
        match self.stray()?.as_slice() {
            [] => Ok(()),
            pids => Err(format!("the clocks of these processes are wrong: {pids:?}")),
        }
    }

    /// Every process whose clock is wrong, and how many nanoseconds ahead it is now.
    ///
    /// # Errors
    /// When this kernel cannot be understood.
    pub fn readings(&self) -> Result<Vec<(i32, i64)>> {
        let ground = Ground::new()?;
        let reading = |process: Process| match ground.look(process.pid) {
            Ok(Some(Clock::Wrong { skew, owner, .. })) if owner == self.owner() => {
                let real = now();
                Some((process.pid, skew.shown(real).wrapping_sub(real)))
            }
            _ => None,
        };
        Ok(processes::all().into_iter().filter_map(reading).collect())
    }

    fn strike_members(&self, id: u32) -> Result<Vec<i32>> {
        let (ground, skew) = (Ground::new()?, self.skew(id)?.ok_or("the injection has no skew")?);
        let mut struck = Vec::new();
        // Who is made by one that is not struck yet is not struck either: until nobody is new.
        for _ in 0..PASSES {
            let new: Vec<i32> = self.members(id)?.into_iter().filter(|pid| !struck.contains(pid)).collect();
            if new.is_empty() {
                return Ok(struck);
            }
            for pid in new {
                // One that has ended is not looked for again.
                ground.strike(pid, &skew, self.owner())?;
                struck.push(pid);
            }
        }
        Ok(struck)
    }

    /// Puts right whose clock no injection has wrong any more. Who is made by one that is not healed yet is not healed either: until nobody is left.
    fn heal(&self) -> Result<()> {
        let ground = Ground::new()?;
        for _ in 0..PASSES {
            let wrong = self.stray()?;
            let failures: Vec<String> = wrong.iter().filter_map(|&pid| ground.heal(pid).err()).collect();
            match (wrong.len(), failures.len()) {
                (0, _) => return Ok(()),
                (wrong, failed) if wrong == failed => return Err(failures.join("; ")),
                _ => {}
            }
        }
        Err(format!("clocks are still wrong after {PASSES} times"))
    }

    /// The processes whose clock is wrong, but not by an injection that lasts.
    fn stray(&self) -> Result<Vec<i32>> {
        let ground = Ground::new()?;
        let lasting: Vec<Skew> = self.ids().into_iter().filter_map(|id| self.skew(id).ok().flatten()).collect();
        let is_stray = |process: &Process| match ground.look(process.pid) {
            Ok(Some(Clock::Wrong { skew, owner, .. })) => owner == self.owner() && !lasting.contains(&skew),
            _ => false,
        };
        Ok(processes::all().into_iter().filter(is_stray).map(|process| process.pid).collect())
    }

    /// A number for these clocks: the same for every process that has to do with them, and hardly for anybody else.
    fn owner(&self) -> u64 {
        use std::os::unix::{ffi::OsStrExt, fs::MetadataExt};
        let space = fs::metadata("/proc/self/ns/pid").map_or(0, |space| space.ino());
        // FNV-1a.
        let bytes = self.folder.as_os_str().as_bytes().iter().copied().chain(space.to_le_bytes());
        bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
    }

    fn ids(&self) -> Vec<u32> {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
    }

    fn skew(&self, id: u32) -> Result<Option<Skew>> {
        let path = self.folder.join(id.to_string()).join("skew");
        let line = kept::read(&path)?;
        line.map(|line| Skew::of_line(&line).ok_or_else(|| format!("{} holds no skew", path.display()))).transpose()
    }

    fn members(&self, id: u32) -> Result<Vec<i32>> {
        let script = self.folder.join(id.to_string()).join("members");
        let output = Command::new("sh").arg(&script).output().map_err(failed("asking for the system's processes"))?;
        if !output.status.success() {
            return Err(format!("asking for the system's processes: {}", String::from_utf8_lossy(&output.stderr).trim()));
        }
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        Ok(printed.lines().filter_map(|line| line.split_whitespace().next()?.parse().ok()).collect())
    }
}

fn verify_one(ground: &Ground, pid: i32, skew: &Skew) -> Result<()> {
    let mut shown = String::new();
    for _ in 0..QUESTIONS {
        match ground.look(pid)? {
            // It has ended, and another will be struck when it comes.
            None => return Ok(()),
            Some(Clock::Wrong { skew: is, is_complete: true, .. }) if is == *skew => {}
            Some(other) => return Err(format!("the clock of process {pid} is not as wrong as it should be: {other:?}")),
        }
        match ground.ask(pid)? {
            Some((said, from, to)) if skew.may_show(said, from, to) => return Ok(()),
            Some((said, from, _)) => shown = format!("process {pid} shows {said} ns since 1970, not {}", skew.shown(from)),
            None => {}
        }
    }
    Err(shown)
}
