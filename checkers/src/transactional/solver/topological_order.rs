//! A topological order of places, maintained while precedences are added.
//!
//! Pearce & Kelly ("A dynamic topological sort algorithm for directed acyclic graphs", JEA 2006): a new precedence against the order
//! moves only places between its ends. Precedences are removed in reverse order of insertion; the order of the places stays valid and is
//! not restored.

use super::super::components::Digraph;

/// Marks a precedence of the graph, in place of the number of an added one.
pub(super) const FIXED: u32 = u32::MAX;

/// The precedence of one place over another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Precedence {
    pub(super) first: u32,
    pub(super) second: u32,
}

impl Precedence {
    /// The opposite precedence; exactly one of the two holds for different places.
    pub(super) fn reversed(self) -> Precedence {
        Precedence { first: self.second, second: self.first }
    }
}

/// One step of a path: its target, and the number of the added precedence that it takes, or [`FIXED`].
pub(super) type Step = (u32, u32);

/// Targets by place, in compressed sparse row form.
struct Adjacency {
    starts: Vec<u32>,
    targets: Vec<u32>,
}

impl Adjacency {
    fn new(places: usize, pairs: impl Iterator<Item = (u32, u32)> + Clone) -> Adjacency {
        let mut starts = vec![0_u32; places + 1];
        pairs.clone().for_each(|(from, _)| starts[from as usize + 1] += 1);
        for at in 0..places {
            starts[at + 1] += starts[at];
        }
        let (mut next, mut targets) = (starts.clone(), vec![0; starts[places] as usize]);
        for (from, to) in pairs {
            targets[next[from as usize] as usize] = to;
            next[from as usize] += 1;
        }
        Adjacency { starts, targets }
    }

    fn of(&self, place: u32) -> &[u32] {
        &self.targets[self.starts[place as usize] as usize..self.starts[place as usize + 1] as usize]
    }
}

/// The order, with the precedences that it respects.
pub(super) struct TopologicalOrder {
    out: Adjacency,
    into: Adjacency,
    added: Vec<Precedence>,
    added_out: Vec<Vec<u32>>,
    added_into: Vec<Vec<u32>>,
    order: Vec<u32>,
    rank: Vec<u32>,
    round: u32,
    seen: Vec<u32>,
    /// For each place that a search reached: the previous place, and the precedence taken.
    by: Vec<Step>,
    /// The lowest rank that changed since the last call of `take_lowest`.
    lowest: u32,
    /// The number of precedences visited.
    pub(super) spent: u64,
}

impl TopologicalOrder {
    /// Starts from a topological order of a graph. O(nodes + edges).
    pub(super) fn new(graph: &impl Digraph, order: Vec<u32>) -> TopologicalOrder {
        let places = graph.len();
        let mut pairs: Vec<(u32, u32)> = Vec::new();
        for place in 0..places as u32 {
            pairs.extend(graph.edge_range(place).filter_map(|precedence| Some((place, graph.head(place, precedence)?))));
        }
        let mut rank = vec![0; places];
        order.iter().enumerate().for_each(|(at, &place)| rank[place as usize] = at as u32);
        TopologicalOrder {
            out: Adjacency::new(places, pairs.iter().copied()),
            into: Adjacency::new(places, pairs.iter().map(|&(from, to)| (to, from))),
            added: Vec::new(),
            added_out: vec![Vec::new(); places],
            added_into: vec![Vec::new(); places],
            order,
            rank,
            round: 0,
            seen: vec![0; places],
            by: vec![(0, FIXED); places],
            lowest: u32::MAX,
            spent: 0,
        }
    }

    /// The places in order.
    pub(super) fn places(&self) -> &[u32] {
        &self.order
    }

    /// Returns the lowest rank that changed since the last call; `u32::MAX` if none did.
    pub(super) fn take_lowest(&mut self) -> u32 {
        std::mem::replace(&mut self.lowest, u32::MAX)
    }

    /// Returns whether the order satisfies a precedence.
    pub(super) fn satisfies(&self, before: Precedence) -> bool {
        self.rank[before.first as usize] < self.rank[before.second as usize]
    }

    /// The distance between the ranks of two places.
    pub(super) fn distance(&self, before: Precedence) -> u32 {
        self.rank[before.first as usize].abs_diff(self.rank[before.second as usize])
    }

    /// The precedences that were added and not removed.
    pub(super) fn added(&self) -> &[Precedence] {
        &self.added
    }

