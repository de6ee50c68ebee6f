//! Conversions between a volume's types and fuser's.

use std::ffi::OsStr;
use std::os::unix::fs::FileTypeExt;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use fuser::{FileAttr, FileType, Generation, INodeNo, ReplyEmpty, ReplyEntry, ReplyXattr, Request, TimeOrNow};
use rustix::fs::{Stat, Timespec, UTIME_NOW, UTIME_OMIT};

use super::{Errno, Inode, Outcome, Owner};

/// How long the kernel may cache names and attributes. Nothing else changes them, and what a power failure undoes is invalidated.
pub(super) const TIME_TO_LIVE: Duration = Duration::from_secs(3600);

/// Replies with the attributes of an inode, or with the error.
pub(super) fn answer(reply: ReplyEntry, made: Outcome<Arc<Inode>>) {
    match made.and_then(|inode| attributes(&inode)) {
        Ok(attributes) => reply.entry(&TIME_TO_LIVE, &attributes, Generation(0)),
        Err(error) => reply.error(fuse_errno(error)),
    }
}

pub(super) fn done(reply: ReplyEmpty, outcome: Outcome<()>) {
    match outcome {
        Ok(()) => reply.ok(),
        Err(error) => reply.error(fuse_errno(error)),
    }
}

pub(super) fn fuse_errno(error: Errno) -> fuser::Errno {
    fuser::Errno::from_i32(error.raw_os_error())
}

pub(super) fn owner(request: &Request) -> Owner {
    Owner { user: request.uid(), group: request.gid() }
}

pub(super) fn kind_of(kind: std::fs::FileType) -> FileType {
    match kind {
        kind if kind.is_dir() => FileType::Directory,
        kind if kind.is_symlink() => FileType::Symlink,
        kind if kind.is_fifo() => FileType::NamedPipe,
        kind if kind.is_socket() => FileType::Socket,
        kind if kind.is_block_device() => FileType::BlockDevice,
        kind if kind.is_char_device() => FileType::CharDevice,
        _ => FileType::RegularFile,
    }
}

pub(super) fn attributes(inode: &Inode) -> Outcome<FileAttr> {
    let stat: Stat = inode.stat()?;
    let kind = match rustix::fs::FileType::from_raw_mode(stat.st_mode) {
        rustix::fs::FileType::Directory => FileType::Directory,
        rustix::fs::FileType::Symlink => FileType::Symlink,
        rustix::fs::FileType::Fifo => FileType::NamedPipe,
        rustix::fs::FileType::Socket => FileType::Socket,
        rustix::fs::FileType::BlockDevice => FileType::BlockDevice,
        rustix::fs::FileType::CharacterDevice => FileType::CharDevice,
        _ => FileType::RegularFile,
    };
    let time = |seconds: i64, nanos: u32| match u64::try_from(seconds) {
        Ok(seconds) => UNIX_EPOCH + Duration::new(seconds, nanos),
        Err(_) => UNIX_EPOCH - Duration::from_secs(seconds.unsigned_abs()) + Duration::from_nanos(nanos.into()),
    };
    Ok(FileAttr {
        ino: INodeNo(inode.id),
        size: stat.st_size.cast_unsigned(),
        blocks: stat.st_blocks.cast_unsigned(),
        atime: time(stat.st_atime, stat.st_atime_nsec as u32),
        mtime: time(stat.st_mtime, stat.st_mtime_nsec as u32),
        ctime: time(stat.st_ctime, stat.st_ctime_nsec as u32),
        crtime: UNIX_EPOCH,
        kind,
        perm: (stat.st_mode & 0o7777) as u16,
        nlink: stat.st_nlink as u32,
        uid: stat.st_uid,
        gid: stat.st_gid,
        rdev: stat.st_rdev as u32,
        blksize: stat.st_blksize as u32,
        flags: 0,
    })
}

pub(super) fn timespec(time: Option<TimeOrNow>) -> Timespec {
    match time {
        None => Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
        Some(TimeOrNow::Now) => Timespec { tv_sec: 0, tv_nsec: UTIME_NOW },
        Some(TimeOrNow::SpecificTime(time)) => {
            let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
            Timespec { tv_sec: since.as_secs() as i64, tv_nsec: since.subsec_nanos().into() }
        }
    }
}

/// Whether extended attributes with this name are supported. ACLs (`system.`) are not: the kernel would have to interpret them.
pub(super) fn is_passed_on(name: &OsStr) -> bool {
    ["user.", "trusted.", "security."].iter().any(|prefix| name.as_encoded_bytes().starts_with(prefix.as_bytes()))
}

/// Replies with bytes or, when `size` is 0, with their number; with ERANGE when there are more than `size`.
pub(super) fn answer_bytes(reply: ReplyXattr, size: u32, bytes: Outcome<Vec<u8>>) {
    match bytes {
        Err(error) => reply.error(fuse_errno(error)),
        Ok(bytes) if size == 0 => reply.size(bytes.len() as u32),
        Ok(bytes) if bytes.len() > size as usize => reply.error(fuser::Errno::ERANGE),
        Ok(bytes) => reply.data(&bytes),
    }
}
