//! The direct serialization graph (Adya 1999) with session order and real-time order.
//!
//! Nodes are transactions, followed by *auxiliary nodes*, which many edges share so that the graph stays linear in the history. An edge
//! out of an auxiliary node has the kind [`VIA`], has length 0, and continues the edge that led into the node.

use std::ops::Range;

/// Write dependency: another transaction wrote the next version of an object.
pub(crate) const WW: u8 = 1;
/// Write dependency that holds only if no uncommitted version was read: it involves a crashed transaction that was observed, or follows
/// from a read.
pub(crate) const WW_READ: u8 = 2;
/// Read dependency: another transaction read the version.
pub(crate) const WR: u8 = 4;
/// Anti-dependency: a version was read, and another transaction wrote the next version.
pub(crate) const RW: u8 = 8;
/// Session order.
pub(crate) const SESSION: u8 = 16;
/// Real-time order: one completed before the other was invoked.
pub(crate) const REALTIME: u8 = 32;
/// Continuation from an auxiliary node.
pub(crate) const VIA: u8 = 64;
/// Predicate anti-dependency: another transaction wrote a matching version that a predicate read did not find.
pub(crate) const PRW: u8 = 128;

/// Anti-dependencies of items and predicates.
pub(crate) const ANTI: u8 = RW | PRW;

/// Write and read dependencies.
pub(crate) const DEPENDS: u8 = WW | WW_READ | WR;

/// Up to this number, the edges from the readers of a version to its overwriters are stored directly; above it they share auxiliary
/// nodes.
const DIRECT: usize = 1024;

/// Edges by tail, in compressed sparse row form.
#[derive(Clone, Debug, Default)]
pub(crate) struct Graph {
    starts: Vec<u32>,
    targets: Vec<u32>,
    kinds: Vec<u8>,
    /// The first auxiliary node.
    first_auxiliary: u32,
}

impl Graph {
    /// Builds the graph of the edges that `emit` adds. `emit` is called twice and must add the same edges both times. O(nodes + edges).
    pub(crate) fn build(transactions: usize, emit: impl Fn(&mut Sink)) -> Graph {
        let mut sink = Sink { next: transactions as u32, counts: vec![0; transactions + 1], filling: None };
        emit(&mut sink);
        let mut sum = 0;
        for count in &mut sink.counts {
            sum += std::mem::replace(count, sum);
        }
        let starts = sink.counts.clone();
        sink.next = transactions as u32;
        sink.filling = Some((vec![0; sum as usize], vec![0; sum as usize]));
        emit(&mut sink);
        let (targets, kinds) = sink.filling.unwrap_or_default();
        Graph { starts, targets, kinds, first_auxiliary: transactions as u32 }
    }

    /// The number of nodes, with auxiliary nodes.
    pub(crate) fn len(&self) -> usize {
        self.starts.len().saturating_sub(1)
    }

    /// The number of edges.
    pub(crate) fn edges(&self) -> usize {
        self.targets.len()
    }

    /// Returns whether a node is an auxiliary node.
    pub(crate) fn is_auxiliary(&self, node: u32) -> bool {
        node >= self.first_auxiliary
    }

    /// The numbers of the edges that leave a node.
    pub(crate) fn edge_range(&self, node: u32) -> Range<u32> {
        self.starts[node as usize]..self.starts[node as usize + 1]
    }

    /// The head and the kind of an edge.
    pub(crate) fn edge(&self, place: u32) -> (u32, u8) {
        (self.targets[place as usize], self.kinds[place as usize])
    }

