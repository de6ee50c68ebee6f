//! Inodes: files and directories, whatever their names.

use std::collections::HashMap;
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat};

use super::undo_log::UndoLog;
use super::{Outcome, locked};

/// The inode number of the mount's root.
pub(crate) const ROOT: u64 = 1;

/// A file, directory or other node.
#[derive(Debug)]
pub struct Inode {
    /// The inode number that the kernel knows.
    pub(crate) id: u64,
    /// Its device and inode number in the directory below.
    key: (u64, u64),
    /// An `O_PATH` descriptor.
    place: OwnedFd,
    /// The undo log of writes.
    pub(crate) undo_log: Mutex<UndoLog>,
    /// The last journalled change that involved it.
    touched: AtomicU64,
    /// The number of its links in the hidden directory.
    hidden: AtomicU32,
    /// The number of lookups that the kernel has not forgotten.
    lookups: AtomicU64,
}

impl Inode {
    fn new(id: u64, key: (u64, u64), place: OwnedFd) -> Inode {
        Inode {
            id,
            key,
            place,
            undo_log: Mutex::default(),
            touched: AtomicU64::new(0),
            hidden: AtomicU32::new(0),
            lookups: AtomicU64::new(0),
        }
    }

    pub(crate) fn place(&self) -> BorrowedFd<'_> {
        self.place.as_fd()
    }

    /// A path that leads to it, whatever its names.
    pub(crate) fn path(&self) -> String {
        format!("/proc/self/fd/{}", self.place.as_raw_fd())
    }

    /// Its attributes, without the hidden links.
    pub(crate) fn stat(&self) -> Outcome<Stat> {
        let mut stat = rustix::fs::fstat(&self.place)?;
        stat.st_nlink = stat.st_nlink.saturating_sub(self.hidden.load(Ordering::Relaxed).into());
        Ok(stat)
    }

    pub(crate) fn is_directory(&self) -> Outcome<bool> {
        Ok(FileType::from_raw_mode(self.stat()?.st_mode) == FileType::Directory)
    }

    /// Opens it for reading, or for reading and writing.
    pub fn open(&self, writes: bool) -> Outcome<File> {
        let access = if writes { OFlags::RDWR } else { OFlags::RDONLY };
        rustix::fs::open(self.path(), access | OFlags::CLOEXEC | OFlags::NONBLOCK, Mode::empty()).map(File::from)
    }

    pub(crate) fn touch(&self, change: u64) {
        self.touched.fetch_max(change, Ordering::Relaxed);
    }

    pub(crate) fn touched(&self) -> u64 {
        self.touched.load(Ordering::Relaxed)
    }

    /// Counts a link in the hidden directory.
    pub(crate) fn hide_name(&self) {
        self.hidden.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn unhide_name(&self) {
        self.hidden.fetch_sub(1, Ordering::Relaxed);
    }

    /// Whether a power failure would undo nothing of it, given the last durable change of the journal.
    fn is_settled(&self, committed: u64) -> bool {
        self.touched() <= committed && self.hidden.load(Ordering::Relaxed) == 0 && locked(&self.undo_log).is_synced()
    }
}

/// The inodes that the kernel knows, or that a power failure would change.
#[derive(Debug, Default)]
pub(crate) struct Inodes {
    by_id: HashMap<u64, Arc<Inode>>,
    /// Inode numbers by device and inode number in the directory below.
    ids: HashMap<(u64, u64), u64>,
    /// The devices seen: an overlay has several.
    devices: Vec<u64>,
    /// The last number given to an inode whose own number is taken.
    next_spare: u64,
    /// Whether inodes get new numbers instead of those in the directory below.
    uses_new_numbers: bool,
    /// The number of inodes above which unneeded ones are dropped.
    limit: usize,
}

/// The bits by which the index of the device is shifted above the inode number below.
const DEVICE_SHIFT: u32 = 48;
const SPARE: u64 = 1 << 63;
const MIN_LIMIT: usize = 1024;