    /// Approximate heap size in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.order.len() * (2 * size_of::<Vec<u32>>() + 28) + (self.out.targets.len() + self.added.len() * 2) * 8
    }

    /// Returns a path between two places as the steps after its start; `None` if there is none. O(precedences between the two places).
    pub(super) fn path(&mut self, from: u32, to: u32) -> Option<Vec<Step>> {
        let limit = self.rank[to as usize];
        if self.rank[from as usize] > limit {
            return None;
        }
        self.round += 1;
        self.seen[from as usize] = self.round;
        let mut queue = vec![from];
        let mut next = 0;
        while let Some(&place) = queue.get(next) {
            next += 1;
            if place == to {
                return Some(self.trace(from, to));
            }
            let fixed = self.out.of(place).iter().map(|&target| (target, FIXED));
            let added = self.added_out[place as usize].iter().map(|&precedence| (self.added[precedence as usize].second, precedence));
            for (target, precedence) in fixed.chain(added) {
                self.spent += 1;
                if self.seen[target as usize] != self.round && self.rank[target as usize] <= limit {
                    self.seen[target as usize] = self.round;
                    self.by[target as usize] = (place, precedence);
                    queue.push(target);
                }
            }
        }
        None
    }

    fn trace(&self, from: u32, to: u32) -> Vec<Step> {
        let mut steps = Vec::new();
        let mut place = to;
        while place != from {
            let (before, precedence) = self.by[place as usize];
            steps.push((place, precedence));
            place = before;
        }
        steps.reverse();
        steps
    }

    /// Adds a precedence. The opposite path must not exist. O(precedences between its ends).
    pub(super) fn add(&mut self, before: Precedence) {
        if !self.satisfies(before) {
            self.reorder(before);
        }
        let precedence = self.added.len() as u32;
        self.added.push(before);
        self.added_out[before.first as usize].push(precedence);
        self.added_into[before.second as usize].push(precedence);
    }

    /// Removes all precedences but the first `count`.
    pub(super) fn truncate(&mut self, count: usize) {
        while self.added.len() > count {
            if let Some(Precedence { first, second }) = self.added.pop() {
                self.added_out[first as usize].pop();
                self.added_into[second as usize].pop();
            }
        }
    }

    /// Moves the places that reach `before.first` before those that `before.second` reaches, within the range of ranks between the two.
    fn reorder(&mut self, before: Precedence) {
        let (low, high) = (self.rank[before.second as usize], self.rank[before.first as usize]);
        self.lowest = self.lowest.min(low);
        let mut ahead = self.reachable_within(before.second, |rank| rank <= high, true);
        let mut behind = self.reachable_within(before.first, |rank| rank >= low, false);
        let rank = &self.rank;
        ahead.sort_unstable_by_key(|&place| rank[place as usize]);
        behind.sort_unstable_by_key(|&place| rank[place as usize]);
        behind.append(&mut ahead);
        let mut ranks: Vec<u32> = behind.iter().map(|&place| rank[place as usize]).collect();
        ranks.sort_unstable();
        for (place, rank) in behind.into_iter().zip(ranks) {
            self.rank[place as usize] = rank;
            self.order[rank as usize] = place;
        }
    }

    /// The places reachable from a place, or from which it is reachable, at acceptable ranks.
    fn reachable_within(&mut self, start: u32, is_in_range: impl Fn(u32) -> bool, forward: bool) -> Vec<u32> {
        self.round += 1;
        self.seen[start as usize] = self.round;
        let mut found = vec![start];
        let mut next = 0;
        while let Some(&place) = found.get(next) {
            next += 1;
            let (fixed, precedences) = match forward {
                true => (self.out.of(place), &self.added_out[place as usize]),
                false => (self.into.of(place), &self.added_into[place as usize]),
            };
            let end =
                |&precedence: &u32| if forward { self.added[precedence as usize].second } else { self.added[precedence as usize].first };
            for target in fixed.iter().copied().chain(precedences.iter().map(end)) {
                self.spent += 1;
                if self.seen[target as usize] != self.round && is_in_range(self.rank[target as usize]) {
                    self.seen[target as usize] = self.round;
                    found.push(target);
                }
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::graph::{Graph, WW};
    use super::super::super::walk::Walk;
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Adds precedences that close no cycle and removes some of them: the order stays valid, and paths are found if and only if they
        /// exist.
        #[test]
        fn respects_all_precedences(nodes in 2_u32..20, edges in proptest::collection::vec((0_u32..20, 0_u32..20, 0_usize..8), 0..60)) {
            let graph = Graph::build(nodes as usize, |sink| (1..nodes).step_by(3).for_each(|node| sink.edge(node - 1, node, WW)));
            let mut order = TopologicalOrder::new(&Walk::free(&graph, WW), (0..nodes).collect());
            for (from, to, back) in edges {
                let (first, second) = (from % nodes, to % nodes);
                if back == 0 {
                    let half = order.added().len() / 2;
                    order.truncate(half);
                }
                let mut oracle = petgraph::graph::DiGraph::<(), ()>::from_edges((0..nodes).map(|node| (node, node)));
                let fixed = (1..nodes).step_by(3).map(|node| (node - 1, node));
                oracle.extend_with_edges(fixed.chain(order.added().iter().map(|before| (before.first, before.second))));
                let reaches = first != second && petgraph::algo::has_path_connecting(&oracle, second.into(), first.into(), None);
                let path = order.path(second, first);
                prop_assert_eq!(path.is_some(), reaches || first == second);
                if !reaches && first != second {
                    let before = Precedence { first, second };
                    let before_add = order.places().to_vec();
                    order.add(before);
                    prop_assert!(order.satisfies(before));
                    let moved = (0..nodes).find(|&rank| before_add[rank as usize] != order.places()[rank as usize]);
                    prop_assert_eq!(order.take_lowest(), moved.unwrap_or(u32::MAX));
                }
                for edge in oracle.raw_edges().iter().filter(|edge| edge.source() != edge.target()) {
                    let before = Precedence { first: edge.source().index() as u32, second: edge.target().index() as u32 };
                    prop_assert!(order.satisfies(before));
                }
            }
        }
    }
}
