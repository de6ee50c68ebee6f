//! Local nodes: Linux namespaces on this machine, each with its own network, processes, host name and files, reached over SSH like any other host.
//!
//! ```text
//! host            elenchus run plan.yaml     outer process: unshares, waits, forwards signals
//! ── namespaces ─────────────────────────────────────────────────────────────────────────────
//! lab             init (pid 1)               ends the lab when the outer process dies, even by SIGKILL
//!                 └ elenchus run plan.yaml   inner process: the same command, with 10.77.0.254 on a bridge
//!   node n1         ├ supervisor             holds the node's disk; creates new namespaces at every start of the node
//!                   │ └ init (pid 1)         builds the node's root, reaps children
//!                   │   └ sshd               runs commands; the system under test runs below it
//!   node n2 …       └ …
//! ```
//!
//! The test itself runs in the lab's network namespace. SSH and the clients therefore reach the nodes by plain TCP, and the host's network is neither used
//! nor changed. All processes are below the outer process in one tree of pid namespaces: when the outer process ends, the kernel kills the tree and
//! removes its namespaces, mounts and links. Cgroups made by faults have no such owner; the outer process deletes them.
//!
//! As root, a node's root file system is an overlay over the host's, and packages can be installed in it. Without root, in a user namespace, it consists
//! of read-only bind mounts and a copy of `/etc`.
//!
//! A node reboots and powers off by `reboot(2)`, like a machine: the kernel kills its processes, and the supervisor starts the node again, at once or when it
//! receives SIGUSR1 ([`HostConfig::power_on`](crate::config::HostConfig::power_on)). Files, name and address survive; processes, mounts and firewall rules do not.
//!
//! # Example
//!
//! The lab executes the program again in other roles. [`main_hook`] must therefore be the first call in `main`, and [`enter()`] must come before any thread.
//!
//! ```no_run
//! use elenchus_control::lab::{self, Entered, LabOptions};
//! use elenchus_control::{Command, Host};
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     lab::main_hook();
//!     let network = match lab::enter()? {
//!         Entered::Outer(status) => std::process::exit(status),
//!         Entered::Inner(network) => network,
//!     };
//!     let lab = network.start(&LabOptions { nodes: 3, ..LabOptions::default() })?;
//!     tokio::runtime::Runtime::new()?.block_on(async {
//!         for node in &lab.nodes {
//!             let host = Host::new(&node.name, node.host.clone());
//!             println!("{}", host.run(Command::new("hostname")).await?.stdout_text());
//!         }
//!         Ok(())
//!     })
//! }
//! ```

mod background;
mod cgroups;
mod cluster;
mod enter;
mod environment;
mod error;
mod hook;
mod join;
mod netlink;
mod network;
mod node;
mod options;
mod procfs;
mod signals;

pub use background::{BackgroundLab, BackgroundNode, enter_detached};
pub use cluster::{Lab, LabNode};
pub use enter::{Entered, enter};
pub use environment::is_inside;
pub use error::LabError;
pub use hook::main_hook;
pub use network::{CONTROLLER, LabNet};
pub use options::{LabOptions, MAX_NODES, NodeSshd};