    /// The edges that leave a node.
    pub(crate) fn out(&self, node: u32) -> impl Iterator<Item = (u32, u8)> + '_ {
        self.edge_range(node).map(|place| self.edge(place))
    }

    /// Returns the subgraph induced by some nodes, given in ascending order, without duplicate edges. `numbers` must have an entry of 0
    /// for every node, and is restored.
    pub(crate) fn induced(&self, nodes: &[u32], numbers: &mut [u32]) -> Graph {
        for (number, &node) in nodes.iter().enumerate() {
            numbers[node as usize] = number as u32 + 1;
        }
        let mut part = Graph { starts: vec![0], ..Graph::default() };
        let mut edges: Vec<(u32, u8)> = Vec::new();
        for &node in nodes {
            edges.extend(self.out(node).filter_map(|(target, kind)| Some((numbers[target as usize].checked_sub(1)?, kind))));
            edges.sort_unstable();
            edges.dedup();
            part.targets.extend(edges.iter().map(|(target, _)| target));
            part.kinds.extend(edges.drain(..).map(|(_, kind)| kind));
            part.starts.push(part.targets.len() as u32);
        }
        part.first_auxiliary = nodes.partition_point(|&node| !self.is_auxiliary(node)) as u32;
        for &node in nodes {
            numbers[node as usize] = 0;
        }
        part
    }

    /// Returns the graph with all edges reversed.
    pub(crate) fn reversed(&self) -> Graph {
        let mut starts = vec![0_u32; self.starts.len()];
        for &target in &self.targets {
            starts[target as usize + 1] += 1;
        }
        for at in 1..starts.len() {
            starts[at] += starts[at - 1];
        }
        let mut next = starts.clone();
        let (mut targets, mut kinds) = (vec![0; self.targets.len()], vec![0; self.kinds.len()]);
        for node in 0..self.len() as u32 {
            for (target, kind) in self.out(node) {
                let place = next[target as usize] as usize;
                next[target as usize] += 1;
                targets[place] = node;
                kinds[place] = kind;
            }
        }
        Graph { starts, targets, kinds, first_auxiliary: self.first_auxiliary }
    }

    /// The heap size in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.starts.capacity() * 4 + self.targets.capacity() * 5
    }
}

/// A segment tree over an ordered list of nodes: edges to or from any range of them take O(log n) edges.
pub(crate) struct SegmentTree {
    /// A binary heap layout: the children of 1 are 2 and 3; the last entries are the leaves, all others auxiliary nodes.
    nodes: Vec<u32>,
    leaves: usize,
}

impl SegmentTree {
    /// Visits the minimal set of tree nodes that covers a range of leaves.
    fn each(&self, range: Range<usize>, mut visit: impl FnMut(usize)) {
        let (mut low, mut high) = (range.start + self.leaves, range.end + self.leaves);
        while low < high {
            if low % 2 == 1 {
                visit(low);
                low += 1;
            }
            if high % 2 == 1 {
                high -= 1;
                visit(high);
            }
            low /= 2;
            high /= 2;
        }
    }
}

/// Collects the edges of a graph: counts them in the first pass and stores them in the second.
pub(crate) struct Sink {
    next: u32,
    counts: Vec<u32>,
    filling: Option<(Vec<u32>, Vec<u8>)>,
}

impl Sink {
    /// Creates an auxiliary node.
    pub(crate) fn auxiliary(&mut self) -> u32 {
        self.next += 1;
        if self.filling.is_none() {
            self.counts.push(0);
        }
        self.next - 1
    }

    /// Adds an edge. Self-loops are dropped.
    pub(crate) fn edge(&mut self, from: u32, to: u32, kind: u8) {
        if from == to {
            return;
        }
        let count = &mut self.counts[from as usize];
        if let Some((targets, kinds)) = &mut self.filling {
            targets[*count as usize] = to;
            kinds[*count as usize] = kind;
        }
        *count += 1;
    }

    /// Adds an anti-dependency from every reader of a version to every writer of a later version, except itself. Both must ascend.
    /// O(readers + writers).
    pub(crate) fn overwritten(&mut self, readers: &[u32], writers: &[u32]) {
        if readers.len() * writers.len() > DIRECT {
            return self.overwritten_via_auxiliary(readers, writers);
        }
        for &reader in readers {
            writers.iter().for_each(|&writer| self.edge(reader, writer, RW));
        }
    }

    /// Builds a segment tree with edges from each parent to its children. O(targets).
    pub(crate) fn out_tree(&mut self, targets: impl ExactSizeIterator<Item = u32>) -> SegmentTree {
        let leaves = targets.len();
        let mut nodes: Vec<u32> = (0..leaves).map(|at| if at == 0 { 0 } else { self.auxiliary() }).collect();
        nodes.extend(targets);
        for at in 1..leaves {
            for child in [2 * at, 2 * at + 1] {
                self.edge(nodes[at], nodes[child], VIA);
            }
        }
        SegmentTree { nodes, leaves }
    }

    /// Adds edges to a range of the leaves of an out-tree. O(log targets).
    pub(crate) fn edges_to_range(&mut self, from: u32, tree: &SegmentTree, range: Range<usize>, kind: u8) {
        tree.each(range, |at| self.edge(from, tree.nodes[at], kind));
    }

