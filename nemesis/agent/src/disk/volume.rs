//! The file system's operations on names, and the power failure.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, RwLock, RwLockReadGuard};

use rustix::fs::{AtFlags, Dev, FileType, Mode, OFlags, RenameFlags};

use super::dice::Dice;
use super::inode::{Inodes, ROOT};
use super::journal::{self, HIDDEN_DIRECTORY, Journal, Undo};
use super::undo_log::Torn;
use super::{Errno, Inode, Outcome, errno, locked, reading, writing};

/// A directory and its undo records.
#[derive(Debug)]
pub struct Volume {
    root: Arc<Inode>,
    pub(crate) inodes: Mutex<Inodes>,
    /// Lookups share it, changes are exclusive.
    pub(crate) names: RwLock<Journal>,
    /// Shared by operations that change something; exclusive for a power failure.
    power: RwLock<()>,
    /// Whether changes are only passed on, without undo records.
    pub(crate) is_ending: AtomicBool,
}

/// The entries that a power failure invalidates in the kernel's caches.
#[derive(Debug)]
pub struct Invalidated {
    /// Names, each with the inode number of its directory.
    pub(crate) names: Vec<(u64, OsString)>,
    /// Inode numbers.
    pub(crate) inodes: Vec<u64>,
}

/// The owner of a new node.
#[derive(Clone, Copy, Debug)]
pub struct Owner {
    /// The user id.
    pub user: u32,
    /// The group id.
    pub group: u32,
}

