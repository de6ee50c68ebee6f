//! The nodes: starting them from inside the lab, and being one.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::net::IpAddr;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc;

use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::signal::Signal;
use nix::unistd::sethostname;
use serde::{Deserialize, Serialize};

use super::enter::{BRIDGE, LabNet, ROLE, TAG};
use super::netlink::{self, Netlink};
use super::openssh;
use super::root;
use super::supervise::{End, Signals};
use super::{LabError, LabOptions, MAX_NODES, NodeSshd, PREFIX, START_LIMIT, address, host_config};
use crate::config::HostConfig;
use crate::sshd::{self, KeyPair, SshdConfig};

/// What a node's processes are told, as JSON in this environment variable.
const SPEC: &str = "ELENCHUS_LAB_NODE";

/// What a node says when its SSH server answers.
const UP: &str = "up";

/// Everything a node needs to know.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct NodeSpec {
    pub(super) name: String,
    pub(super) address: IpAddr,
    /// Names and addresses of all nodes.
    pub(super) hosts: Vec<(String, IpAddr)>,
    pub(super) host_key: String,
    pub(super) authorized_key: String,
    /// Whether the root may be an overlay, with users and sudo.
    pub(super) is_root: bool,
    pub(super) openssh: bool,
    /// Says which lab's it is.
    pub(super) tag: String,
}

impl NodeSpec {
    fn from_env() -> io::Result<NodeSpec> {
        let text = std::env::var(SPEC).map_err(io::Error::other)?;
        serde_json::from_str(&text).map_err(io::Error::other)
    }
}

/// A node that is up.
#[derive(Clone, Debug)]
pub struct LabNode {
    /// n1, n2 …
    pub name: String,
    /// Its address in the lab's network.
    pub address: IpAddr,
    /// How it is reached over SSH.
    pub host: HostConfig,
    /// The process, as the control node sees it, that starts the node, and starts it again when it is restarted.
    pub keeper_pid: u32,
}

/// Nodes that are up, until this is dropped.
pub struct Lab {
    /// The nodes, in order.
    pub nodes: Vec<LabNode>,
    keepers: Vec<Child>,
}

impl Drop for Lab {
    fn drop(&mut self) {
        for keeper in &mut self.keepers {
            let _ = keeper.kill();
        }
        for keeper in &mut self.keepers {
            let _ = keeper.wait();
        }
    }
}

impl LabNet {
    /// Starts nodes, all at once, and waits until each one's SSH server answers.
    ///
    /// # Errors
    /// When a node does not come up; the others are ended.
    pub fn start(&self, options: &LabOptions) -> Result<Lab, LabError> {
        if options.nodes == 0 || options.nodes > MAX_NODES {
            return Err(LabError::Options(format!("a lab has from 1 to {MAX_NODES} nodes, not {}", options.nodes)));
        }
        if options.sshd == NodeSshd::OpenSsh && !self.is_root {
            return Err(LabError::Options(
                "OpenSSH cannot run in a lab without root (it must change users); run as root, or leave the lab's `sshd` embedded"
                    .to_owned(),
            ));
        }
        let login = new_key()?;
        let hosts: Vec<(String, IpAddr)> = (1..=options.nodes).map(|number| (format!("n{number}"), address(number))).collect();
        let mut lab = Lab { nodes: Vec::new(), keepers: Vec::new() };
        let mut voices = Vec::new();
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
            let mut keeper = start_keeper(&spec).map_err(LabError::setup(format!("starting {name}")))?;
            voices.push(Voice::new(name, keeper.stdout.take()));
            let host = host_config(*address, &login.private_openssh, &host_key.public_openssh, keeper.id());
            lab.nodes.push(LabNode { name: name.clone(), address: *address, host, keeper_pid: keeper.id() });
            lab.keepers.push(keeper);
        }
        for voice in &voices {
            voice.expect(UP)?;
        }
        Ok(lab)
    }
}

fn new_key() -> Result<KeyPair, LabError> {
    sshd::generate_key().map_err(|error| LabError::Options(error.to_string()))
}

fn start_keeper(spec: &NodeSpec) -> io::Result<Child> {
    Command::new("/proc/self/exe")
        .env(ROLE, "node")
        .env(SPEC, serde_json::to_string(spec)?)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
}

/// The cable from the bridge to a node, which is plugged in anew whenever the node starts.
struct Cable {
    /// In the lab's network, wherever this process is.
    netlink: Netlink,
    bridge: u32,
    port: String,
    /// The node's hardware address, which is the same whenever it starts, as that of a machine: others remember it.
    hardware: [u8; 6],
}

impl Cable {
    /// The cable to a node. To be called in the lab's network.
    fn to(node: &NodeSpec) -> io::Result<Cable> {
        let mut hardware = [0x02, 0x1e, 0, 0, 0, 0];
        if let IpAddr::V4(address) = node.address {
            hardware[2..].copy_from_slice(&address.octets());
        }
        Ok(Cable { netlink: Netlink::open()?, bridge: netlink::index(BRIDGE)?, port: format!("port-{}", node.name), hardware })
    }

    /// Plugs it into the network that this process is in.
    fn plug(&mut self) -> io::Result<()> {
        self.netlink.add_veth(&self.port, self.bridge, "eth0", self.hardware, std::process::id())
    }

