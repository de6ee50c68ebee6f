//! Strongly connected components: an iterative version of Tarjan's algorithm ("Depth-first search and linear graph algorithms", 1972).

use std::ops::Range;

/// A directed graph with nodes numbered from 0 and numbered edges, some of which may be disabled.
pub(crate) trait Digraph {
    /// The number of nodes.
    fn len(&self) -> usize;
    /// The numbers of the edges that leave a node.
    fn edge_range(&self, node: u32) -> Range<u32>;
    /// Returns the head of an edge; `None` if the edge is disabled.
    fn head(&self, node: u32, edge: u32) -> Option<u32>;
}

/// The strongly connected component of every node. Components are numbered in reverse topological order: an edge between two components
/// leads from the higher number to the lower. Later nodes are visited first, so as far as the graph allows, low numbers belong to late
/// nodes.
#[derive(Debug)]
pub(crate) struct Components {
    of: Vec<u32>,
    sizes: Vec<u32>,
}

const UNSEEN: u32 = 0;
const DONE: u32 = u32::MAX;

impl Components {
    /// Finds all components. O(nodes + edges).
    pub(crate) fn find(graph: &impl Digraph) -> Components {
        let nodes = graph.len();
        // Discovery index, lowered to the smallest index reachable; DONE once the component is known.
        let mut low = vec![UNSEEN; nodes];
        let mut of = vec![0; nodes];
        let mut sizes = Vec::new();
        let mut discovered = 0;
        let mut stack: Vec<u32> = Vec::new();
        let mut path: Vec<(u32, u32, Range<u32>)> = Vec::new();
        for root in (0..nodes as u32).rev() {
            if low[root as usize] != UNSEEN {
                continue;
            }
            let mut next = Some(root);
            loop {
                if let Some(node) = next.take() {
                    discovered += 1;
                    low[node as usize] = discovered;
                    stack.push(node);
                    path.push((node, discovered, graph.edge_range(node)));
                }
                let Some((node, index, edges)) = path.last_mut() else { break };
                let (node, index) = (*node, *index);
                next = edges.find_map(|edge| {
                    let target = graph.head(node, edge)?;
                    match low[target as usize] {
                        UNSEEN => Some(target),
                        reached => {
                            if reached != DONE && reached < low[node as usize] {
                                low[node as usize] = reached;
                            }
                            None
                        }
                    }
                });
                if next.is_some() {
                    continue;
                }
                path.pop();
                let reached = low[node as usize];
                if reached == index {
                    let number = sizes.len() as u32;
                    let mut size = 0;
                    while let Some(member) = stack.pop() {
                        of[member as usize] = number;
                        low[member as usize] = DONE;
                        size += 1;
                        if member == node {
                            break;
                        }
                    }
                    sizes.push(size);
                } else if let Some((parent, ..)) = path.last() {
                    low[*parent as usize] = low[*parent as usize].min(reached);
                }
            }
        }
        Components { of, sizes }
    }

    /// Returns the component of a node.
    pub(crate) fn of(&self, node: u32) -> u32 {
        self.of[node as usize]
    }

    /// The number of components.
    pub(crate) fn len(&self) -> usize {
        self.sizes.len()
    }

    /// Returns whether two nodes are in the same component.
    pub(crate) fn joins(&self, one: u32, other: u32) -> bool {
        self.of(one) == self.of(other)
    }

    /// The nodes of each component that has more than one, ascending; the components are ordered by first node.
    pub(crate) fn nontrivial(&self) -> Vec<Vec<u32>> {
        let mut groups: Vec<Vec<u32>> = Vec::new();
        let mut places = vec![u32::MAX; self.sizes.len()];
        for (node, &component) in self.of.iter().enumerate() {
            if self.sizes[component as usize] < 2 {
                continue;
            }
            let place = &mut places[component as usize];
            if *place == u32::MAX {
                *place = groups.len() as u32;
                groups.push(Vec::with_capacity(self.sizes[component as usize] as usize));
            }
            groups[*place as usize].push(node as u32);
        }
        groups
    }

    /// Groups the nodes by component.
    pub(crate) fn members(&self) -> Members {
        let mut starts = vec![0; self.sizes.len() + 1];
        for (at, &size) in self.sizes.iter().enumerate() {
            starts[at + 1] = starts[at] + size;
        }
        let mut next = starts.clone();
        let mut nodes = vec![0; self.of.len()];
        for (node, &component) in self.of.iter().enumerate() {
            nodes[next[component as usize] as usize] = node as u32;
            next[component as usize] += 1;
        }
        Members { starts, nodes }
    }
}

/// The nodes of each component.
pub(crate) struct Members {
    starts: Vec<u32>,
    nodes: Vec<u32>,
}

impl Members {
    pub(crate) fn of(&self, component: u32) -> &[u32] {
        &self.nodes[self.starts[component as usize] as usize..self.starts[component as usize + 1] as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    struct Lists(Vec<Vec<u32>>);

    impl Digraph for Lists {
        fn len(&self) -> usize {
            self.0.len()
        }

        fn edge_range(&self, node: u32) -> Range<u32> {
            0..self.0[node as usize].len() as u32
        }

        fn head(&self, node: u32, edge: u32) -> Option<u32> {
            Some(self.0[node as usize][edge as usize])
        }
    }

    proptest! {
        #[test]
        fn agrees_with_petgraph(nodes in 1_usize..30, edges in proptest::collection::vec((0_u32..30, 0_u32..30), 0..80)) {
            let mut lists = vec![Vec::new(); nodes];
            let mut oracle = petgraph::graph::DiGraph::<(), ()>::new();
            let names: Vec<_> = (0..nodes).map(|_| oracle.add_node(())).collect();
            for (from, to) in edges {
                let (from, to) = (from as usize % nodes, to as usize % nodes);
                lists[from].push(to as u32);
                oracle.add_edge(names[from], names[to], ());
            }
            let graph = Lists(lists);
            let found = Components::find(&graph);
            let expected = petgraph::algo::tarjan_scc(&oracle);
            prop_assert_eq!(found.len(), expected.len());
            for component in &expected {
                for node in component {
                    prop_assert!(found.joins(component[0].index() as u32, node.index() as u32));
                }
            }
            for from in 0..nodes as u32 {
                for edge in graph.edge_range(from) {
                    let to = graph.0[from as usize][edge as usize];
                    prop_assert!(found.of(from) >= found.of(to));
                }
            }
            let nontrivial: usize = expected.iter().filter(|component| component.len() > 1).count();
            prop_assert_eq!(found.nontrivial().len(), nontrivial);
        }
    }
}
