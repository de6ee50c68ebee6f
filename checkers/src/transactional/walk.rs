//! Walks through a dependency graph under a rule: every kind of cycle is a closed walk of a small automaton.

use std::collections::VecDeque;
use std::ops::Range;

use super::components::Digraph;
use super::graph::{ANTI, Graph, RW, VIA, WR};

/// The edges that a walk may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// Any edge of the mask.
    Free,
    /// No two anti-dependencies in a row. A node is in layer 1 if it was entered by one. (Cerone & Gotsman 2016, theorem 9.)
    Nonadjacent,
    /// Anti-dependencies only directly after a read dependency. Layer 1 of a node is its begin, layer 0 its commit: a read dependency
    /// leads to a begin, an anti-dependency leaves a begin, a write dependency leads from commit to commit.
    Prefix,
    /// The schedule of snapshot isolation: a dependency leads from the commit of a transaction (layer 0) to the begin of the next (layer
    /// 1), an anti-dependency from begin to commit.
    Snapshot,
}

/// The product of a graph and the automaton of a rule. Its nodes, called *places*, are the nodes of the graph, once per layer.
#[derive(Clone, Copy)]
pub(crate) struct Walk<'g> {
    pub(crate) graph: &'g Graph,
    /// The kinds of edges that may be taken.
    pub(crate) mask: u8,
    pub(crate) rule: Rule,
    /// Nodes that must not be entered.
    pub(crate) excluded: Option<&'g [bool]>,
}

