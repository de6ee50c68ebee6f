//! A lab that a process in the background holds: keeping it, and coming to it from the host.

use std::ffi::OsString;
use std::io;
use std::net::IpAddr;
use std::process::Command;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

use super::enter::{self, Entered, LabNet};
use super::procfs::ProcessId;
use super::supervise::Signals;
use super::{LabError, LabOptions, join, node};

/// How long a lab may take to end in order before it is killed.
const END_LIMIT: Duration = Duration::from_secs(5);

/// How long to wait before looking again whether it has ended.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// The exit status of a command that is not there, as shells give it.
const NOT_FOUND: i32 = 127;

/// The exit status of a command that cannot be executed, as shells give it.
const NOT_EXECUTABLE: i32 = 126;

/// A lab that another process holds, as the host sees it. It can be kept in a file.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HeldLab {
    holder: ProcessId,
    /// Its nodes, in order.
    pub nodes: Vec<HeldNode>,
}

/// A node of such a lab.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HeldNode {
    /// n1, n2 …
    pub name: String,
    /// Its address in the lab's network.
    pub address: IpAddr,
    /// Its keeper, as the lab numbers its processes.
    keeper: u32,
}

/// As [`enter`](super::enter()), in a session of its own, so that the lab outlives the terminal it was started from. Must be called before any thread is started.
///
/// # Errors
/// As [`enter`](super::enter()).
pub fn enter_detached() -> Result<Entered, LabError> {
    // It fails where this process leads a session already, which is as good.
    let _ = nix::unistd::setsid();
    enter::enter()
}

impl LabNet {
    /// Starts nodes, announces them, and keeps them until a signal asks for the end.
    ///
    /// # Errors
    /// When a node does not come up, or they cannot be announced.
    pub fn hold(&self, options: &LabOptions, announce: impl FnOnce(&[HeldNode]) -> io::Result<()>) -> Result<(), LabError> {
        // Before the lab's threads, which then do not take the signals either.
        let signals = Signals::block().map_err(LabError::setup("blocking signals"))?;
        let lab = self.start(options)?;
        let nodes: Vec<HeldNode> =
            lab.nodes.iter().map(|node| HeldNode { name: node.name.clone(), address: node.address, keeper: node.keeper_pid }).collect();
        announce(&nodes).map_err(LabError::setup("saying that the nodes are up"))?;
        signals.wait_for_order().map_err(LabError::setup("waiting for the end"))
    }
}

impl HeldLab {
    /// The lab that a process holds; none when it has ended already.
    pub fn new(holder_pid: u32, nodes: Vec<HeldNode>) -> Option<HeldLab> {
        Some(HeldLab { holder: ProcessId::of(holder_pid)?, nodes })
    }

    /// The process that holds it.
    pub fn holder_pid(&self) -> u32 {
        self.holder.pid
    }

    /// Whether it is there still.
    pub fn is_up(&self) -> bool {
        self.holder.is_alive()
    }

    /// How many processes run in a node; none when the node has ended.
    pub fn processes(&self, node: &HeldNode) -> Option<usize> {
        let init = self.init_of(node)?;
        Some(1 + init.descendants().len())
    }

    /// Runs a command in a node, or a shell when it is empty, on this process' own terminal or pipes, and returns its exit status. This process is
    /// in the node's namespaces afterwards, and should end.
    ///
    /// # Errors
    /// When the node has ended, or this user may not enter it. A command that is not there is none, but an exit status.
    pub fn run_in(&self, node: &HeldNode, command: &[OsString]) -> Result<i32, LabError> {
        let failed = |reason: String| LabError::Join { node: node.name.clone(), reason };
        let init = self.init_of(node).ok_or_else(|| failed("it has ended".to_owned()))?;
        join::join(init.pid).map_err(|error| failed(format!("{error}; the lab belongs to another user, perhaps")))?;
        let signals = Signals::block().map_err(LabError::setup("blocking signals"))?;
        let shell = [OsString::from(if std::path::Path::new("/bin/bash").exists() { "/bin/bash" } else { "/bin/sh" })];
        let words = if command.is_empty() { &shell } else { command };
        let mut process = Command::new(&words[0]);
        process.args(&words[1..]).env_clear();
        process.envs(["TERM", "COLORTERM"].into_iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
        match signals.spawn(node::at_home(&mut process)) {
            Ok(child) => signals.attend_beside(&child).map_err(|error| failed(error.to_string())),
            Err(error) => {
                eprintln!("elenchus: {}: {}: {error}", node.name, words[0].display());
                Ok(if error.kind() == io::ErrorKind::NotFound { NOT_FOUND } else { NOT_EXECUTABLE })
            }
        }
    }

    /// Ends the lab, and waits until none of its processes is left.
    ///
    /// # Errors
    /// When this user may not, or something withstands being killed.
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
                std::thread::sleep(LOOK_AGAIN);
            }
        }
        let left: Vec<String> = all.iter().filter(|process| process.is_alive()).map(|process| process.pid.to_string()).collect();
        Err(io::Error::other(format!("processes {} have not ended", left.join(", "))))
    }

    /// Process 1 of a node.
    fn init_of(&self, node: &HeldNode) -> Option<ProcessId> {
        let below = self.holder.descendants();
        // The lab is one level of numbers below this one, a node's own processes are two.
        let keeper = below.iter().find(|process| process.numbers().get(1..) == Some(&[node.keeper]))?;
        keeper.descendants().into_iter().find(|process| process.numbers().get(2..) == Some(&[1]))
    }
}
