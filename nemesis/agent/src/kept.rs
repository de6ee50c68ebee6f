//! Files that remember what is in force, and who may change it.

use std::fs::{self, File};
use std::io::ErrorKind::NotFound;
use std::path::Path;

use crate::{Result, failed};

/// Waits until nobody else changes what a folder remembers, and keeps others waiting until this is dropped.
pub(crate) fn lock(folder: &Path) -> Result<File> {
    fs::create_dir_all(folder).map_err(failed(folder.display()))?;
    let path = folder.join("lock");
    let file = File::create(&path).map_err(failed(path.display()))?;
    file.lock().map_err(failed(path.display()))?;
    Ok(file)
}

/// Writes a file; whoever reads it reads it whole.
pub(crate) fn write(path: &Path, text: &str) -> Result<()> {
    let new = path.with_extension("new");
    fs::write(&new, text).and_then(|()| fs::rename(&new, path)).map_err(failed(path.display()))
}

/// What a file holds, if it is there.
pub(crate) fn read(path: &Path) -> Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == NotFound => Ok(None),
        Err(error) => Err(format!("{}: {error}", path.display())),
    }
}

/// Takes a file, or a folder with all that is in it, away, if it is there.
pub(crate) fn remove(path: &Path) -> Result<()> {
    let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    match removed {
        Err(error) if error.kind() != NotFound => Err(format!("{}: {error}", path.display())),
        _ => Ok(()),
    }
}
