//! The nodes and the system that faults are injected into.

use elenchus_control::system::{Node, System};
use tokio::sync::Mutex;

use crate::error::NemesisError;
use crate::roster::Roster;

/// The nodes and the system on them.
#[derive(Debug)]
pub struct Cluster {
    /// The nodes, in the plan's order.
    pub nodes: Vec<Node>,
    /// The system under test. Without it, its processes cannot be found.
    pub system: Option<System>,
    /// The nodes' names and zones.
    pub roster: Roster,
    /// One lock per node: injections into a node may share state, such as a chain of firewall rules.
    locks: Vec<Mutex<()>>,
    /// Runs scripts in place of SSH.
    #[cfg(test)]
    pub(crate) runner: Option<TestRunner>,
}

/// Runs a script on a node, given by name, and returns what it printed.
#[cfg(test)]
pub(crate) type TestRunner = fn(&str, &str) -> Result<String, NemesisError>;

impl Cluster {
    /// A cluster of these nodes, without zones.
    pub fn new(nodes: Vec<Node>, system: Option<System>) -> Cluster {
        let roster = Roster::of(nodes.iter().map(|node| node.name.clone()).collect());
        let locks = nodes.iter().map(|_| Mutex::default()).collect();
        Cluster {
            nodes,
            system,
            roster,
            locks,
            #[cfg(test)]
            runner: None,
        }
    }

    /// The same cluster, with the zones of a roster of the same nodes.
    pub fn with_roster(self, roster: Roster) -> Cluster {
        Cluster { roster, ..self }
    }

    /// Finds a node by name, with its lock.
    pub(crate) fn find(&self, name: &str) -> Result<(&Node, &Mutex<()>), NemesisError> {
        let mut nodes = self.nodes.iter().zip(&self.locks);
        nodes.find(|(node, _)| node.name == name).ok_or_else(|| NemesisError::Refused(format!("there is no node `{name}` in this plan")))
    }

    /// The nodes at these positions.
    pub(crate) fn at(&self, positions: &[usize]) -> impl Iterator<Item = &Node> {
        positions.iter().filter_map(|&at| self.nodes.get(at))
    }

    /// The positions of all nodes.
    pub(crate) fn all(&self) -> Vec<usize> {
        (0..self.nodes.len()).collect()
    }

    /// The positions of all nodes but one.
    pub(crate) fn others(&self, than: usize) -> impl Iterator<Item = usize> {
        (0..self.nodes.len()).filter(move |&other| other != than)
    }

    pub(crate) fn system(&self) -> Result<&System, NemesisError> {
        self.system.as_ref().ok_or_else(|| {
            NemesisError::Refused("the plan has no system, so its processes cannot be found; set `system` in the plan".into())
        })
    }

    /// Returns the positions of the nodes that some node sees as primary.
    pub(crate) async fn primaries(&self) -> Result<Vec<usize>, NemesisError> {
        let primaries = self.system()?.primaries(&self.nodes).await;
        let at = |name: &String| self.nodes.iter().position(|node| &node.name == name);
        Ok(primaries.iter().filter_map(at).collect())
    }
}
