//! Scripts that are run on nodes: what a fault does there, and what the ledger keeps to undo it.

use std::net::IpAddr;

use elenchus_control::system::daemon::Daemon;
use elenchus_control::{Command, ControlError};
use elenchus_core::Span;
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};

use crate::cluster::Cluster;
use crate::error::NemesisError;
use crate::means::node_down::{self, Expect, Recovery};

/// How long a script may run, unless its fault says otherwise.
pub(crate) const LIMIT: Span = Span::secs(30);

/// How long an undo waits for an injection that is still being made, before it kills it.
pub(crate) const UNDO_PATIENCE: Span = Span::secs(10);

/// The longest that a script holds the lock of its node.
const LOCK_LIMIT: Span = Span::secs(LIMIT.0.as_secs() + UNDO_PATIENCE.0.as_secs());

/// The longest time limit of any fault.
pub(crate) const LONGEST: Span = Span::secs(600);

/// Adds the directories of administrative commands, which the PATH of a plain user lacks.
pub(crate) const PATH: &str = "PATH=$PATH:/usr/sbin:/sbin\n";

/// The actions of an injection on one node: scripts for `sh`, run as root, that print to standard error why they failed.
///
/// They are text so that they can be stored before the injection, on the control node and on the node, and be run by another process after a crash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeActions {
    /// The node's name.
    pub node: String,
    /// Injects the fault.
    pub inject: String,
    /// Fails unless the fault is in force.
    pub verify: String,
    /// Undoes the fault. Idempotent, and harmless when the fault was never injected.
    pub undo: String,
    /// Fails unless the fault is undone.
    pub verify_undone: String,
}

/// A script for `sh`, run as root, on one node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoteScript {
    /// The node's name.
    pub node: String,
    /// The script. It prints to standard error why it failed.
    pub script: String,
    /// Set for a node that is going down, or is down.
    #[serde(default, rename = "away", skip_serializing_if = "Option::is_none")]
    pub expect: Option<Expect>,
    /// How long it may run.
    #[serde(default = "limit", skip_serializing_if = "is_default_limit")]
    pub limit: Span,
}

fn limit() -> Span {
    LIMIT
}

fn is_default_limit(limit: &Span) -> bool {
    *limit == LIMIT
}

impl RemoteScript {
    /// A script for a node that is up.
    pub fn new(node: impl Into<String>, script: impl Into<String>) -> RemoteScript {
        RemoteScript { node: node.into(), script: script.into(), expect: None, limit: LIMIT }
    }

    /// The same with another time limit.
    pub(crate) fn within(self, limit: Span) -> RemoteScript {
        RemoteScript { limit, ..self }
    }
}

/// Marks scripts for nodes that come back, if these do.
pub(crate) fn on_nodes_coming_back(scripts: Vec<RemoteScript>, recovery: impl Fn(&str) -> Option<Recovery>) -> Vec<RemoteScript> {
    scripts.into_iter().map(|script| RemoteScript { expect: recovery(&script.node).map(Expect::Back), ..script }).collect()
}

/// Marks scripts for nodes that go down, if these do.
pub(crate) fn on_nodes_going_down(scripts: Vec<RemoteScript>, recovery: impl Fn(&str) -> Option<Recovery>) -> Vec<RemoteScript> {
    let down = |node: &str| recovery(node).map(|recovery| Expect::Down(recovery.within));
    scripts.into_iter().map(|script| RemoteScript { expect: down(&script.node), ..script }).collect()
}

