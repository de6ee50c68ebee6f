//! Scripts to be run on nodes: what a fault does, and what the ledger keeps to undo it.

use std::time::Duration;

use elenchus_control::system::Node;
use elenchus_control::system::daemon::Daemon;
use elenchus_control::{Command, ControlError};
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};

use crate::{Cluster, NemesisError};

/// Nothing that a fault does to a node takes longer, unless the node is gone.
const LIMIT: Duration = Duration::from_secs(30);

/// A script for `sh`, as root, on one node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Errand {
    /// The node's name.
    pub node: String,
    /// The script. It says on standard error why it failed.
    pub script: String,
}

/// Runs all of them at once, and returns what each printed, in their order. When some fail, the error names each.
pub async fn run(nodes: &[Node], errands: &[Errand]) -> Result<Vec<String>, NemesisError> {
    let mut sent = Vec::new();
    for errand in errands {
        let node = nodes.iter().find(|node| node.name == errand.node);
        let node = node.ok_or_else(|| NemesisError::Refused(format!("there is no node `{}` in this plan", errand.node)))?;
        sent.push(node.host.run(Command::sh(&errand.script).timeout(LIMIT)));
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

/// An errand for each of these nodes, made from the system's daemon there.
pub(crate) fn on_daemons(cluster: &Cluster, nodes: &[usize], script: impl Fn(&Daemon) -> String) -> Result<Vec<Errand>, NemesisError> {
    let system = cluster.system()?;
    let nodes = nodes.iter().filter_map(|&at| cluster.nodes.get(at));
    nodes.map(|node| Ok(Errand { node: node.name.clone(), script: script(&system.on(&node.name)?.daemon) })).collect()
}

/// What was done to processes was done to nobody unless some node printed whom.
pub(crate) fn needs_somebody(errands: &[Errand], printed: Vec<String>) -> Result<(), NemesisError> {
    if printed.iter().any(|pids| !pids.is_empty()) {
        return Ok(());
    }
    let nodes: Vec<&str> = errands.iter().map(|errand| errand.node.as_str()).collect();
    Err(NemesisError::Refused(format!("the system does not run on {}", nodes.join(", "))))
}
