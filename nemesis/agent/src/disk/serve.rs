//! Mounting over a directory, unmounting, and the processes between.
//!
//! One process carries the file system; another waits for it to end, and takes away what would be left of the mount if it was killed. What is kept of them:
//!
//! ```text
//! /run/elenchus/disks/%var%lib%x/directory  the directory
//! /run/elenchus/disks/%var%lib%x/socket     where the carrying process takes orders
//! /run/elenchus/disks/%var%lib%x/made       there, when the directory was made for the mount
//! /run/elenchus/disks/%var%lib%x/through    there, when writes go through at once
//! /run/elenchus/disks/%var%lib%x/log        what went wrong
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
use super::journal::ATTIC;
use super::mounted::{Disk, Mounted};
use super::orders;
use crate::{Result, failed, kept};

/// What the mount is called in the kernel's list of mounts.
pub const SOURCE: &str = "elenchus-disk";

const FOLDER: &str = "/run/elenchus/disks";

/// The longest path that can be mounted over: it is a part of the name of the socket.
const LONGEST: usize = 80;

/// How many operations may be under way, or kept waiting, at the same time.
const THREADS: usize = 24;

/// How many files may be held open.
const FILES: u64 = 1 << 20;

/// How often, and how many times, it is looked whether the mount is there.
const LOOK: Duration = Duration::from_millis(10);
const LOOKS: u32 = 1000;

/// When what is written reaches the process that carries the file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writes {
    /// When the kernel likes, or is asked to sync, as with the file systems of its own: many small writes are fast.
    Back,
    /// At once, each by itself, so that each can be met by a fault, and says so to whoever writes.
    Through,
}

impl Writes {
    /// The words of an order.
    pub fn words(self) -> &'static [&'static str] {
        match self {
            Writes::Back => &[],
            Writes::Through => &["through"],
        }
    }

    /// From the words of an order.
    ///
    /// # Errors
    /// When they are others.
    pub fn of_words(words: &[&str]) -> Result<Writes> {
        let known = [Writes::Back, Writes::Through].into_iter().find(|known| known.words() == words);
        known.ok_or_else(|| format!("writes go back or `through`, not `{}`", words.join(" ")))
    }
}

/// A directory that is mounted over, or is to be.
#[derive(Clone, Debug)]
pub struct Mount {
    directory: PathBuf,
    folder: PathBuf,
}

