//! The processes of one node: supervisor, init and SSH server.

mod cable;
mod files;
mod identity;
mod openssh;
mod root;
mod spec;

use std::fs::File;
use std::io::{self, Write};
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::signal::Signal;
use nix::unistd::sethostname;

use super::environment::{ROLE, SPEC, as_node_root};
use super::netlink::Netlink;
use super::network::PREFIX;
use super::signals::{ChildEnd, Signals};
use crate::sshd::{self, SshdConfig};
use cable::Cable;
pub(super) use spec::NodeSpec;

/// The time within which a node's SSH server must answer.
pub(super) const START_LIMIT: Duration = Duration::from_secs(20);

/// The line that a node prints when its SSH server answers.
pub(super) const UP: &str = "up";

fn print(line: &str) -> io::Result<()> {
    let mut out = io::stdout();
    writeln!(out, "{line}")?;
    out.flush()
}

/// The supervisor: it holds the node's disk, and starts the node's init in new namespaces at every start of the node. The kernel reports `reboot(2)` in the
/// node by the signal that kills its init: SIGHUP for a restart, SIGINT for power off.
pub(super) fn run_supervisor() -> io::Result<i32> {
    // A session without the terminal: Ctrl-C on the control node must not reach the nodes.
    let _ = nix::unistd::setsid();
    let signals = Signals::block_with_power_button()?;
    let spec = NodeSpec::from_env()?;
    let mut cable = Cable::to(&spec)?;
    let own_processes = File::open("/proc/self/ns/pid")?;
    let mut lasting = CloneFlags::CLONE_NEWNS;
    // As root, nodes see the root of the cgroup hierarchy: only there may controllers be enabled beside processes, as faults that limit a system must do.
    if !spec.is_root {
        lasting |= CloneFlags::CLONE_NEWCGROUP;
    }
    unshare(lasting)?;
    root::mount_disk()?;
    loop {
        unshare(CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWPID | CloneFlags::CLONE_NEWUTS | CloneFlags::CLONE_NEWIPC)?;
        cable.plug()?;
        let child = Command::new("/proc/self/exe").env(ROLE, "node-init").stdin(Stdio::null()).spawn()?;
        let end = signals.wait_for_end(&child)?;
        cable.unplug()?;
        match end {
            ChildEnd::Killed(Signal::SIGHUP) => {}
            ChildEnd::Killed(Signal::SIGINT) => {
                if let Some(request) = signals.wait_for_power_button()? {
                    return Ok(ChildEnd::Killed(request).status());
                }
            }
            other => return Ok(other.status()),
        }
        // The kernel lets a process create another pid namespace for its children only after it has returned to its own.
        setns(&own_processes, CloneFlags::CLONE_NEWPID)?;
    }
}

/// Process 1 of a node: sets the node up, starts its SSH server, and reaps orphans.
pub(super) fn run_init() -> io::Result<i32> {
    nix::sys::prctl::set_pdeathsig(nix::sys::signal::Signal::SIGKILL)?;
    let signals = Signals::block()?;
    let spec = NodeSpec::from_env()?;
    unshare(CloneFlags::CLONE_NEWNS)?;
    sethostname(&spec.name)?;
    let mut netlink = Netlink::open()?;
    netlink.set_up("lo")?;
    netlink.set_up("eth0")?;
    netlink.add_address("eth0", spec.address, PREFIX)?;
    let is_new = root::build(spec.is_root)?;
    identity::write_identity(&spec, is_new)?;
    let mut server = Command::new("/proc/self/exe");
    server.env_clear().env(ROLE, "node-sshd").env(SPEC, spec.to_json()?).stdin(Stdio::null());
    let child = as_node_root(&mut server).spawn()?;
    signals.wait_for_status(&child)
}

/// A node's SSH server.
pub(super) fn run_sshd() -> io::Result<i32> {
    let spec = NodeSpec::from_env()?;
    if spec.openssh {
        let mut server = match openssh::start() {
            Ok(server) => server,
            Err(error) => {
                // The control node reports the line as the reason why this node did not start.
                print(&error.to_string().replace('\n', "; "))?;
                return Ok(1);
            }
        };
        print(UP)?;
        return Ok(server.wait()?.code().unwrap_or(1));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("0.0.0.0:22").await?;
        print(UP)?;
        let config = SshdConfig { host_key: spec.host_key, authorized_key: spec.authorized_key };
        match sshd::serve(listener, config).await {
            Ok(never) => match never {},
            Err(error) => Err(io::Error::other(error)),
        }
    })
}
