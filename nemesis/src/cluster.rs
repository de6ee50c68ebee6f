//! What is to be broken.

use elenchus_control::system::{Node, System};
use tokio::sync::Mutex;

use crate::NemesisError;

/// The nodes and the system on them.
#[derive(Debug)]
pub struct Cluster {
    /// The nodes, in the plan's order.
    pub nodes: Vec<Node>,
    /// The system under test, without which its processes cannot be killed or paused.
    pub system: Option<System>,
    /// The chains of two partitions on one node share a parent: one change at a time.
    pub(crate) firewall: Mutex<()>,
}

impl Cluster {
    /// A cluster of these nodes.
    pub fn new(nodes: Vec<Node>, system: Option<System>) -> Cluster {
        Cluster { nodes, system, firewall: Mutex::new(()) }
    }

    /// The nodes' names, in order.
    pub fn names(&self) -> Vec<String> {
        self.nodes.iter().map(|node| node.name.clone()).collect()
    }

    /// The positions of all nodes.
    pub(crate) fn all(&self) -> Vec<usize> {
        (0..self.nodes.len()).collect()
    }

    pub(crate) fn system(&self) -> Result<&System, NemesisError> {
        self.system
            .as_ref()
            .ok_or_else(|| NemesisError::Refused("no system is defined, so there are no processes to find; name one in the plan".into()))
    }

    /// The positions of the nodes that some node sees as primary.
    pub(crate) async fn primaries(&self) -> Result<Vec<usize>, NemesisError> {
        let primaries = self.system()?.primaries(&self.nodes).await;
        let at = |name: &String| self.nodes.iter().position(|node| &node.name == name);
        Ok(primaries.iter().filter_map(at).collect())
    }
}

/// `n1, n2 and n3`.
pub(crate) fn listed(names: &[String], at: &[usize]) -> String {
    let names: Vec<&str> = at.iter().filter_map(|&index| names.get(index)).map(String::as_str).collect();
    match names.as_slice() {
        [] => "nobody".into(),
        [one] => (*one).into(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}
