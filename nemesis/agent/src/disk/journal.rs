//! The undo journal of changes of names, modes, owners and extended attributes that are not durable yet, in their order.
//!
//! Removed files and directories are moved to a hidden directory of the volume, so that they can be restored; they are deleted when the
//! removal is durable.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::os::fd::OwnedFd;
use std::sync::Arc;

use rustix::fs::{AtFlags, Mode, OFlags, RenameFlags};

use super::Inode;
use super::{Errno, Outcome};

/// The name of the hidden directory.
pub const HIDDEN_DIRECTORY: &str = ".elenchus-disk";

/// The limit of pending changes. Beyond it the older half becomes durable, as a journal has a limited size.
const LIMIT: usize = 1 << 15;

/// How to undo a change. Directories are referred to by inode, because they may have been renamed since.
#[derive(Debug)]
pub(crate) enum Undo {
    /// Removes a name that was created.
    Created { parent: Arc<Inode>, name: OsString, is_directory: bool },
    /// Restores a removed node, which is in the hidden directory under a number.
    Removed { parent: Arc<Inode>, name: OsString, what: Arc<Inode>, number: u64 },
    /// Renames back.
    Renamed { from: (Arc<Inode>, OsString), to: (Arc<Inode>, OsString) },
    /// Exchanges two names again.
    Exchanged { one: (Arc<Inode>, OsString), other: (Arc<Inode>, OsString) },
    /// Restores the permissions.
    Mode { what: Arc<Inode>, mode: u32 },
    /// Restores user and group.
    Owner { what: Arc<Inode>, user: u32, group: u32 },
    /// Restores or removes an extended attribute.
    Attribute { what: Arc<Inode>, name: OsString, value: Option<Vec<u8>> },
}

/// The pending changes.
#[derive(Debug)]
pub(crate) struct Journal {
    hidden: OwnedFd,
    /// The oldest first, each with the number of its change; a change can have several parts.
    changes: VecDeque<(u64, Undo)>,
    last: u64,
    committed: u64,
    next_number: u64,
    /// Whether changes are no longer recorded, and removals are immediate.
    is_closed: bool,
}

impl Journal {
    /// An empty journal that moves removed nodes to this directory.
    pub(crate) fn new(hidden: OwnedFd) -> Journal {
        Journal { hidden, changes: VecDeque::new(), last: 0, committed: 0, next_number: 0, is_closed: false }
    }

    /// The number of the last durable change.
    pub(crate) fn committed(&self) -> u64 {
        self.committed
    }

    /// Records a change by how its parts are undone, and the inodes that it involves.
    pub(crate) fn record(&mut self, parts: impl IntoIterator<Item = Undo>, concerned: &[&Inode]) {
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

    /// Removes a name by moving its node to the hidden directory.
    pub(crate) fn hide(&mut self, parent: &Arc<Inode>, name: &OsStr, what: &Arc<Inode>, is_directory: bool) -> Outcome<Option<Undo>> {
        if self.is_closed {
            let flags = if is_directory { AtFlags::REMOVEDIR } else { AtFlags::empty() };
            return rustix::fs::unlinkat(parent.place(), name, flags).map(|()| None);
        }
        let number = self.number();
        rustix::fs::renameat(parent.place(), name, &self.hidden, number.to_string())?;
        Ok(Some(self.removed(parent, name, what, number)))
    }

    /// Links a file that is about to be replaced into the hidden directory.
    pub(crate) fn link_hidden(&mut self, parent: &Arc<Inode>, name: &OsStr, what: &Arc<Inode>) -> Outcome<Option<Undo>> {
        if self.is_closed {
            return Ok(None);
        }
        let number = self.number();
        rustix::fs::linkat(parent.place(), name, &self.hidden, number.to_string(), AtFlags::empty())?;
        Ok(Some(self.removed(parent, name, what, number)))
    }

    /// Forgets a [`Journal::link_hidden`] or a removal that became durable.
    pub(crate) fn discard(&self, undo: &Undo) {
        if let Undo::Removed { what, number, .. } = undo {
            what.unhide_name();
            // A leftover is deleted together with the hidden directory.
            let name = number.to_string();
            let _ = rustix::fs::unlinkat(&self.hidden, &name, AtFlags::empty())
                .or_else(|_| rustix::fs::unlinkat(&self.hidden, &name, AtFlags::REMOVEDIR));
        }
    }

    /// Makes all changes up to this number durable.
    pub(crate) fn commit(&mut self, up_to: u64) {
        self.committed = self.committed.max(up_to.min(self.last));
        while self.changes.front().is_some_and(|(change, _)| *change <= self.committed) {
            if let Some((_, undo)) = self.changes.pop_front() {
                self.discard(&undo);
            }
        }
    }

    /// Makes all changes durable and stops recording.
    pub(crate) fn close(&mut self) {
        self.commit(self.last);
        self.is_closed = true;
    }

    /// The numbers of the pending changes.
    pub(crate) fn pending(&self) -> std::ops::RangeInclusive<u64> {
        self.committed + 1..=self.last
    }

    /// The names, each with the inode number of its directory, that undoing the pending changes affects.
    pub(crate) fn affected_names(&self) -> Vec<(u64, OsString)> {
        let names = self.changes.iter().flat_map(|(_, undo)| match undo {
            Undo::Created { parent, name, .. } | Undo::Removed { parent, name, .. } => vec![(parent, name)],
            Undo::Renamed { from: (one, name), to: (other, new) } | Undo::Exchanged { one: (one, name), other: (other, new) } => {
                vec![(one, name), (other, new)]
            }
            Undo::Mode { .. } | Undo::Owner { .. } | Undo::Attribute { .. } => Vec::new(),
        });
        names.map(|(parent, name)| (parent.id, name.clone())).collect()
    }

    /// Undoes all pending changes, the last first. Returns the failures.
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
                rustix::fs::renameat(&self.hidden, number.to_string(), parent.place(), name)
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

/// Opens, or creates, the hidden directory of a volume.
pub(crate) fn open_hidden(root: &OwnedFd) -> Outcome<OwnedFd> {
    match rustix::fs::mkdirat(root, HIDDEN_DIRECTORY, Mode::RWXU) {
        Err(error) if error != Errno::EXIST => Err(error),
        _ => {
            rustix::fs::openat(root, HIDDEN_DIRECTORY, OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())
        }
    }
}
