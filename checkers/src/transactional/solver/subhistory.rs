//! Sub-histories: the constraints on a few transactions without the others, and minimal cores.

use elenchus_core::Kind;

use super::super::elements::NONE;
use super::super::graph::{Graph, REALTIME, RW, SESSION, WR, WW};
use super::super::proof::topological_sort;
use super::super::transactions::Transactions;
use super::super::walk::{Rule, Walk};
use super::limits::Limits;
use super::problem::{Accesses, Problem};
use super::search::{Outcome, Search};

/// The constraints of a level: the orders besides data dependencies, and the rule of the walk.
#[derive(Clone, Copy, Debug)]
pub(super) struct Constraints {
    pub(super) kinds: u8,
    pub(super) rule: Rule,
}

impl Constraints {
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
pub(super) struct WholeHistory<'t> {
    pub(super) transactions: &'t Transactions,
    pub(super) happened: &'t [bool],
    pub(super) graph: &'t Graph,
}

/// A few transactions, renumbered, with their constraints: read dependencies, assumed write dependencies, and the orders of the level.
pub(super) struct SubHistory {
    pub(super) accesses: Accesses,
    pub(super) graph: Graph,
}

impl WholeHistory<'_> {
    /// Returns the sub-history of these transactions, which must ascend. O(n² + their edges).
    pub(super) fn subhistory(&self, constraints: Constraints, members: &[u32]) -> SubHistory {
        let t = self.transactions;
        let accesses = Accesses::new(t, self.happened, members.to_vec());
        let graph = Graph::build(members.len(), |sink| {
            for (node, &member) in (0..).zip(members) {
                let sources: Vec<(u32, u32)> = accesses.sources(node).collect();
                sources.iter().filter(|&&(_, source)| accesses.has(source)).for_each(|&(_, source)| sink.edge(source, node, WR));
                for (target, _) in self.graph.out(member).filter(|&(_, kind)| kind == WW) {
                    if let Ok(target) = members.binary_search(&target) {
                        sink.edge(node, target as u32, WW);
                    }
                }
                for (other, &later) in (0..).zip(members) {
                    let follows = t.session(member) == t.session(later) && member < later;
                    if constraints.kinds & SESSION != 0 && follows {
                        sink.edge(node, other, SESSION);
                    }
                    let is_over =
                        t.kind(member) == Kind::Ok && t.has_begin(later) && t.completed(member).is_some_and(|at| at < t.invoked(later));
                    if constraints.kinds & REALTIME != 0 && is_over && !follows {
                        sink.edge(node, other, REALTIME);
                    }
                }
            }
        });
        SubHistory { accesses, graph }
    }

    /// Returns whether these transactions, without the others, have no order.
    fn is_unsatisfiable(&self, constraints: Constraints, members: &[u32], limits: &Limits) -> bool {
        let subhistory = self.subhistory(constraints, members);
        let walk = constraints.walk(&subhistory.graph, WR | WW);
        let due = |place: u32| subhistory.accesses.transactions[walk.node(place) as usize];
        let Some(begin) = topological_sort(&walk, due) else { return true };
        let problem = Problem { accesses: &subhistory.accesses, walk };
        matches!(Search::new(&problem, begin).run(limits), Outcome::Refuted(_))
    }

    /// Returns a minimal core of some transactions: no transaction can be removed without making an order possible. Returns `None` if the
    /// transactions, together with those that they read from, have an order, or if the limits are reached.
    pub(super) fn minimal_core(&self, constraints: Constraints, nodes: &[u32], limits: &Limits) -> Option<Vec<u32>> {
        let mut kept = nodes.to_vec();
        if !self.is_unsatisfiable(constraints, &kept, limits) {
            let t = self.transactions;
            let read = nodes.iter().flat_map(|&node| t.steps(node)).filter_map(|step| t.version(step));
            let writers = read.filter(|&version| version != NONE).map(|version| t.elements.writer(version));
            kept.extend(writers.filter(|&writer| writer != NONE));
            kept.sort_unstable();
            kept.dedup();
            if !self.is_unsatisfiable(constraints, &kept, limits) {
                return None;
            }
        }
        let mut chunk = kept.len().div_ceil(2);
        loop {
            let mut end = kept.len();
            while end > 0 {
                let start = end.saturating_sub(chunk);
                let rest: Vec<u32> = kept[..start].iter().chain(&kept[end..]).copied().collect();
                if self.is_unsatisfiable(constraints, &rest, limits) {
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
