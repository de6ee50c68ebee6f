//! Total queue: what goes in comes out.
//!
//! Values are counted, so that the same one may be enqueued more than once. A value is lost when it was acknowledged, the queue was seen empty
//! after that, and it never came out. Empty is seen by a drain that succeeded, by a dequeue that was told nil, and by one that failed because
//! the queue was `empty` or `exhausted`; without such evidence a missing value may still be in the queue. A crashed dequeue may have taken one
//! value, a crashed drain any number.
//!
//! Options: `drained`, whether the queue is known to have been emptied at the end, whatever the history shows (false; Jepsen's checker assumes
//! it); `crashed-dequeues-take`, whether a crashed dequeue may have taken a value (true; false for consumers that acknowledge, and in Jepsen's
//! checker); `exactly-once`, whether a value that comes out twice is an anomaly (false: it is counted).

use elenchus_core::{EventIndex, Kind, Operation, Value};

use super::elements::{Elements, Unfounded};
use super::order::succeeded_by;
use super::report::short;
use super::{Description, Evidence, Invariant, Part, Report, Shape, Word};
use crate::options::{BuildError, OptionEntry, OptionValues};

/// The checker of a queue that is drained at the end.
#[derive(Clone, Copy, Debug)]
pub struct TotalQueue {
    /// Whether the queue is known to have been emptied at the end.
    pub drained: bool,
    /// Whether a crashed dequeue may have taken a value.
    pub crashed_dequeues_take: bool,
    /// Whether a value that comes out twice is an anomaly.
    pub exactly_once: bool,
}

impl Default for TotalQueue {
    fn default() -> TotalQueue {
        TotalQueue { drained: false, crashed_dequeues_take: true, exactly_once: false }
    }
}

/// How clients say that there was nothing to dequeue.
const EMPTY: &[&str] = &["empty", "exhausted"];

/// The operations on a queue.
pub(super) const VOCABULARY: &[Word] = &[
    Word { f: "enqueue", input: Shape::Some("v"), output: Shape::Any },
    Word { f: "dequeue", input: Shape::Any, output: Shape::Any },
    Word { f: "drain", input: Shape::Any, output: Shape::Either(&[Shape::List(&Shape::Some("v")), Shape::Nil]) },
];

/// What an operation took out, in order.
pub(super) fn taken<'h>(operation: &Operation<'h>) -> &'h [Value] {
    match (operation.f.as_str(), operation.output) {
        ("dequeue", Some(value)) if !value.is_nil() => std::slice::from_ref(value),
        ("drain", Some(list)) => list.as_list().unwrap_or_default(),
        _ => &[],
    }
}

/// How many values crashed operations may have taken, of those that were asked before an event.
pub(super) fn takable(operations: &[Operation<'_>], before: EventIndex) -> u64 {
    let crashed = operations.iter().filter(|it| it.kind == Kind::Info && it.invoked < before);
    crashed.map(|it| if it.f == "drain" { u64::from(u32::MAX) } else { u64::from(it.f == "dequeue") }).sum()
}

impl TotalQueue {
    /// The last operation that saw the queue empty.
    fn emptiness<'a, 'h>(part: &'a Part<'h>) -> Option<&'a Operation<'h>> {
        let sees_empty = |operation: &&Operation<'_>| match (operation.kind, operation.f.as_str()) {
            (Kind::Ok, "drain") => true,
            (Kind::Ok, "dequeue") => operation.output.is_none_or(Value::is_nil),
            (Kind::Fail, "dequeue" | "drain") => {
                let event = operation.completed.and_then(|completed| part.history.events.get(completed.0 as usize));
                let error = event.and_then(|event| event.error.as_deref()).unwrap_or_default();
                EMPTY.contains(&error.trim_matches(|mark: char| !mark.is_alphanumeric()))
            }
            _ => false,
        };
        part.operations.iter().rev().find(sees_empty)
    }
}

#[derive(Clone, Copy, Default)]
struct Taken {
    /// How often it came out, when it can have.
    times: u32,
    /// The operations that took it first and last.
    first: u32,
    last: u32,
}

impl Invariant for TotalQueue {
    const DESCRIPTION: Description = Description {
        name: "total-queue",
        about: "whether everything that was enqueued is dequeued, and nothing else",
        proves: "everything that was acknowledged came out, and nothing that was not enqueued",
        source: "jepsen.checker/total-queue",
        vocabulary: VOCABULARY,
        anomalies: &[
            ("lost", "an acknowledged value never came out of a queue that was emptied"),
            ("unexpected", "a value came out that nobody had enqueued"),
            ("aborted", "a value came out whose enqueue failed"),
            ("duplicate", "a value came out more often than it was enqueued (only where delivery shall be exactly once)"),
        ],
        options: &[
            OptionEntry::flag("drained", "false")
                .about("whether the queue is known to be empty at the end, so that what did not leave it is lost"),
            OptionEntry::flag("crashed-dequeues-take", "true").about("whether a dequeue with an unknown outcome may have taken a value"),
            OptionEntry::flag("exactly-once", "false").about("whether it is an anomaly that a value leaves the queue twice"),
        ],
        splits_by_key: true,
    };

