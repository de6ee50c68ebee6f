//! Counter: every read is between the sum of the adds that had certainly taken effect and the sum of those that may have.
//!
//! A read must be at least the sum of the adds that completed before it was invoked, and at most the sum of those that were invoked before it
//! completed and did not fail. An add that is uncertain at that time lowers the lower bound if it is negative and raises the upper bound if it is
//! positive. This is weaker than linearizability.
//!
//! Option: `initial`, the initial value of the counter (0).

use elenchus_core::{Kind, Operation};

use super::real_time::{Moment, moments};
use super::{Description, Evidence, Invariant, Part, Report, Shape, Word};
use crate::options::{BuildError, OptionEntry, OptionValues};

/// The checker for the bounds of a counter's reads.
#[derive(Clone, Copy, Debug, Default)]
pub struct CounterBounds {
    /// The initial value of the counter.
    pub initial: i64,
}

/// The maximum number of adds in the evidence for a read that is too low.
const NAMED: usize = 16;

/// Returns the amount that an operation adds; `None` for a read.
pub(super) fn addend(operation: &Operation<'_>) -> Option<i128> {
    match operation.f.as_str() {
        "add" => operation.input.as_int().map(i128::from),
        "increment" => Some(1),
        "decrement" => Some(-1),
        _ => None,
    }
}

/// The sum of positive adds and the sum of negative ones.
#[derive(Clone, Copy, Default)]
struct Sums {
    above: i128,
    below: i128,
}

impl Sums {
    fn add(&mut self, addend: i128) {
        if addend > 0 { self.above += addend } else { self.below += addend }
    }
}

impl Invariant for CounterBounds {
    const DESCRIPTION: Description = Description {
        name: "counter",
        about: "whether every read of a counter is between the certain and the possible sum of the adds",
        proves: "every read was within its bounds",
        source: "jepsen.checker/counter",
        vocabulary: &[
            Word { f: "add", input: Shape::Int("n"), output: Shape::Any },
            Word { f: "increment", input: Shape::Any, output: Shape::Any },
            Word { f: "decrement", input: Shape::Any, output: Shape::Any },
            Word { f: "read", input: Shape::Any, output: Shape::Int("n") },
        ],
        anomalies: &[
            ("too-low", "a read is lower than the sum of the adds that had certainly taken effect"),
            ("too-high", "a read is higher than the sum of the adds that may have taken effect"),
        ],
        options: &[OptionEntry::new("initial", "a whole number").default("0").example("10").about("the counter's value at first")],
        splits_by_key: true,
    };

    fn from_options(options: &OptionValues<'_>) -> Result<CounterBounds, BuildError> {
        Ok(CounterBounds { initial: options.get("initial", serde_json::Value::as_i64)?.unwrap_or_default() })
    }

    fn judge(&self, part: &Part<'_>, report: &mut Report) {
        let operations = &part.operations;
        let (mut certain, mut possible) = (Sums::default(), Sums::default());
        // By open read: the certain sums when it was invoked.
        let mut open: rustc_hash::FxHashMap<usize, Sums> = rustc_hash::FxHashMap::default();
        let (mut reads, mut widths) = (0, 0);
        for moment in moments(operations) {
            match moment {
                Moment::Invoked(at) => match addend(&operations[at]) {
                    Some(_) if operations[at].kind == Kind::Fail => {}
                    Some(addend) => possible.add(addend),
                    None if operations[at].kind == Kind::Ok => {
                        open.insert(at, certain);
                    }
                    None => {}
                },
                Moment::Completed(at) => {
                    let read = &operations[at];
                    if let Some(addend) = addend(read) {
                        certain.add(addend);
                        continue;
                    }
                    let (Some(certain), Some(result)) = (open.remove(&at), read.output.and_then(|output| output.as_int())) else {
                        continue;
                    };
                    let initial = i128::from(self.initial);
                    let (lower, upper) = (initial + certain.above + possible.below, initial + certain.below + possible.above);
                    reads += 1;
                    widths += u64::from(lower != upper);
                    if i128::from(result) < lower {
                        report.found("too-low", || {
                            let needed = lower - i128::from(result);
                            let adds = largest(operations, read, needed);
                            Evidence::new(format!("A read returned {result}, which is below the lower bound {lower}."), adds.into_iter().chain([read]))
                                .because(format!(
                                    "The adds that completed before the read was invoked sum to at least {lower}, {needed} more than it returned."
                                ))
                        });
                    } else if i128::from(result) > upper {
                        report.found("too-high", || {
                            Evidence::new(format!("A read returned {result}, which is above the upper bound {upper}."), [read]).because(
                                format!("The adds that were invoked before the read completed, and did not fail, sum to at most {upper}."),
                            )
                        });
                    }
                }
            }
        }
        if reads == 0 {
            report.doubt("no read succeeded");
        }
        report.count("reads", reads);
        report.count("uncertain_reads", widths);
    }
}

/// Returns the largest adds that completed before a read: as many as it takes to exceed the missing amount, [`NAMED`] at most.
fn largest<'a, 'h>(operations: &'a [Operation<'h>], read: &Operation<'_>, needed: i128) -> Vec<&'a Operation<'h>> {
    let before = operations.iter().take_while(|operation| operation.invoked < read.invoked);
    let mut adds: Vec<(i128, &Operation<'_>)> = before
        .filter(|it| super::real_time::precedes(it, read))
        .filter_map(|it| Some((addend(it).filter(|addend| *addend > 0)?, it)))
        .collect();
    adds.sort_by_key(|(addend, add)| (std::cmp::Reverse(*addend), add.invoked));
    let mut sum = 0;
    let enough = adds.iter().position(|(addend, _)| {
        sum += addend;
        sum >= needed
    });
    adds.into_iter().take(enough.map_or(NAMED, |last| last + 1).min(NAMED)).map(|(_, add)| add).collect()
}
