//! Total queue: everything that is enqueued is dequeued.
//!
//! Elements are counted, so the same value may be enqueued more than once. An element is lost if its enqueue was acknowledged, the queue was
//! observed empty after that, and it was never dequeued. The queue is observed empty by a successful drain, by a dequeue that returned nil, and by
//! one that failed with the error `empty` or `exhausted`; without such evidence a missing element may still be in the queue. A crashed dequeue may
//! have removed one element, a crashed drain any number.
//!
//! Options: `drained`, whether the queue is known to be empty at the end, whatever the history shows (false; Jepsen's checker assumes it);
//! `crashed-dequeues-take`, whether a crashed dequeue may have removed an element (true; use false for consumers that acknowledge; Jepsen's checker
//! assumes false); `exactly-once`, whether duplicate delivery is an anomaly (false: it is counted).

use elenchus_core::{EventIndex, Kind, Operation, Value};

use super::elements::{Elements, Phantom};
use super::real_time::succeeded_by;
use super::report::short;
use super::{Description, Evidence, Invariant, Part, Report, Shape, Word};
use crate::options::{BuildError, OptionEntry, OptionValues};

/// The checker for a queue that is drained at the end.
#[derive(Clone, Copy, Debug)]
pub struct TotalQueue {
    /// Whether the queue is known to be empty at the end.
    pub drained: bool,
    /// Whether a crashed dequeue may have removed an element.
    pub crashed_dequeues_take: bool,
    /// Whether duplicate delivery is an anomaly.
    pub exactly_once: bool,
}

impl Default for TotalQueue {
    fn default() -> TotalQueue {
        TotalQueue { drained: false, crashed_dequeues_take: true, exactly_once: false }
    }
}

/// The errors with which clients report an empty queue.
const EMPTY: &[&str] = &["empty", "exhausted"];

/// The operations of a queue.
pub(super) const VOCABULARY: &[Word] = &[
    Word { f: "enqueue", input: Shape::Some("v"), output: Shape::Any },
    Word { f: "dequeue", input: Shape::Any, output: Shape::Any },
    Word { f: "drain", input: Shape::Any, output: Shape::Either(&[Shape::List(&Shape::Some("v")), Shape::Nil]) },
];

/// Returns the elements that an operation dequeued, in order.
pub(super) fn dequeued<'h>(operation: &Operation<'h>) -> &'h [Value] {
    match (operation.f.as_str(), operation.output) {
        ("dequeue", Some(value)) if !value.is_nil() => std::slice::from_ref(value),
        ("drain", Some(list)) => list.as_list().unwrap_or_default(),
        _ => &[],
    }
}

