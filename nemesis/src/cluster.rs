//! What is to be broken.

use elenchus_control::system::{Node, System};
use tokio::sync::Mutex;

use crate::{NemesisError, Roster};

/// The nodes and the system on them.
#[derive(Debug)]
pub struct Cluster {
    /// The nodes, in the plan's order.
    pub nodes: Vec<Node>,
    /// The system under test, without which its processes cannot be killed or paused.
    pub system: Option<System>,
    /// The nodes' names and zones.
    pub roster: Roster,
    /// Two injections on one node may share what they are made of, like a chain of rules: for each node, one change at a time.
    turns: Vec<Mutex<()>>,
    /// What carries errands out in place of SSH.
    #[cfg(test)]
    pub(crate) hands: Option<Hands>,
}

/// Carries out an errand: returns what it printed.
#[cfg(test)]
pub(crate) type Hands = fn(&crate::Errand) -> Result<String, NemesisError>;

impl Cluster {
    /// A cluster of these nodes, in no zones.
    pub fn new(nodes: Vec<Node>, system: Option<System>) -> Cluster {
        let roster = Roster::of(nodes.iter().map(|node| node.name.clone()).collect());
        let turns = nodes.iter().map(|_| Mutex::default()).collect();
        Cluster {
            nodes,
            system,
            roster,
            turns,
            #[cfg(test)]
            hands: None,
        }
    }

    /// The same, with the zones of a roster of the same nodes.
    pub fn with_roster(self, roster: Roster) -> Cluster {
        Cluster { roster, ..self }
    }

    /// A node by its name, and whose turn it is there.
    pub(crate) fn find(&self, name: &str) -> Result<(&Node, &Mutex<()>), NemesisError> {
        let mut nodes = self.nodes.iter().zip(&self.turns);
        nodes.find(|(node, _)| node.name == name).ok_or_else(|| NemesisError::Refused(format!("there is no node `{name}` in this plan")))
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
