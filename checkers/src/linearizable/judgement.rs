//! What [`check`](super::check) is asked, and what it answers.

use std::time::Duration;

use elenchus_core::{EventIndex, Model, Value, Verdict};

use super::argument::{Argument, argue, outline};
use super::budget::{Exceeded, Spent};
use super::furthest::Furthest;
use super::keys::Part;
use super::minimal::{Minimal, minimise};
use super::outcome::{Broken, Searched};
use super::problem::{Moment, Problem};
use super::witness::{Linearization, Witness};

/// What a check may spend, and what it should find out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// How long it may search. None: until it has decided. With a limit, the verdict may depend on the machine.
    pub time: Option<Duration>,
    /// How many bytes the search may hold, roughly, apart from the history itself.
    pub memory: usize,
    /// Whether failures are reduced to a minimal counterexample and argued from it. Without, it is said only where they break.
    pub minimise: bool,
    /// Whether a valid judgement carries a linearization, and an undecided one those of the objects that were decided.
    pub witness: bool,
}

impl Default for Options {
    /// No limit of time, 4 GiB, minimal counterexamples, no witness.
    fn default() -> Options {
        Options { time: None, memory: 4 << 30, minimise: true, witness: false }
    }
}

/// What was decided about a history.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    /// `Invalid` if any object failed, else `Unknown` if any could not be decided, else `Valid`.
    pub verdict: Verdict,
    /// How many operations took part.
    pub operations: usize,
    /// How many independent objects there were.
    pub keys: usize,
    /// The algorithms that decided, each once.
    pub algorithms: Vec<&'static str>,
    /// Configurations visited in all.
    pub visits: u64,
    /// The most bytes that the search for one object held, roughly.
    pub peak_bytes: usize,
    /// The most configurations that one object may have been in at once.
    pub peak_configurations: usize,
    /// The objects that are not linearizable, in order of first appearance.
    pub failures: Vec<Failure>,
    /// The objects for which a budget ran out, in order of first appearance.
    pub undecided: Vec<Undecided>,
    /// How the objects that are linearizable were linearized, where [`Options::witness`] asked for it.
    pub witness: Option<Witness>,
}

/// An object that is not linearizable.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    /// Its key, where there are several objects.
    pub key: Option<Value>,
    /// The invocation of the operation at which it breaks.
    pub operation: EventIndex,
    /// That operation's completion: no shorter prefix shows the failure. What operations open here were told later is taken as known.
    pub completion: EventIndex,
    /// How many of the object's operations had begun by then.
    pub prefix: usize,
    /// Invocations of the operations that prove it, in order.
    pub operations: Vec<EventIndex>,
    /// Invocations of the operations with an effect that are not among those but touch what they touch. The proof holds whenever these took effect,
    /// even outside the time between their invocation and completion, or never.
    pub others: Vec<EventIndex>,
    /// Whether each of those that prove it is known to be needed.
    pub is_minimal: bool,
    /// The argument step by step, one sentence each.
    pub argument: Vec<String>,
    /// The furthest orders of the operations that prove it and of the others, for pictures. Few, perhaps none.
    pub furthest: Vec<Furthest>,
}

/// An object for which a budget ran out.
#[derive(Clone, Debug, PartialEq)]
pub struct Undecided {
    /// Its key, where there are several objects.
    pub key: Option<Value>,
    /// Which budget ran out.
    pub why: &'static str,
    /// How many of its operations had returned where the search ended: up to there it is linearizable, as far as was seen.
    pub completed: usize,
    /// How many operations it has.
    pub operations: usize,
}

impl Undecided {
    pub(crate) fn new(part: &Part<'_>, problem: &Problem<'_>, why: Exceeded, moments: usize) -> Undecided {
        let passed = &problem.moments[..moments];
        Undecided {
            key: part.key.cloned(),
            why: why.why(),
            completed: passed.iter().filter(|moment| matches!(moment, Moment::Return(_))).count(),
            operations: problem.operations.len(),
        }
    }
}

/// What was decided about one object.
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

/// Turns the place where a search broke into a counterexample.
pub(crate) fn explain<M: Model>(
    model: &M,
    part: &Part<'_>,
    problem: &Problem<'_>,
    broken: &Broken,
    spent: &Spent,
    options: &Options,
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
        (Minimal { operations, others: Vec::new(), proof: Vec::new(), is_minimal: false }, outline(problem, broken))
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
