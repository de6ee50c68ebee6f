//! Decision procedures for levels where the version order is unknown: they find a serialization order or show that there is none.
//!
//! A read of a plain register shows which version it saw, but not which versions precede that one, so the dependency graph has few edges.
//! Each level that is neither refuted nor proved is decided here by its definition:
//!
//! - [`mod@saturate`]: monotonic atomic view, read atomic and causal consistency, in polynomial time;
//! - [`mod@search`]: prefix consistency, snapshot isolation and serializability, each plain, with session order and with real-time order.
//!   These problems are NP-complete; the search ends within [`Limits`].
//!
//! An order that is found is verified by [`proof`], which is independent of the search. A refutation is shown by a minimal core, a
//! minimal set of transactions that has no order, with an [`argument`].

mod argument;
mod limits;
mod problem;
mod saturate;
mod search;
mod subhistory;
mod topological_order;

pub(crate) use limits::Limits;

use rustc_hash::FxHashMap;

use super::counts::{Counts, Instance, Link};
use super::graph::{DEPENDS, Graph, REALTIME, SESSION, WR};
use super::inference::Inference;
use super::level::{Boundary, Level};
use super::phenomenon::Phenomenon;
use super::proof;
use super::transactions::Transactions;
use super::walk::Rule;
use argument::argue;
use problem::{Accesses, Problem, Replay};
use saturate::{Saturated, Visibility, saturate};
use search::{Outcome, Search};
use subhistory::{Constraints, WholeHistory};
use topological_order::TopologicalOrder;

/// How a level is decided.
enum Method {
    Search(Constraints),
    Saturate(Visibility),
}

const fn search(kinds: u8, rule: Rule) -> Method {
    Method::Search(Constraints { kinds, rule })
}

/// The levels decided here, the strongest first, with the phenomenon that refutes each.
const DECIDED: [(Level, Method, Phenomenon); 12] = [
    (Level::StrictSerializable, search(SESSION | REALTIME, Rule::Free), Phenomenon::NoSerialOrderRealtime),
    (Level::StrongSnapshotIsolation, search(SESSION | REALTIME, Rule::Snapshot), Phenomenon::NoSnapshotOrderRealtime),
    (Level::StrongSessionSerializable, search(SESSION, Rule::Free), Phenomenon::NoSerialOrderProcess),
    (Level::StrongSessionSnapshotIsolation, search(SESSION, Rule::Snapshot), Phenomenon::NoSnapshotOrderProcess),
    (Level::Serializable, search(0, Rule::Free), Phenomenon::NoSerialOrder),
    (Level::RepeatableRead, search(0, Rule::Free), Phenomenon::NoSerialOrder),
    (Level::SnapshotIsolation, search(0, Rule::Snapshot), Phenomenon::NoSnapshotOrder),
    (Level::Prefix, search(0, Rule::Prefix), Phenomenon::NoPrefixOrder),
    (Level::TransactionalCausal, Method::Saturate(Visibility::Causal(WR | SESSION)), Phenomenon::NoCausalOrderProcess),
    (Level::CausalCerone, Method::Saturate(Visibility::Causal(WR)), Phenomenon::NoCausalOrder),
    (Level::ReadAtomic, Method::Saturate(Visibility::Direct), Phenomenon::NoAtomicOrder),
    (Level::MonotonicAtomicView, Method::Saturate(Visibility::Earlier), Phenomenon::NoMonotonicOrder),
];

/// The requested level is decided within the configured limits. Weaker levels, which only make a refutation more precise, are decided
/// within this number of edge visits, and not at all in histories longer than the second constant.
const EXTRA_EDGES: u64 = 50_000_000;
const MAX_EXTRA_TRANSACTIONS: usize = 100_000;

/// Returns whether every instance of a phenomenon is already a minimal core.
pub(crate) fn is_minimal_core(phenomenon: Phenomenon) -> bool {
    DECIDED.iter().any(|(_, method, found)| *found == phenomenon && matches!(method, Method::Search(_)))
}