    fn from_options(options: &OptionValues<'_>) -> Result<TotalQueue, BuildError> {
        let flag = |name, default| Ok(options.flag(name)?.unwrap_or(default));
        let TotalQueue { drained, crashed_dequeues_take, exactly_once } = TotalQueue::default();
        Ok(TotalQueue {
            drained: flag("drained", drained)?,
            crashed_dequeues_take: flag("crashed-dequeues-take", crashed_dequeues_take)?,
            exactly_once: flag("exactly-once", exactly_once)?,
        })
    }

    fn judge(&self, part: &Part<'_>, report: &mut Report) {
        let operations = &part.operations;
        let mut elements = Elements::new(operations, "enqueue");
        let mut takes = vec![Taken::default(); elements.len()];
        for (at, operation) in (0_u32..).zip(operations) {
            for value in taken(operation) {
                let id = elements.id(value);
                takes.resize(elements.len(), Taken::default());
                match elements.unfounded(id, operation.completed.unwrap_or(operation.invoked), operations) {
                    None => {
                        let take = &mut takes[id];
                        *take = Taken { times: take.times + 1, first: if take.times == 0 { at } else { take.first }, last: at };
                    }
                    Some(Unfounded::NeverPut) => report
                        .found("unexpected", || Evidence::new(format!("{} came out, which nobody enqueued.", short(value)), [operation])),
                    Some(Unfounded::PutLater(enqueue)) => report.found("unexpected", || {
                        Evidence::new(format!("{} came out before it was enqueued.", short(value)), [operation, enqueue])
                    }),
                    Some(Unfounded::PutFailed(enqueue)) => report.found("aborted", || {
                        Evidence::new(format!("{} came out, whose enqueue failed.", short(value)), [enqueue, operation])
                    }),
                }
            }
        }
        self.losses(part, &elements, &takes, report);
        let (mut acknowledged, mut recovered) = (0, 0);
        for (id, take) in takes.iter().enumerate() {
            let attempts = elements.of(id);
            acknowledged += u64::from(attempts.acknowledged);
            recovered += u64::from(take.times.min(attempts.possible).saturating_sub(attempts.acknowledged));
            let duplicates = u64::from(take.times.saturating_sub(attempts.possible));
            report.count("duplicates", duplicates);
            if self.exactly_once {
                report.found_many("duplicate", duplicates, || {
                    let proof = attempts.first.into_iter().chain([take.first, take.last]).map(|at| &operations[at as usize]);
                    let times = |count| if count == 1 { "once".to_owned() } else { format!("{count} times") };
                    let (out, put) = (times(take.times), times(attempts.possible));
                    Evidence::new(format!("{} came out {out} and was enqueued {put}.", short(elements.interner.value(id))), proof)
                });
            }
        }
        report.count("attempts", operations.iter().filter(|operation| operation.f == "enqueue").count() as u64);
        report.count("acknowledged", acknowledged);
        report.count("dequeued", takes.iter().map(|take| u64::from(take.times)).sum());
        report.count("recovered", recovered);
    }
}

impl TotalQueue {
    /// Reports what never came out: as lost as far as that is certain, otherwise as a doubt.
    fn losses(&self, part: &Part<'_>, elements: &Elements<'_>, takes: &[Taken], report: &mut Report) {
        let operations = &part.operations;
        let empty = TotalQueue::emptiness(part);
        let after = EventIndex(u32::MAX);
        let (asked, answered) = match empty {
            _ if self.drained => (after, after),
            Some(empty) => (empty.invoked, empty.completed.unwrap_or(empty.invoked)),
            None => (EventIndex(0), EventIndex(0)),
        };
        // How often each value was certainly in before the queue was seen empty.
        let mut certain = vec![0_u32; takes.len()];
        for enqueue in operations.iter().filter(|operation| operation.f == "enqueue" && succeeded_by(operation, asked)) {
            if let Some(id) = elements.interner.find(enqueue.input) {
                certain[id] += 1;
            }
        }
        let crashed = if self.crashed_dequeues_take { takable(operations, answered) } else { 0 };
        let missing = |id: usize| u64::from(certain[id].saturating_sub(takes[id].times));
        let total: u64 = (0..takes.len()).map(missing).sum();
        if total <= crashed && total > 0 {
            report.doubt(format!("{total} acknowledged values never came out, but crashed dequeues may have taken them"));
        } else {
            // One loss less is certain for each crashed dequeue; which, nobody knows.
            let mut spared = crashed;
            for id in (0..takes.len()).filter(|&id| missing(id) > 0) {
                let lost = missing(id).saturating_sub(spared);
                spared = spared.saturating_sub(missing(id));
                report.found_many("lost", lost, || {
                    let value = short(elements.interner.value(id));
                    let enqueue = elements.of(id).first_acknowledged.map(|at| &operations[at as usize]);
                    let evidence = Evidence::new(format!("{value} was enqueued and never came out."), enqueue.into_iter().chain(empty));
                    match crashed {
                        0 => evidence,
                        _ => evidence
                            .because(format!("{total} values are missing, and crashed dequeues can have taken only {crashed} of them.")),
                    }
                });
            }
        }
        let open = (0..takes.len()).map(|id| u64::from(elements.of(id).acknowledged.saturating_sub(takes[id].times))).sum::<u64>() - total;
        if open > 0 {
            report.doubt(format!("{open} acknowledged values never came out, and the queue was not seen empty after them"));
        }
    }
}
