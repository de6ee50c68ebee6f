//! The file system's operations on the contents of files.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::atomic::Ordering;

use rustix::fs::{FallocateFlags, FileType};

use super::undo_log::UndoLog;
use super::{Errno, Inode, Outcome, Volume, errno, locked};

impl Volume {
    /// Reads `size` bytes, or fewer at the end of the file.
    pub fn read(&self, file: &File, offset: u64, size: usize) -> Outcome<Vec<u8>> {
        let mut bytes = vec![0; size];
        let mut length = 0;
        while length < size {
            match file.read_at(&mut bytes[length..], offset + length as u64) {
                Ok(0) => break,
                Ok(count) => length += count,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(errno(error)),
            }
        }
        bytes.truncate(length);
        Ok(bytes)
    }

    /// Writes. The file must be open for reading too.
    pub fn write(&self, inode: &Inode, file: &File, offset: u64, bytes: &[u8]) -> Outcome<()> {
        let end = offset.checked_add(bytes.len() as u64).ok_or(Errno::FBIG)?;
        self.change(inode, file, offset, end, || file.write_all_at(bytes, offset).map_err(errno))
    }

    /// Sets the length.
    pub fn set_length(&self, inode: &Inode, file: &File, length: u64) -> Outcome<()> {
        self.change(inode, file, length, u64::MAX, || rustix::fs::ftruncate(file, length))
    }

    /// Allocates or deallocates space. Operations that move bytes within a file are not supported, as on many file systems.
    pub fn allocate(&self, inode: &Inode, file: &File, flags: FallocateFlags, offset: u64, length: u64) -> Outcome<()> {
        let moves = FallocateFlags::COLLAPSE_RANGE | FallocateFlags::INSERT_RANGE | FallocateFlags::UNSHARE_RANGE;
        if flags.intersects(moves) {
            return Err(Errno::OPNOTSUPP);
        }
        let end = offset.checked_add(length).ok_or(Errno::FBIG)?;
        // Allocation alone changes no byte before the end of the file.
        let from = if flags.intersects(FallocateFlags::PUNCH_HOLE | FallocateFlags::ZERO_RANGE) { offset } else { end };
        self.change(inode, file, from, end, || rustix::fs::fallocate(file, flags, offset, length))
    }

    /// Saves a range in the undo log and changes it. When the undo log is full, changes and syncs instead.
    fn change(&self, inode: &Inode, file: &File, from: u64, to: u64, change: impl FnOnce() -> Outcome<()>) -> Outcome<()> {
        let _guard = self.change_guard();
        let mut undo_log = locked(&inode.undo_log);
        if self.is_ending.load(Ordering::Relaxed) {
            return change();
        }
        if undo_log.save(file, from, to).map_err(errno)? {
            return change();
        }
        change()?;
        rustix::fs::fdatasync(file)?;
        *undo_log = UndoLog::default();
        drop(undo_log);
        self.commit(inode);
        Ok(())
    }

    /// Makes the contents durable, and changes of names up to the last one that involves the file.
    pub fn sync(&self, inode: &Inode, file: &File, data_only: bool) -> Outcome<()> {
        let _guard = self.change_guard();
        // Writes from here on are not part of this sync and can be undone as before.
        let taken = locked(&inode.undo_log).take();
        let synced = if data_only { rustix::fs::fdatasync(file) } else { rustix::fs::fsync(file) };
        if let Err(error) = synced {
            locked(&inode.undo_log).merge_older(taken);
            return Err(error);
        }
        self.commit(inode);
        Ok(())
    }

    /// [`Volume::set_length`] for a file that is not open.
    pub(crate) fn cut(&self, inode: &Inode, length: u64) -> Outcome<()> {
        if FileType::from_raw_mode(inode.stat()?.st_mode) != FileType::RegularFile {
            return Err(Errno::INVAL);
        }
        self.set_length(inode, &inode.open(true)?, length)
    }
}