/// Returns how many elements the crashed operations invoked before an event may have removed.
pub(super) fn max_removed_by_crashes(operations: &[Operation<'_>], before: EventIndex) -> u64 {
    let crashed = operations.iter().filter(|it| it.kind == Kind::Info && it.invoked < before);
    crashed.map(|it| if it.f == "drain" { u64::from(u32::MAX) } else { u64::from(it.f == "dequeue") }).sum()
}

impl TotalQueue {
    /// Returns the last operation that observed the queue empty.
    fn last_observed_empty<'a, 'h>(part: &'a Part<'h>) -> Option<&'a Operation<'h>> {
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
struct Deliveries {
    /// The number of deliveries, without phantoms.
    times: u32,
    /// The operations that dequeued it first and last.
    first: u32,
    last: u32,
}

impl Invariant for TotalQueue {
    const DESCRIPTION: Description = Description {
        name: "total-queue",
        about: "whether every enqueued element is dequeued, and no others",
        proves: "every acknowledged element was dequeued, and no phantom",
        source: "jepsen.checker/total-queue",
        vocabulary: VOCABULARY,
        anomalies: &[
            ("lost", "an acknowledged element was never dequeued, although the queue was emptied"),
            ("unexpected", "an element was dequeued that was never enqueued (phantom)"),
            ("aborted", "an element was dequeued whose enqueue failed"),
            ("duplicate", "an element was dequeued more often than it was enqueued (only with the option `exactly-once`)"),
        ],
        options: &[
            OptionEntry::flag("drained", "false")
                .about("whether the queue is known to be empty at the end, so that elements that did not leave it are lost"),
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
        let mut deliveries = vec![Deliveries::default(); elements.len()];
        for (at, operation) in (0_u32..).zip(operations) {
            for value in dequeued(operation) {
                let id = elements.id(value);
                deliveries.resize(elements.len(), Deliveries::default());
                match elements.phantom(id, operation.completed.unwrap_or(operation.invoked), operations) {
                    None => {
                        let delivery = &mut deliveries[id];
                        *delivery = Deliveries {
                            times: delivery.times + 1,
                            first: if delivery.times == 0 { at } else { delivery.first },
                            last: at,
                        };
                    }
                    Some(Phantom::NeverAdded) => report
                        .found("unexpected", || Evidence::new(format!("{} was dequeued, but never enqueued.", short(value)), [operation])),
                    Some(Phantom::AddedLater(enqueue)) => report.found("unexpected", || {
                        Evidence::new(format!("{} was dequeued before it was enqueued.", short(value)), [operation, enqueue])
                    }),
                    Some(Phantom::AddFailed(enqueue)) => report.found("aborted", || {
                        Evidence::new(format!("{} was dequeued, but its enqueue failed.", short(value)), [enqueue, operation])
                    }),
                }
            }
        }
        self.losses(part, &elements, &deliveries, report);
        let (mut acknowledged, mut recovered) = (0, 0);
        for (id, delivery) in deliveries.iter().enumerate() {
            let attempts = elements.of(id);
            acknowledged += u64::from(attempts.acknowledged);
            recovered += u64::from(delivery.times.min(attempts.possible).saturating_sub(attempts.acknowledged));
            let duplicates = u64::from(delivery.times.saturating_sub(attempts.possible));
            report.count("duplicates", duplicates);
            if self.exactly_once {
                report.found_many("duplicate", duplicates, || {
                    let proof = attempts.first.into_iter().chain([delivery.first, delivery.last]).map(|at| &operations[at as usize]);
                    let times = |count| if count == 1 { "once".to_owned() } else { format!("{count} times") };
                    let (out, put) = (times(delivery.times), times(attempts.possible));
                    Evidence::new(format!("{} was dequeued {out}, but enqueued only {put}.", short(elements.interner.value(id))), proof)
                });
            }
        }
        report.count("attempts", operations.iter().filter(|operation| operation.f == "enqueue").count() as u64);
        report.count("acknowledged", acknowledged);
        report.count("dequeued", deliveries.iter().map(|delivery| u64::from(delivery.times)).sum());
        report.count("recovered", recovered);
    }
}

impl TotalQueue {
    /// Reports the elements that were never dequeued: as lost as far as that is certain, otherwise as a doubt.
    fn losses(&self, part: &Part<'_>, elements: &Elements<'_>, deliveries: &[Deliveries], report: &mut Report) {
        let operations = &part.operations;
        let empty = TotalQueue::last_observed_empty(part);
        let after = EventIndex(u32::MAX);
        let (invoked, completed) = match empty {
            _ if self.drained => (after, after),
            Some(empty) => (empty.invoked, empty.completed.unwrap_or(empty.invoked)),
            None => (EventIndex(0), EventIndex(0)),
        };
        // How often each element was certainly enqueued before the queue was observed empty.
        let mut certain = vec![0_u32; deliveries.len()];
        for enqueue in operations.iter().filter(|operation| operation.f == "enqueue" && succeeded_by(operation, invoked)) {
            if let Some(id) = elements.interner.find(enqueue.input) {
                certain[id] += 1;
            }
        }
        let crashed = if self.crashed_dequeues_take { max_removed_by_crashes(operations, completed) } else { 0 };
        let missing = |id: usize| u64::from(certain[id].saturating_sub(deliveries[id].times));
        let total: u64 = (0..deliveries.len()).map(missing).sum();
        if total <= crashed && total > 0 {
            report.doubt(format!("{total} acknowledged elements were never dequeued, but crashed dequeues may have removed them"));
        } else {
            // Each crashed dequeue may account for one missing element; it is unknown which.
            let mut spared = crashed;
            for id in (0..deliveries.len()).filter(|&id| missing(id) > 0) {
                let lost = missing(id).saturating_sub(spared);
                spared = spared.saturating_sub(missing(id));
                report.found_many("lost", lost, || {
                    let value = short(elements.interner.value(id));
                    let enqueue = elements.of(id).first_acknowledged.map(|at| &operations[at as usize]);
                    let evidence = Evidence::new(format!("{value} was enqueued, but never dequeued."), enqueue.into_iter().chain(empty));
                    match crashed {
                        0 => evidence,
                        _ => evidence.because(format!(
                            "{total} elements are missing, but crashed dequeues can have removed only {crashed} of them."
                        )),
                    }
                });
            }
        }
        let open =
            (0..deliveries.len()).map(|id| u64::from(elements.of(id).acknowledged.saturating_sub(deliveries[id].times))).sum::<u64>()
                - total;
        if open > 0 {
            report.doubt(format!("{open} acknowledged elements were never dequeued, but the queue was not observed empty afterwards"));
        }
    }
}
