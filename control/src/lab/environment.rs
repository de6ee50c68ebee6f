//! Environment variables of the lab's processes: each is this program, executed again in another role.

use std::process::Command;

/// The role of the process: `init`, `inner`, `node`, `node-init` or `node-sshd`.
pub(super) const ROLE: &str = "ELENCHUS_LAB_ROLE";

/// The descriptor of the pipe that is closed when the outer process ends.
pub(super) const LIFELINE: &str = "ELENCHUS_LAB_LIFELINE";

/// The lab's tag, which the names of its cgroups contain.
pub(super) const TAG: &str = "ELENCHUS_LAB_TAG";

/// The node's specification, as JSON.
pub(super) const SPEC: &str = "ELENCHUS_LAB_NODE";

/// Whether this process runs inside a lab.
pub fn is_inside() -> bool {
    std::env::var_os(ROLE).is_some()
}

/// Sets the working directory and the environment of root's processes in a node.
pub(super) fn as_node_root(command: &mut Command) -> &mut Command {
    let path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    command.current_dir("/root").env("PATH", path).env("HOME", "/root").env("USER", "root").env("LANG", "C.UTF-8")
}
