//! The options and the result of [`check`](super::check).

use std::time::Duration;

use elenchus_core::{EventIndex, Model, Value, Verdict};

use super::argument::{Argument, argue, argue_from_search};
use super::budget::{Exceeded, Spent};
use super::furthest::Furthest;
use super::keys::SubHistory;
use super::minimal::{Minimal, minimise};
use super::outcome::{Broken, Searched};
use super::problem::{Moment, Problem};
use super::witness::{Linearization, Witness};

/// Limits on a check, and the evidence that it should produce.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinearizableOptions {
    /// The time limit; none means no limit. With a limit, the verdict may depend on the machine.
    pub time: Option<Duration>,
    /// The approximate number of bytes that the search may hold, apart from the history itself.
    pub memory: usize,
    /// Whether failures are reduced to a minimal counterexample. If not, only the place of the failure is reported.
    pub minimise: bool,
    /// Whether a valid judgement carries a linearization, and an undecided one the linearizations of the objects that were decided.
    pub witness: bool,
}

impl Default for LinearizableOptions {
    /// No time limit, 4 GiB of memory, minimal counterexamples, no witness.
    fn default() -> LinearizableOptions {
        LinearizableOptions { time: None, memory: 4 << 30, minimise: true, witness: false }
    }
}

/// The result of a check.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    /// `Invalid` if an object is not linearizable, else `Unknown` if an object is undecided, else `Valid`.
    pub verdict: Verdict,
    /// The number of operations checked.
    pub operations: usize,
    /// The number of independent objects.
    pub keys: usize,
    /// The algorithms that decided, each once.
    pub algorithms: Vec<&'static str>,
    /// The number of configurations visited in total.
    pub visits: u64,
    /// The peak number of bytes that the search for one object held, approximately.
    pub peak_bytes: usize,
    /// The peak number of configurations kept for one object.
    pub peak_configurations: usize,
    /// The objects that are not linearizable, in order of first appearance.
    pub failures: Vec<Failure>,
    /// The objects for which a limit was reached, in order of first appearance.
    pub undecided: Vec<Undecided>,
    /// The linearizations of the linearizable objects, if [`LinearizableOptions::witness`] asked for them.
    pub witness: Option<Witness>,
}

/// An object that is not linearizable.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    /// The object's key, if the history has several objects.
    pub key: Option<Value>,
    /// The invocation of the operation that cannot be linearized.
    pub operation: EventIndex,
    /// That operation's completion. No shorter prefix shows the failure; the later results of operations that are open here count as known.
    pub completion: EventIndex,
    /// The number of the object's operations invoked by then.
    pub prefix: usize,
    /// The invocations of the operations that form the counterexample, in order.
    pub operations: Vec<EventIndex>,
    /// The invocations of the other operations with an effect that concern the same values. The counterexample holds whenever these took
    /// effect, even outside the time between their invocation and completion, or never.
    pub others: Vec<EventIndex>,
    /// Whether each operation of the counterexample is known to be necessary.
    pub is_minimal: bool,
    /// The argument, one sentence per step.
    pub argument: Vec<String>,
    /// The furthest orders of the operations of the counterexample and the others, for pictures. Few, perhaps none.
    pub furthest: Vec<Furthest>,
}

/// An object for which a limit was reached.
#[derive(Clone, Debug, PartialEq)]
pub struct Undecided {
    /// The object's key, if the history has several objects.
    pub key: Option<Value>,
    /// The limit that was reached.
    pub why: &'static str,
    /// The number of its operations that had completed where the search stopped. No violation was found up to there.
    pub completed: usize,
    /// The number of its operations.
    pub operations: usize,
}

impl Undecided {
    pub(crate) fn new(part: &SubHistory<'_>, problem: &Problem<'_>, why: Exceeded, moments: usize) -> Undecided {
        let passed = &problem.moments[..moments];
        Undecided {
            key: part.key.cloned(),
            why: why.why(),
            completed: passed.iter().filter(|moment| matches!(moment, Moment::Return(_))).count(),
            operations: problem.operations.len(),
        }
    }
}

/// The result for one object.
pub(crate) struct KeyJudgement {
    operations: usize,
    algorithm: &'static str,
    spent: Spent,
    pub(crate) failure: Option<Failure>,
    pub(crate) undecided: Option<Undecided>,
    pub(crate) linearization: Option<Linearization>,
}

impl KeyJudgement {
    pub(crate) fn new(problem: &Problem<'_>, searched: &Searched) -> KeyJudgement {
        let operations = problem.operations.len();
        KeyJudgement {
            operations,
            algorithm: searched.algorithm,
            spent: searched.spent,
            failure: None,
            undecided: None,
            linearization: None,
        }
    }
}

impl Judgement {
    pub(crate) fn of(keys: impl Iterator<Item = KeyJudgement>) -> Judgement {
        let mut whole = Judgement {
            verdict: Verdict::Valid,
            operations: 0,
            keys: 0,
            algorithms: Vec::new(),
            visits: 0,
            peak_bytes: 0,
            peak_configurations: 0,
            failures: Vec::new(),
            undecided: Vec::new(),
            witness: None,
        };
        for key in keys {
            whole.keys += 1;
            whole.operations += key.operations;
            whole.visits += key.spent.visits;
            whole.peak_bytes = whole.peak_bytes.max(key.spent.peak_bytes);
            whole.peak_configurations = whole.peak_configurations.max(key.spent.peak_configurations);
            if !whole.algorithms.contains(&key.algorithm) {
                whole.algorithms.push(key.algorithm);
            }
            whole.failures.extend(key.failure);
            whole.undecided.extend(key.undecided);
            if let Some(linearization) = key.linearization {
                whole.witness.get_or_insert_default().objects.push(linearization);
            }
        }
        whole.verdict = match (whole.failures.is_empty(), whole.undecided.is_empty()) {
            (false, _) => Verdict::Invalid,
            (true, false) => Verdict::Unknown,
            (true, true) => Verdict::Valid,
        };
        whole
    }
}

/// Turns the place where a search failed into a counterexample.
pub(crate) fn explain<M: Model>(
    model: &M,
    part: &SubHistory<'_>,
    problem: &Problem<'_>,
    broken: &Broken,
    spent: &Spent,
    options: &LinearizableOptions,
) -> Failure {
    let breaks = problem.operation(broken.operation);
    let completion = breaks.completed.unwrap_or(breaks.invoked);
    let begun = problem.operations.partition_point(|operation| operation.invoked < completion);
    let (minimal, Argument { sentences, furthest }) = if options.minimise {
        let minimal = minimise(model, problem, broken.operation, spent.visits);
        let argument = argue(model, &minimal, breaks);
        (minimal, argument)
    } else {
        let operations = problem.operations[..begun].to_vec();
        (Minimal { operations, others: Vec::new(), proof: Vec::new(), is_minimal: false }, argue_from_search(problem, broken))
    };
    let Minimal { operations, others, is_minimal, .. } = minimal;
    Failure {
        key: part.key.cloned(),
        operation: breaks.invoked,
        completion,
        prefix: begun,
        operations: operations.iter().map(|operation| operation.invoked).collect(),
        others: others.iter().map(|operation| operation.invoked).collect(),
        is_minimal,
        argument: sentences,
        furthest,
    }
}
