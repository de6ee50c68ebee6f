//! The file system's operations on names, as the directory below does them, and the power failure.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, RwLock, RwLockReadGuard};

use rustix::fs::{AtFlags, Dev, FileType, Mode, OFlags, RenameFlags};

use super::contents::Torn;
use super::dice::Dice;
use super::inode::{Inodes, ROOT};
use super::journal::{self, ATTIC, Journal, Undo};
use super::{Errno, Inode, Outcome, errno, locked, reading, writing};

/// A directory, and what of it is not durable.
#[derive(Debug)]
pub struct Volume {
    root: Arc<Inode>,
    pub(crate) inodes: Mutex<Inodes>,
    /// Names are looked up beside each other, and changed one at a time.
    pub(crate) names: RwLock<Journal>,
    /// Held by every operation that changes something; by a power failure alone.
    power: RwLock<()>,
    /// It only passes on: nothing is kept to be undone any more.
    pub(crate) is_ending: AtomicBool,
}

/// What a failure of the power made untrue of what the kernel knows.
#[derive(Debug)]
pub struct Untrue {
    /// Names, each with the number of its directory.
    pub(crate) names: Vec<(u64, OsString)>,
    /// Files and directories.
    pub(crate) inodes: Vec<u64>,
}

/// For whom something is made.
#[derive(Clone, Copy, Debug)]
pub struct Owner {
    /// The user's number.
    pub user: u32,
    /// The group's number.
    pub group: u32,
}

impl Volume {
    /// Of a directory. All that is in it is durable.
    ///
    /// # Errors
    /// When it cannot be opened or written to.
    pub fn new(directory: &Path) -> Outcome<Volume> {
        let place = rustix::fs::open(directory, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        clear(place.as_fd())?;
        let attic = journal::attic(&place)?;
        let mut inodes = Inodes::default();
        let root = inodes.insert_root(place)?;
        rustix::fs::syncfs(root.open(false)?)?;
        let (inodes, names) = (Mutex::new(inodes), RwLock::new(Journal::new(attic)));
        Ok(Volume { root, inodes, names, power: RwLock::default(), is_ending: AtomicBool::new(false) })
    }

    /// The directory itself.
    pub fn root(&self) -> &Arc<Inode> {
        &self.root
    }

    /// What a directory calls so.
    pub fn find(&self, parent: &Inode, name: &OsStr) -> Outcome<Arc<Inode>> {
        let _names = reading(&self.names);
        visible(parent, name)?;
        locked(&self.inodes).find(parent, name)
    }

    pub(crate) fn look_up(&self, parent: &Inode, name: &OsStr) -> Outcome<Arc<Inode>> {
        let _names = reading(&self.names);
        visible(parent, name)?;
        locked(&self.inodes).look_up(parent, name)
    }

    pub(crate) fn forget(&self, id: u64, count: u64) {
        let committed = reading(&self.names).committed();
        locked(&self.inodes).forget(id, count, committed);
    }

    /// The names in a directory, with the number and the kind of what they name.
    pub(crate) fn list(&self, directory: &Inode) -> Outcome<Vec<std::fs::DirEntry>> {
        let _names = reading(&self.names);
        let entries = std::fs::read_dir(directory.path()).and_then(Iterator::collect::<std::io::Result<Vec<_>>>).map_err(errno)?;
        Ok(entries.into_iter().filter(|entry| visible(directory, &entry.file_name()).is_ok()).collect())
    }

    /// Makes a file and opens it, or opens the one that is there, unless `is_new` is asked for.
    pub fn create(&self, parent: &Arc<Inode>, name: &OsStr, mode: u32, owner: Owner, is_new: bool) -> Outcome<(Arc<Inode>, File)> {
        let _on = self.on();
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut journal = writing(&self.names);
        visible(parent, name)?;
        let (file, is_made) = match rustix::fs::openat(parent.place(), name, flags, Mode::from_raw_mode(mode)) {
            Err(Errno::EXIST) if !is_new => {
                let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                (rustix::fs::openat(parent.place(), name, flags, Mode::empty())?, false)
            }
            opened => (opened?, true),
        };
        let inode = locked(&self.inodes).look_up(parent, name)?;
        if is_made {
            self.made(&mut journal, parent, name, &inode, mode, owner, false)?;
        }
        Ok((inode, file.into()))
    }

    /// Makes a directory.
    pub fn make_directory(&self, parent: &Arc<Inode>, name: &OsStr, mode: u32, owner: Owner) -> Outcome<Arc<Inode>> {
        self.make(parent, name, mode, owner, true, || rustix::fs::mkdirat(parent.place(), name, Mode::from_raw_mode(mode)))
    }

    /// Makes a symbolic link.
    pub fn make_symlink(&self, parent: &Arc<Inode>, name: &OsStr, target: &Path, owner: Owner) -> Outcome<Arc<Inode>> {
        self.make(parent, name, 0, owner, false, || rustix::fs::symlinkat(target, parent.place(), name))
    }

    /// Makes a pipe, a socket, a device, or a file that is not opened.
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
        let _on = self.on();
        let mut journal = writing(&self.names);
        visible(parent, name)?;
        make()?;
        let inode = locked(&self.inodes).look_up(parent, name)?;
        self.made(&mut journal, parent, name, &inode, mode, owner, is_directory)?;
        Ok(inode)
    }

