//! Starting the lab's nodes, from inside the lab.

use std::io::{self, BufRead, BufReader};
use std::net::IpAddr;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc;

use super::environment::{ROLE, SPEC, TAG};
use super::error::LabError;
use super::network::{LabNet, address};
use super::node::{NodeSpec, START_LIMIT, UP};
use super::options::{LabOptions, MAX_NODES, NodeSshd};
use crate::config::{HostConfig, HostKeyPolicy, Key, Secret};
use crate::sshd::{self, KeyPair};

/// A running node.
#[derive(Clone, Debug)]
pub struct LabNode {
    /// Its name: n1, n2 …
    pub name: String,
    /// Its address in the lab's network.
    pub address: IpAddr,
    /// How to reach it over SSH.
    pub host: HostConfig,
    /// The pid, in the lab's pid namespace, of the supervisor that starts the node and restarts it after a reboot.
    pub supervisor_pid: u32,
}

/// Running nodes. They are killed when this value is dropped.
pub struct Lab {
    /// The nodes, in order.
    pub nodes: Vec<LabNode>,
    supervisors: Vec<Child>,
}

impl Drop for Lab {
    fn drop(&mut self) {
        for supervisor in &mut self.supervisors {
            let _ = supervisor.kill();
        }
        for supervisor in &mut self.supervisors {
            let _ = supervisor.wait();
        }
    }
}

impl LabNet {
    /// Starts all nodes at the same time, and waits until each one's SSH server answers.
    ///
    /// # Errors
    /// When the options cannot be fulfilled, or a node does not start; the other nodes are then killed.
    pub fn start(&self, options: &LabOptions) -> Result<Lab, LabError> {
        if options.nodes == 0 || options.nodes > MAX_NODES {
            return Err(LabError::Options(format!("a lab must have 1 to {MAX_NODES} nodes, not {}", options.nodes)));
        }
        if options.sshd == NodeSshd::OpenSsh && !self.is_root {
            return Err(LabError::Options(
                "OpenSSH needs root in a lab, because it changes users; run as root, or leave the lab's `sshd` embedded".to_owned(),
            ));
        }
        let login = new_key()?;
        let hosts: Vec<(String, IpAddr)> = (1..=options.nodes).map(|number| (format!("n{number}"), address(number))).collect();
        let mut lab = Lab { nodes: Vec::new(), supervisors: Vec::new() };
        let mut outputs = Vec::new();
        for (name, address) in &hosts {
            let host_key = new_key()?;
            let spec = NodeSpec {
                name: name.clone(),
                address: *address,
                hosts: hosts.clone(),
                host_key: host_key.private_openssh,
                authorized_key: login.public_openssh.clone(),
                is_root: self.is_root,
                openssh: options.sshd == NodeSshd::OpenSsh,
                tag: std::env::var(TAG).unwrap_or_default(),
            };
            let mut supervisor = start_supervisor(&spec).map_err(LabError::setup(format!("starting {name}")))?;
            outputs.push(NodeOutput::new(name, supervisor.stdout.take()));
            let host = host_config(*address, &login.private_openssh, &host_key.public_openssh, supervisor.id());
            lab.nodes.push(LabNode { name: name.clone(), address: *address, host, supervisor_pid: supervisor.id() });
            lab.supervisors.push(supervisor);
        }
        for output in &outputs {
            output.expect(UP)?;
        }
        Ok(lab)
    }
}

fn new_key() -> Result<KeyPair, LabError> {
    sshd::generate_key().map_err(|error| LabError::Options(error.to_string()))
}

fn start_supervisor(spec: &NodeSpec) -> io::Result<Child> {
    Command::new("/proc/self/exe").env(ROLE, "node").env(SPEC, spec.to_json()?).stdin(Stdio::null()).stdout(Stdio::piped()).spawn()
}

fn host_config(address: IpAddr, private_key: &str, host_key: &str, supervisor_pid: u32) -> HostConfig {
    let mut config = HostConfig::new(address.to_string());
    config.auth.key = Some(Key::Text(Secret::new(private_key)));
    config.host_key = HostKeyPolicy::Pinned(host_key.to_owned());
    config.power_on = Some(format!("kill -USR1 {supervisor_pid}"));
    config
}

/// The lines that a node prints while it starts.
struct NodeOutput {
    node: String,
    lines: mpsc::Receiver<String>,
}

impl NodeOutput {
    fn new(node: &str, stdout: Option<ChildStdout>) -> NodeOutput {
        let (sender, lines) = mpsc::channel();
        if let Some(stdout) = stdout {
            std::thread::spawn(move || {
                // Read to the end even after the receiver is gone: a node prints again when it reboots, and must not block on a full pipe.
                for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                    let _ = sender.send(line);
                }
            });
        }
        NodeOutput { node: node.to_owned(), lines }
    }

    /// Waits for the next line, which must be `expected`; any other line is the reason why the node did not start.
    fn expect(&self, expected: &str) -> Result<(), LabError> {
        let reason = match self.lines.recv_timeout(START_LIMIT) {
            Ok(line) if line == expected => return Ok(()),
            Ok(line) => line,
            Err(mpsc::RecvTimeoutError::Timeout) => format!("its SSH server did not answer within {START_LIMIT:?}"),
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                "its processes ended before its SSH server answered; see the message above".to_owned()
            }
        };
        Err(LabError::Node { node: self.node.clone(), reason })
    }
}