    /// Builds a segment tree with edges from the children to their parent. O(sources).
    pub(crate) fn in_tree(&mut self, sources: impl ExactSizeIterator<Item = u32>, kind: u8) -> SegmentTree {
        let leaves = sources.len();
        let mut nodes: Vec<u32> = (0..leaves).map(|at| if at == 0 { 0 } else { self.auxiliary() }).collect();
        nodes.extend(sources);
        for at in 2..nodes.len() {
            self.edge(nodes[at], nodes[at / 2], if at < leaves { VIA } else { kind });
        }
        SegmentTree { nodes, leaves }
    }

    /// Adds edges from a range of the leaves of an in-tree. O(log sources).
    pub(crate) fn edges_from_range(&mut self, tree: &SegmentTree, range: Range<usize>, to: u32, kind: u8) {
        tree.each(range, |at| self.edge(tree.nodes[at], to, if at < tree.leaves { VIA } else { kind }));
    }

    fn overwritten_via_auxiliary(&mut self, readers: &[u32], writers: &[u32]) {
        // `first + i` leads to the writers up to i, `last + i` to those from i on: one of each covers all writers but one.
        let first: Vec<u32> = writers.iter().map(|_| self.auxiliary()).collect();
        let last: Vec<u32> = writers.iter().map(|_| self.auxiliary()).collect();
        for (at, &writer) in writers.iter().enumerate() {
            self.edge(first[at], writer, VIA);
            self.edge(last[at], writer, VIA);
            if at > 0 {
                self.edge(first[at], first[at - 1], VIA);
                self.edge(last[at - 1], last[at], VIA);
            }
        }
        for &reader in readers {
            match writers.binary_search(&reader) {
                Err(_) => self.edge(reader, last[0], RW),
                Ok(own) => {
                    if own > 0 {
                        self.edge(reader, first[own - 1], RW);
                    }
                    if own + 1 < writers.len() {
                        self.edge(reader, last[own + 1], RW);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The transactions that a reader reaches through auxiliary nodes.
    fn overwriters(graph: &Graph, reader: u32) -> Vec<u32> {
        let mut open: Vec<u32> = graph.out(reader).map(|(target, _)| target).collect();
        let mut found = Vec::new();
        while let Some(node) = open.pop() {
            if graph.is_auxiliary(node) { open.extend(graph.out(node).map(|(target, _)| target)) } else { found.push(node) }
        }
        found.sort_unstable();
        found.dedup();
        found
    }

    #[test]
    fn every_reader_reaches_all_writers_but_itself() {
        for writers in [&[1, 3][..], &[1, 3, 5], &[0, 1, 2, 3, 4, 5], &[2, 4, 7, 8, 9]] {
            let readers = [0, 1, 5, 9];
            let graph = Graph::build(10, |sink| sink.overwritten_via_auxiliary(&readers, writers));
            for reader in readers {
                let expected: Vec<u32> = writers.iter().copied().filter(|&writer| writer != reader).collect();
                assert_eq!(overwriters(&graph, reader), expected, "{reader} of {writers:?}");
            }
        }
    }

    #[test]
    fn a_range_of_a_segment_tree_is_reached_exactly() {
        for targets in 0..12 {
            for (start, end) in (0..=targets).flat_map(|end| (0..=end).map(move |start| (start, end))) {
                let graph = Graph::build(13, |sink| {
                    let tree = sink.out_tree(1..targets + 1);
                    sink.edges_to_range(0, &tree, start as usize..end as usize, PRW);
                });
                assert_eq!(overwriters(&graph, 0), (start + 1..end + 1).collect::<Vec<_>>(), "{start}..{end} of {targets}");
                assert!(graph.out(0).count() <= 6);
                let graph = Graph::build(13, |sink| {
                    let tree = sink.in_tree(1..targets + 1, WR);
                    sink.edges_from_range(&tree, start as usize..end as usize, 0, WR);
                });
                assert_eq!(overwriters(&graph.reversed(), 0), (start + 1..end + 1).collect::<Vec<_>>(), "from {start}..{end} of {targets}");
            }
        }
    }

    #[test]
    fn subgraphs_and_reversed_graphs_keep_their_edges() {
        let graph = Graph::build(4, |sink| {
            sink.edge(0, 1, WW);
            sink.edge(1, 2, WR);
            sink.edge(2, 0, RW);
            sink.edge(3, 3, WW);
            sink.edge(2, 3, WW);
        });
        assert_eq!((graph.len(), graph.edges()), (4, 4));
        let part = graph.induced(&[0, 2, 3], &mut [0; 4]);
        assert_eq!(part.out(1).collect::<Vec<_>>(), vec![(0, RW), (2, WW)]);
        assert_eq!(graph.reversed().out(0).collect::<Vec<_>>(), vec![(2, RW)]);
    }
}
