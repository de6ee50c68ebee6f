//! File operations for building a node's root.

use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

/// Replaces a file. If the path was a symbolic link, its target is left unchanged.
pub(super) fn write(path: &str, text: &str, mode: u32) -> io::Result<()> {
    let _ = fs::remove_file(path);
    if let Some(dir) = Path::new(path).parent() {
        fs::create_dir_all(dir)?;
    }
    fs::write(path, text)?;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

/// Appends a line, after a line break where the file does not end with one.
pub(super) fn append(path: &str, line: &str) -> io::Result<()> {
    let before = fs::read_to_string(path).unwrap_or_default();
    let separator = if before.is_empty() || before.ends_with('\n') { "" } else { "\n" };
    fs::write(path, format!("{before}{separator}{line}"))
}

/// Copies a tree, except for what this user may not read.
pub(super) fn copy_readable(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    let Ok(entries) = fs::read_dir(from) else { return Ok(()) };
    for entry in entries.flatten() {
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => copy_readable(&source, &target)?,
            Ok(kind) if kind.is_symlink() => symlink(fs::read_link(&source)?, &target)?,
            Ok(kind) if kind.is_file() => drop(fs::copy(&source, &target)),
            _ => {}
        }
    }
    Ok(())
}
