//! The same as a user who is not root: the nodes' roots are read-only then but for what is theirs, and root on a node is nobody on the machine.

use std::os::unix::fs::{PermissionsExt, chown};
use std::process::{Command, Stdio};

/// One of each kind of fault, and machines that restart.
const CHOSEN: [&str; 6] = [
    "busybox::",
    "network::ipv6_is_cut_as_well",
    "links::packets_are_doubled",
    "mounted::what_was_not_synced",
    "disk::what_is_rolled_back",
    "machines::a_node_that_is_restarted",
];

/// The number that nobody has on every system.
const NOBODY: u32 = 65534;

/// Runs this program as nobody. What that leaves out is said in other words: root has done it.
pub(crate) fn again() {
    let folder = tempfile::tempdir().unwrap();
    let (exe, home) = (folder.path().join("lab"), folder.path().join("home"));
    std::fs::copy(std::env::current_exe().unwrap(), &exe).unwrap();
    std::fs::create_dir(&home).unwrap();
    for path in [folder.path(), &exe, &home] {
        std::fs::set_permissions(path, PermissionsExt::from_mode(0o755)).unwrap();
    }
    chown(&home, Some(NOBODY), Some(NOBODY)).unwrap();
    let mut command = Command::new("setpriv");
    command.args([&format!("--reuid={NOBODY}"), &format!("--regid={NOBODY}"), "--clear-groups"]).arg(&exe).args(CHOSEN);
    command.env("HOME", &home).env("TMPDIR", &home).current_dir(&home).stdin(Stdio::null()).stderr(Stdio::inherit());
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).replace("skipped:", "without root:");
    println!("{said}… without root");
    assert!(output.status.success() && said.contains("all is well"), "{}", output.status);
}