impl Mount {
    /// Of an absolute path.
    ///
    /// # Errors
    /// When it is none, or is not to be mounted over.
    pub fn of(directory: &str) -> Result<Mount> {
        let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "/._-@+=:,~".contains(letter);
        let below = directory.strip_prefix('/').unwrap_or_default();
        let is_path = below.split('/').all(|part| !["", ".", ".."].contains(&part));
        if !is_path || !directory.chars().all(is_plain) {
            return Err(format!("`{directory}` is no absolute path of a directory, without dots alone, blanks and other signs"));
        }
        if let Some(ours) = [FOLDER, "/var/lib/elenchus"].into_iter().find(|ours| Path::new(ours).starts_with(directory)) {
            return Err(format!("`{directory}` holds {ours}, which must go on working; name a directory of the system's alone"));
        }
        if directory.len() > LONGEST {
            return Err(format!("`{directory}` is longer than {LONGEST} letters, which a socket's name leaves room for"));
        }
        Ok(Mount { directory: directory.into(), folder: Path::new(FOLDER).join(directory.replace('/', "%")) })
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

    /// Mounts, by a process that `keep` makes and that lives on. A directory that is not there is made. One that is mounted over already is mounted over anew only where
    /// writes are to go through and do not: nobody may use it then.
    ///
    /// # Errors
    /// Why it could not be mounted.
    pub fn mount(&self, writes: Writes, keep: Command) -> Result<()> {
        let _lock = kept::lock(Path::new(FOLDER))?;
        if self.is_mounted()? {
            if self.order(&["rules"]).is_ok() && (writes == Writes::Back || self.through().exists()) {
                return Ok(());
            }
            self.release()?;
        }
        if let Some(below) = mounts()?.into_iter().find(|mount| mount.point.starts_with(&self.directory) && mount.point != self.directory) {
            return Err(format!(
                "{} is another file system below {}; name the directory there",
                below.point.display(),
                self.directory.display()
            ));
        }
        kept::remove(&self.folder)?;
        fs::create_dir_all(&self.folder).map_err(failed(self.folder.display()))?;
        kept::write(&self.folder.join("directory"), &self.directory.to_string_lossy())?;
        if !self.directory.is_dir() {
            fs::create_dir_all(&self.directory).map_err(failed(self.directory.display()))?;
            kept::write(&self.made(), "")?;
        }
        if writes == Writes::Through {
            kept::write(&self.through(), "")?;
        }
        let log = self.folder.join("log");
        let file = File::create(&log).map_err(failed(log.display()))?;
        let mut keep = keep;
        let started = keep.stdin(Stdio::null()).stdout(Stdio::null()).stderr(file).spawn();
        let mut keeper = started.map_err(failed("the process that is to serve the disk"))?;
        for _ in 0..LOOKS {
            if orders::give(&self.socket(), &["rules"])?.is_some() {
                return Ok(());
            }
            if keeper.try_wait().map_err(failed("the process that serves the disk"))?.is_some() {
                break;
            }
            std::thread::sleep(LOOK);
        }
        let said = fs::read_to_string(&log).unwrap_or_default();
        self.release()?;
        Err(format!("{} cannot be mounted over: {}", self.directory.display(), said.trim()))
    }

    /// Has another process carry the file system, and takes away what is left of it when that has ended.
    ///
    /// # Errors
    /// When there is no such process, or something is left.
    pub fn keep(&self, mut carry: Command) -> Result<()> {
        // It outlives the session that it was started in.
        let _ = rustix::process::setsid();
        let ended = carry.status().map_err(failed("the process that is to serve the disk"))?;
        if self.is_dead() {
            self.detach()?;
            self.clear()?;
        }
        if ended.success() { Ok(()) } else { Err(format!("the process that served the disk ended: {ended}")) }
    }

    /// Carries the file system, until it is unmounted and nobody has a file of it open; then the process exits.
    ///
    /// # Errors
    /// When it cannot be mounted.
    pub fn carry(&self, writes: Writes) -> Result<()> {
        // Each file that the kernel knows, or that could come back, is held open. Beyond the limit that is set only a privileged process may go.
        let limit = rustix::process::getrlimit(Resource::Nofile);
        let raised = Rlimit { current: Some(FILES), maximum: Some(FILES) };
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
        let session = Session::new(Mounted(disk.clone()), &self.directory, &config).map_err(failed("mounting"))?;
        let (listener, kernel) = (UnixListener::bind(self.socket()).map_err(failed("the socket for orders"))?, session.notifier());
        std::thread::spawn(move || orders::take(&listener, &disk, &kernel));
        session.run().map_err(failed("serving"))
    }

    /// Gives the carrying process an order.
    ///
    /// # Errors
    /// When there is none, or it could not do it.
    pub fn order(&self, words: &[&str]) -> Result<String> {
        match orders::give(&self.socket(), words)? {
            Some(said) => Ok(said),
            None => Err(format!("nobody serves a disk at {}", self.directory.display())),
        }
    }

    /// Fails unless it is mounted and served.
    ///
    /// # Errors
    /// What is missing.
    pub fn verify(&self) -> Result<()> {
        self.order(&["rules"]).map(drop)
    }

    /// Fails unless it is not mounted.
    ///
    /// # Errors
    /// That it is.
    pub fn verify_gone(&self) -> Result<()> {
        if self.is_mounted()? { Err(format!("{} is still mounted over", self.directory.display())) } else { Ok(()) }
    }

    /// Fails unless rules of this number are in force, or are not. Where nothing is mounted, none is.
    ///
    /// # Errors
    /// How it is instead.
    pub fn verify_rule(&self, id: &str, expected: bool) -> Result<()> {
        let rules = orders::give(&self.socket(), &["rules"])?.unwrap_or_default();
        match (rules.lines().any(|line| line.split(' ').next() == Some(id)), expected) {
            (true, true) | (false, false) => Ok(()),
            (false, true) => Err(format!("no rule {id} is in force at {}", self.directory.display())),
            (true, false) => Err(format!("rule {id} is still in force at {}", self.directory.display())),
        }
    }

    /// Takes the rules of a number away, or `all`, if anybody serves there.
    ///
    /// # Errors
    /// When they cannot be taken away.
    pub fn calm(&self, id: &str) -> Result<()> {
        orders::give(&self.socket(), &["unrule", id]).map(drop)
    }

    /// Unmounts. Who has files open keeps them, and what is written to them still arrives below.
    ///
    /// # Errors
    /// When it is still mounted.
    pub fn unmount(&self) -> Result<()> {
        let _lock = kept::lock(Path::new(FOLDER))?;
        self.release()
    }

    fn release(&self) -> Result<()> {
        // Who does not answer is dead, or will be: nothing is left that could undo anything.
        let _ = orders::give(&self.socket(), &["end"]);
        self.detach()?;
        self.clear()?;
        let was_made = self.made().exists();
        kept::remove(&self.folder)?;
        if was_made {
            // Whoever put something there wants to keep it.
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

    /// Takes away what was removed but could have been put back, by a process that was killed.
    fn clear(&self) -> Result<()> {
        kept::remove(&self.directory.join(ATTIC))
    }

    /// Whether a disk of ours is mounted there, dead or alive.
    ///
    /// # Errors
    /// When the mounts cannot be read.
    pub fn is_mounted(&self) -> Result<bool> {
        Ok(mounts()?.iter().any(|mount| mount.is_ours && mount.point == self.directory))
    }

    /// Whether nobody carries what is mounted there.
    fn is_dead(&self) -> bool {
        fs::metadata(&self.directory).is_err_and(|error| error.raw_os_error() == Some(libc::ENOTCONN))
    }
}

/// Shows that all of it works on this node: mounts over a directory of its own, and has the power fail there.
///
/// # Errors
/// What does not work.
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
        if left == b"synced" { Ok(()) } else { Err("what was not synced was not lost".into()) }
    });
    tried.unmount().and(outcome)
}

