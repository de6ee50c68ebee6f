//! The SFTP subsystem of the lab's SSH server: the operations that copying files needs.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::os::unix::fs::{FileExt, PermissionsExt};

use russh_sftp::protocol::{Attrs, Data, File, FileAttributes, Handle, Name, OpenFlags, Status, StatusCode};
use russh_sftp::server::Handler;

/// The largest read, in bytes: 255 KiB, as in OpenSSH.
const READ_MAX: u32 = 255 * 1024;

/// One client's open files and directories.
#[derive(Default)]
pub(super) struct Files {
    next: u64,
    open: HashMap<String, fs::File>,
    listings: HashMap<String, Vec<File>>,
}

impl Files {
    fn handle(&mut self) -> String {
        self.next += 1;
        self.next.to_string()
    }

    fn file(&self, handle: &str) -> Result<&fs::File, StatusCode> {
        self.open.get(handle).ok_or(StatusCode::Failure)
    }
}

impl Handler for Files {
    type Error = StatusCode;

    fn unimplemented(&self) -> StatusCode {
        StatusCode::OpUnsupported
    }

    async fn open(&mut self, id: u32, path: String, flags: OpenFlags, attrs: FileAttributes) -> Result<Handle, StatusCode> {
        let file = fs::OpenOptions::from(flags).open(&path).map_err(code)?;
        set(&file, &attrs).map_err(code)?;
        let handle = self.handle();
        self.open.insert(handle.clone(), file);
        Ok(Handle { id, handle })
    }

    async fn close(&mut self, id: u32, handle: String) -> Result<Status, StatusCode> {
        let known = self.open.remove(&handle).is_some() | self.listings.remove(&handle).is_some();
        if known { Ok(done(id)) } else { Err(StatusCode::Failure) }
    }

    async fn read(&mut self, id: u32, handle: String, offset: u64, length: u32) -> Result<Data, StatusCode> {
        let mut data = vec![0; length.min(READ_MAX) as usize];
        let length = self.file(&handle)?.read_at(&mut data, offset).map_err(code)?;
        if length == 0 {
            return Err(StatusCode::Eof);
        }
        data.truncate(length);
        Ok(Data { id, data })
    }

    async fn write(&mut self, id: u32, handle: String, offset: u64, data: Vec<u8>) -> Result<Status, StatusCode> {
        self.file(&handle)?.write_all_at(&data, offset).map_err(code)?;
        Ok(done(id))
    }

    async fn stat(&mut self, id: u32, path: String) -> Result<Attrs, StatusCode> {
        Ok(Attrs { id, attrs: (&fs::metadata(path).map_err(code)?).into() })
    }

    async fn lstat(&mut self, id: u32, path: String) -> Result<Attrs, StatusCode> {
        Ok(Attrs { id, attrs: (&fs::symlink_metadata(path).map_err(code)?).into() })
    }

    async fn fstat(&mut self, id: u32, handle: String) -> Result<Attrs, StatusCode> {
        Ok(Attrs { id, attrs: (&self.file(&handle)?.metadata().map_err(code)?).into() })
    }

    async fn setstat(&mut self, id: u32, path: String, attrs: FileAttributes) -> Result<Status, StatusCode> {
        let file = fs::File::open(path).map_err(code)?;
        set(&file, &attrs).map_err(code)?;
        Ok(done(id))
    }

    async fn fsetstat(&mut self, id: u32, handle: String, attrs: FileAttributes) -> Result<Status, StatusCode> {
        set(self.file(&handle)?, &attrs).map_err(code)?;
        Ok(done(id))
    }

    async fn opendir(&mut self, id: u32, path: String) -> Result<Handle, StatusCode> {
        let mut listing = Vec::new();
        for entry in fs::read_dir(path).map_err(code)? {
            let entry = entry.map_err(code)?;
            let attrs = entry.metadata().map_or_else(|_| FileAttributes::empty(), |metadata| (&metadata).into());
            listing.push(File::new(entry.file_name().to_string_lossy(), attrs));
        }
        let handle = self.handle();
        self.listings.insert(handle.clone(), listing);
        Ok(Handle { id, handle })
    }

    async fn readdir(&mut self, id: u32, handle: String) -> Result<Name, StatusCode> {
        match self.listings.get_mut(&handle).map(std::mem::take) {
            None => Err(StatusCode::Failure),
            Some(files) if files.is_empty() => Err(StatusCode::Eof),
            Some(files) => Ok(Name { id, files }),
        }
    }

    async fn remove(&mut self, id: u32, path: String) -> Result<Status, StatusCode> {
        fs::remove_file(path).map_err(code)?;
        Ok(done(id))
    }

    async fn mkdir(&mut self, id: u32, path: String, _: FileAttributes) -> Result<Status, StatusCode> {
        fs::create_dir(path).map_err(code)?;
        Ok(done(id))
    }

    async fn rmdir(&mut self, id: u32, path: String) -> Result<Status, StatusCode> {
        fs::remove_dir(path).map_err(code)?;
        Ok(done(id))
    }

    async fn rename(&mut self, id: u32, from: String, to: String) -> Result<Status, StatusCode> {
        fs::rename(from, to).map_err(code)?;
        Ok(done(id))
    }

    async fn realpath(&mut self, id: u32, path: String) -> Result<Name, StatusCode> {
        let path = fs::canonicalize(if path.is_empty() { "." } else { &path }).map_err(code)?;
        Ok(Name { id, files: vec![File::dummy(path.to_string_lossy())] })
    }
}

fn set(file: &fs::File, attrs: &FileAttributes) -> io::Result<()> {
    if let Some(mode) = attrs.permissions {
        file.set_permissions(fs::Permissions::from_mode(mode & 0o7777))?;
    }
    match attrs.size {
        Some(size) => file.set_len(size),
        None => Ok(()),
    }
}

fn code(error: io::Error) -> StatusCode {
    match error.kind() {
        io::ErrorKind::NotFound => StatusCode::NoSuchFile,
        io::ErrorKind::PermissionDenied => StatusCode::PermissionDenied,
        _ => StatusCode::Failure,
    }
}

fn done(id: u32) -> Status {
    Status { id, status_code: StatusCode::Ok, error_message: String::new(), language_tag: String::new() }
}
