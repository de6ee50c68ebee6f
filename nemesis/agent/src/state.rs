//! Files that record which injections are active, and the lock for changing them.

use std::fs::{self, File};
use std::io::ErrorKind::NotFound;
use std::path::Path;

use crate::{Result, failed};

/// Locks a folder until the returned file is dropped; waits for other holders.
pub(crate) fn lock(folder: &Path) -> Result<File> {
    fs::create_dir_all(folder).map_err(failed(folder.display()))?;
    let path = folder.join("lock");
    let file = File::create(&path).map_err(failed(path.display()))?;
    file.lock().map_err(failed(path.display()))?;
    Ok(file)
}

/// Writes a file atomically.
pub(crate) fn write(path: &Path, text: &str) -> Result<()> {
    let new = path.with_extension("new");
    fs::write(&new, text).and_then(|()| fs::rename(&new, path)).map_err(failed(path.display()))
}

/// The contents of a file, or None when it does not exist.
pub(crate) fn read(path: &Path) -> Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == NotFound => Ok(None),
        Err(error) => Err(format!("{}: {error}", path.display())),
    }
}

/// Deletes a file or a folder, if it exists.
pub(crate) fn remove(path: &Path) -> Result<()> {
    let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    match removed {
        Err(error) if error.kind() != NotFound => Err(format!("{}: {error}", path.display())),
        _ => Ok(()),
    }
}