/// The result of the solver.
#[derive(Default)]
pub(crate) struct Decided {
    /// Levels that an order proves, or that hold because every read is accounted for.
    pub(crate) proved: Vec<Level>,
    /// The phenomena found.
    pub(crate) counts: Counts,
    /// For each inferred write dependency, the reason.
    pub(crate) why: FxHashMap<(u32, u32), String>,
    /// Levels that could not be decided within the limits.
    pub(crate) gave_up: Vec<Level>,
}

/// A history with its dependency graph, and the limits of the solver.
pub(crate) struct Solver<'t> {
    pub(crate) transactions: &'t Transactions,
    pub(crate) happened: &'t [bool],
    pub(crate) graph: &'t Graph,
    pub(crate) inference: &'t dyn Inference,
    pub(crate) limits: Limits,
    /// The number of examples to describe.
    pub(crate) examples: usize,
}

impl Solver<'_> {
    /// Decides a level and, if it does not hold, the levels that it implies. `found` contains the phenomena already known.
    pub(crate) fn decide(&self, asked: Level, found: &[Phenomenon]) -> Decided {
        let mut decided = Decided { counts: Counts::new(self.examples), ..Decided::default() };
        let all: Vec<u32> = (0..self.transactions.len() as u32).collect();
        let accesses = Accesses::new(self.transactions, self.happened, all);
        if accesses.is_clear {
            decided.proved.extend([Level::StrongReadCommitted, Level::StrongSessionReadCommitted, Level::ReadCommitted]);
        }
        let decided_level = substitute(asked);
        for (level, method, phenomenon) in DECIDED {
            let known = found.iter().copied().chain(decided.counts.found.keys().copied());
            let boundary = Boundary::of(known);
            decided.proved.retain(|&level| !boundary.refutes(level));
            let is_known = boundary.refutes(level) || decided.proved.iter().any(|proved| proved.implies(level));
            let is_asked = level == decided_level;
            let is_extra = asked.implies(level) && self.transactions.len() <= MAX_EXTRA_TRANSACTIONS;
            if is_known || !(is_asked || is_extra) {
                continue;
            }
            let limits = if is_asked { self.limits } else { Limits { edges: self.limits.edges.min(EXTRA_EDGES), ..self.limits } };
            let is_decided = match method {
                Method::Search(constraints) => self.search(level, constraints, phenomenon, &accesses, &limits, &mut decided),
                Method::Saturate(visibility) => self.saturate(level, visibility, phenomenon, &accesses, &limits, &mut decided),
            };
            if !is_decided {
                decided.gave_up.push(level);
            }
        }
        decided
    }

    /// Searches for an order. Returns false if it reached the limits.
    fn search(
        &self,
        level: Level,
        constraints: Constraints,
        phenomenon: Phenomenon,
        accesses: &Accesses,
        limits: &Limits,
        decided: &mut Decided,
    ) -> bool {
        if constraints.rule != Rule::Free {
            // A serial order is also an order of snapshots, and its search space has half as many places.
            let extra = Limits { edges: limits.edges.min(EXTRA_EDGES), ..*limits };
            let (outcome, is_proved) = self.outcome(Constraints { rule: Rule::Free, ..constraints }, accesses, &extra);
            if matches!(outcome, Some(Outcome::Holds(_))) && is_proved {
                decided.proved.push(level);
                return true;
            }
        }
        match self.outcome(constraints, accesses, limits) {
            (None, _) => true,
            (Some(Outcome::Holds(_)), is_proved) => {
                decided.proved.extend(is_proved.then_some(level));
                true
            }
            (Some(Outcome::Refuted(nodes)), _) => {
                let whole = WholeHistory { transactions: self.transactions, happened: self.happened, graph: self.graph };
                let core = whole.minimal_core(constraints, &nodes, limits);
                decided.counts.add(phenomenon, || self.explain(&whole, constraints, core, nodes));
                true
            }
            (Some(Outcome::GaveUp), _) => false,
        }
    }

    /// Returns the outcome of a search and whether an order that it found was verified. There is no outcome if the graph alone is cyclic.
    fn outcome(&self, constraints: Constraints, accesses: &Accesses, limits: &Limits) -> (Option<Outcome>, bool) {
        let walk = constraints.walk(self.graph, DEPENDS);
        let problem = Problem { accesses, walk };
        let outcome = self.initial_order(&problem).map(|begin| Search::new(&problem, begin).run(limits));
        let is_proved = matches!(&outcome, Some(Outcome::Holds(found)) if proof::certifies(self.transactions, &walk, self.happened, found));
        (outcome, is_proved)
    }

    fn explain(&self, whole: &WholeHistory<'_>, constraints: Constraints, core: Option<Vec<u32>>, nodes: Vec<u32>) -> Instance {
        let argument = core.as_ref().map(|core| {
            let subhistory = whole.subhistory(constraints, core);
            argue(self.transactions, constraints, &subhistory, &|link: &Link| self.inference.sentence(link))
        });
        let transactions = core.unwrap_or(nodes);
        let mut argument = argument.unwrap_or_default();
        if argument.sentences.is_empty() {
            argument
                .sentences
                .push(format!("no order of these {} transactions explains every read; all orders were tried", transactions.len()));
        }
        Instance { transactions, sentences: argument.sentences, arrows: argument.arrows, ..Instance::default() }
    }

    /// Returns an initial order, or `None` if there is none: by completion, with begins as late as possible or at their invocation,
    /// whichever breaks fewer clauses.
    fn initial_order(&self, problem: &Problem<'_>) -> Option<Vec<u32>> {
        let (t, walk) = (self.transactions, &problem.walk);
        let late = |place: u32| proof::completion(t, walk, self.happened, place);
        let early = |place: u32| match walk.node(place) {
            node if place % 2 == 1 && problem.accesses.has(node) => t.invoked(node).0,
            _ => late(place),
        };
        let late = proof::topological_sort(walk, late)?;
        if walk.rule == Rule::Free {
            return Some(late);
        }
        let early = proof::topological_sort(walk, early)?;
        let broken = |initial: &Vec<u32>| {
            let mut count = 0_u32;
            let (order, mut replay) = (TopologicalOrder::new(walk, initial.clone()), Replay::new(problem.accesses));
            while problem.replay_next(&order, &mut replay, &mut |_| count += 1) {}
            count
        };
        Some(if broken(&early) < broken(&late) { early } else { late })
    }

    /// Saturates the version order. Returns false if it reached the limits.
    fn saturate(
        &self,
        level: Level,
        visibility: Visibility,
        phenomenon: Phenomenon,
        accesses: &Accesses,
        limits: &Limits,
        decided: &mut Decided,
    ) -> bool {
        match saturate(self.transactions, accesses, self.graph, visibility, self.examples, limits) {
            Saturated::Holds if accesses.is_clear => decided.proved.push(level),
            Saturated::Holds => {}
            Saturated::Refuted { count, examples, why } => {
                decided.counts.add_all(phenomenon, count, examples);
                decided.why.extend(why);
            }
            Saturated::GaveUp => return false,
        }
        true
    }
}