/// Every directory that is mounted over, or that something is kept of.
///
/// # Errors
/// When the mounts cannot be read.
pub fn all() -> Result<Vec<Mount>> {
    let mut directories: Vec<String> =
        mounts()?.into_iter().filter(|mount| mount.is_ours).map(|mount| mount.point.to_string_lossy().into_owned()).collect();
    match fs::read_dir(FOLDER) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(format!("{FOLDER}: {error}")),
        entries => directories
            .extend(entries.into_iter().flatten().flatten().filter_map(|entry| fs::read_to_string(entry.path().join("directory")).ok())),
    }
    directories.sort();
    directories.dedup();
    directories.iter().map(|directory| Mount::of(directory)).collect()
}

/// A line of the kernel's list.
struct Listed {
    point: PathBuf,
    is_ours: bool,
}

fn mounts() -> Result<Vec<Listed>> {
    let list = fs::read_to_string("/proc/self/mountinfo").map_err(failed("the list of mounts"))?;
    // 36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue
    let listed = list.lines().filter_map(|line| {
        let (left, right) = line.split_once(" - ")?;
        Some(Listed { point: left.split(' ').nth(4)?.into(), is_ours: right.split(' ').nth(1) == Some(SOURCE) })
    });
    Ok(listed.collect())
}
