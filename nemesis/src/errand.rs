//! Scripts to be run on nodes: what a fault does, and what the ledger keeps to undo it.

use elenchus_control::system::daemon::Daemon;
use elenchus_control::{Command, ControlError};
use elenchus_core::Span;
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

use crate::absence::{self, Away};
use crate::firewall::{self, Rule};
use crate::switch::PATIENCE;
use crate::{Cluster, NemesisError, Work};

/// Nothing that a fault does to a node takes longer, unless the node is gone or the fault says so.
pub(crate) const LIMIT: Span = Span::secs(30);

/// The same with the time that undoing something waits for its injection.
const USUAL: Span = Span::secs(LIMIT.0.as_secs() + PATIENCE.as_secs());

/// The longest that any fault takes.
pub(crate) const LONGEST: Span = Span::secs(600);

/// Where commands of the system are that an ordinary PATH leaves out.
pub(crate) const PATH: &str = "PATH=$PATH:/usr/sbin:/sbin\n";

/// A script for `sh`, as root, on one node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Errand {
    /// The node's name.
    pub node: String,
    /// The script. It says on standard error why it failed.
    pub script: String,
    /// What is known of a node that goes down, or is down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub away: Option<Away>,
    /// How long it may take.
    #[serde(default = "limit", skip_serializing_if = "is_usual")]
    pub limit: Span,
}

fn limit() -> Span {
    LIMIT
}

fn is_usual(limit: &Span) -> bool {
    *limit == LIMIT
}

impl Errand {
    /// One to a node that is there.
    pub fn new(node: impl Into<String>, script: impl Into<String>) -> Errand {
        Errand { node: node.into(), script: script.into(), away: None, limit: LIMIT }
    }

    /// The same, which may take so long.
    pub(crate) fn within(self, limit: Span) -> Errand {
        Errand { limit, ..self }
    }
}

/// Runs all of them at once, on each node one after the other unless they take long, and returns what each printed, in their order. When some fail, the error names each.
pub(crate) async fn run(cluster: &Cluster, errands: &[Errand]) -> Result<Vec<String>, NemesisError> {
    #[cfg(test)]
    if let Some(hands) = cluster.hands {
        return errands.iter().map(hands).collect();
    }
    let mut sent = Vec::new();
    for errand in errands {
        let (node, turn) = cluster.find(&errand.node)?;
        sent.push(async move {
            // What takes long shares nothing that is to be changed by one at a time, and must not keep others from being healed.
            let _alone = if errand.limit <= USUAL { Some(turn.lock().await) } else { None };
            let attempt = || node.host.run(Command::sh(&errand.script).timeout(errand.limit.0));
            match &errand.away {
                None => attempt().await,
                Some(away) => absence::meet(&node.host, away, attempt).await,
            }
        });
    }
    let (mut printed, mut failures): (Vec<String>, Vec<ControlError>) = (Vec::new(), Vec::new());
    for outcome in join_all(sent).await {
        match outcome {
            Ok(output) => printed.push(output.stdout_text()),
            Err(error) => failures.push(error),
        }
    }
    if failures.is_empty() { Ok(printed) } else { Err(NemesisError::Nodes(failures)) }
}

/// Something for each of these nodes, made from its name and the system's daemon there.
pub(crate) fn on_daemons<T>(cluster: &Cluster, nodes: &[usize], make: impl Fn(String, &Daemon) -> T) -> Result<Vec<T>, NemesisError> {
    let system = cluster.system()?;
    let nodes = nodes.iter().filter_map(|&at| cluster.nodes.get(at));
    nodes.map(|node| Ok(make(node.name.clone(), &system.on(&node.name)?.daemon))).collect()
}

/// The works of a fault that ends the system, by `end`, and starts it again.
pub(crate) fn ended(cluster: &Cluster, nodes: &[usize], end: impl Fn(&Daemon) -> String) -> Result<Vec<Work>, NemesisError> {
    on_daemons(cluster, nodes, |node, daemon| Work {
        node,
        inject: end(daemon),
        verify: daemon.assert_gone(),
        undo: daemon.start(),
        verify_undone: daemon.assert_running(),
    })
}

/// Starts the system wherever it does not run.
pub(crate) fn start_everywhere(cluster: &Cluster) -> Result<Vec<Errand>, NemesisError> {
    on_daemons(cluster, &cluster.all(), |node, daemon| Errand::new(node, daemon.start()))
}

/// What was done to processes was done to nobody unless some node printed whom.
pub(crate) fn found_processes(printed: &[String]) -> bool {
    printed.iter().any(|pids| !pids.is_empty())
}

/// Whether a shell sees nothing in it but a pattern of paths.
pub(crate) fn is_pattern(text: &str) -> bool {
    text.chars().all(|letter| letter.is_ascii_alphanumeric() || "/._-*?[]{}!@+=:,~%".contains(letter))
}

/// A script that puts copies of files in place, which nobody does beside it on the node, however long it takes: the first takes the copies away. What it starts is told
/// nothing of it: `start` within it closes the eighth file.
pub(crate) fn one_at_a_time(script: &str) -> String {
    format!("mkdir -p /run/elenchus\n( flock 8 2>/dev/null\n{script}) 8>/run/elenchus/copying\n")
}

/// The same script on every node.
pub(crate) fn everywhere(cluster: &Cluster, script: &str) -> Vec<Errand> {
    cluster.nodes.iter().map(|node| Errand::new(&node.name, script)).collect()
}

/// The work of rules in the firewall.
pub(crate) fn with_rules(node: &str, id: u32, rules: &[Rule]) -> Work {
    Work {
        node: node.to_owned(),
        inject: firewall::apply(id, rules),
        verify: firewall::assert_applied(id, rules),
        undo: firewall::remove(id),
        verify_undone: firewall::assert_removed(id),
    }
}

/// The addresses of nodes, as numbers.
pub(crate) fn addresses(cluster: &Cluster, nodes: impl Iterator<Item = usize>) -> Result<Vec<IpAddr>, NemesisError> {
    let nodes = nodes.filter_map(|at| cluster.nodes.get(at));
    let numbers = nodes.map(|node| {
        let unreadable = |_| {
            let (name, address) = (&node.name, &node.address);
            NemesisError::Refused(format!(
                "{name}'s address `{address}` is a name; a fault of the network needs its IP address in the plan"
            ))
        };
        node.address.parse().map_err(unreadable)
    });
    numbers.collect()
}

/// The ports on which a node's SSH server may listen: the one that is connected to, and the usual one, as a jump host may map one to the other.
pub(crate) fn ssh_ports(cluster: &Cluster, node: usize) -> Vec<u16> {
    let mut ports: Vec<u16> = cluster.nodes.get(node).map(|node| node.host.port()).into_iter().chain([22]).collect();
    ports.dedup();
    ports
}
