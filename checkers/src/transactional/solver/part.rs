//! Sub-histories: the constraints on a few transactions without the others, and minimal cores.

use elenchus_core::Kind;

use super::super::elements::NONE;
use super::super::graph::{Graph, REALTIME, RW, SESSION, WR, WW};
use super::super::proof::schedule;
use super::super::transactions::Transactions;
use super::super::walk::{Rule, Walk};
use super::limits::Limits;
use super::problem::{Accesses, Problem};
use super::search::{Outcome, Search};

/// The constraints of a level: the orders besides data dependencies, and the rule of the walk.
#[derive(Clone, Copy, Debug)]
pub(super) struct Order {
    pub(super) kinds: u8,
    pub(super) rule: Rule,
}

impl Order {
    /// The walk of this level through a graph.
    pub(super) fn walk(self, graph: &Graph, depends: u8) -> Walk<'_> {
        match self.rule {
            Rule::Free => Walk::free(graph, depends | RW | self.kinds),
            rule => Walk::ruled(graph, depends | self.kinds, rule),
        }
    }
}

/// The whole history, from which sub-histories are taken.
#[derive(Clone, Copy)]
pub(super) struct Whole<'t> {
    pub(super) transactions: &'t Transactions,
    pub(super) happened: &'t [bool],
    pub(super) graph: &'t Graph,
}

/// A few transactions, renumbered, with their constraints: read dependencies, assumed write dependencies, and the orders of the level.
pub(super) struct Part {
    pub(super) accesses: Accesses,
    pub(super) graph: Graph,
}

impl Whole<'_> {
    /// Returns the sub-history of these transactions, which must ascend. O(n² + their edges).
    pub(super) fn part(&self, order: Order, names: &[u32]) -> Part {
        let t = self.transactions;
        let accesses = Accesses::new(t, self.happened, names.to_vec());
        let graph = Graph::build(names.len(), |sink| {
            for (node, &name) in (0..).zip(names) {
                let sources: Vec<(u32, u32)> = accesses.sources(node).collect();
                sources.iter().filter(|&&(_, source)| accesses.has(source)).for_each(|&(_, source)| sink.edge(source, node, WR));
                for (target, _) in self.graph.out(name).filter(|&(_, kind)| kind == WW) {
                    if let Ok(target) = names.binary_search(&target) {
                        sink.edge(node, target as u32, WW);
                    }
                }
                for (other, &later) in (0..).zip(names) {
                    let follows = t.session(name) == t.session(later) && name < later;
                    if order.kinds & SESSION != 0 && follows {
                        sink.edge(node, other, SESSION);
                    }
                    let is_over =
                        t.kind(name) == Kind::Ok && t.has_begin(later) && t.completed(name).is_some_and(|at| at < t.invoked(later));
                    if order.kinds & REALTIME != 0 && is_over && !follows {
                        sink.edge(node, other, REALTIME);
                    }
                }
            }
        });
        Part { accesses, graph }
    }

    /// Returns whether these transactions, without the others, have no order.
    fn contradict(&self, order: Order, names: &[u32], limits: &Limits) -> bool {
        let part = self.part(order, names);
        let walk = order.walk(&part.graph, WR | WW);
        let due = |place: u32| part.accesses.names[walk.node(place) as usize];
        let Some(begin) = schedule(&walk, due) else { return true };
        let problem = Problem { accesses: &part.accesses, walk };
        matches!(Search::new(&problem, begin).run(limits), Outcome::Refuted(_))
    }

    /// Returns a minimal core of some transactions: no transaction can be removed without making an order possible. Returns `None` if the
    /// transactions, together with those that they read from, have an order, or if the limits are reached.
    pub(super) fn fewest(&self, order: Order, nodes: &[u32], limits: &Limits) -> Option<Vec<u32>> {
        let mut kept = nodes.to_vec();
        if !self.contradict(order, &kept, limits) {
            let t = self.transactions;
            let read = nodes.iter().flat_map(|&node| t.steps(node)).filter_map(|step| t.version(step));
            let writers = read.filter(|&version| version != NONE).map(|version| t.elements.writer(version));
            kept.extend(writers.filter(|&writer| writer != NONE));
            kept.sort_unstable();
            kept.dedup();
            if !self.contradict(order, &kept, limits) {
                return None;
            }
        }
        let mut chunk = kept.len().div_ceil(2);
        loop {
            let mut end = kept.len();
            while end > 0 {
                let start = end.saturating_sub(chunk);
                let rest: Vec<u32> = kept[..start].iter().chain(&kept[end..]).copied().collect();
                if self.contradict(order, &rest, limits) {
                    kept = rest;
                }
                end = start;
            }
            if chunk <= 1 {
                return Some(kept);
            }
            chunk = chunk.div_ceil(2).min(kept.len().max(1));
        }
    }
}
