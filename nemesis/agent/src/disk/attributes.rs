//! The file system's operations on permissions, owners, times and extended attributes.

use std::ffi::OsStr;
use std::sync::Arc;

use rustix::fs::{AtFlags, FileType, Mode, Timestamps};

use super::journal::{self, Undo};
use super::{Inode, Outcome, Volume, writing};

impl Volume {
    /// Sets the permissions.
    pub fn set_mode(&self, what: &Arc<Inode>, mode: u32) -> Outcome<()> {
        let _guard = self.change_guard();
        let mut journal = writing(&self.names);
        let former = what.stat()?.st_mode;
        rustix::fs::chmod(what.path(), Mode::from_raw_mode(mode))?;
        journal.record([Undo::Mode { what: what.clone(), mode: former }], &[what]);
        Ok(())
    }

    /// Sets the user, the group or both.
    pub(crate) fn set_owner(&self, what: &Arc<Inode>, user: Option<u32>, group: Option<u32>) -> Outcome<()> {
        let _guard = self.change_guard();
        let mut journal = writing(&self.names);
        let former = what.stat()?;
        journal::set_owner(what, user, group)?;
        let mut undo = vec![Undo::Owner { what: what.clone(), user: former.st_uid, group: former.st_gid }];
        // A change of the owner clears the setuid and setgid bits.
        if FileType::from_raw_mode(former.st_mode) == FileType::RegularFile {
            undo.insert(0, Undo::Mode { what: what.clone(), mode: former.st_mode });
        }
        journal.record(undo, &[what]);
        Ok(())
    }

    pub(crate) fn set_times(&self, what: &Inode, times: &Timestamps) -> Outcome<()> {
        let _guard = self.change_guard();
        rustix::fs::utimensat(rustix::fs::CWD, what.path(), times, AtFlags::empty())
    }

    /// Sets or removes an extended attribute.
    pub(crate) fn set_attribute(&self, what: &Arc<Inode>, name: &OsStr, value: Option<(&[u8], i32)>) -> Outcome<()> {
        let _guard = self.change_guard();
        let mut journal = writing(&self.names);
        let former = self.attribute(what, name).ok();
        match value {
            Some((value, flags)) => {
                rustix::fs::setxattr(what.path(), name, value, rustix::fs::XattrFlags::from_bits_retain(flags.cast_unsigned()))?;
            }
            None => rustix::fs::removexattr(what.path(), name)?,
        }
        journal.record([Undo::Attribute { what: what.clone(), name: name.to_owned(), value: former }], &[what]);
        Ok(())
    }

    pub(crate) fn attribute(&self, what: &Inode, name: &OsStr) -> Outcome<Vec<u8>> {
        let mut value = vec![0; 1 << 16];
        let length = rustix::fs::getxattr(what.path(), name, value.as_mut_slice())?;
        value.truncate(length);
        Ok(value)
    }
}
