//! From transactions to what they refute.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use elenchus_core::{FaultWindow, History, Kind, Verdict};
use rayon::prelude::*;
use rustc_hash::FxHashMap;
use serde_json::json;

use super::assumed::Assumptions;
use super::components::Components;
use super::counter_inc::CounterInc;
use super::counter_order;
use super::cycles::Knot;
use super::graph::{ANTI, DEPENDS, Graph, REALTIME, SESSION};
use super::inference::Inference;
use super::level::{Boundary, Level};
use super::list_append::ListAppend;
use super::order::{happened, realtime_edges, session_edges};
use super::phenomenon::Phenomenon;
use super::predicates::{self, Phantoms};
use super::proof;
use super::rw_register::RwRegister;
use super::set_add::SetAdd;
use super::solver::{Decided, Limits, Solver};
use super::special;
use super::tally::{Found, Instance, Link, LinkKind, Tally};
use super::transactions::{Datatype, Transactions};
use super::walk::Walk;
use super::within::within;

/// What may be assumed, and how much is to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// How many examples of each phenomenon are described.
    pub examples: usize,
    /// What may be assumed of registers.
    pub assumptions: Assumptions,
    /// What is asked: this level and, where it does not hold, those that it implies are decided, though the order of a register's versions
    /// may take a search to find.
    pub isolation: Level,
    /// How long to search; without a limit until it is decided, which may take time exponential in the history.
    pub time: Option<Duration>,
    /// How many bytes a search may hold.
    pub memory: usize,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            examples: 4,
            assumptions: Assumptions::default(),
            isolation: Level::StrictSerializable,
            time: Some(Duration::from_secs(60)),
            memory: 4 << 30,
        }
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
    /// Levels that a search could not decide within its limits.
    pub gave_up: Vec<Level>,
    /// Levels that were proved while looking for what refutes them.
    proved: Vec<Level>,
    /// Why a version is before another, where that follows from other versions: by the transactions that wrote them.
    why: FxHashMap<(u32, u32), String>,
    inference: Box<dyn Inference + 't>,
    phantoms: Phantoms,
    graph: Graph,
    happened: Vec<bool>,
    faults: Vec<FaultWindow>,
}

/// Finds every phenomenon that can be inferred. Complete and deterministic; near-linear in the history but for the components in which
/// transactions must each stand before the other.
pub fn analyse<'t>(transactions: &'t Transactions, options: &Options) -> Analysis<'t> {
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
    let (mut tally, inference) = rayon::join(|| within(transactions, &happened, limit), infer);
    inference.judge_versions(&mut tally);
    predicates::judge(transactions, &happened, &mut tally);
    let phantoms = Phantoms::new(inference.as_ref());
    let graph = Graph::build(transactions.len(), |sink| {
        inference.emit(sink);
        phantoms.emit(transactions, &happened, sink);
        session_edges(transactions, &happened, sink);
        realtime_edges(transactions, &happened, sink);
    });
    let asked = options.isolation;
    let (knots, known_to_hold) = rayon::join(
        || Components::find(&Walk::free(&graph, DEPENDS | ANTI | SESSION | REALTIME)).knots(),
        // What is known of registers is for the solver to prove, which knows nothing of predicates.
        || {
            let is_left = transactions.datatype() != Datatype::RwRegister || !transactions.predicates.is_empty();
            if !is_left || inference.decides(asked) {
                return None;
            }
            let played = proof::holds(transactions, &graph, &happened, asked).then_some(asked);
            played.or_else(|| counted(transactions, &tally))
        },
    );
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
    let known: Vec<Phenomenon> = tally.found.keys().copied().collect();
    let Decided { mut proved, tally: decided, why, gave_up } = match transactions.datatype() {
        Datatype::ListAppend | Datatype::SetAdd | Datatype::CounterInc => Decided::default(),
        Datatype::RwRegister => {
            let limits = Limits { deadline: options.time.map(|time| Instant::now() + time), bytes: options.memory, ways: u64::MAX };
            let (graph, inference) = (&graph, inference.as_ref());
            Solver { transactions, happened: &happened, graph, inference, limits, examples: limit }.decide(options.isolation, &known)
        }
    };
    proved.extend(known_to_hold);
    let tally = tally.merge(decided);
    let boundary = Boundary::of(tally.found.keys().copied());
    Analysis {
        transactions,
        found: tally.found,
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

/// The level of which counters prove the order that is found; none is looked for where it is known that there is none.
fn counted(transactions: &Transactions, tally: &Tally) -> Option<Level> {
    let proved = Level::StrictSerializable;
    if transactions.datatype() != Datatype::CounterInc || Boundary::of(tally.found.keys().copied()).refutes(proved) {
        return None;
    }
    let order = counter_order::find(transactions)?;
    proof::is_strictly_serial(transactions, &order).then_some(proved)
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

    /// What is known about a level: refuted, proved, or neither. A proof is that everything is inferred which matters to the level, or an
    /// order of begins and commits, found by a guess and checked step by step.
    pub fn verdict(&self, level: Level) -> Verdict {
        if self.refutes(level) {
            return Verdict::Invalid;
        }
        // What was read of lists in no order at all says nothing about the order of writes.
        let decides = |stronger: Level| stronger.implies(level) && self.inference.decides(stronger) && !self.refutes(stronger);
        let is_decided =
            Level::all().filter(|stronger| stronger.is_judged()).any(decides) && !self.found.contains_key(&Phenomenon::IncompatibleOrder);
        let is_proved = is_decided
            || self.proved.iter().any(|proved| proved.implies(level))
            || proof::holds(self.transactions, &self.graph, &self.happened, level);
        if is_proved { Verdict::Valid } else { Verdict::Unknown }
    }

    /// An instance step by step, a sentence each.
    pub fn sentences(&self, instance: &Instance) -> Vec<String> {
        instance.sentences.iter().cloned().chain(instance.cycle.iter().map(|link| self.sentence(link))).collect()
    }

    /// One edge in a sentence.
    pub fn sentence(&self, link: &Link) -> String {
        match self.why.get(&(link.from, link.to)).filter(|_| link.kind == LinkKind::Ww && self.inference.evidence(link).is_none()) {
            Some(why) => why.clone(),
            None => self.phantoms.sentence(self.transactions, link).unwrap_or_else(|| self.inference.sentence(link)),
        }
    }

    /// Who takes part in an instance, a line each, and then the instance step by step.
    pub fn argument(&self, instance: &Instance) -> Vec<String> {
        let who = instance.transactions.iter().map(|&transaction| self.transactions.introduce(transaction));
        who.chain(self.sentences(instance)).collect()
    }

    /// When the first transaction of an instance was invoked, and under which faults.
    pub fn began(&self, instance: &Instance) -> serde_json::Value {
        let t = self.transactions;
        let Some(first) = instance.transactions.iter().copied().min_by_key(|&transaction| t.invoked(transaction)) else {
            return serde_json::Value::Null;
        };
        let at = t.invoked_at(first);
        let in_force =
            self.faults.iter().filter(|fault| fault.injected != Some(Kind::Fail) && fault.from <= at && fault.to.is_none_or(|to| at <= to));
        let faults: Vec<_> = in_force.map(|fault| json!({ "fault": fault.fault, "nodes": fault.nodes, "what": fault.what })).collect();
        json!({ "event": t.invoked(first), "time": at, "faults": faults })
    }
}
