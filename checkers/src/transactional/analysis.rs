//! The analysis of a history of transactions: dependency graph, phenomena, isolation levels.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use elenchus_core::{FaultWindow, History, Kind, Verdict};
use rayon::prelude::*;
use rustc_hash::FxHashMap;
use serde_json::json;

use super::assumptions::Assumptions;
use super::components::Components;
use super::counter_inc::CounterInc;
use super::counter_order;
use super::counts::{Counts, Found, Instance, Link, LinkKind};
use super::cycles::Component;
use super::datatype::Datatype;
use super::graph::{ANTI, DEPENDS, Graph, REALTIME, SESSION};
use super::inference::Inference;
use super::intra_transaction;
use super::level::{Boundary, Level};
use super::list_append::ListAppend;
use super::named_cycles;
use super::order::{happened, realtime_edges, session_edges};
use super::phantoms::{self, Phantoms};
use super::phenomenon::Phenomenon;
use super::proof;
use super::rw_register::RwRegister;
use super::set_add::SetAdd;
use super::solver::{Decided, Limits, Solver};
use super::transactions::Transactions;
use super::walk::Walk;

/// Assumptions and limits of an analysis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransactionalOptions {
    /// The number of examples described per phenomenon.
    pub examples: usize,
    /// The assumptions about registers.
    pub assumptions: Assumptions,
    /// The level to decide. If it does not hold, the weaker levels that it implies are decided too. For registers this may require a
    /// search for a version order.
    pub isolation: Level,
    /// Time limit of a search. Without a limit the search runs until it decides, which may take time exponential in the size of the
    /// history.
    pub time: Option<Duration>,
    /// Memory limit of a search, in bytes.
    pub memory: usize,
}

impl Default for TransactionalOptions {
    fn default() -> TransactionalOptions {
        TransactionalOptions {
            examples: 4,
            assumptions: Assumptions::default(),
            isolation: Level::StrictSerializable,
            time: Some(Duration::from_secs(60)),
            memory: 4 << 30,
        }
    }
}

/// The result of analysing a history of transactions.
pub struct Analysis<'t> {
    transactions: &'t Transactions,
    /// The phenomena found, with counts and examples.
    pub found: BTreeMap<Phenomenon, Found>,
    /// The isolation levels that these phenomena refute and those that remain possible.
    pub boundary: Boundary,
    /// The number of transactions known to have committed.
    pub committed: usize,
    /// The number of edges in the dependency graph.
    pub edges: usize,
    /// The number of transactions in the largest strongly connected component.
    pub largest_component: usize,
    /// Approximate peak memory of the transaction columns and the graph, in bytes.
    pub peak_bytes: usize,
    /// Levels that a search could not decide within its limits.
    pub gave_up: Vec<Level>,
    /// Levels proved while searching for a refutation.
    proved: Vec<Level>,
    /// For each version order that was inferred from other reads: the reason, by the pair of writers.
    why: FxHashMap<(u32, u32), String>,
    inference: Box<dyn Inference + 't>,
    phantoms: Phantoms,
    graph: Graph,
    happened: Vec<bool>,
    faults: Vec<FaultWindow>,
}

/// Finds every phenomenon that can be inferred. The result is complete and deterministic. The time is near-linear in the history, except
/// in strongly connected components.
pub fn analyse<'t>(transactions: &'t Transactions, options: &TransactionalOptions) -> Analysis<'t> {
    let limit = options.examples;
    let happened = happened(transactions);
    let infer = || -> Box<dyn Inference + 't> {
        match transactions.datatype() {
            Datatype::ListAppend => Box::new(ListAppend::new(transactions, happened.clone())),
            Datatype::SetAdd => Box::new(SetAdd::new(transactions, happened.clone())),
            Datatype::CounterInc => Box::new(CounterInc::new(transactions, &happened)),
            Datatype::RwRegister => Box::new(RwRegister::new(transactions, happened.clone(), options.assumptions)),
        }
    };
    let (mut counts, inference) = rayon::join(|| intra_transaction::find(transactions, &happened, limit), infer);
    inference.check_versions(&mut counts);
    phantoms::check(transactions, &happened, &mut counts);
    let phantoms = Phantoms::new(inference.as_ref());
    let graph = Graph::build(transactions.len(), |sink| {
        inference.emit(sink);
        phantoms.emit(transactions, &happened, sink);
        session_edges(transactions, &happened, sink);
        realtime_edges(transactions, &happened, sink);
    });
    let asked = options.isolation;
    let (components, known_to_hold) = rayon::join(
        || Components::find(&Walk::free(&graph, DEPENDS | ANTI | SESSION | REALTIME)).nontrivial(),
        // Register histories are proved by the solver, which does not support predicates.
        || {
            let needs_replay = transactions.datatype() != Datatype::RwRegister || !transactions.predicates.is_empty();
            if !needs_replay || inference.decides(asked) {
                return None;
            }
            let proved = proof::proves(transactions, &graph, &happened, asked).then_some(asked);
            proved.or_else(|| counter_proof(transactions, &counts))
        },
    );
    let mut numbers = vec![0; if components.is_empty() { 0 } else { graph.len() }];
    let components: Vec<Component> =
        components.into_iter().map(|nodes| Component::new(graph.induced(&nodes, &mut numbers), nodes)).collect();
    let largest_component =
        components.iter().map(|component| component.original.iter().filter(|&&name| !graph.is_auxiliary(name)).count()).max().unwrap_or(0);
    let judged: Vec<Counts> = components
        .into_par_iter()
        .map(|mut component| {
            let cycles = component.classify(limit);
            cycles.merge(named_cycles::find(&component, inference.as_ref(), limit))
        })
        .collect();
    let counts = judged.into_iter().fold(counts, Counts::merge);
    let known: Vec<Phenomenon> = counts.found.keys().copied().collect();
    let Decided { mut proved, counts: decided, why, gave_up } = match transactions.datatype() {
        Datatype::ListAppend | Datatype::SetAdd | Datatype::CounterInc => Decided::default(),
        Datatype::RwRegister => {
            let limits = Limits { deadline: options.time.map(|time| Instant::now() + time), bytes: options.memory, edges: u64::MAX };
            let (graph, inference) = (&graph, inference.as_ref());
            Solver { transactions, happened: &happened, graph, inference, limits, examples: limit }.decide(options.isolation, &known)
        }
    };
    proved.extend(known_to_hold);
    let counts = counts.merge(decided);
    let boundary = Boundary::of(counts.found.keys().copied());
    Analysis {
        transactions,
        found: counts.found,
        boundary,
        committed: happened.iter().filter(|&&happened| happened).count(),
        edges: graph.edges(),
        largest_component,
        peak_bytes: transactions.bytes() + graph.bytes(),
        gave_up,
        proved,
        why,
        inference,
        phantoms,
        graph,
        happened,
        faults: History::new(transactions.nemesis().to_vec()).fault_windows(),
    }
}

