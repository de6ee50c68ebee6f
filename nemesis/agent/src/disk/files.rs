//! The file system's operations on the contents of files.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::atomic::Ordering;

use rustix::fs::{FallocateFlags, FileType};

use super::contents::Contents;
use super::{Errno, Inode, Outcome, Volume, errno, locked};

impl Volume {
    /// Reads until the end of the file, or until so many bytes are there.
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

    /// Writes. The file is open for reading too.
    pub fn write(&self, inode: &Inode, file: &File, offset: u64, bytes: &[u8]) -> Outcome<()> {
        let end = offset.checked_add(bytes.len() as u64).ok_or(Errno::FBIG)?;
        self.change(inode, file, offset, end, || file.write_all_at(bytes, offset).map_err(errno))
    }

    /// Sets the length.
    pub fn set_length(&self, inode: &Inode, file: &File, length: u64) -> Outcome<()> {
        self.change(inode, file, length, u64::MAX, || rustix::fs::ftruncate(file, length))
    }

    /// Takes room, or gives it back. What would move bytes within a file is not supported, as on many file systems.
    pub fn allocate(&self, inode: &Inode, file: &File, flags: FallocateFlags, offset: u64, length: u64) -> Outcome<()> {
        let moves = FallocateFlags::COLLAPSE_RANGE | FallocateFlags::INSERT_RANGE | FallocateFlags::UNSHARE_RANGE;
        if flags.intersects(moves) {
            return Err(Errno::OPNOTSUPP);
        }
        let end = offset.checked_add(length).ok_or(Errno::FBIG)?;
        // Room alone changes no byte below the end.
        let from = if flags.intersects(FallocateFlags::PUNCH_HOLE | FallocateFlags::ZERO_RANGE) { offset } else { end };
        self.change(inode, file, from, end, || rustix::fs::fallocate(file, flags, offset, length))
    }

    /// Changes bytes of a range, or the length, when it is kept how to undo it.
    fn change(&self, inode: &Inode, file: &File, from: u64, to: u64, change: impl FnOnce() -> Outcome<()>) -> Outcome<()> {
        let _on = self.on();
        let mut contents = locked(&inode.contents);
        if self.is_ending.load(Ordering::Relaxed) {
            return change();
        }
        if contents.keep(file, from, to).map_err(errno)? {
            return change();
        }
        change()?;
        rustix::fs::fdatasync(file)?;
        *contents = Contents::default();
        drop(contents);
        self.commit(inode);
        Ok(())
    }

    /// Makes the contents durable, and the names up to the last change that concerned the file.
    pub fn sync(&self, inode: &Inode, file: &File, data_only: bool) -> Outcome<()> {
        let _on = self.on();
        // What is written from here on is not waited for, and is to be undone as before.
        let taken = locked(&inode.contents).take();
        let synced = if data_only { rustix::fs::fdatasync(file) } else { rustix::fs::fsync(file) };
        if let Err(error) = synced {
            locked(&inode.contents).put_back(taken);
            return Err(error);
        }
        self.commit(inode);
        Ok(())
    }

    /// As [`Volume::set_length`], of what is not open.
    pub(crate) fn cut(&self, inode: &Inode, length: u64) -> Outcome<()> {
        if FileType::from_raw_mode(inode.stat()?.st_mode) != FileType::RegularFile {
            return Err(Errno::INVAL);
        }
        self.set_length(inode, &inode.open(true)?, length)
    }
}