    fn unplug(&mut self) -> io::Result<()> {
        self.netlink.delete(&self.port)
    }
}

/// What a node says while it starts, line by line.
struct Voice {
    node: String,
    lines: mpsc::Receiver<String>,
}

impl Voice {
    fn new(node: &str, stdout: Option<ChildStdout>) -> Voice {
        let (sender, lines) = mpsc::channel();
        if let Some(stdout) = stdout {
            std::thread::spawn(move || {
                // It is read to its end, though nobody listens any more: a node that is restarted says it again.
                for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                    let _ = sender.send(line);
                }
            });
        }
        Voice { node: node.to_owned(), lines }
    }

    fn expect(&self, word: &str) -> Result<(), LabError> {
        let reason = match self.lines.recv_timeout(START_LIMIT) {
            Ok(said) if said == word => return Ok(()),
            Ok(said) => said,
            Err(mpsc::RecvTimeoutError::Timeout) => format!("it was not `{word}` within {START_LIMIT:?}"),
            Err(mpsc::RecvTimeoutError::Disconnected) => format!("it ended before it was `{word}`; its message stands above"),
        };
        Err(LabError::Node { node: self.node.clone(), reason })
    }
}

fn say(word: &str) -> io::Result<()> {
    let mut out = io::stdout();
    writeln!(out, "{word}")?;
    out.flush()
}

/// The keeper: it has the node's disk, and starts the node's first process, each time in new namespaces. How that one ends says whether `reboot(2)` was called in
/// the node: by SIGHUP for a restart, by SIGINT to be switched off. Then the network is new, and whatever was in memory is gone.
pub(super) fn keep() -> io::Result<i32> {
    // A session without the terminal: Ctrl-C on the control node is not for the nodes.
    let _ = nix::unistd::setsid();
    let signals = Signals::block_with_button()?;
    let spec = NodeSpec::from_env()?;
    let mut cable = Cable::to(&spec)?;
    let own_processes = File::open("/proc/self/ns/pid")?;
    let mut lasting = CloneFlags::CLONE_NEWNS;
    // As root the hierarchy's own root stays in sight: only there controllers may be enabled beside processes, which faults that limit a system need.
    if !spec.is_root {
        lasting |= CloneFlags::CLONE_NEWCGROUP;
    }
    unshare(lasting)?;
    root::insert_disk()?;
    loop {
        unshare(CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWPID | CloneFlags::CLONE_NEWUTS | CloneFlags::CLONE_NEWIPC)?;
        cable.plug()?;
        let child = Command::new("/proc/self/exe").env(ROLE, "node-init").stdin(Stdio::null()).spawn()?;
        let end = signals.attend_to_end(&child)?;
        cable.unplug()?;
        match end {
            End::Killed(Signal::SIGHUP) => {}
            End::Killed(Signal::SIGINT) => {
                if let Some(order) = signals.wait_for_button()? {
                    return Ok(End::Killed(order).status());
                }
            }
            other => return Ok(other.status()),
        }
        // The kernel gives a process whose children were in a namespace of their own another one only when it came back first.
        setns(&own_processes, CloneFlags::CLONE_NEWPID)?;
    }
}

/// Process 1 of a node: sets it up, starts its SSH server, and buries the dead.
pub(super) fn init() -> io::Result<i32> {
    nix::sys::prctl::set_pdeathsig(nix::sys::signal::Signal::SIGKILL)?;
    let signals = Signals::block()?;
    let spec = NodeSpec::from_env()?;
    unshare(CloneFlags::CLONE_NEWNS)?;
    sethostname(&spec.name)?;
    let mut netlink = Netlink::open()?;
    netlink.set_up("lo")?;
    netlink.set_up("eth0")?;
    netlink.add_address("eth0", spec.address, PREFIX)?;
    root::build(&spec)?;
    let mut server = Command::new("/proc/self/exe");
    server.env_clear().env(ROLE, "node-sshd").env(SPEC, serde_json::to_string(&spec)?).stdin(Stdio::null());
    let child = at_home(&mut server).spawn()?;
    signals.attend(&child)
}

/// Where root's processes of a node begin, and with what environment.
pub(super) fn at_home(command: &mut Command) -> &mut Command {
    let path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    command.current_dir("/root").env("PATH", path).env("HOME", "/root").env("USER", "root").env("LANG", "C.UTF-8")
}

/// A node's SSH server.
pub(super) fn serve() -> io::Result<i32> {
    let spec = NodeSpec::from_env()?;
    if spec.openssh {
        let mut server = match openssh::start() {
            Ok(server) => server,
            Err(error) => {
                // The one who waits for this node passes it on.
                say(&error.to_string().replace('\n', "; "))?;
                return Ok(1);
            }
        };
        say(UP)?;
        return Ok(server.wait()?.code().unwrap_or(1));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("0.0.0.0:22").await?;
        say(UP)?;
        let config = SshdConfig { host_key: spec.host_key, authorized_key: spec.authorized_key };
        match sshd::serve(listener, config).await {
            Ok(never) => match never {},
            Err(error) => Err(io::Error::other(error)),
        }
    })
}
