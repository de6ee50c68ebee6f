//! A lab held by a background process: keeping it up, and entering its nodes from the host.

use std::ffi::OsString;
use std::io;
use std::net::IpAddr;
use std::process::Command;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

use super::enter::{self, Entered};
use super::environment::as_node_root;
use super::error::LabError;
use super::join;
use super::network::LabNet;
use super::options::LabOptions;
use super::procfs::ProcessId;
use super::signals::Signals;

/// The time after SIGTERM within which a lab must end before it is killed, and again after SIGKILL.
const END_LIMIT: Duration = Duration::from_secs(5);

/// The interval between two checks whether the lab has ended.
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// The exit status that shells report for a command that does not exist.
const NOT_FOUND: i32 = 127;

/// The exit status that shells report for a command that cannot be executed.
const NOT_EXECUTABLE: i32 = 126;

/// A lab held by another process, as seen from the host. Can be stored in a file.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BackgroundLab {
    holder: ProcessId,
    /// Its nodes, in order.
    pub nodes: Vec<BackgroundNode>,
}

/// A node of a [`BackgroundLab`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BackgroundNode {
    /// Its name: n1, n2 …
    pub name: String,
    /// Its address in the lab's network.
    pub address: IpAddr,
    /// The pid of its supervisor in the lab's pid namespace.
    supervisor: u32,
}

/// As [`enter`](super::enter()), in a new session: the lab outlives the terminal it was started from. Must be called before any thread is started.
///
/// # Errors
/// As [`enter`](super::enter()).
pub fn enter_detached() -> Result<Entered, LabError> {
    // Fails only where this process leads a session already, which serves as well.
    let _ = nix::unistd::setsid();
    enter::enter()
}

impl LabNet {
    /// Starts nodes, calls `announce` with them, and keeps them until a signal requests the end.
    ///
    /// # Errors
    /// When a node does not start, or `announce` fails.
    pub fn run_until_signalled(
        &self,
        options: &LabOptions,
        announce: impl FnOnce(&[BackgroundNode]) -> io::Result<()>,
    ) -> Result<(), LabError> {
        // Before the lab starts threads, which inherit the block.
        let signals = Signals::block().map_err(LabError::setup("blocking signals"))?;
        let lab = self.start(options)?;
        let held =
            lab.nodes.iter().map(|node| BackgroundNode { name: node.name.clone(), address: node.address, supervisor: node.supervisor_pid });
        announce(&held.collect::<Vec<_>>()).map_err(LabError::setup("announcing the nodes"))?;
        signals.wait_for_termination().map_err(LabError::setup("waiting for a signal"))
    }
}

impl BackgroundLab {
    /// The lab held by a process; `None` when that process has ended.
    pub fn new(holder_pid: u32, nodes: Vec<BackgroundNode>) -> Option<BackgroundLab> {
        Some(BackgroundLab { holder: ProcessId::of(holder_pid)?, nodes })
    }

    /// The pid of the process that holds it.
    pub fn holder_pid(&self) -> u32 {
        self.holder.pid
    }

    /// Whether the lab is running.
    pub fn is_up(&self) -> bool {
        self.holder.is_alive()
    }

    /// The number of processes in a node; `None` when the node has ended.
    pub fn processes(&self, node: &BackgroundNode) -> Option<usize> {
        let init = self.init_of(node)?;
        Some(1 + init.descendants().len())
    }

    /// Runs a command in a node, or a shell when the command is empty, on this process' own terminal or pipes, and returns its exit status. This process
    /// stays in the node's namespaces, so it should end afterwards.
    ///
    /// # Errors
    /// When the node has ended, or this user may not enter it. A missing command is not an error: it gives exit status 127.
    pub fn run_in(&self, node: &BackgroundNode, command: &[OsString]) -> Result<i32, LabError> {
        let failed = |reason: String| LabError::Join { node: node.name.clone(), reason };
        let init = self.init_of(node).ok_or_else(|| failed("it has ended".to_owned()))?;
        join::join(init.pid).map_err(|error| failed(format!("{error}; does the lab belong to another user?")))?;
        let signals = Signals::block().map_err(LabError::setup("blocking signals"))?;
        let shell = [OsString::from(if std::path::Path::new("/bin/bash").exists() { "/bin/bash" } else { "/bin/sh" })];
        let words = if command.is_empty() { &shell } else { command };
        let mut process = Command::new(&words[0]);
        process.args(&words[1..]).env_clear();
        process.envs(["TERM", "COLORTERM"].into_iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
        match signals.spawn(as_node_root(&mut process)) {
            Ok(child) => signals.wait_on_terminal(&child).map_err(|error| failed(error.to_string())),
            Err(error) => {
                eprintln!("elenchus: {}: {}: {error}", node.name, words[0].display());
                Ok(if error.kind() == io::ErrorKind::NotFound { NOT_FOUND } else { NOT_EXECUTABLE })
            }
        }
    }

    /// Ends the lab with SIGTERM, then SIGKILL, and waits until all its processes have ended.
    ///
    /// # Errors
    /// When this user may not signal the lab, or a process survives SIGKILL.
    pub fn end(&self) -> io::Result<()> {
        let mut all = self.holder.descendants();
        all.push(self.holder);
        for signal in [Signal::SIGTERM, Signal::SIGKILL] {
            if self.holder.is_alive() {
                match kill(Pid::from_raw(self.holder.pid as i32), signal) {
                    Ok(()) | Err(Errno::ESRCH) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            let deadline = Instant::now() + END_LIMIT;
            while Instant::now() < deadline {
                if !all.iter().any(|process| process.is_alive()) {
                    return Ok(());
                }
                std::thread::sleep(POLL_INTERVAL);
            }
        }
        let left: Vec<String> = all.iter().filter(|process| process.is_alive()).map(|process| process.pid.to_string()).collect();
        Err(io::Error::other(format!("these processes have not ended: {}", left.join(", "))))
    }

    /// Process 1 of a node.
    fn init_of(&self, node: &BackgroundNode) -> Option<ProcessId> {
        let below = self.holder.descendants();
        // The lab's pid namespace is one level below this one, a node's is two.
        let supervisor = below.iter().find(|process| process.namespace_pids().get(1..) == Some(&[node.supervisor]))?;
        supervisor.descendants().into_iter().find(|process| process.namespace_pids().get(2..) == Some(&[1]))
    }
}
