//! What undoes changes of names, modes, owners and extended attributes that are not durable yet, in the order in which they were made.
//!
//! What is removed is not: it is moved to a hidden directory of the volume, so that it can be put back, and is deleted when its removal is durable.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::os::fd::OwnedFd;
use std::sync::Arc;

use rustix::fs::{AtFlags, Mode, OFlags, RenameFlags};

use super::Inode;
use super::{Errno, Outcome};

/// The hidden directory's name.
pub const ATTIC: &str = ".elenchus-disk";

/// How many changes may wait to be undone. Beyond it the older half counts as durable: a journal has an end.
const LIMIT: usize = 1 << 15;

/// How to undo a change. Directories are meant by identity: they may have been renamed since.
#[derive(Debug)]
pub(crate) enum Undo {
    /// A name was given; it is taken away.
    Created { parent: Arc<Inode>, name: OsString, is_directory: bool },
    /// A name was taken away; what it named is in the attic under a number, and is put back.
    Removed { parent: Arc<Inode>, name: OsString, what: Arc<Inode>, number: u64 },
    /// From the first to the second.
    Renamed { from: (Arc<Inode>, OsString), to: (Arc<Inode>, OsString) },
    /// Each for the other.
    Exchanged { one: (Arc<Inode>, OsString), other: (Arc<Inode>, OsString) },
    /// Permissions, as they were.
    Mode { what: Arc<Inode>, mode: u32 },
    /// User and group, as they were.
    Owner { what: Arc<Inode>, user: u32, group: u32 },
    /// An extended attribute as it was, if it was.
    Attribute { what: Arc<Inode>, name: OsString, value: Option<Vec<u8>> },
}

/// The changes that are not durable.
#[derive(Debug)]
pub(crate) struct Journal {
    attic: OwnedFd,
    /// The oldest first, each with the number of the change that it is a part of.
    changes: VecDeque<(u64, Undo)>,
    last: u64,
    committed: u64,
    next_number: u64,
    /// Nothing is noted any more, and what is removed is.
    is_closed: bool,
}

impl Journal {
    /// An empty one, which keeps what is removed in this directory.
    pub(crate) fn new(attic: OwnedFd) -> Journal {
        Journal { attic, changes: VecDeque::new(), last: 0, committed: 0, next_number: 0, is_closed: false }
    }

    /// The last change that is durable.
    pub(crate) fn committed(&self) -> u64 {
        self.committed
    }

    /// Notes a change by how its parts are undone, and whom it concerned.
    pub(crate) fn note(&mut self, parts: impl IntoIterator<Item = Undo>, concerned: &[&Inode]) {
        if self.is_closed {
            return;
        }
        self.last += 1;
        for inode in concerned {
            inode.touch(self.last);
        }
        self.changes.extend(parts.into_iter().map(|undo| (self.last, undo)));
        if self.changes.len() > LIMIT
            && let Some(&(middle, _)) = self.changes.get(LIMIT / 2)
        {
            self.commit(middle);
        }
    }

    /// Moves what has this name to the attic.
    pub(crate) fn remove(&mut self, parent: &Arc<Inode>, name: &OsStr, what: &Arc<Inode>, is_directory: bool) -> Outcome<Option<Undo>> {
        if self.is_closed {
            let flags = if is_directory { AtFlags::REMOVEDIR } else { AtFlags::empty() };
            return rustix::fs::unlinkat(parent.place(), name, flags).map(|()| None);
        }
        let number = self.number();
        rustix::fs::renameat(parent.place(), name, &self.attic, number.to_string())?;
        Ok(Some(self.removed(parent, name, what, number)))
    }

    /// Gives a file, which is about to be replaced, a name in the attic too.
    pub(crate) fn save(&mut self, parent: &Arc<Inode>, name: &OsStr, what: &Arc<Inode>) -> Outcome<Option<Undo>> {
        if self.is_closed {
            return Ok(None);
        }
        let number = self.number();
        rustix::fs::linkat(parent.place(), name, &self.attic, number.to_string(), AtFlags::empty())?;
        Ok(Some(self.removed(parent, name, what, number)))
    }

    /// It was not replaced after all.
    pub(crate) fn discard(&self, undo: &Undo) {
        if let Undo::Removed { what, number, .. } = undo {
            what.unhide_name();
            // Where it is left over, it goes with the attic.
            let name = number.to_string();
            let _ = rustix::fs::unlinkat(&self.attic, &name, AtFlags::empty())
                .or_else(|_| rustix::fs::unlinkat(&self.attic, &name, AtFlags::REMOVEDIR));
        }
    }

