//! Nodes on this machine: Linux namespaces, each with its own network, processes, hostname and files, reached over SSH like any other host.
//!
//! ```text
//! host            elenchus run plan.yaml     "outer": unshares, waits, forwards signals
//! ── namespaces ─────────────────────────────────────────────────────────────────────────────
//! lab             init (pid 1)               ends the lab when the outer process dies, however it dies
//!                 └ elenchus run plan.yaml   "inner": the same command, with 10.77.0.254 on a bridge
//!   node n1         ├ keeper                 has the node's disk, unshares again whenever the node is started, waits
//!                   │ └ init (pid 1)         builds the node's root, reaps
//!                   │   └ sshd               runs commands: the system under test lives here
//!   node n2 …       └ …
//! ```
//!
//! A node can be restarted and switched off, by `reboot(2)` like any machine: the kernel ends its processes, and its keeper starts it anew, at once or when its
//! power button is pressed, with the same files, name and address, and with nothing that was in memory: no processes, no mounts, no rules of a firewall.
//!
//! The test itself runs inside the lab's network namespace, so that SSH and the clients reach the nodes by plain TCP, and nothing of the host's network is ever
//! touched or needed. All processes are in one tree of pid namespaces below the outer process: when it goes, the kernel kills them all, and with them
//! go every namespace, mount and link; what cgroups faults have made in the nodes, the outer process deletes. As root, a node's root is an overlay over the host's, so that a node may even install packages; otherwise, in a user
//! namespace, it is composed of read-only binds and a copied `/etc`.

mod cgroups;
mod enter;
mod held;
mod join;
mod netlink;
mod node;
mod openssh;
mod procfs;
mod root;
mod supervise;

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use thiserror::Error;

pub use enter::{Entered, LabNet, enter, is_inside, main_hook};
pub use held::{HeldLab, HeldNode, enter_detached};
pub use node::{Lab, LabNode};

use crate::config::{HostConfig, HostKeyPolicy, Key, Secret};

/// The most nodes that a lab can have.
pub const MAX_NODES: u16 = 200;

/// The address of the control node in the lab's network.
pub const CONTROLLER: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 254);

/// The length of the lab network's prefix.
const PREFIX: u8 = 24;

/// How long a node may take until its SSH server answers.
const START_LIMIT: Duration = Duration::from_secs(20);

/// Which SSH server a node runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NodeSshd {
    /// Elenchus' own.
    #[default]
    Embedded,
    /// The host's installed OpenSSH; it needs root.
    OpenSsh,
}

/// What a lab is to be like.
#[derive(Clone, Copy, Debug)]
pub struct LabOptions {
    /// How many nodes: n1, n2 …
    pub nodes: u16,
    /// The SSH server of each.
    pub sshd: NodeSshd,
}

impl Default for LabOptions {
    fn default() -> LabOptions {
        LabOptions { nodes: 5, sshd: NodeSshd::Embedded }
    }
}

/// Why there is no lab.
#[derive(Debug, Error)]
pub enum LabError {
    /// The kernel refuses namespaces.
    #[error("this machine lets no lab be made: {what}: {source}. {advice}")]
    Namespaces {
        /// What was tried.
        what: &'static str,
        /// What the kernel said.
        source: std::io::Error,
        /// How to get it.
        advice: &'static str,
    },
    /// A step that should work inside the lab did not.
    #[error("the lab could not be set up: {what}: {source}")]
    Setup {
        /// The step.
        what: String,
        /// What the kernel said.
        source: std::io::Error,
    },
    /// A node did not come up.
    #[error("the lab's node {node} did not come up: {reason}")]
    Node {
        /// Which.
        node: String,
        /// Why.
        reason: String,
    },
    /// A node that is up cannot be entered.
    #[error("cannot enter the lab's node {node}: {reason}")]
    Join {
        /// Which.
        node: String,
        /// Why.
        reason: String,
    },
    /// What was asked for cannot be.
    #[error("{0}")]
    Options(String),
}

impl LabError {
    fn setup(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> LabError {
        let what = what.into();
        move |source| LabError::Setup { what, source }
    }
}

/// The address of a node, counted from 1.
fn address(number: u16) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(10, 77, 0, number as u8))
}

/// How a node of the lab is reached.
fn host_config(address: IpAddr, private_key: &str, host_key: &str, keeper_pid: u32) -> HostConfig {
    let mut config = HostConfig::new(address.to_string());
    config.auth.key = Some(Key::Text(Secret::new(private_key)));
    config.host_key = HostKeyPolicy::Pinned(host_key.to_owned());
    config.power_on = Some(format!("kill -USR1 {keeper_pid}"));
    config
}
