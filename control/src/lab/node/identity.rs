//! A node's host name, hosts file, users and keys.

use std::fs;
use std::io;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};

use super::files::{append, write};
use super::openssh;
use super::spec::NodeSpec;

/// The file that names the lab and the node. Faults put its content into the names of cgroups.
const TAG_FILE: &str = "/run/elenchus/lab";

/// The node's ordinary user, who may use `sudo` where it is installed.
const USER: &str = "elenchus";

/// That user's id.
const USER_ID: u32 = 1999;

/// Writes the node's tag, and on a new disk its names, keys and users.
pub(super) fn write_identity(spec: &NodeSpec, is_new: bool) -> io::Result<()> {
    write(TAG_FILE, &format!("{}.{}\n", spec.tag, spec.name), 0o644)?;
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