    /// Gives something new to its owner, as whoever serves makes it in his own name, and notes it.
    #[allow(clippy::too_many_arguments)]
    fn made(
        &self,
        journal: &mut Journal,
        parent: &Arc<Inode>,
        name: &OsStr,
        inode: &Arc<Inode>,
        mode: u32,
        owner: Owner,
        is_directory: bool,
    ) -> Outcome<()> {
        journal.note([Undo::Created { parent: parent.clone(), name: name.to_owned(), is_directory }], &[parent, inode]);
        let (folder, made) = (parent.stat()?, inode.stat()?);
        // Below a directory with this bit, all is of its group.
        let group = if folder.st_mode & Mode::SGID.bits() == 0 { owner.group } else { folder.st_gid };
        if (made.st_uid, made.st_gid) != (owner.user, group) {
            journal::set_owner(inode, Some(owner.user), Some(group))?;
            if !is_directory && mode & (Mode::SUID | Mode::SGID).bits() != 0 {
                rustix::fs::chmod(inode.path(), Mode::from_raw_mode(mode))?;
            }
        }
        Ok(())
    }

    /// Gives what is there another name.
    pub fn link(&self, what: &Arc<Inode>, parent: &Arc<Inode>, name: &OsStr) -> Outcome<Arc<Inode>> {
        let _on = self.on();
        let mut journal = writing(&self.names);
        visible(parent, name)?;
        // Not by its identity: that takes a capability which a container lacks.
        rustix::fs::linkat(rustix::fs::CWD, what.path(), parent.place(), name, AtFlags::SYMLINK_FOLLOW)?;
        journal.note([Undo::Created { parent: parent.clone(), name: name.to_owned(), is_directory: false }], &[parent, what]);
        locked(&self.inodes).look_up(parent, name)
    }

    /// Takes away the name of what is no directory.
    pub fn unlink(&self, parent: &Arc<Inode>, name: &OsStr) -> Outcome<()> {
        self.remove(parent, name, false, |what| if what.is_directory()? { Err(Errno::ISDIR) } else { Ok(()) })
    }

    /// Takes away an empty directory.
    pub fn remove_directory(&self, parent: &Arc<Inode>, name: &OsStr) -> Outcome<()> {
        self.remove(parent, name, true, empty_directory)
    }

    fn remove(&self, parent: &Arc<Inode>, name: &OsStr, is_directory: bool, may_be: impl FnOnce(&Inode) -> Outcome<()>) -> Outcome<()> {
        let _on = self.on();
        let mut journal = writing(&self.names);
        visible(parent, name)?;
        let what = locked(&self.inodes).find(parent, name)?;
        may_be(&what)?;
        let undo = journal.remove(parent, name, &what, is_directory)?;
        journal.note(undo, &[parent, &what]);
        Ok(())
    }

