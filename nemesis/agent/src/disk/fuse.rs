//! The FUSE requests: they apply the faults and call the operations of the volume.
//!
//! The kernel checks permissions, manages locks, and caches names, attributes and the data of open files. In write-back mode only the
//! kernel knows the length and modification time of a file.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::os::unix::fs::DirEntryExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, RwLock};
use std::time::SystemTime;

use fuser::{
    FileHandle, FileType, Filesystem, FopenFlags, Generation, INodeNo, InitFlags, KernelConfig, LockOwner, OpenFlags, RenameFlags,
    ReplyAttr, ReplyCreate, ReplyData, ReplyDirectory, ReplyEmpty, ReplyEntry, ReplyOpen, ReplyStatfs, ReplyWrite, ReplyXattr, Request,
    TimeOrNow, WriteFlags,
};
use rustix::fs::{FallocateFlags, Timestamps};

use super::faults::{Faults, Operation};
use super::replies::{TIME_TO_LIVE, answer, answer_bytes, attributes, done, fuse_errno, is_passed_on, kind_of, owner, timespec};
use super::writes::Writes;
use super::{Errno, Inode, Outcome, Volume, errno, locked, reading, writing};

/// The largest write request, in bytes.
const MAX_WRITE: u32 = 1 << 20;

/// A volume with faults.
#[derive(Debug)]
pub(crate) struct Disk {
    pub(crate) volume: Volume,
    pub(crate) faults: Faults,
    /// The path of the directory below.
    base: PathBuf,
    writes: Writes,
    handles: RwLock<HashMap<u64, Handle>>,
    next_handle: AtomicU64,
}

/// An open file or directory.
#[derive(Clone, Debug)]
enum Handle {
    File(Arc<File>),
    Names(Arc<Vec<Name>>),
}

type Name = (u64, FileType, OsString);

/// The FUSE file system.
#[derive(Clone, Debug)]
pub(crate) struct FuseDisk(pub(crate) Arc<Disk>);

impl Disk {
    pub(crate) fn new(volume: Volume, writes: Writes) -> Outcome<Disk> {
        let base = std::fs::read_link(volume.root().path()).map_err(errno)?;
        Ok(Disk { volume, faults: Faults::default(), base, writes, handles: RwLock::default(), next_handle: AtomicU64::new(1) })
    }

    fn inode(&self, number: INodeNo) -> Outcome<Arc<Inode>> {
        locked(&self.volume.inodes).get(number.0)
    }

    /// The path relative to the directory; empty for a file without a name.
    fn path(&self, inode: &Inode) -> PathBuf {
        let path = std::fs::read_link(inode.path()).unwrap_or_default();
        path.strip_prefix(&self.base).map(Path::to_owned).unwrap_or_default()
    }

    fn apply_faults(&self, operation: Operation, inode: &Inode) -> Outcome<()> {
        self.faults.apply(operation, || self.path(inode).to_string_lossy().into_owned())
    }

    fn apply_faults_to_name(&self, operation: Operation, parent: &Inode, name: &OsStr) -> Outcome<()> {
        self.faults.apply(operation, || self.path(parent).join(name).to_string_lossy().into_owned())
    }

    fn keep(&self, handle: Handle) -> FileHandle {
        let number = self.next_handle.fetch_add(1, Ordering::Relaxed);
        writing(&self.handles).insert(number, handle);
        FileHandle(number)
    }

    fn file(&self, handle: FileHandle) -> Outcome<Arc<File>> {
        match reading(&self.handles).get(&handle.0) {
            Some(Handle::File(file)) => Ok(file.clone()),
            _ => Err(Errno::BADF),
        }
    }

    fn names(&self, number: INodeNo) -> Outcome<Handle> {
        let inode = self.inode(number)?;
        self.apply_faults(Operation::List, &inode)?;
        let here = [".", ".."].map(|name| (number.0, FileType::Directory, OsString::from(name)));
        let entries = self.volume.list(&inode)?;
        let below = entries.into_iter().map(|entry| {
            let kind = entry.file_type().map_or(FileType::RegularFile, kind_of);
            (entry.ino(), kind, entry.file_name())
        });
        Ok(Handle::Names(Arc::new(here.into_iter().chain(below).collect())))
    }
}

impl Filesystem for FuseDisk {
    fn init(&mut self, _: &Request, config: &mut KernelConfig) -> std::io::Result<()> {
        // Older kernels lack some of these capabilities.
        let _ = config.set_max_write(MAX_WRITE);
        let always = InitFlags::FUSE_PARALLEL_DIROPS | InitFlags::FUSE_ASYNC_DIO | InitFlags::FUSE_HANDLE_KILLPRIV_V2;
        let back = if self.0.writes == Writes::Back { InitFlags::FUSE_WRITEBACK_CACHE } else { InitFlags::empty() };
        for wanted in (always | back).iter() {
            let _ = config.add_capabilities(wanted);
        }
        Ok(())
    }