impl Inodes {
    /// Adds the root.
    pub(crate) fn insert_root(&mut self, place: OwnedFd) -> Outcome<Arc<Inode>> {
        let stat = rustix::fs::fstat(&place)?;
        self.devices.push(stat.st_dev);
        Ok(self.insert((stat.st_dev, stat.st_ino), ROOT, place))
    }

    /// Looks a name up in a directory.
    pub(crate) fn find(&mut self, parent: &Inode, name: &std::ffi::OsStr) -> Outcome<Arc<Inode>> {
        let stat = rustix::fs::statat(parent.place(), name, AtFlags::SYMLINK_NOFOLLOW)?;
        // The numbers of an inode that is held open here are not reused.
        if let Some(known) = self.ids.get(&(stat.st_dev, stat.st_ino)).and_then(|id| self.by_id.get(id)) {
            return Ok(known.clone());
        }
        let place = rustix::fs::openat(parent.place(), name, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
        let stat = rustix::fs::fstat(&place)?;
        let key = (stat.st_dev, stat.st_ino);
        if let Some(known) = self.ids.get(&key).and_then(|id| self.by_id.get(id)) {
            return Ok(known.clone());
        }
        let id = self.number(key);
        Ok(self.insert(key, id, place))
    }

    /// [`Inodes::find`] for the kernel, which will report when it forgets the inode.
    pub(crate) fn look_up(&mut self, parent: &Inode, name: &std::ffi::OsStr) -> Outcome<Arc<Inode>> {
        let found = self.find(parent, name)?;
        found.lookups.fetch_add(1, Ordering::Relaxed);
        Ok(found)
    }

    pub(crate) fn get(&self, id: u64) -> Outcome<Arc<Inode>> {
        self.by_id.get(&id).cloned().ok_or(super::Errno::STALE)
    }

    /// All inodes by their number.
    pub(crate) fn all(&self) -> Vec<Arc<Inode>> {
        let mut all: Vec<Arc<Inode>> = self.by_id.values().cloned().collect();
        all.sort_by_key(|inode| inode.id);
        all
    }

    /// Drops all inodes except directories, so that files are found again under new numbers. Of an inode that the kernel knows, it would
    /// not believe a changed length in write-back mode.
    pub(crate) fn renumber(&mut self) {
        self.uses_new_numbers = true;
        self.by_id.retain(|_, inode| inode.is_directory() == Ok(true));
        self.forget_numbers();
    }

    fn forget_numbers(&mut self) {
        let by_id = &self.by_id;
        self.ids.retain(|_, id| by_id.contains_key(id));
    }

    /// Records that the kernel has forgotten this number of lookups.
    pub(crate) fn forget(&mut self, id: u64, count: u64, committed: u64) {
        let Some(inode) = self.by_id.get(&id) else { return };
        let left = inode.lookups.load(Ordering::Relaxed).saturating_sub(count);
        inode.lookups.store(left, Ordering::Relaxed);
        if left == 0 && id != ROOT && inode.is_settled(committed) {
            self.ids.remove(&inode.key);
            self.by_id.remove(&id);
        }
        if self.by_id.len() > self.limit {
            self.by_id.retain(|id, inode| *id == ROOT || inode.lookups.load(Ordering::Relaxed) > 0 || !inode.is_settled(committed));
            self.forget_numbers();
            self.limit = (self.by_id.len() * 2).max(MIN_LIMIT);
        }
    }

    fn insert(&mut self, key: (u64, u64), id: u64, place: OwnedFd) -> Arc<Inode> {
        let inode = Arc::new(Inode::new(id, key, place));
        self.by_id.insert(id, inode.clone());
        self.ids.insert(key, id);
        inode
    }

    /// The same number for the same file each time, unless the number is taken or the power has failed.
    fn number(&mut self, (device, number): (u64, u64)) -> u64 {
        let at = self.devices.iter().position(|&known| known == device).unwrap_or_else(|| {
            self.devices.push(device);
            self.devices.len() - 1
        });
        let id = ((at as u64) << DEVICE_SHIFT) | number;
        if !self.uses_new_numbers && number >> DEVICE_SHIFT == 0 && id > ROOT && !self.by_id.contains_key(&id) {
            return id;
        }
        self.next_spare += 1;
        SPARE | self.next_spare
    }
}