/// Runs all scripts concurrently, but one after the other on each node unless they have a long time limit. Returns what each printed, in order; the error names every
/// node that failed.
pub(crate) async fn run(cluster: &Cluster, scripts: &[RemoteScript]) -> Result<Vec<String>, NemesisError> {
    #[cfg(test)]
    if let Some(runner) = cluster.runner {
        return scripts.iter().map(|script| runner(&script.node, &script.script)).collect();
    }
    let mut sent = Vec::new();
    for script in scripts {
        let (node, lock) = cluster.find(&script.node)?;
        sent.push(async move {
            // Long scripts share no state with others, and must not delay the heal of other faults.
            let _locked = if script.limit <= LOCK_LIMIT { Some(lock.lock().await) } else { None };
            let attempt = || node.host.run(Command::sh(&script.script).timeout(script.limit.0));
            match &script.expect {
                None => attempt().await,
                Some(expect) => node_down::run(&node.host, expect, attempt).await,
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

/// Makes something for each of these nodes, from its name and the system's daemon there.
pub(crate) fn on_daemons<T>(cluster: &Cluster, nodes: &[usize], make: impl Fn(String, &Daemon) -> T) -> Result<Vec<T>, NemesisError> {
    let system = cluster.system()?;
    cluster.at(nodes).map(|node| Ok(make(node.name.clone(), &system.on(&node.name)?.daemon))).collect()
}

/// The actions of a fault that ends the system with the script `end`, and is undone by starting it.
pub(crate) fn stopping(cluster: &Cluster, nodes: &[usize], end: impl Fn(&Daemon) -> String) -> Result<Vec<NodeActions>, NemesisError> {
    on_daemons(cluster, nodes, |node, daemon| NodeActions {
        node,
        inject: end(daemon),
        verify: daemon.assert_gone(),
        undo: daemon.start(),
        verify_undone: daemon.assert_running(),
    })
}

/// Starts the system on every node where it does not run.
pub(crate) fn start_everywhere(cluster: &Cluster) -> Result<Vec<RemoteScript>, NemesisError> {
    on_daemons(cluster, &cluster.all(), |node, daemon| RemoteScript::new(node, daemon.start()))
}

/// The same script on every node.
pub(crate) fn everywhere(cluster: &Cluster, script: &str) -> Vec<RemoteScript> {
    cluster.nodes.iter().map(|node| RemoteScript::new(&node.name, script)).collect()
}

/// Whether a text is nothing but a pattern of paths to a shell.
pub(crate) fn is_pattern(text: &str) -> bool {
    text.chars().all(|letter| letter.is_ascii_alphanumeric() || "/._-*?[]{}!@+=:,~%".contains(letter))
}

/// The IP addresses of nodes.
pub(crate) fn addresses(cluster: &Cluster, nodes: impl Iterator<Item = usize>) -> Result<Vec<IpAddr>, NemesisError> {
    let nodes = nodes.filter_map(|at| cluster.nodes.get(at));
    let addresses = nodes.map(|node| {
        let not_numeric = |_| {
            let (name, address) = (&node.name, &node.address);
            NemesisError::Refused(format!("{name}'s address `{address}` is a host name; a network fault needs its IP address in the plan"))
        };
        node.address.parse().map_err(not_numeric)
    });
    addresses.collect()
}

/// The ports on which a node's SSH server may listen: the one that is connected to, and the default, as a jump host may map one to the other.
pub(crate) fn ssh_ports(cluster: &Cluster, node: usize) -> Vec<u16> {
    let mut ports: Vec<u16> = cluster.nodes.get(node).map(|node| node.host.port()).into_iter().chain([22]).collect();
    ports.dedup();
    ports
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ledgers_of_older_versions_are_read() {
        let script = RemoteScript {
            expect: Some(Expect::Back(Recovery { on: Some("virsh start n1".into()), within: Span::secs(60) })),
            ..RemoteScript::new("n1", ":")
        };
        let line = serde_json::to_string(&script).unwrap();
        assert_eq!(line, r#"{"node":"n1","script":":","away":{"back":{"on":"virsh start n1","within":"1m"}}}"#);
        assert_eq!(serde_json::from_str::<RemoteScript>(&line).unwrap(), script);
        let older: RemoteScript = serde_json::from_str(r#"{"node":"n1","script":":"}"#).unwrap();
        assert_eq!(older, RemoteScript::new("n1", ":"));
    }
}