/// Returns the level that a serialization order found for counters proves. The search is skipped if that level is already refuted.
fn counter_proof(transactions: &Transactions, counts: &Counts) -> Option<Level> {
    let proved = Level::StrictSerializable;
    if transactions.datatype() != Datatype::CounterInc || Boundary::of(counts.found.keys().copied()).refutes(proved) {
        return None;
    }
    let order = counter_order::find(transactions)?;
    proof::is_strictly_serial(transactions, &order).then_some(proved)
}

impl Analysis<'_> {
    /// The transactions that were analysed.
    pub fn transactions(&self) -> &Transactions {
        self.transactions
    }

    /// Returns whether a level is refuted.
    pub fn refutes(&self, level: Level) -> bool {
        self.boundary.refutes(level)
    }

    /// The verdict on a level: refuted, proved or unknown. A level is proved either because every dependency that matters to it was
    /// inferred, or by an order of begins and commits that was guessed and then verified by replaying it.
    pub fn verdict(&self, level: Level) -> Verdict {
        if self.refutes(level) {
            return Verdict::Invalid;
        }
        // Reads of lists that agree on no order determine no write order.
        let decides = |stronger: Level| stronger.implies(level) && self.inference.decides(stronger) && !self.refutes(stronger);
        let is_decided =
            Level::all().filter(|stronger| stronger.is_judged()).any(decides) && !self.found.contains_key(&Phenomenon::IncompatibleOrder);
        let is_proved = is_decided
            || self.proved.iter().any(|proved| proved.implies(level))
            || proof::proves(self.transactions, &self.graph, &self.happened, level);
        if is_proved { Verdict::Valid } else { Verdict::Unknown }
    }

    /// The argument of an instance, one sentence per step.
    pub fn sentences(&self, instance: &Instance) -> Vec<String> {
        instance.sentences.iter().cloned().chain(instance.cycle.iter().map(|link| self.sentence(link))).collect()
    }

    /// An edge of the dependency graph as a sentence.
    pub fn sentence(&self, link: &Link) -> String {
        match self.why.get(&(link.from, link.to)).filter(|_| link.kind == LinkKind::Ww && self.inference.evidence(link).is_none()) {
            Some(why) => why.clone(),
            None => self.phantoms.sentence(self.transactions, link).unwrap_or_else(|| self.inference.sentence(link)),
        }
    }

    /// The transactions of an instance, one per line, followed by its argument.
    pub fn argument(&self, instance: &Instance) -> Vec<String> {
        let who = instance.transactions.iter().map(|&transaction| self.transactions.describe(transaction));
        who.chain(self.sentences(instance)).collect()
    }

    /// The event, time and active faults at the first invocation of an instance, as JSON.
    pub fn began(&self, instance: &Instance) -> serde_json::Value {
        let t = self.transactions;
        let Some(first) = instance.transactions.iter().copied().min_by_key(|&transaction| t.invoked(transaction)) else {
            return serde_json::Value::Null;
        };
        let at = t.invoked_at(first);
        let in_force =
            self.faults.iter().filter(|fault| fault.injected != Some(Kind::Fail) && fault.from <= at && fault.to.is_none_or(|to| at <= to));
        let faults: Vec<_> =
            in_force.map(|fault| json!({ "fault": fault.fault, "nodes": fault.nodes, "what": fault.description })).collect();
        json!({ "event": t.invoked(first), "time": at, "faults": faults })
    }
}
