//! Mounting over a directory, unmounting, and the processes in between.
//!
//! One process serves the file system; another supervises it, and unmounts when it was killed. The state of a mount:
//!
//! ```text
//! /run/elenchus/disks/%var%lib%x/directory  the path of the directory
//! /run/elenchus/disks/%var%lib%x/socket     the control socket of the serving process
//! /run/elenchus/disks/%var%lib%x/made       exists if the directory was created for the mount
//! /run/elenchus/disks/%var%lib%x/through    exists if the mount is in write-through mode
//! /run/elenchus/disks/%var%lib%x/log        the standard error of both processes
//! ```

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use fuser::{Config, MountOption, Session, SessionACL};
use rustix::mount::UnmountFlags;
use rustix::process::{Resource, Rlimit};

use super::Volume;
use super::control;
use super::fuse::{Disk, FuseDisk};
use super::journal::HIDDEN_DIRECTORY;
use super::writes::Writes;
use crate::{Result, failed, state};

/// The source of the mount in the kernel's mount table.
pub const SOURCE: &str = "elenchus-disk";

const STATE_FOLDER: &str = "/run/elenchus/disks";

/// The longest path that can be mounted over: it is part of the path of a socket, whose length is limited.
const LONGEST_PATH: usize = 80;

/// How many operations can be in progress, or delayed, at the same time.
const THREADS: usize = 24;

/// How many files can be open.
const MAX_FILES: u64 = 1 << 20;

/// The interval and the number of checks whether the mount is complete.
const POLL: Duration = Duration::from_millis(10);
const MAX_POLLS: u32 = 1000;

/// A directory that is, or can be, mounted over.
#[derive(Clone, Debug)]
pub struct Mount {
    directory: PathBuf,
    folder: PathBuf,
}

impl Mount {
    /// The mount over an absolute path.
    ///
    /// # Errors
    /// When the path is not absolute, too long, or must not be mounted over.
    pub fn of(directory: &str) -> Result<Mount> {
        let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "/._-@+=:,~".contains(letter);
        let below = directory.strip_prefix('/').unwrap_or_default();
        let is_path = below.split('/').all(|part| !["", ".", ".."].contains(&part));
        if !is_path || !directory.chars().all(is_plain) {
            return Err(format!("`{directory}` is not an absolute path; `.`, `..`, blanks and special characters are not allowed"));
        }
        if let Some(ours) = [STATE_FOLDER, "/var/lib/elenchus"].into_iter().find(|ours| Path::new(ours).starts_with(directory)) {
            return Err(format!("`{directory}` contains {ours}, which the agent needs; name a directory that only the system uses"));
        }
        if directory.len() > LONGEST_PATH {
            return Err(format!("`{directory}` is longer than {LONGEST_PATH} characters, the limit for the path of its socket"));
        }
        Ok(Mount { directory: directory.into(), folder: Path::new(STATE_FOLDER).join(directory.replace('/', "%")) })
    }

    fn socket(&self) -> PathBuf {
        self.folder.join("socket")
    }

    fn made(&self) -> PathBuf {
        self.folder.join("made")
    }

    fn through(&self) -> PathBuf {
        self.folder.join("through")
    }

    /// Mounts through the process that `keep` starts, which keeps running. Creates a missing directory. Mounts again over an existing mount
    /// only to change from write-back to write-through; no process may use the directory then.
    ///
    /// # Errors
    /// Why it cannot be mounted.
    pub fn mount(&self, writes: Writes, keep: Command) -> Result<()> {
        let _lock = state::lock(Path::new(STATE_FOLDER))?;
        if self.is_mounted()? {
            if self.order(&["rules"]).is_ok() && (writes == Writes::Back || self.through().exists()) {
                return Ok(());
            }
            self.release()?;
        }
        if let Some(below) = mounts()?.into_iter().find(|mount| mount.point.starts_with(&self.directory) && mount.point != self.directory) {
            return Err(format!(
                "{} is another file system below {}; name a directory in that file system",
                below.point.display(),
                self.directory.display()
            ));
        }
        state::remove(&self.folder)?;
        fs::create_dir_all(&self.folder).map_err(failed(self.folder.display()))?;
        state::write(&self.folder.join("directory"), &self.directory.to_string_lossy())?;
        if !self.directory.is_dir() {
            fs::create_dir_all(&self.directory).map_err(failed(self.directory.display()))?;
            state::write(&self.made(), "")?;
        }
        if writes == Writes::Through {
            state::write(&self.through(), "")?;
        }
        let log = self.folder.join("log");
        let file = File::create(&log).map_err(failed(log.display()))?;
        let mut keep = keep;
        let started = keep.stdin(Stdio::null()).stdout(Stdio::null()).stderr(file).spawn();
        let mut keeper = started.map_err(failed("starting the process that serves the file system"))?;
        for _ in 0..MAX_POLLS {
            if control::send(&self.socket(), &["rules"])?.is_some() {
                return Ok(());
            }
            if keeper.try_wait().map_err(failed("the process that serves the file system"))?.is_some() {
                break;
            }
            std::thread::sleep(POLL);
        }
        let said = fs::read_to_string(&log).unwrap_or_default();
        self.release()?;
        Err(format!("{} cannot be mounted over: {}", self.directory.display(), said.trim()))
    }

