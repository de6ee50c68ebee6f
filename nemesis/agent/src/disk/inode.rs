//! Files and directories by identity: they keep it when they are renamed, and when no name is left.

use std::collections::HashMap;
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat};

use super::contents::Contents;
use super::{Outcome, locked};

/// The kernel's number of the directory that is mounted over.
pub(crate) const ROOT: u64 = 1;

/// A file, a directory, or what else has a name.
#[derive(Debug)]
pub struct Inode {
    /// The kernel's number for it.
    pub(crate) id: u64,
    /// Its device, and its number there.
    key: (u64, u64),
    /// Leads to it; nothing can be read through it.
    place: OwnedFd,
    /// What undoes writes.
    pub(crate) contents: Mutex<Contents>,
    /// The last journalled change that concerned it.
    touched: AtomicU64,
    /// Its names that only the journal knows.
    hidden: AtomicU32,
    /// How many answers to the kernel named it.
    lookups: AtomicU64,
}

impl Inode {
    fn new(id: u64, key: (u64, u64), place: OwnedFd) -> Inode {
        Inode {
            id,
            key,
            place,
            contents: Mutex::default(),
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

    /// What is known of it.
    pub(crate) fn stat(&self) -> Outcome<Stat> {
        let mut stat = rustix::fs::fstat(&self.place)?;
        stat.st_nlink = stat.st_nlink.saturating_sub(self.hidden.load(Ordering::Relaxed).into());
        Ok(stat)
    }

    pub(crate) fn is_directory(&self) -> Outcome<bool> {
        Ok(FileType::from_raw_mode(self.stat()?.st_mode) == FileType::Directory)
    }

    /// Opens it, to be read or to be read and written.
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

    /// A name of it is kept by the journal from now on, or no longer.
    pub(crate) fn hide_name(&self) {
        self.hidden.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn unhide_name(&self) {
        self.hidden.fetch_sub(1, Ordering::Relaxed);
    }

    /// Whether nothing of it would be undone by a power failure, when this change was the last to be made durable.
    fn is_settled(&self, committed: u64) -> bool {
        self.touched() <= committed && self.hidden.load(Ordering::Relaxed) == 0 && locked(&self.contents).is_synced()
    }
}

/// Those that the kernel knows, or of which something is to be undone.
#[derive(Debug, Default)]
pub(crate) struct Inodes {
    by_id: HashMap<u64, Arc<Inode>>,
    /// By device and number there.
    ids: HashMap<(u64, u64), u64>,
    /// The devices that were seen: an overlay shows several.
    devices: Vec<u64>,
    /// For those whose number is taken.
    next_spare: u64,
    /// Nobody gets the number of the file below any more.
    is_renumbered: bool,
    /// How many there may be before those that nobody needs are looked for.
    ceiling: usize,
}

/// A file's number and its device's are one number to the kernel.
const DEVICE_SHIFT: u32 = 48;
const SPARE: u64 = 1 << 63;
const LEAST_CEILING: usize = 1024;

impl Inodes {
    /// Takes in the root.
    pub(crate) fn insert_root(&mut self, place: OwnedFd) -> Outcome<Arc<Inode>> {
        let stat = rustix::fs::fstat(&place)?;
        self.devices.push(stat.st_dev);
        Ok(self.insert((stat.st_dev, stat.st_ino), ROOT, place))
    }

    /// What a directory calls so.
    pub(crate) fn find(&mut self, parent: &Inode, name: &std::ffi::OsStr) -> Outcome<Arc<Inode>> {
        let stat = rustix::fs::statat(parent.place(), name, AtFlags::SYMLINK_NOFOLLOW)?;
        // Nobody else has the number of one that is held open here.
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

    /// As [`Inodes::find`], in answer to the kernel, which will say when it forgets the answer.
    pub(crate) fn look_up(&mut self, parent: &Inode, name: &std::ffi::OsStr) -> Outcome<Arc<Inode>> {
        let found = self.find(parent, name)?;
        found.lookups.fetch_add(1, Ordering::Relaxed);
        Ok(found)
    }

    pub(crate) fn get(&self, id: u64) -> Outcome<Arc<Inode>> {
        self.by_id.get(&id).cloned().ok_or(super::Errno::STALE)
    }

    /// All, in the order of their numbers.
    pub(crate) fn all(&self) -> Vec<Arc<Inode>> {
        let mut all: Vec<Arc<Inode>> = self.by_id.values().cloned().collect();
        all.sort_by_key(|inode| inode.id);
        all
    }

    /// Forgets all but directories, so that files are found anew with numbers that the kernel does not know: of those that it does, it takes nobody's word for how long
    /// they are, where it holds writes back.
    pub(crate) fn renumber(&mut self) {
        self.is_renumbered = true;
        self.by_id.retain(|_, inode| inode.is_directory() == Ok(true));
        self.forget_numbers();
    }

    fn forget_numbers(&mut self) {
        let by_id = &self.by_id;
        self.ids.retain(|_, id| by_id.contains_key(id));
    }

    /// The kernel has forgotten so many answers.
    pub(crate) fn forget(&mut self, id: u64, count: u64, committed: u64) {
        let Some(inode) = self.by_id.get(&id) else { return };
        let left = inode.lookups.load(Ordering::Relaxed).saturating_sub(count);
        inode.lookups.store(left, Ordering::Relaxed);
        if left == 0 && id != ROOT && inode.is_settled(committed) {
            self.ids.remove(&inode.key);
            self.by_id.remove(&id);
        }
        if self.by_id.len() > self.ceiling {
            self.by_id.retain(|id, inode| *id == ROOT || inode.lookups.load(Ordering::Relaxed) > 0 || !inode.is_settled(committed));
            self.forget_numbers();
            self.ceiling = (self.by_id.len() * 2).max(LEAST_CEILING);
        }
    }

    fn insert(&mut self, key: (u64, u64), id: u64, place: OwnedFd) -> Arc<Inode> {
        let inode = Arc::new(Inode::new(id, key, place));
        self.by_id.insert(id, inode.clone());
        self.ids.insert(key, id);
        inode
    }

    /// The same for the same file, whenever it is asked for, unless it is taken, or the power has failed.
    fn number(&mut self, (device, number): (u64, u64)) -> u64 {
        let at = self.devices.iter().position(|&known| known == device).unwrap_or_else(|| {
            self.devices.push(device);
            self.devices.len() - 1
        });
        let id = ((at as u64) << DEVICE_SHIFT) | number;
        if !self.is_renumbered && number >> DEVICE_SHIFT == 0 && id > ROOT && !self.by_id.contains_key(&id) {
            return id;
        }
        self.next_spare += 1;
        SPARE | self.next_spare
    }
}
