//! Batched reachability queries.
//!
//! Components are numbered in reverse topological order and, as far as that allows, against time, so that only components numbered
//! between the ends of a query can answer it. Up to 64 queries with neighbouring ends share one sweep, with one bit each.

use super::components::{Components, Digraph};

/// A query: whether any node of one set reaches any node of another, in zero or more steps.
#[derive(Clone, Debug, Default)]
pub(crate) struct Query {
    pub(crate) from: Vec<u32>,
    pub(crate) to: Vec<u32>,
}

/// Answers queries on a graph with known components. O(nodes + edges) per 64 queries, and far less if their ends are close.
pub(crate) fn answer(graph: &impl Digraph, components: &Components, queries: &[Query]) -> Vec<bool> {
    let mut answers = vec![false; queries.len()];
    let mut open: Vec<(u32, u32, usize)> = Vec::new();
    for (at, query) in queries.iter().enumerate() {
        let highest = query.from.iter().map(|&node| components.of(node)).max();
        let lowest = query.to.iter().map(|&node| components.of(node)).min();
        if let (Some(highest), Some(lowest)) = (highest, lowest)
            && highest >= lowest
        {
            match query.from.len() == 1 && query.to.len() == 1 && highest == lowest {
                true => answers[at] = true,
                false => open.push((highest, lowest, at)),
            }
        }
    }
    if open.is_empty() {
        return answers;
    }
    open.sort_unstable_by(|one, other| other.cmp(one));
    let members = components.members();
    let mut bits: Vec<u64> = Vec::new();
    for batch in open.chunks(64) {
        let highest = batch[0].0;
        let lowest = batch.iter().map(|&(_, lowest, _)| lowest).min().unwrap_or(0);
        bits.clear();
        bits.resize((highest - lowest + 1) as usize, 0);
        let place =
            |node: u32| components.of(node).checked_sub(lowest).filter(|&place| place <= highest - lowest).map(|place| place as usize);
        for (bit, &(.., at)) in batch.iter().enumerate() {
            for place in queries[at].from.iter().filter_map(|&node| place(node)) {
                bits[place] |= 1 << bit;
            }
        }
        for component in (lowest..=highest).rev() {
            let reached = bits[(component - lowest) as usize];
            if reached == 0 {
                continue;
            }
            for &node in members.of(component) {
                for edge in graph.edge_range(node) {
                    if let Some(place) = graph.head(node, edge).and_then(place) {
                        bits[place] |= reached;
                    }
                }
            }
        }
        for (bit, &(.., at)) in batch.iter().enumerate() {
            answers[at] = queries[at].to.iter().filter_map(|&node| place(node)).any(|place| bits[place] & 1 << bit != 0);
        }
    }
    answers
}

#[cfg(test)]
mod tests {
    use super::super::graph::{Graph, WW};
    use super::super::walk::Walk;
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn agrees_with_petgraph(nodes in 1_u32..40, edges in proptest::collection::vec((0_u32..40, 0_u32..40), 0..80), asked in proptest::collection::vec((0_u32..40, 0_u32..40, 0_u32..40), 1..100)) {
            let edges: Vec<(u32, u32)> = edges.into_iter().map(|(from, to)| (from % nodes, to % nodes)).collect();
            let graph = Graph::build(nodes as usize, |sink| edges.iter().for_each(|&(from, to)| sink.edge(from, to, WW)));
            let oracle = petgraph::graph::DiGraph::<(), ()>::from_edges(edges.iter().copied().chain((0..nodes).map(|node| (node, node))));
            let queries: Vec<Query> = asked.into_iter().map(|(a, b, c)| Query { from: vec![a % nodes, b % nodes], to: vec![c % nodes] }).collect();
            let walk = Walk::free(&graph, WW);
            let answers = answer(&walk, &Components::find(&walk), &queries);
            for (query, answer) in queries.iter().zip(answers) {
                let reaches = |from: u32| petgraph::algo::has_path_connecting(&oracle, from.into(), query.to[0].into(), None);
                prop_assert_eq!(answer, query.from.iter().any(|&from| reaches(from)));
            }
        }
    }
}