    /// Runs the serving process, and unmounts when it has ended without doing so.
    ///
    /// # Errors
    /// When the process cannot be started or fails, or the mount cannot be removed.
    pub fn keep(&self, mut carry: Command) -> Result<()> {
        // It must outlive the session in which it was started.
        let _ = rustix::process::setsid();
        let ended = carry.status().map_err(failed("starting the process that serves the file system"))?;
        if self.is_dead() {
            self.detach()?;
            self.delete_hidden()?;
        }
        if ended.success() { Ok(()) } else { Err(format!("the process that served the file system ended: {ended}")) }
    }

    /// Serves the file system until it is unmounted and no file of it is open; then the process exits.
    ///
    /// # Errors
    /// When it cannot be mounted.
    pub fn carry(&self, writes: Writes) -> Result<()> {
        // Each inode that the kernel knows, or that could be restored, is held open. Only a privileged process may raise the hard limit.
        let limit = rustix::process::getrlimit(Resource::Nofile);
        let raised = Rlimit { current: Some(MAX_FILES), maximum: Some(MAX_FILES) };
        if rustix::process::setrlimit(Resource::Nofile, raised).is_err() {
            let _ = rustix::process::setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
        }
        let volume = Volume::new(&self.directory).map_err(failed(self.directory.display()))?;
        let disk = Arc::new(Disk::new(volume, writes).map_err(failed(self.directory.display()))?);
        let mut config = Config::default();
        config.mount_options =
            vec![MountOption::FSName(SOURCE.into()), MountOption::DefaultPermissions, MountOption::Suid, MountOption::Dev];
        config.acl = SessionACL::All;
        config.n_threads = Some(THREADS);
        config.clone_fd = true;
        let session = Session::new(FuseDisk(disk.clone()), &self.directory, &config).map_err(failed("mounting"))?;
        let (listener, kernel) = (UnixListener::bind(self.socket()).map_err(failed("the control socket"))?, session.notifier());
        std::thread::spawn(move || control::listen(&listener, &disk, &kernel));
        session.run().map_err(failed("serving"))
    }

    /// Sends a command to the serving process.
    ///
    /// # Errors
    /// When no process serves the directory, or the command fails.
    pub fn order(&self, words: &[&str]) -> Result<String> {
        match control::send(&self.socket(), words)? {
            Some(said) => Ok(said),
            None => Err(format!("no process serves the file system at {}", self.directory.display())),
        }
    }

    /// Fails unless it is mounted and served.
    ///
    /// # Errors
    /// When it is not.
    pub fn verify(&self) -> Result<()> {
        self.order(&["rules"]).map(drop)
    }

    /// Fails if it is mounted.
    ///
    /// # Errors
    /// When it is.
    pub fn verify_gone(&self) -> Result<()> {
        if self.is_mounted()? { Err(format!("{} is still mounted over", self.directory.display())) } else { Ok(()) }
    }

    /// Fails unless rules with this id are active, or are not, as expected. Without a mount none is.
    ///
    /// # Errors
    /// When it is the other way round.
    pub fn verify_rule(&self, id: &str, expected: bool) -> Result<()> {
        let rules = control::send(&self.socket(), &["rules"])?.unwrap_or_default();
        match (rules.lines().any(|line| line.split(' ').next() == Some(id)), expected) {
            (true, true) | (false, false) => Ok(()),
            (false, true) => Err(format!("rule {id} is not active at {}", self.directory.display())),
            (true, false) => Err(format!("rule {id} is still active at {}", self.directory.display())),
        }
    }

