//! The files of a node: a root of its own, in which nothing it writes is seen elsewhere.

use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::unistd::pivot_root;

use super::node::NodeSpec;
use super::{cgroups, openssh};

/// Where the new root is built: every system has this directory, and the node's own one covers it later.
const WORK: &str = "/tmp";

/// The node's ordinary user, who may become root by `sudo` where it is installed.
const USER: &str = "elenchus";

/// That user's number.
const USER_ID: u32 = 1999;

/// Where the node's files are that outlast its restarts: what is written over the host's, or all of them.
const DISK: &str = "/tmp/disk";

/// Makes the disk, which every root that is built in mount namespaces below this one has. Needs a mount namespace of its own.
pub(super) fn insert_disk() -> io::Result<()> {
    mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>)?;
    Ok(mount(Some("tmpfs"), WORK, Some("tmpfs"), MsFlags::empty(), Some("mode=755"))?)
}

/// Makes a new root and moves into it. Needs a mount namespace of its own, with a disk.
pub(super) fn build(spec: &NodeSpec) -> io::Result<()> {
    let (root, disk) = (Path::new(WORK).join("root"), Path::new(DISK));
    let is_new = !disk.exists();
    fs::create_dir_all(&root)?;
    fs::create_dir_all(disk)?;
    let overlaid = spec.is_root && overlay(&root, disk).is_ok();
    if !overlaid {
        compose(&root, disk, is_new)?;
    }
    for dir in ["proc", "sys", "dev", ".old"] {
        fs::create_dir_all(root.join(dir))?;
    }
    bind("/dev", &root.join("dev"), false)?;
    mount(Some("proc"), &root.join("proc"), Some("proc"), MsFlags::empty(), None::<&str>)?;
    // Of the node's own network namespace, so that /sys/class/net shows its links only.
    mount(Some("sysfs"), &root.join("sys"), Some("sysfs"), MsFlags::empty(), None::<&str>)?;
    for (dir, mode) in [("run", "mode=755"), ("tmp", "mode=1777")] {
        fs::create_dir_all(root.join(dir))?;
        mount(Some("tmpfs"), &root.join(dir), Some("tmpfs"), MsFlags::empty(), Some(mode))?;
    }
    // Homes are the node's own, too: what the host's users have their shells do at login is neither quick nor the same everywhere.
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
    settle(spec, is_new)
}

/// Binds a tree of the host.
fn bind(from: impl AsRef<Path>, to: &Path, read_only: bool) -> io::Result<()> {
    mount(Some(from.as_ref()), to, None::<&str>, MsFlags::MS_BIND | MsFlags::MS_REC, None::<&str>)?;
    if read_only {
        // In a user namespace, flags that the original mount has may not be dropped, so the ones that are usual are kept when plain read-only is refused.
        let read_only = MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY;
        mount(None::<&str>, to, None::<&str>, read_only, None::<&str>)
            .or_else(|_| mount(None::<&str>, to, None::<&str>, read_only | MsFlags::MS_NOSUID | MsFlags::MS_NODEV, None::<&str>))?;
    }
    Ok(())
}

/// The host's root below, the node's writes above.
fn overlay(root: &Path, disk: &Path) -> io::Result<()> {
    let (upper, work) = (disk.join("upper"), disk.join("work"));
    fs::create_dir_all(&upper)?;
    fs::create_dir_all(&work)?;
    let options = format!("lowerdir=/,upperdir={},workdir={}", upper.display(), work.display());
    Ok(mount(Some("overlay"), root, Some("overlay"), MsFlags::empty(), Some(options.as_str()))?)
}

/// Programs by read-only binds, a copy of `/etc`, and empty directories for the rest.
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

/// Copies a tree, without what this user may not read.
fn copy_readable(from: &Path, to: &Path) -> io::Result<()> {
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

/// What is in memory; and on a new disk names, keys and users.
fn settle(spec: &NodeSpec, is_new: bool) -> io::Result<()> {
    write(cgroups::TAG_FILE, &format!("{}.{}\n", spec.tag, spec.name), 0o644)?;
    for dir in ["/run/lock", "/run/sshd"] {
        fs::create_dir_all(dir)?;
    }
    if !is_new {
        return Ok(());
    }
    write("/etc/hostname", &format!("{}\n", spec.name), 0o644)?;
    let hosts: String = spec.hosts.iter().map(|(name, address)| format!("{address} {name}\n")).collect();
    write("/etc/hosts", &format!("127.0.0.1 localhost\n::1 localhost\n{hosts}"), 0o644)?;
    if spec.is_root {
        add_user(spec)?;
        authorize(Path::new("/root"), spec, 0)?;
    }
    if spec.openssh {
        openssh::configure(&spec.host_key)?;
    }
    Ok(())
}

fn add_user(spec: &NodeSpec) -> io::Result<()> {
    append("/etc/passwd", &format!("{USER}:x:{USER_ID}:{USER_ID}::/home/{USER}:/bin/sh\n"))?;
    append("/etc/group", &format!("{USER}:x:{USER_ID}:\n"))?;
    append("/etc/shadow", &format!("{USER}:*:19000:0:99999:7:::\n"))?;
    let home = PathBuf::from(format!("/home/{USER}"));
    fs::create_dir_all(&home)?;
    chown(&home, Some(USER_ID), Some(USER_ID))?;
    authorize(&home, spec, USER_ID)?;
    if Path::new("/etc/sudoers.d").is_dir() {
        write(&format!("/etc/sudoers.d/{USER}"), &format!("{USER} ALL=(ALL:ALL) NOPASSWD: ALL\n"), 0o440)?;
    }
    Ok(())
}

fn authorize(home: &Path, spec: &NodeSpec, owner: u32) -> io::Result<()> {
    let dir = home.join(".ssh");
    fs::create_dir_all(&dir)?;
    let file = dir.join("authorized_keys");
    write(&file.to_string_lossy(), &format!("{}\n", spec.authorized_key), 0o600)?;
    chown(&dir, Some(owner), Some(owner))?;
    chown(&file, Some(owner), Some(owner))
}

/// Writes a file anew: what the name pointed to before, a link perhaps, is left alone.
pub(super) fn write(path: &str, text: &str, mode: u32) -> io::Result<()> {
    let _ = fs::remove_file(path);
    if let Some(dir) = Path::new(path).parent() {
        fs::create_dir_all(dir)?;
    }
    fs::write(path, text)?;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

fn append(path: &str, line: &str) -> io::Result<()> {
    let before = fs::read_to_string(path).unwrap_or_default();
    let separator = if before.is_empty() || before.ends_with('\n') { "" } else { "\n" };
    fs::write(path, format!("{before}{separator}{line}"))
}