/// Returns the level that is decided in place of `asked`: itself, or the weakest decided level that implies it.
fn substitute(asked: Level) -> Level {
    let mut implies = DECIDED.iter().map(|&(level, ..)| level).filter(|level| level.implies(asked));
    implies.next_back().unwrap_or(asked)
}

#[cfg(test)]
mod tests {
    use elenchus_core::{Event, Kind, Nanos, Process, Symbol, Value, Verdict};

    use super::super::{Datatype, Level, Phenomenon, TransactionalOptions, Transactions, analyse};

    /// Concurrent transactions of different processes, written like `w x 1, r y 2`; a read without a value returned nil.
    fn overlapping(lines: &[&str]) -> Transactions {
        let event = |process: usize, kind: Kind| {
            let steps = lines[process].split(", ").map(|step| {
                let words: Vec<&str> = step.split(' ').collect();
                let value = words.get(2).and_then(|value| value.parse().ok()).map_or(Value::Nil, Value::Int);
                Value::List(vec![words[0].into(), words[1].into(), value])
            });
            Event {
                time: Nanos::ZERO,
                process: Process::Client(process as u32),
                kind,
                f: Symbol::of("txn"),
                key: None,
                value: Value::List(steps.collect()),
                error: None,
                node: None,
            }
        };
        let mut transactions = Transactions::new(Datatype::RwRegister);
        for kind in [Kind::Invoke, Kind::Ok] {
            (0..lines.len()).for_each(|process| transactions.push(&event(process, kind)).expect("well formed"));
        }
        transactions
    }

