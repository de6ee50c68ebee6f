//! From transactions to what they refute.

use std::collections::BTreeMap;

use rayon::prelude::*;

use super::components::Components;
use super::cycles::Knot;
use super::graph::{DEPENDS, Graph, REALTIME, RW, SESSION};
use super::inference::Inference;
use super::level::{Boundary, Level};
use super::list_append::ListAppend;
use super::order::{happened, realtime_edges, session_edges};
use super::phenomenon::Phenomenon;
use super::special;
use super::tally::{Found, Instance, Tally};
use super::transactions::{Datatype, Transactions};
use super::walk::Walk;
use super::within::within;

/// What may be assumed, and how much is to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// How many examples of each phenomenon are described.
    pub examples: usize,
}

impl Default for Options {
    fn default() -> Options {
        Options { examples: 4 }
    }
}

/// What was found in a history of transactions.
pub struct Analysis<'t> {
    transactions: &'t Transactions,
    /// What was found, by phenomenon.
    pub found: BTreeMap<Phenomenon, Found>,
    /// What that says of the levels.
    pub boundary: Boundary,
    /// Transactions that are known to have happened.
    pub committed: usize,
    /// Edges of the dependency graph.
    pub edges: usize,
    /// The size of the largest component of transactions that must each stand before the other.
    pub largest_component: usize,
    /// What the columns and the graph occupied, about.
    pub peak_bytes: usize,
    inference: Box<dyn Inference + 't>,
}

/// Finds every phenomenon that can be inferred. Complete and deterministic; near-linear in the history but for the components in which
/// transactions must each stand before the other.
pub fn analyse<'t>(transactions: &'t Transactions, options: &Options) -> Analysis<'t> {
    let limit = options.examples;
    let happened = happened(transactions);
    let inference: Box<dyn Inference + 't> = match transactions.datatype() {
        Datatype::ListAppend => Box::new(ListAppend::new(transactions, happened.clone())),
        Datatype::RwRegister => Box::new(ListAppend::new(transactions, happened.clone())),
    };
    let mut tally = within(transactions, &happened, limit);
    inference.judge_versions(&mut tally);
    let graph = Graph::build(transactions.len(), |sink| {
        inference.emit(sink);
        session_edges(transactions, &happened, sink);
        realtime_edges(transactions, &happened, sink);
    });
    let knots = Components::find(&Walk::free(&graph, DEPENDS | RW | SESSION | REALTIME)).knots();
    let mut numbers = vec![0; if knots.is_empty() { 0 } else { graph.len() }];
    let knots: Vec<Knot> = knots.into_iter().map(|nodes| Knot::new(graph.induced(&nodes, &mut numbers), nodes)).collect();
    let largest_component = knots.iter().map(|knot| knot.names.iter().filter(|&&name| !graph.is_joint(name)).count()).max().unwrap_or(0);
    let judged: Vec<Tally> = knots
        .into_par_iter()
        .map(|mut knot| {
            let cycles = knot.judge(limit);
            cycles.merge(special::judge(&knot, inference.as_ref(), limit))
        })
        .collect();
    let tally = judged.into_iter().fold(tally, Tally::merge);
    let boundary = Boundary::of(tally.found.keys().copied());
    Analysis {
        transactions,
        found: tally.found,
        boundary,
        committed: happened.iter().filter(|&&happened| happened).count(),
        edges: graph.edges(),
        largest_component,
        peak_bytes: transactions.bytes() + graph.bytes(),
        inference,
    }
}

impl Analysis<'_> {
    /// The transactions that were judged.
    pub fn transactions(&self) -> &Transactions {
        self.transactions
    }

    /// Whether a level is refuted.
    pub fn refutes(&self, level: Level) -> bool {
        self.boundary.refutes(level)
    }

    /// An instance step by step, a sentence each.
    pub fn sentences(&self, instance: &Instance) -> Vec<String> {
        instance.sentences.iter().cloned().chain(instance.cycle.iter().map(|link| self.inference.sentence(link))).collect()
    }
}