    /// Called when the file system is unmounted and no file of it is open.
    fn destroy(&mut self) {
        // On return fuser would unmount by path, where another file system may be mounted by now.
        std::process::exit(0);
    }

    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        answer(reply, self.0.inode(parent).and_then(|parent| self.0.volume.look_up(&parent, name)));
    }

    fn forget(&self, _: &Request, number: INodeNo, count: u64) {
        self.0.volume.forget(number.0, count);
    }

    fn getattr(&self, _: &Request, number: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        match self.0.inode(number).and_then(|inode| attributes(&inode)) {
            Ok(attributes) => reply.attr(&TIME_TO_LIVE, &attributes),
            Err(error) => reply.error(fuse_errno(error)),
        }
    }

    fn setattr(
        &self,
        _: &Request,
        number: INodeNo,
        mode: Option<u32>,
        user: Option<u32>,
        group: Option<u32>,
        length: Option<u64>,
        accessed: Option<TimeOrNow>,
        modified: Option<TimeOrNow>,
        _: Option<SystemTime>,
        handle: Option<FileHandle>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<fuser::BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        let Disk { volume, .. } = &*self.0;
        let set = |inode: &Arc<Inode>| {
            if length.is_some() {
                self.0.apply_faults(Operation::Truncate, inode)?;
            } else {
                self.0.apply_faults(Operation::Attribute, inode)?;
            }
            if let Some(mode) = mode {
                volume.set_mode(inode, mode)?;
            }
            if user.is_some() || group.is_some() {
                volume.set_owner(inode, user, group)?;
            }
            if let Some(length) = length {
                match handle {
                    Some(handle) => volume.set_length(inode, &*self.0.file(handle)?, length)?,
                    None => volume.cut(inode, length)?,
                }
            }
            if accessed.is_some() || modified.is_some() {
                let times = Timestamps { last_access: timespec(accessed), last_modification: timespec(modified) };
                volume.set_times(inode, &times)?;
            }
            attributes(inode)
        };
        match self.0.inode(number).and_then(|inode| set(&inode)) {
            Ok(attributes) => reply.attr(&TIME_TO_LIVE, &attributes),
            Err(error) => reply.error(fuse_errno(error)),
        }
    }

    fn readlink(&self, _: &Request, number: INodeNo, reply: ReplyData) {
        let target = self.0.inode(number).and_then(|inode| rustix::fs::readlinkat(inode.place(), "", Vec::new()));
        match target {
            Ok(target) => reply.data(target.as_bytes()),
            Err(error) => reply.error(fuse_errno(error)),
        }
    }

    fn mknod(&self, request: &Request, parent: INodeNo, name: &OsStr, mode: u32, _: u32, device: u32, reply: ReplyEntry) {
        let make = |parent: Arc<Inode>| {
            self.0.apply_faults_to_name(Operation::Create, &parent, name)?;
            self.0.volume.make_node(&parent, name, mode, device.into(), owner(request))
        };
        answer(reply, self.0.inode(parent).and_then(make));
    }

    fn mkdir(&self, request: &Request, parent: INodeNo, name: &OsStr, mode: u32, _: u32, reply: ReplyEntry) {
        let make = |parent: Arc<Inode>| {
            self.0.apply_faults_to_name(Operation::Create, &parent, name)?;
            self.0.volume.make_directory(&parent, name, mode, owner(request))
        };
        answer(reply, self.0.inode(parent).and_then(make));
    }

    fn unlink(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        let remove = |parent: Arc<Inode>| {
            self.0.apply_faults_to_name(Operation::Remove, &parent, name)?;
            self.0.volume.unlink(&parent, name)
        };
        done(reply, self.0.inode(parent).and_then(remove));
    }

    fn rmdir(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        let remove = |parent: Arc<Inode>| {
            self.0.apply_faults_to_name(Operation::Remove, &parent, name)?;
            self.0.volume.remove_directory(&parent, name)
        };
        done(reply, self.0.inode(parent).and_then(remove));
    }

    fn symlink(&self, request: &Request, parent: INodeNo, name: &OsStr, target: &Path, reply: ReplyEntry) {
        let make = |parent: Arc<Inode>| {
            self.0.apply_faults_to_name(Operation::Create, &parent, name)?;
            self.0.volume.make_symlink(&parent, name, target, owner(request))
        };
        answer(reply, self.0.inode(parent).and_then(make));
    }

    fn rename(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        new_parent: INodeNo,
        new_name: &OsStr,
        flags: RenameFlags,
        reply: ReplyEmpty,
    ) {
        let rename = || {
            let (parent, new_parent) = (self.0.inode(parent)?, self.0.inode(new_parent)?);
            self.0.apply_faults_to_name(Operation::Rename, &parent, name)?;
            let flags = rustix::fs::RenameFlags::from_bits(flags.bits()).ok_or(Errno::INVAL)?;
            self.0.volume.rename((&parent, name), (&new_parent, new_name), flags)
        };
        done(reply, rename());
    }

    fn link(&self, _: &Request, number: INodeNo, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let link = || {
            let (inode, parent) = (self.0.inode(number)?, self.0.inode(parent)?);
            self.0.apply_faults_to_name(Operation::Create, &parent, name)?;
            self.0.volume.link(&inode, &parent, name)
        };
        answer(reply, link());
    }

    fn open(&self, _: &Request, number: INodeNo, flags: OpenFlags, reply: ReplyOpen) {
        let open = |inode: Arc<Inode>| {
            self.0.apply_faults(Operation::Open, &inode)?;
            // Writing requires reading, for the undo log. The kernel handles O_APPEND.
            inode.open(flags.0 & libc::O_ACCMODE != libc::O_RDONLY)
        };
        match self.0.inode(number).and_then(open) {
            Ok(file) => reply.opened(self.0.keep(Handle::File(file.into())), FopenFlags::empty()),
            Err(error) => reply.error(fuse_errno(error)),
        }
    }

    fn create(&self, request: &Request, parent: INodeNo, name: &OsStr, mode: u32, _: u32, flags: i32, reply: ReplyCreate) {
        let create = |parent: Arc<Inode>| {
            self.0.apply_faults_to_name(Operation::Create, &parent, name)?;
            let (inode, file) = self.0.volume.create(&parent, name, mode, owner(request), flags & libc::O_EXCL != 0)?;
            Ok((attributes(&inode)?, file))
        };
        match self.0.inode(parent).and_then(create) {
            Ok((attributes, file)) => {
                let handle = self.0.keep(Handle::File(file.into()));
                reply.created(&TIME_TO_LIVE, &attributes, Generation(0), handle, FopenFlags::empty());
            }
            Err(error) => reply.error(fuse_errno(error)),
        }
    }

    fn read(
        &self,
        _: &Request,
        number: INodeNo,
        handle: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let read = || {
            let (inode, file) = (self.0.inode(number)?, self.0.file(handle)?);
            self.0.apply_faults(Operation::Read, &inode)?;
            let mut bytes = self.0.volume.read(&file, offset, size as usize)?;
            self.0.faults.flip_bits(&mut bytes, || self.0.path(&inode).to_string_lossy().into_owned());
            Ok(bytes)
        };
        match read() {
            Ok(bytes) => reply.data(&bytes),
            Err(error) => reply.error(fuse_errno(error)),
        }
    }

    fn write(
        &self,
        _: &Request,
        number: INodeNo,
        handle: FileHandle,
        offset: u64,
        bytes: &[u8],
        kind: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        // For O_SYNC and O_DSYNC the kernel sends an fsync request by itself.
        let write = || {
            let (inode, file) = (self.0.inode(number)?, self.0.file(handle)?);
            self.0.apply_faults(Operation::Write, &inode)?;
            self.0.volume.write(&inode, &file, offset, bytes)?;
            if kind.contains(WriteFlags::FUSE_WRITE_KILL_SUIDGID) {
                let mode = inode.stat()?.st_mode & 0o7777;
                let kept = if mode & 0o010 == 0 { mode & !0o4000 } else { mode & !0o6000 };
                if kept != mode {
                    self.0.volume.set_mode(&inode, kept)?;
                }
            }
            Ok(())
        };
        match write() {
            Ok(()) => reply.written(bytes.len() as u32),
            Err(error) => reply.error(fuse_errno(error)),
        }
    }

    fn flush(&self, _: &Request, _: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        // Closing has no effect. After ENOSYS the kernel does not send this request again.
        reply.error(fuser::Errno::ENOSYS);
    }

    fn release(&self, _: &Request, _: INodeNo, handle: FileHandle, _: OpenFlags, _: Option<LockOwner>, _: bool, reply: ReplyEmpty) {
        writing(&self.0.handles).remove(&handle.0);
        reply.ok();
    }

    fn fsync(&self, _: &Request, number: INodeNo, handle: FileHandle, data_only: bool, reply: ReplyEmpty) {
        let sync = || {
            let (inode, file) = (self.0.inode(number)?, self.0.file(handle)?);
            self.0.apply_faults(Operation::Sync, &inode)?;
            self.0.volume.sync(&inode, &file, data_only)
        };
        done(reply, sync());
    }

    fn opendir(&self, _: &Request, number: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        match self.0.names(number) {
            Ok(names) => reply.opened(self.0.keep(names), FopenFlags::empty()),
            Err(error) => reply.error(fuse_errno(error)),
        }
    }

    fn readdir(&self, _: &Request, number: INodeNo, handle: FileHandle, offset: u64, mut reply: ReplyDirectory) {
        // A read from the start (rewinddir) refreshes the list; otherwise each name is returned once.
        if offset == 0 {
            match self.0.names(number) {
                Ok(names) => drop(writing(&self.0.handles).insert(handle.0, names)),
                Err(error) => return reply.error(fuse_errno(error)),
            }
        }
        let names = match reading(&self.0.handles).get(&handle.0) {
            Some(Handle::Names(names)) => names.clone(),
            _ => return reply.error(fuser::Errno::EBADF),
        };
        for (at, (number, kind, name)) in names.iter().enumerate().skip(offset as usize) {
            if reply.add(INodeNo(*number), at as u64 + 1, *kind, name) {
                break;
            }
        }
        reply.ok();
    }

    fn releasedir(&self, _: &Request, _: INodeNo, handle: FileHandle, _: OpenFlags, reply: ReplyEmpty) {
        writing(&self.0.handles).remove(&handle.0);
        reply.ok();
    }

    fn fsyncdir(&self, _: &Request, number: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        let sync = |inode: Arc<Inode>| {
            self.0.apply_faults(Operation::Sync, &inode)?;
            self.0.volume.sync_directory(&inode)
        };
        done(reply, self.0.inode(number).and_then(sync));
    }

    fn statfs(&self, _: &Request, _: INodeNo, reply: ReplyStatfs) {
        match rustix::fs::statvfs(self.0.volume.root().path()) {
            Ok(found) => {
                let (size, longest) = (found.f_bsize as u32, found.f_namemax as u32);
                let (blocks, free, available) = (found.f_blocks, found.f_bfree, found.f_bavail);
                reply.statfs(blocks, free, available, found.f_files, found.f_ffree, size, longest, found.f_frsize as u32);
            }
            Err(error) => reply.error(fuse_errno(error)),
        }
    }

    fn setxattr(&self, _: &Request, number: INodeNo, name: &OsStr, value: &[u8], flags: i32, _: u32, reply: ReplyEmpty) {
        let set = |inode: Arc<Inode>| {
            self.0.apply_faults(Operation::Attribute, &inode)?;
            if !is_passed_on(name) {
                return Err(Errno::OPNOTSUPP);
            }
            self.0.volume.set_attribute(&inode, name, Some((value, flags)))
        };
        done(reply, self.0.inode(number).and_then(set));
    }

    fn getxattr(&self, _: &Request, number: INodeNo, name: &OsStr, size: u32, reply: ReplyXattr) {
        let get = |inode: Arc<Inode>| if is_passed_on(name) { self.0.volume.attribute(&inode, name) } else { Err(Errno::OPNOTSUPP) };
        answer_bytes(reply, size, self.0.inode(number).and_then(get));
    }

    fn listxattr(&self, _: &Request, number: INodeNo, size: u32, reply: ReplyXattr) {
        let list = |inode: Arc<Inode>| {
            let mut names = vec![0_u8; 1 << 16];
            let length = rustix::fs::listxattr(inode.path(), names.as_mut_slice())?;
            names.truncate(length);
            let passed_on = names
                .split_inclusive(|&byte| byte == 0)
                .filter(|name| std::str::from_utf8(name).is_ok_and(|name| is_passed_on(OsStr::new(name))));
            Ok(passed_on.flatten().copied().collect())
        };
        answer_bytes(reply, size, self.0.inode(number).and_then(list));
    }

    fn removexattr(&self, _: &Request, number: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        let remove = |inode: Arc<Inode>| {
            self.0.apply_faults(Operation::Attribute, &inode)?;
            self.0.volume.set_attribute(&inode, name, None)
        };
        done(reply, self.0.inode(number).and_then(remove));
    }

    fn fallocate(&self, _: &Request, number: INodeNo, handle: FileHandle, offset: u64, length: u64, mode: i32, reply: ReplyEmpty) {
        let allocate = || {
            let (inode, file) = (self.0.inode(number)?, self.0.file(handle)?);
            self.0.apply_faults(Operation::Truncate, &inode)?;
            let flags = FallocateFlags::from_bits_retain(mode.cast_unsigned());
            self.0.volume.allocate(&inode, &file, flags, offset, length)
        };
        done(reply, allocate());
    }
}