    /// Both transactions read from the first and blindly wrote the key that the other had read; the reads do not determine the order of
    /// these writes.
    #[test]
    fn blind_write_skew_is_not_serializable() {
        let transactions = overlapping(&["w x 1, w y 1", "r x 1, w y 2", "r y 1, w x 2"]);
        let analysis = analyse(&transactions, &TransactionalOptions::default());
        assert!(analysis.found.keys().all(|found| found.name().starts_with("no-serial-order")), "{:?}", analysis.found.keys());
        assert_eq!(analysis.verdict(Level::SnapshotIsolation), Verdict::Valid);
        assert_eq!(analysis.verdict(Level::Serializable), Verdict::Invalid);
        let instance = &analysis.found[&Phenomenon::NoSerialOrder].examples[0];
        let argument = analysis.sentences(instance);
        assert_eq!(
            argument,
            [
                "T0 wrote 1 to \"x\", T1 read \"x\" = 1: T1 saw T0",
                "T0 wrote 1 to \"y\", T2 read \"y\" = 1: T2 saw T0",
                "T2 read \"y\" as T0 wrote it, and T1 wrote it too: T1 < T0 or T2 < T1; as T0 < T1, T2 < T1",
                "T1 read \"x\" as T0 wrote it, and T2 wrote it too: T2 < T0 or T1 < T2; but T0 < T2, and T2 < T1",
            ]
        );
        assert!(analysis.svg(Phenomenon::NoSerialOrder, instance).starts_with("<svg"));
    }

    /// Transactions that saw both writers of one key saw them in opposite orders.
    #[test]
    fn versions_seen_in_opposite_orders_have_no_causal_order() {
        let lines = ["w x 1, w y 1", "w x 2, w y 2", "r y 1, w z 1", "r y 2, w z 2", "r z 1, r x 2", "r z 2, r x 1"];
        let transactions = overlapping(&lines);
        let analysis = analyse(&transactions, &TransactionalOptions::default());
        assert_eq!(analysis.verdict(Level::ReadAtomic), Verdict::Valid);
        assert_eq!(analysis.verdict(Level::CausalCerone), Verdict::Invalid);
        let found = &analysis.found[&Phenomenon::NoCausalOrder];
        let argument = analysis.sentences(&found.examples[0]).join("; ");
        assert!(argument.contains("T4, which saw T0 (through T2), read \"x\" as T1 wrote it: so T0 precedes T1"), "{argument}");
    }

    /// The initial value of a register may be written again: a read of that value is ambiguous and refutes nothing.
    #[test]
    fn the_initial_value_may_be_written_again() {
        let mut transactions = Transactions::new(Datatype::RwRegister);
        let step = |f: &str, value: Value| Value::List(vec![Value::List(vec![f.into(), "x".into(), value])]);
        for (f, value) in [("w", Value::Int(1)), ("w", Value::Nil), ("r", Value::Nil)] {
            for kind in [Kind::Invoke, Kind::Ok] {
                let event = Event {
                    time: Nanos::ZERO,
                    process: Process::Client(0),
                    kind,
                    f: Symbol::of("txn"),
                    key: None,
                    value: step(f, value.clone()),
                    error: None,
                    node: None,
                };
                transactions.push(&event).expect("well formed");
            }
        }
        assert_ne!(analyse(&transactions, &TransactionalOptions::default()).verdict(Level::StrictSerializable), Verdict::Invalid);
    }
}
