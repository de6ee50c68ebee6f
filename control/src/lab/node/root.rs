//! The root file system of a node. Its changes are visible in this node only.

use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::unistd::pivot_root;

use super::files::copy_readable;

/// The directory in which the new root is built: every system has it, and the node mounts its own `/tmp` over it later.
const WORK: &str = "/tmp";

/// The directory of the files that survive reboots: the changes to the host's root, or all files of the node.
const DISK: &str = "/tmp/disk";

/// Mounts the disk, which the mount namespaces created below this one share. Needs a mount namespace of its own.
pub(super) fn mount_disk() -> io::Result<()> {
    mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>)?;
    Ok(mount(Some("tmpfs"), WORK, Some("tmpfs"), MsFlags::empty(), Some("mode=755"))?)
}

/// Builds a new root and moves this process into it. Returns whether the disk was new. Needs a mount namespace of its own, with a disk.
pub(super) fn build(is_host_root: bool) -> io::Result<bool> {
    let (root, disk) = (Path::new(WORK).join("root"), Path::new(DISK));
    let is_new = !disk.exists();
    fs::create_dir_all(&root)?;
    fs::create_dir_all(disk)?;
    let overlaid = is_host_root && overlay(&root, disk).is_ok();
    if !overlaid {
        compose(&root, disk, is_new)?;
    }
    for dir in ["proc", "sys", "dev", ".old"] {
        fs::create_dir_all(root.join(dir))?;
    }
    bind("/dev", &root.join("dev"), false)?;
    mount(Some("proc"), &root.join("proc"), Some("proc"), MsFlags::empty(), None::<&str>)?;
    // Mounted in the node's network namespace: /sys/class/net then shows the node's links only.
    mount(Some("sysfs"), &root.join("sys"), Some("sysfs"), MsFlags::empty(), None::<&str>)?;
    for (dir, mode) in [("run", "mode=755"), ("tmp", "mode=1777")] {
        fs::create_dir_all(root.join(dir))?;
        mount(Some("tmpfs"), &root.join(dir), Some("tmpfs"), MsFlags::empty(), Some(mode))?;
    }
    // Home directories are the node's own: the login scripts of the host's users can be slow and differ between machines.
    for (dir, mode) in [("root", 0o700), ("home", 0o755)] {
        let own = disk.join(format!("home-{dir}"));
        fs::create_dir_all(&own)?;
        fs::set_permissions(&own, fs::Permissions::from_mode(mode))?;
        fs::create_dir_all(root.join(dir))?;
        bind(&own, &root.join(dir), false)?;
    }
    pivot_root(&root, &root.join(".old"))?;
    std::env::set_current_dir("/")?;
    umount2("/.old", MntFlags::MNT_DETACH)?;
    fs::remove_dir("/.old")?;
    Ok(is_new)
}

/// Bind-mounts a directory tree of the host.
fn bind(from: impl AsRef<Path>, to: &Path, read_only: bool) -> io::Result<()> {
    mount(Some(from.as_ref()), to, None::<&str>, MsFlags::MS_BIND | MsFlags::MS_REC, None::<&str>)?;
    if read_only {
        // In a user namespace, a remount may not drop flags of the original mount: when plain read-only is refused, the usual flags are kept.
        let read_only = MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY;
        mount(None::<&str>, to, None::<&str>, read_only, None::<&str>)
            .or_else(|_| mount(None::<&str>, to, None::<&str>, read_only | MsFlags::MS_NOSUID | MsFlags::MS_NODEV, None::<&str>))?;
    }
    Ok(())
}

/// Mounts an overlay: the host's root is the lower layer, the node's changes are the upper one.
fn overlay(root: &Path, disk: &Path) -> io::Result<()> {
    let (upper, work) = (disk.join("upper"), disk.join("work"));
    fs::create_dir_all(&upper)?;
    fs::create_dir_all(&work)?;
    let options = format!("lowerdir=/,upperdir={},workdir={}", upper.display(), work.display());
    Ok(mount(Some("overlay"), root, Some("overlay"), MsFlags::empty(), Some(options.as_str()))?)
}

/// Composes a root: programs by read-only bind mounts, a copy of `/etc`, and empty directories for the rest.
fn compose(root: &Path, disk: &Path, is_new: bool) -> io::Result<()> {
    let files = disk.join("files");
    fs::create_dir_all(&files)?;
    bind(&files, root, false)?;
    for dir in ["usr", "opt", "bin", "sbin", "lib", "lib64", "lib32", "libx32"] {
        let (host, inside) = (Path::new("/").join(dir), root.join(dir));
        match fs::symlink_metadata(&host) {
            Ok(metadata) if metadata.is_symlink() && is_new => symlink(fs::read_link(&host)?, &inside)?,
            Ok(metadata) if metadata.is_symlink() => {}
            Ok(_) if dir == "opt" => fs::create_dir_all(&inside)?,
            Ok(_) => {
                fs::create_dir_all(&inside)?;
                bind(&host, &inside, true)?;
            }
            Err(_) => {}
        }
    }
    if !is_new {
        return Ok(());
    }
    copy_readable(Path::new("/etc"), &root.join("etc"))?;
    for dir in ["srv", "mnt", "var/lib", "var/log", "var/cache", "var/tmp", "var/spool"] {
        fs::create_dir_all(root.join(dir))?;
    }
    symlink("/run", root.join("var/run"))
}