impl<'g> Walk<'g> {
    /// All walks over edges of these kinds.
    pub(crate) fn free(graph: &'g Graph, mask: u8) -> Walk<'g> {
        Walk { graph, mask: mask | VIA, rule: Rule::Free, excluded: None }
    }

    /// The walks over anti-dependencies and edges of these kinds that obey a rule.
    pub(crate) fn ruled(graph: &'g Graph, mask: u8, rule: Rule) -> Walk<'g> {
        Walk { graph, mask: mask | RW | VIA, rule, excluded: None }
    }

    fn layers(&self) -> u32 {
        if self.rule == Rule::Free { 1 } else { 2 }
    }

    /// The place of a node in a layer.
    pub(crate) fn at(&self, node: u32, layer: u32) -> u32 {
        if self.rule == Rule::Free { node } else { node * 2 + layer }
    }

    /// The node of a place.
    pub(crate) fn node(&self, at: u32) -> u32 {
        at / self.layers()
    }

    /// The place of a node from which anti-dependencies leave.
    pub(crate) fn before_rw(&self, node: u32) -> u32 {
        self.at(node, u32::from(matches!(self.rule, Rule::Prefix | Rule::Snapshot)))
    }

    /// The place of a node to which anti-dependencies lead.
    pub(crate) fn after_rw(&self, node: u32) -> u32 {
        self.at(node, u32::from(self.rule == Rule::Nonadjacent))
    }

    /// Returns the shortest path from one place to another as the transactions on it, both ends included, each with the kind of the edge
    /// that leads to it; the kind of the first is `entering`. Returns `None` if the path needs more than `most` edges. Adds the number of
    /// visited edges to `spent`.
    pub(crate) fn shortest(
        &self,
        (from, entering): (u32, u8),
        to: u32,
        most: u32,
        scratch: &mut Scratch,
        spent: &mut u64,
    ) -> Option<Vec<(u32, u8)>> {
        scratch.begin(self.len());
        let mut queue = VecDeque::from([(from, 0)]);
        scratch.reach(from, from, 0, 0);
        let mut found = false;
        while let Some((place, distance)) = queue.pop_front() {
            if place == to {
                found = true;
                break;
            }
            if distance > scratch.distance[place as usize] {
                continue;
            }
            for edge in self.edge_range(place) {
                *spent += 1;
                let Some(next) = self.head(place, edge) else { continue };
                let (kind, free) = match self.is_begin_to_commit(place, edge) {
                    true => (0, true),
                    false => (self.graph.edge(edge).1, self.graph.edge(edge).1 == VIA),
                };
                let distance = distance + u32::from(!free);
                if distance <= most && scratch.is_nearer(next, distance) {
                    scratch.reach(next, place, kind, distance);
                    if free { queue.push_front((next, distance)) } else { queue.push_back((next, distance)) }
                }
            }
        }
        found.then(|| self.trace(from, to, entering, scratch))
    }

    /// The transactions of the path that a search found, each with the kind of the edge that leads to it; the kind of the first is
    /// `entering`.
    fn trace(&self, from: u32, to: u32, entering: u8, scratch: &Scratch) -> Vec<(u32, u8)> {
        let mut back: Vec<(u32, u8)> = Vec::new();
        let mut place = to;
        while place != from {
            back.push((place, scratch.kind[place as usize]));
            place = scratch.from[place as usize];
        }
        back.push((from, entering));
        let (mut path, mut into_auxiliary) = (Vec::with_capacity(back.len()), 0);
        for (place, kind) in back.into_iter().rev().filter(|&(_, kind)| kind != 0) {
            let kind = if kind == VIA { into_auxiliary } else { kind };
            let node = self.node(place);
            if self.graph.is_auxiliary(node) { into_auxiliary = kind } else { path.push((node, kind)) }
        }
        path
    }

    fn is_begin_to_commit(&self, place: u32, edge: u32) -> bool {
        matches!(self.rule, Rule::Prefix | Rule::Snapshot) && edge == self.graph.edge_range(self.node(place)).end
    }
}

impl Digraph for Walk<'_> {
    fn len(&self) -> usize {
        self.graph.len() * self.layers() as usize
    }

    fn edge_range(&self, place: u32) -> Range<u32> {
        let span = self.graph.edge_range(self.node(place));
        // An edge from the begin of a transaction to its commit.
        if matches!(self.rule, Rule::Prefix | Rule::Snapshot) && place % 2 == 1 { span.start..span.end + 1 } else { span }
    }

    fn head(&self, place: u32, edge: u32) -> Option<u32> {
        if self.is_begin_to_commit(place, edge) {
            return Some(place - 1);
        }
        let (target, kind) = self.graph.edge(edge);
        if kind & self.mask == 0 || self.excluded.is_some_and(|excluded| excluded[target as usize]) {
            return None;
        }
        match self.rule {
            Rule::Free => Some(target),
            _ if kind == VIA => Some(target * 2 + place % 2),
            Rule::Nonadjacent if kind & ANTI != 0 => place.is_multiple_of(2).then_some(target * 2 + 1),
            Rule::Nonadjacent => Some(target * 2),
            Rule::Prefix | Rule::Snapshot if kind & ANTI != 0 => (place % 2 == 1).then_some(target * 2),
            Rule::Snapshot => place.is_multiple_of(2).then_some(target * 2 + 1),
            Rule::Prefix => place.is_multiple_of(2).then_some(target * 2 + u32::from(kind == WR)),
        }
    }
}

/// The buffers of a shortest-path search, reused by later searches.
#[derive(Default)]
pub(crate) struct Scratch {
    round: u32,
    seen: Vec<u32>,
    distance: Vec<u32>,
    from: Vec<u32>,
    kind: Vec<u8>,
}

impl Scratch {
    fn begin(&mut self, places: usize) {
        if self.seen.len() < places {
            self.seen.resize(places, 0);
            self.distance.resize(places, 0);
            self.from.resize(places, 0);
            self.kind.resize(places, 0);
        }
        self.round += 1;
    }

    fn is_nearer(&self, place: u32, distance: u32) -> bool {
        self.seen[place as usize] != self.round || distance < self.distance[place as usize]
    }

    fn reach(&mut self, place: u32, from: u32, kind: u8, distance: u32) {
        self.seen[place as usize] = self.round;
        self.distance[place as usize] = distance;
        self.from[place as usize] = from;
        self.kind[place as usize] = kind;
    }
}