    /// Removes the rules with this id, or all with `all`, if the directory is served.
    ///
    /// # Errors
    /// When they cannot be removed.
    pub fn calm(&self, id: &str) -> Result<()> {
        control::send(&self.socket(), &["unrule", id]).map(drop)
    }

    /// Unmounts lazily. Programs keep their open files, and what they write still reaches the directory below.
    ///
    /// # Errors
    /// When it is still mounted.
    pub fn unmount(&self) -> Result<()> {
        let _lock = state::lock(Path::new(STATE_FOLDER))?;
        self.release()
    }

    fn release(&self) -> Result<()> {
        // A process that does not answer has no undo records that could still be applied.
        let _ = control::send(&self.socket(), &["end"]);
        self.detach()?;
        self.delete_hidden()?;
        let was_made = self.made().exists();
        state::remove(&self.folder)?;
        if was_made {
            // A directory that is not empty is left.
            let _ = fs::remove_dir(&self.directory);
        }
        Ok(())
    }

    fn detach(&self) -> Result<()> {
        while self.is_mounted()? {
            rustix::mount::unmount(&self.directory, UnmountFlags::DETACH | UnmountFlags::NOFOLLOW).map_err(failed("unmounting"))?;
        }
        Ok(())
    }

    /// Deletes removed files that a killed process would have restored on a power failure.
    fn delete_hidden(&self) -> Result<()> {
        state::remove(&self.directory.join(HIDDEN_DIRECTORY))
    }

    /// Whether a file system of the agent is mounted there, served or not.
    ///
    /// # Errors
    /// When the mount table cannot be read.
    pub fn is_mounted(&self) -> Result<bool> {
        Ok(mounts()?.iter().any(|mount| mount.is_ours && mount.point == self.directory))
    }

    /// Whether the process that served the mount is dead.
    fn is_dead(&self) -> bool {
        fs::metadata(&self.directory).is_err_and(|error| error.raw_os_error() == Some(libc::ENOTCONN))
    }
}

/// Checks that everything works on this node: mounts over a temporary directory and fails its power.
///
/// # Errors
/// The reason why it does not work.
pub fn trial(mount: impl FnOnce(&str) -> Result<()>) -> Result<()> {
    let directory = format!("/run/elenchus/disk-trial-{}", std::process::id());
    let tried = Mount::of(&directory)?;
    let outcome = mount(&directory).and_then(|()| {
        let path = Path::new(&directory).join("file");
        let written = File::create(&path).and_then(|mut file| {
            file.write_all(b"synced")?;
            file.sync_all()?;
            file.write_all(b" and not")
        });
        written.map_err(failed(path.display()))?;
        tried.order(&["fail", "0"])?;
        let left = fs::read(&path).map_err(failed(path.display()))?;
        fs::remove_file(&path).map_err(failed(path.display()))?;
        if left == b"synced" { Ok(()) } else { Err("unsynced writes were not lost".into()) }
    });
    tried.unmount().and(outcome)
}

/// Every directory that is mounted over or has stored state.
///
/// # Errors
/// When the mount table cannot be read.
pub fn all() -> Result<Vec<Mount>> {
    let mut directories: Vec<String> =
        mounts()?.into_iter().filter(|mount| mount.is_ours).map(|mount| mount.point.to_string_lossy().into_owned()).collect();
    match fs::read_dir(STATE_FOLDER) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(format!("{STATE_FOLDER}: {error}")),
        entries => directories
            .extend(entries.into_iter().flatten().flatten().filter_map(|entry| fs::read_to_string(entry.path().join("directory")).ok())),
    }
    directories.sort();
    directories.dedup();
    directories.iter().map(|directory| Mount::of(directory)).collect()
}

/// An entry of the mount table.
struct Listed {
    point: PathBuf,
    is_ours: bool,
}

fn mounts() -> Result<Vec<Listed>> {
    let list = fs::read_to_string("/proc/self/mountinfo").map_err(failed("the mount table"))?;
    // 36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue
    let listed = list.lines().filter_map(|line| {
        let (left, right) = line.split_once(" - ")?;
        Some(Listed { point: left.split(' ').nth(4)?.into(), is_ours: right.split(' ').nth(1) == Some(SOURCE) })
    });
    Ok(listed.collect())
}
