//! Where processes connect: the one place that decides which node an operation goes to.

use std::sync::Arc;

use elenchus_core::{NodeIndex, Worker};
use parking_lot::RwLock;

/// The nodes that a client's processes connect to.
#[derive(Clone, Debug)]
pub enum Placement {
    /// Worker w on node w modulo the number of nodes, for the whole run.
    RoundRobin,
    /// Each process on a random node.
    Any {
        /// The seed of the choice.
        seed: u64,
    },
    /// The primary of the moment; spread over all nodes while none is known.
    Primary(Primaries),
    /// The current non-primary nodes; spread over all nodes while no primary is known, or there are no others.
    Replicas(Primaries),
    /// Worker after worker on these nodes.
    Nodes(Vec<NodeIndex>),
}

/// The current primaries, as far as they are known. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Primaries(Arc<RwLock<Vec<NodeIndex>>>);

impl Primaries {
    /// Tells which nodes are primary now.
    pub fn set(&self, primaries: Vec<NodeIndex>) {
        *self.0.write() = primaries;
    }
}

impl Placement {
    /// The node, of so many, that a process in this worker slot connects to now.
    pub(super) fn node(&self, worker: Worker, process: u32, nodes: usize) -> NodeIndex {
        let spread = || NodeIndex::round_robin(worker, nodes);
        let in_turn = |chosen: &[NodeIndex]| chosen.get(usize::from(worker.0) % chosen.len().max(1)).copied().unwrap_or_else(spread);
        match self {
            Placement::RoundRobin => spread(),
            // Fibonacci hashing: successive processes land far apart.
            Placement::Any { seed } => {
                let mixed = (seed ^ u64::from(process)).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
                NodeIndex((mixed % nodes.max(1) as u64) as u16)
            }
            Placement::Primary(primaries) => in_turn(&primaries.0.read()),
            Placement::Replicas(primaries) => {
                let primaries = primaries.0.read();
                let others: Vec<NodeIndex> = (0..nodes as u16).map(NodeIndex).filter(|node| !primaries.contains(node)).collect();
                in_turn(&others)
            }
            Placement::Nodes(chosen) => in_turn(chosen),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nodes(placement: &Placement) -> Vec<u16> {
        (0..6).map(|worker| placement.node(Worker(worker), u32::from(worker), 3).0).collect()
    }

    #[test]
    fn processes_connect_where_they_are_placed() {
        let primaries = Primaries::default();
        let (primary, replicas) = (Placement::Primary(primaries.clone()), Placement::Replicas(primaries.clone()));
        assert_eq!(nodes(&Placement::RoundRobin), [0, 1, 2, 0, 1, 2]);
        assert_eq!(nodes(&Placement::Nodes(vec![NodeIndex(2), NodeIndex(0)])), [2, 0, 2, 0, 2, 0]);
        assert_eq!((nodes(&primary), nodes(&replicas)), (vec![0, 1, 2, 0, 1, 2], vec![0, 1, 2, 0, 1, 2]), "none is known");
        primaries.set(vec![NodeIndex(1)]);
        assert_eq!((nodes(&primary), nodes(&replicas)), (vec![1; 6], vec![0, 2, 0, 2, 0, 2]));
        let any: Vec<u16> = (0..300).map(|process| Placement::Any { seed: 7 }.node(Worker(0), process, 3).0).collect();
        for node in 0..3 {
            let count = any.iter().filter(|chosen| **chosen == node).count();
            assert!((60..140).contains(&count), "node {node} was chosen {count} times of 300");
        }
    }
}