    /// Renames something, over what has the new name if there is such.
    pub fn rename(&self, from: (&Arc<Inode>, &OsStr), to: (&Arc<Inode>, &OsStr), flags: RenameFlags) -> Outcome<()> {
        let _on = self.on();
        let mut journal = writing(&self.names);
        visible(from.0, from.1).and_then(|()| visible(to.0, to.1))?;
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
                journal.note([Undo::Exchanged { one: old, other: new }], &[from.0, to.0, &what, &other]);
            }
            Some(_) if flags.contains(RenameFlags::NOREPLACE) => return Err(Errno::EXIST),
            // Two names of one file: nothing is done, as POSIX has it.
            Some(there) if there.id == what.id => {}
            Some(there) => {
                let saved = match (what.is_directory()?, there.is_directory()?) {
                    (true, false) => return Err(Errno::NOTDIR),
                    (false, true) => return Err(Errno::ISDIR),
                    // An empty directory may be away for a moment: nobody looks it up meanwhile.
                    (true, true) => empty_directory(&there).and_then(|()| journal.remove(to.0, to.1, &there, true))?,
                    // A file never is: whoever serves may be killed at any time.
                    (false, false) => journal.save(to.0, to.1, &there)?,
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
                journal.note(parts, &[from.0, to.0, &what, &there]);
            }
            None => {
                rustix::fs::renameat(from.0.place(), from.1, to.0.place(), to.1)?;
                journal.note([Undo::Renamed { from: old, to: new }], &[from.0, to.0, &what]);
            }
        }
        Ok(())
    }

    /// Makes durable what a directory calls what.
    pub fn sync_directory(&self, directory: &Arc<Inode>) -> Outcome<()> {
        let _on = self.on();
        rustix::fs::fsync(directory.open(false)?)?;
        self.commit(directory);
        Ok(())
    }

    /// Makes all changes of names durable up to the last that concerned it.
    pub(crate) fn commit(&self, what: &Inode) {
        if what.touched() > reading(&self.names).committed() {
            writing(&self.names).commit(what.touched());
        }
    }

    /// Loses what is not durable. With `torn`, some of it reached the disk: of each file so many bytes together or not at all, and some of the oldest changes of
    /// names. Who has files open finds them stale. Fails with what could not be undone, in words.
    pub fn fail(&self, seed: u64, torn: Option<u64>) -> (Untrue, crate::Result<()>) {
        let _off = writing(&self.power);
        let mut journal = writing(&self.names);
        let dice = Dice::new(seed);
        if torn.is_some() {
            let pending = journal.pending();
            let survives = pending.start() - 1 + dice.below(pending.count() as u64 + 1);
            journal.commit(survives);
        }
        let mut failures = Vec::new();
        let all = locked(&self.inodes).all();
        let untrue = Untrue { names: journal.names(), inodes: all.iter().map(|inode| inode.id).collect() };
        for inode in all {
            let mut contents = locked(&inode.contents);
            if !contents.is_synced() {
                let torn = torn.map(|sector| Torn { sector, dice: &dice });
                let undone = inode.open(true).and_then(|file| contents.undo(&file, torn).map_err(errno));
                failures.extend(undone.err().map(|error| format!("the contents of file {}: {error}", inode.id)));
            }
        }
        failures.extend(journal.undo());
        locked(&self.inodes).renumber();
        (untrue, if failures.is_empty() { Ok(()) } else { Err(format!("not all could be undone: {}", failures.join("; "))) })
    }

    /// Keeps nothing to be undone any more, and only passes on.
    pub fn end(&self) {
        let _off = writing(&self.power);
        self.is_ending.store(true, Ordering::Relaxed);
        writing(&self.names).close();
        for inode in locked(&self.inodes).all() {
            locked(&inode.contents).take();
        }
        // What is not empty is so because of who still serves it; it is looked for once more when nobody does.
        let _ = clear(self.root.place());
    }

    /// What every operation holds that changes something.
    pub(crate) fn on(&self) -> RwLockReadGuard<'_, ()> {
        reading(&self.power)
    }
}

/// Fails for the name of the attic.
fn visible(parent: &Inode, name: &OsStr) -> Outcome<()> {
    if parent.id == ROOT && name == ATTIC { Err(Errno::NOENT) } else { Ok(()) }
}

fn empty_directory(what: &Inode) -> Outcome<()> {
    if !what.is_directory()? {
        return Err(Errno::NOTDIR);
    }
    let mut names = std::fs::read_dir(what.path()).map_err(errno)?;
    if names.next().is_none() { Ok(()) } else { Err(Errno::NOTEMPTY) }
}

/// Takes away the attic with what is in it, which was removed.
fn clear(root: BorrowedFd) -> Outcome<()> {
    match std::fs::remove_dir_all(format!("/proc/self/fd/{}/{ATTIC}", root.as_raw_fd())) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(errno(error)),
        _ => Ok(()),
    }
}