    /// Makes all changes up to this one durable.
    pub(crate) fn commit(&mut self, up_to: u64) {
        self.committed = self.committed.max(up_to.min(self.last));
        while self.changes.front().is_some_and(|(change, _)| *change <= self.committed) {
            if let Some((_, undo)) = self.changes.pop_front() {
                self.discard(&undo);
            }
        }
    }

    /// Makes all durable, and notes nothing any more.
    pub(crate) fn close(&mut self) {
        self.commit(self.last);
        self.is_closed = true;
    }

    /// The changes that are not durable, from the first to the last.
    pub(crate) fn pending(&self) -> std::ops::RangeInclusive<u64> {
        self.committed + 1..=self.last
    }

    /// The names that mean something else when what is not durable is undone, each with the number of its directory.
    pub(crate) fn names(&self) -> Vec<(u64, OsString)> {
        let names = self.changes.iter().flat_map(|(_, undo)| match undo {
            Undo::Created { parent, name, .. } | Undo::Removed { parent, name, .. } => vec![(parent, name)],
            Undo::Renamed { from: (one, name), to: (other, new) } | Undo::Exchanged { one: (one, name), other: (other, new) } => {
                vec![(one, name), (other, new)]
            }
            Undo::Mode { .. } | Undo::Owner { .. } | Undo::Attribute { .. } => Vec::new(),
        });
        names.map(|(parent, name)| (parent.id, name.clone())).collect()
    }

    /// Undoes all that is not durable, the last first. Returns what could not be undone.
    pub(crate) fn undo(&mut self) -> Vec<String> {
        let mut failures = Vec::new();
        while let Some((_, undo)) = self.changes.pop_back() {
            if let Err(error) = self.revert(&undo) {
                failures.push(format!("{undo:?}: {error}"));
            }
        }
        self.committed = self.last;
        failures
    }

    fn removed(&mut self, parent: &Arc<Inode>, name: &OsStr, what: &Arc<Inode>, number: u64) -> Undo {
        what.hide_name();
        Undo::Removed { parent: parent.clone(), name: name.to_owned(), what: what.clone(), number }
    }

    fn number(&mut self) -> u64 {
        self.next_number += 1;
        self.next_number
    }

    /// Undoes one part of a change.
    pub(crate) fn revert(&self, undo: &Undo) -> Outcome<()> {
        match undo {
            Undo::Created { parent, name, is_directory } => {
                rustix::fs::unlinkat(parent.place(), name, if *is_directory { AtFlags::REMOVEDIR } else { AtFlags::empty() })
            }
            Undo::Removed { parent, name, what, number } => {
                what.unhide_name();
                rustix::fs::renameat(&self.attic, number.to_string(), parent.place(), name)
            }
            Undo::Renamed { from, to } => rustix::fs::renameat(to.0.place(), &to.1, from.0.place(), &from.1),
            Undo::Exchanged { one, other } => {
                rustix::fs::renameat_with(one.0.place(), &one.1, other.0.place(), &other.1, RenameFlags::EXCHANGE)
            }
            Undo::Mode { what, mode } => rustix::fs::chmod(what.path(), Mode::from_raw_mode(*mode)),
            Undo::Owner { what, user, group } => set_owner(what, Some(*user), Some(*group)),
            Undo::Attribute { what, name, value: Some(value) } => {
                rustix::fs::setxattr(what.path(), name, value, rustix::fs::XattrFlags::empty())
            }
            Undo::Attribute { what, name, value: None } => match rustix::fs::removexattr(what.path(), name) {
                Err(Errno::NODATA) => Ok(()),
                removed => removed,
            },
        }
    }
}

/// Changes the user or the group.
pub(crate) fn set_owner(what: &Inode, user: Option<u32>, group: Option<u32>) -> Outcome<()> {
    let (user, group) = (user.map(rustix::fs::Uid::from_raw), group.map(rustix::fs::Gid::from_raw));
    rustix::fs::chownat(what.place(), "", user, group, AtFlags::EMPTY_PATH)
}

/// Opens, or makes, the attic of a volume.
pub(crate) fn attic(root: &OwnedFd) -> Outcome<OwnedFd> {
    match rustix::fs::mkdirat(root, ATTIC, Mode::RWXU) {
        Err(error) if error != Errno::EXIST => Err(error),
        _ => rustix::fs::openat(root, ATTIC, OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty()),
    }
}
