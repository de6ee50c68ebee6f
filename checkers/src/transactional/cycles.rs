//! Classification of the cycles in a dependency graph. It is complete in every strongly connected component and does not enumerate
//! cycles.
//!
//! A cycle of a given kind exists if and only if one of its edges lies on a closed walk of a small automaton. This reduces to strongly
//! connected components (of the graph, or of its product with the automaton) and to reachability:
//!
//! | kind | exists where |
//! | --- | --- |
//! | G0 | a ww edge joins two nodes of one component of the ww edges |
//! | G1c | a wr edge joins two nodes of one component of the ww and wr edges |
//! | G-single | the tail of an rw edge is reachable from its head by ww and wr edges |
//! | G-nonadjacent | an rw edge joins two nodes of one component of [`Rule::Nonadjacent`] |
//! | G2-item | an rw edge joins two nodes of one component of all edges |
//!
//! The session and real-time forms add those edges; the forms without `-item` add anti-dependencies of predicates. The edges in the
//! right-hand column are counted, each under its worst kind, and in a later form only if it is worse there than in the forms before.
//! Shortest cycles through them are computed only for the examples.

use super::components::{Components, Digraph};
use super::counts::Counts;
use super::graph::{ANTI, DEPENDS, Graph, PRW, REALTIME, RW, SESSION, WR, WW, WW_READ};
use super::phenomenon::Phenomenon;
use super::reach::{Query, answer};
use super::shortest::Examples;
use super::walk::{Rule, Walk};

/// A form of cycles and the phenomena reported for it.
struct Form {
    order: u8,
    g0: Phenomenon,
    g1c: Phenomenon,
    /// With anti-dependencies of items only, indexed by [`SINGLE`], [`NONADJACENT`], [`ADJACENT`].
    items: [Phenomenon; 3],
    /// With at least one anti-dependency of a predicate.
    predicates: [Phenomenon; 3],
}

const SINGLE: u8 = 0;
const NONADJACENT: u8 = 1;
const ADJACENT: u8 = 2;
const ON_NO_CYCLE: u8 = 3;

const FORMS: [Form; 3] = [
    Form {
        order: 0,
        g0: Phenomenon::G0,
        g1c: Phenomenon::G1c,
        items: [Phenomenon::GSingleItem, Phenomenon::GNonadjacentItem, Phenomenon::G2Item],
        predicates: [Phenomenon::GSingle, Phenomenon::GNonadjacent, Phenomenon::G2],
    },
    Form {
        order: SESSION,
        g0: Phenomenon::G0Process,
        g1c: Phenomenon::G1cProcess,
        items: [Phenomenon::GSingleItemProcess, Phenomenon::GNonadjacentItemProcess, Phenomenon::G2ItemProcess],
        predicates: [Phenomenon::GSingleProcess, Phenomenon::GNonadjacentProcess, Phenomenon::G2Process],
    },
    Form {
        order: REALTIME,
        g0: Phenomenon::G0Realtime,
        g1c: Phenomenon::G1cRealtime,
        items: [Phenomenon::GSingleItemRealtime, Phenomenon::GNonadjacentItemRealtime, Phenomenon::G2ItemRealtime],
        predicates: [Phenomenon::GSingleRealtime, Phenomenon::GNonadjacentRealtime, Phenomenon::G2Realtime],
    },
];

/// One strongly connected component of the dependency graph, with the classification of its edges.
pub(crate) struct Component {
    /// The subgraph; nodes are renumbered.
    pub(crate) graph: Graph,
    /// The original numbers of the nodes, ascending.
    pub(crate) original: Vec<u32>,
    /// Whether a node has an anti-dependency on a cycle with no other one, without or with session order.
    pub(crate) single: Vec<bool>,
}

impl Component {
    /// Creates a component whose edges are not yet classified.
    pub(crate) fn new(graph: Graph, original: Vec<u32>) -> Component {
        let single = vec![false; original.len()];
        Component { graph, original, single }
    }

    /// Returns the node of a transaction, if it is in this component.
    pub(crate) fn node(&self, transaction: u32) -> Option<u32> {
        self.original.binary_search(&transaction).ok().map(|node| node as u32)
    }