impl Volume {
    /// A volume for a directory, whose contents count as durable.
    ///
    /// # Errors
    /// When the directory cannot be opened or written to.
    pub fn new(directory: &Path) -> Outcome<Volume> {
        let place = rustix::fs::open(directory, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        delete_hidden(place.as_fd())?;
        let hidden = journal::open_hidden(&place)?;
        let mut inodes = Inodes::default();
        let root = inodes.insert_root(place)?;
        rustix::fs::syncfs(root.open(false)?)?;
        let (inodes, names) = (Mutex::new(inodes), RwLock::new(Journal::new(hidden)));
        Ok(Volume { root, inodes, names, power: RwLock::default(), is_ending: AtomicBool::new(false) })
    }

    /// The inode of the directory.
    pub fn root(&self) -> &Arc<Inode> {
        &self.root
    }

    /// Looks a name up in a directory.
    pub fn find(&self, parent: &Inode, name: &OsStr) -> Outcome<Arc<Inode>> {
        let _names = reading(&self.names);
        check_visible(parent, name)?;
        locked(&self.inodes).find(parent, name)
    }

    pub(crate) fn look_up(&self, parent: &Inode, name: &OsStr) -> Outcome<Arc<Inode>> {
        let _names = reading(&self.names);
        check_visible(parent, name)?;
        locked(&self.inodes).look_up(parent, name)
    }

    pub(crate) fn forget(&self, id: u64, count: u64) {
        let committed = reading(&self.names).committed();
        locked(&self.inodes).forget(id, count, committed);
    }

    /// The entries of a directory.
    pub(crate) fn list(&self, directory: &Inode) -> Outcome<Vec<std::fs::DirEntry>> {
        let _names = reading(&self.names);
        let entries = std::fs::read_dir(directory.path()).and_then(Iterator::collect::<std::io::Result<Vec<_>>>).map_err(errno)?;
        Ok(entries.into_iter().filter(|entry| check_visible(directory, &entry.file_name()).is_ok()).collect())
    }

    /// Creates and opens a file. Opens an existing one unless `is_new` is set.
    pub fn create(&self, parent: &Arc<Inode>, name: &OsStr, mode: u32, owner: Owner, is_new: bool) -> Outcome<(Arc<Inode>, File)> {
        let _guard = self.change_guard();
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut journal = writing(&self.names);
        check_visible(parent, name)?;
        let (file, is_made) = match rustix::fs::openat(parent.place(), name, flags, Mode::from_raw_mode(mode)) {
            Err(Errno::EXIST) if !is_new => {
                let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                (rustix::fs::openat(parent.place(), name, flags, Mode::empty())?, false)
            }
            opened => (opened?, true),
        };
        let inode = locked(&self.inodes).look_up(parent, name)?;
        if is_made {
            self.record_created(&mut journal, parent, name, &inode, mode, owner, false)?;
        }
        Ok((inode, file.into()))
    }

    /// Creates a directory.
    pub fn make_directory(&self, parent: &Arc<Inode>, name: &OsStr, mode: u32, owner: Owner) -> Outcome<Arc<Inode>> {
        self.make(parent, name, mode, owner, true, || rustix::fs::mkdirat(parent.place(), name, Mode::from_raw_mode(mode)))
    }

    /// Creates a symbolic link.
    pub fn make_symlink(&self, parent: &Arc<Inode>, name: &OsStr, target: &Path, owner: Owner) -> Outcome<Arc<Inode>> {
        self.make(parent, name, 0, owner, false, || rustix::fs::symlinkat(target, parent.place(), name))
    }

    /// Creates a pipe, socket, device or regular file without opening it.
    pub(crate) fn make_node(&self, parent: &Arc<Inode>, name: &OsStr, mode: u32, device: Dev, owner: Owner) -> Outcome<Arc<Inode>> {
        let kind = FileType::from_raw_mode(mode);
        self.make(parent, name, mode, owner, false, || rustix::fs::mknodat(parent.place(), name, kind, Mode::from_raw_mode(mode), device))
    }

    fn make(
        &self,
        parent: &Arc<Inode>,
        name: &OsStr,
        mode: u32,
        owner: Owner,
        is_directory: bool,
        make: impl FnOnce() -> Outcome<()>,
    ) -> Outcome<Arc<Inode>> {
        let _guard = self.change_guard();
        let mut journal = writing(&self.names);
        check_visible(parent, name)?;
        make()?;
        let inode = locked(&self.inodes).look_up(parent, name)?;
        self.record_created(&mut journal, parent, name, &inode, mode, owner, is_directory)?;
        Ok(inode)
    }

    /// Sets the owner of a new node, which was created as the serving process' user, and records the creation.
    #[allow(clippy::too_many_arguments)]
    fn record_created(
        &self,
        journal: &mut Journal,
        parent: &Arc<Inode>,
        name: &OsStr,
        inode: &Arc<Inode>,
        mode: u32,
        owner: Owner,
        is_directory: bool,
    ) -> Outcome<()> {
        journal.record([Undo::Created { parent: parent.clone(), name: name.to_owned(), is_directory }], &[parent, inode]);
        let (folder, made) = (parent.stat()?, inode.stat()?);
        // With the setgid bit, new nodes inherit the directory's group.
        let group = if folder.st_mode & Mode::SGID.bits() == 0 { owner.group } else { folder.st_gid };
        if (made.st_uid, made.st_gid) != (owner.user, group) {
            journal::set_owner(inode, Some(owner.user), Some(group))?;
            if !is_directory && mode & (Mode::SUID | Mode::SGID).bits() != 0 {
                rustix::fs::chmod(inode.path(), Mode::from_raw_mode(mode))?;
            }
        }
        Ok(())
    }

    /// Creates a hard link.
    pub fn link(&self, what: &Arc<Inode>, parent: &Arc<Inode>, name: &OsStr) -> Outcome<Arc<Inode>> {
        let _guard = self.change_guard();
        let mut journal = writing(&self.names);
        check_visible(parent, name)?;
        // AT_EMPTY_PATH would require CAP_DAC_READ_SEARCH, which containers lack.
        rustix::fs::linkat(rustix::fs::CWD, what.path(), parent.place(), name, AtFlags::SYMLINK_FOLLOW)?;
        journal.record([Undo::Created { parent: parent.clone(), name: name.to_owned(), is_directory: false }], &[parent, what]);
        locked(&self.inodes).look_up(parent, name)
    }

    /// Removes a name that is not a directory's.
    pub fn unlink(&self, parent: &Arc<Inode>, name: &OsStr) -> Outcome<()> {
        self.remove(parent, name, false, |what| if what.is_directory()? { Err(Errno::ISDIR) } else { Ok(()) })
    }

    /// Removes an empty directory.
    pub fn remove_directory(&self, parent: &Arc<Inode>, name: &OsStr) -> Outcome<()> {
        self.remove(parent, name, true, empty_directory)
    }

    fn remove(&self, parent: &Arc<Inode>, name: &OsStr, is_directory: bool, may_be: impl FnOnce(&Inode) -> Outcome<()>) -> Outcome<()> {
        let _guard = self.change_guard();
        let mut journal = writing(&self.names);
        check_visible(parent, name)?;
        let what = locked(&self.inodes).find(parent, name)?;
        may_be(&what)?;
        let undo = journal.hide(parent, name, &what, is_directory)?;
        journal.record(undo, &[parent, &what]);
        Ok(())
    }

    /// Renames, replacing an existing target.
    pub fn rename(&self, from: (&Arc<Inode>, &OsStr), to: (&Arc<Inode>, &OsStr), flags: RenameFlags) -> Outcome<()> {
        let _guard = self.change_guard();
        let mut journal = writing(&self.names);
        check_visible(from.0, from.1).and_then(|()| check_visible(to.0, to.1))?;
        let what = locked(&self.inodes).find(from.0, from.1)?;
        let there = match locked(&self.inodes).find(to.0, to.1) {
            Err(Errno::NOENT) => None,
            found => Some(found?),
        };
        let [old, new] = [from, to].map(|(parent, name)| (parent.clone(), name.to_owned()));
        match there {
            _ if flags.contains(RenameFlags::EXCHANGE) => {
                rustix::fs::renameat_with(from.0.place(), from.1, to.0.place(), to.1, RenameFlags::EXCHANGE)?;
                let other = there.unwrap_or_else(|| what.clone());
                journal.record([Undo::Exchanged { one: old, other: new }], &[from.0, to.0, &what, &other]);
            }
            Some(_) if flags.contains(RenameFlags::NOREPLACE) => return Err(Errno::EXIST),
            // Both names are links to one file: POSIX requires no change.
            Some(there) if there.id == what.id => {}
            Some(there) => {
                let saved = match (what.is_directory()?, there.is_directory()?) {
                    (true, false) => return Err(Errno::NOTDIR),
                    (false, true) => return Err(Errno::ISDIR),
                    // An empty directory may be missing for a moment: lookups are locked out.
                    (true, true) => empty_directory(&there).and_then(|()| journal.hide(to.0, to.1, &there, true))?,
                    // A file may not: the serving process can be killed at any time.
                    (false, false) => journal.link_hidden(to.0, to.1, &there)?,
                };
                if let Err(error) = rustix::fs::renameat(from.0.place(), from.1, to.0.place(), to.1) {
                    match saved {
                        Some(saved) if there.is_directory()? => journal.revert(&saved)?,
                        Some(saved) => journal.discard(&saved),
                        None => {}
                    }
                    return Err(error);
                }
                let parts = saved.into_iter().chain([Undo::Renamed { from: old, to: new }]);
                journal.record(parts, &[from.0, to.0, &what, &there]);
            }
            None => {
                rustix::fs::renameat(from.0.place(), from.1, to.0.place(), to.1)?;
                journal.record([Undo::Renamed { from: old, to: new }], &[from.0, to.0, &what]);
            }
        }
        Ok(())
    }

    /// Makes the names in a directory durable.
    pub fn sync_directory(&self, directory: &Arc<Inode>) -> Outcome<()> {
        let _guard = self.change_guard();
        rustix::fs::fsync(directory.open(false)?)?;
        self.commit(directory);
        Ok(())
    }

    /// Makes all changes of names durable up to the last that involved this inode.
    pub(crate) fn commit(&self, what: &Inode) {
        if what.touched() > reading(&self.names).committed() {
            writing(&self.names).commit(what.touched());
        }
    }

    /// Undoes what is not durable. With `torn`, writes are torn into sectors of this size, and a random prefix of the pending changes of
    /// names survives. Open files become stale. The second result says what could not be undone.
    pub fn fail(&self, seed: u64, torn: Option<u64>) -> (Invalidated, crate::Result<()>) {
        let _exclusive = writing(&self.power);
        let mut journal = writing(&self.names);
        let dice = Dice::new(seed);
        if torn.is_some() {
            let pending = journal.pending();
            let survives = pending.start() - 1 + dice.below(pending.count() as u64 + 1);
            journal.commit(survives);
        }
        let mut failures = Vec::new();
        let all = locked(&self.inodes).all();
        let invalidated = Invalidated { names: journal.affected_names(), inodes: all.iter().map(|inode| inode.id).collect() };
        for inode in all {
            let mut undo_log = locked(&inode.undo_log);
            if !undo_log.is_synced() {
                let torn = torn.map(|sector| Torn { sector, dice: &dice });
                let undone = inode.open(true).and_then(|file| undo_log.undo(&file, torn).map_err(errno));
                failures.extend(undone.err().map(|error| format!("the contents of inode {}: {error}", inode.id)));
            }
        }
        failures.extend(journal.undo());
        locked(&self.inodes).renumber();
        (invalidated, if failures.is_empty() { Ok(()) } else { Err(format!("some changes could not be undone: {}", failures.join("; "))) })
    }

    /// Makes all changes durable and keeps no undo records from now on.
    pub fn end(&self) {
        let _exclusive = writing(&self.power);
        self.is_ending.store(true, Ordering::Relaxed);
        writing(&self.names).close();
        for inode in locked(&self.inodes).all() {
            locked(&inode.undo_log).take();
        }
        // Deletion fails when the hidden directory is in use; `Mount::release` deletes it again after unmounting.
        let _ = delete_hidden(self.root.place());
    }

    /// The lock that every operation holds that changes something.
    pub(crate) fn change_guard(&self) -> RwLockReadGuard<'_, ()> {
        reading(&self.power)
    }
}

/// Fails with ENOENT for the name of the hidden directory.
fn check_visible(parent: &Inode, name: &OsStr) -> Outcome<()> {
    if parent.id == ROOT && name == HIDDEN_DIRECTORY { Err(Errno::NOENT) } else { Ok(()) }
}

fn empty_directory(what: &Inode) -> Outcome<()> {
    if !what.is_directory()? {
        return Err(Errno::NOTDIR);
    }
    let mut names = std::fs::read_dir(what.path()).map_err(errno)?;
    if names.next().is_none() { Ok(()) } else { Err(Errno::NOTEMPTY) }
}

/// Deletes the hidden directory with its contents, which were removed.
fn delete_hidden(root: BorrowedFd) -> Outcome<()> {
    match std::fs::remove_dir_all(format!("/proc/self/fd/{}/{HIDDEN_DIRECTORY}", root.as_raw_fd())) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(errno(error)),
        _ => Ok(()),
    }
}