    /// All edges as (number, tail, head, kind).
    pub(crate) fn edges(&self) -> impl Iterator<Item = (u32, u32, u32, u8)> + '_ {
        (0..self.graph.len() as u32).flat_map(move |from| {
            self.graph.edge_range(from).map(move |place| {
                let (to, kind) = self.graph.edge(place);
                (place, from, to, kind)
            })
        })
    }

    /// Classifies the cycles in all forms.
    pub(crate) fn classify(&mut self, limit: usize) -> Counts {
        let mut counts = Counts::new(limit);
        let mut worst = vec![ON_NO_CYCLE; self.graph.edges()];
        let mut counted = vec![false; self.graph.edges()];
        let has_predicates = self.edges().any(|(.., kind)| kind == PRW);
        for form in &FORMS {
            self.dependencies(form, limit, &mut counted, &mut counts);
            self.anti_dependencies(form.order, RW, form.items, limit, &mut worst, &mut counts);
            if has_predicates {
                self.anti_dependencies(form.order, ANTI, form.predicates, limit, &mut worst, &mut counts);
            }
        }
        self.prefix(limit, &mut counts);
        counts
    }

    /// G0 and G1c: edges within components of dependencies.
    fn dependencies(&self, form: &Form, limit: usize, counted: &mut [bool], counts: &mut Counts) {
        let kinds = [(form.g0, WW, WW), (form.g1c, DEPENDS, WR | WW_READ)];
        for (phenomenon, mask, closing) in kinds {
            let walk = Walk::free(&self.graph, mask | form.order);
            let components = Components::find(&walk);
            if components.len() == walk.len() {
                continue;
            }
            let mut examples = Examples::new(walk, &self.original, limit);
            let mut count = 0;
            for (place, from, to, kind) in self.edges() {
                if kind & closing != 0 && !counted[place as usize] && components.joins(from, to) {
                    counted[place as usize] = true;
                    count += 1;
                    examples.offer(from, place);
                }
            }
            counts.add_all(phenomenon, count, examples.finish());
        }
    }

    /// Cycles with anti-dependencies of these kinds and the edges of an order.
    fn anti_dependencies(&mut self, order: u8, kinds: u8, phenomena: [Phenomenon; 3], limit: usize, worst: &mut [u8], counts: &mut Counts) {
        let graph = &self.graph;
        let general = Walk::free(graph, DEPENDS | order | kinds);
        let nonadjacent = Walk::ruled(graph, DEPENDS | order | kinds, Rule::Nonadjacent);
        let direct = Walk::free(graph, DEPENDS | order);
        let components = Components::find(&general);
        let open: Vec<(u32, u32, u32)> = self
            .edges()
            .filter(|&(place, from, to, kind)| kind & kinds != 0 && worst[place as usize] != SINGLE && components.joins(from, to))
            .map(|(place, from, to, _)| (place, from, to))
            .collect();
        if open.is_empty() {
            return;
        }
        let queries: Vec<Query> = open.iter().map(|&(_, from, to)| Query { from: vec![to], to: vec![from] }).collect();
        let is_single = answer(&direct, &Components::find(&direct), &queries);
        let components = Components::find(&nonadjacent);
        let mut examples = [direct, nonadjacent, general].map(|walk| Examples::new(walk, &self.original, limit));
        let mut per_kind = [0; 3];
        for (&(place, from, to), is_single) in open.iter().zip(is_single) {
            let kind = match is_single {
                true => SINGLE,
                false if components.joins(nonadjacent.before_rw(from), nonadjacent.after_rw(to)) => NONADJACENT,
                false => ADJACENT,
            };
            if kind == SINGLE && kinds == RW && order != REALTIME {
                self.single[from as usize] = true;
            }
            if kind < worst[place as usize] {
                worst[place as usize] = kind;
                per_kind[kind as usize] += 1;
                examples[kind as usize].offer(from, place);
            }
        }
        for ((phenomenon, count), examples) in phenomena.into_iter().zip(per_kind).zip(examples) {
            counts.add_all(phenomenon, count, examples.finish());
        }
    }

    /// Cycles in which every anti-dependency follows a read dependency.
    fn prefix(&self, limit: usize, counts: &mut Counts) {
        let walk = Walk::ruled(&self.graph, DEPENDS, Rule::Prefix);
        let components = Components::find(&walk);
        let mut examples = Examples::new(walk, &self.original, limit);
        let mut count = 0;
        for (place, from, to, _) in self.edges().filter(|&(.., kind)| kind == RW) {
            if components.joins(walk.before_rw(from), walk.after_rw(to)) {
                count += 1;
                examples.offer(from, place);
            }
        }
        counts.add_all(Phenomenon::PrefixViolation, count, examples.finish());
    }
}
