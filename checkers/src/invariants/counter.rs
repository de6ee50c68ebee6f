//! Counter: every read lies between what was certainly added and what may have been.
//!
//! A read must be at least the sum of the adds that had succeeded before it was asked, and at most the sum of those that were asked before it
//! was answered and did not fail. An add that is uncertain at that moment widens the bounds downwards when it is negative and upwards when it is
//! positive. Weaker than linearizability, and as strong as a count that nobody can order can be.
//!
//! Option: `initial`, what the counter begins at (0).

use elenchus_core::{Kind, Operation};

use super::order::{Moment, moments};
use super::{Description, Evidence, Invariant, Part, Report, Shape, Word};
use crate::options::{BuildError, OptionEntry, OptionValues};

/// The checker of a counter by bounds.
#[derive(Clone, Copy, Debug, Default)]
pub struct CounterBounds {
    /// What the counter begins at.
    pub initial: i64,
}

/// How many adds are named in the proof that a read is too low.
const NAMED: usize = 16;

/// What an operation adds; none for a read.
pub(super) fn addend(operation: &Operation<'_>) -> Option<i128> {
    match operation.f.as_str() {
        "add" => operation.input.as_int().map(i128::from),
        "increment" => Some(1),
        "decrement" => Some(-1),
        _ => None,
    }
}

/// Sums of adds, those above zero apart from those below.
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
        about: "whether every read of a counter lies between the sum of what was added and of what may have been",
        proves: "every read was within its bounds",
        source: "jepsen.checker/counter",
        vocabulary: &[
            Word { f: "add", input: Shape::Int("n"), output: Shape::Any },
            Word { f: "increment", input: Shape::Any, output: Shape::Any },
            Word { f: "decrement", input: Shape::Any, output: Shape::Any },
            Word { f: "read", input: Shape::Any, output: Shape::Int("n") },
        ],
        anomalies: &[
            ("too-low", "a read is lower than what had certainly been added"),
            ("too-high", "a read is higher than all that may have been added"),
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
        // What was certain when a read that is still open was asked.
        let mut open: rustc_hash::FxHashMap<usize, Sums> = rustc_hash::FxHashMap::default();
        let (mut reads, mut widths) = (0, 0);
        for moment in moments(operations) {
            match moment {
                Moment::Asked(at) => match addend(&operations[at]) {
                    Some(_) if operations[at].kind == Kind::Fail => {}
                    Some(addend) => possible.add(addend),
                    None if operations[at].kind == Kind::Ok => {
                        open.insert(at, certain);
                    }
                    None => {}
                },
                Moment::Succeeded(at) => {
                    let read = &operations[at];
                    if let Some(addend) = addend(read) {
                        certain.add(addend);
                        continue;
                    }
                    let (Some(certain), Some(told)) = (open.remove(&at), read.output.and_then(|output| output.as_int())) else {
                        continue;
                    };
                    let initial = i128::from(self.initial);
                    let (lower, upper) = (initial + certain.above + possible.below, initial + certain.below + possible.above);
                    reads += 1;
                    widths += u64::from(lower != upper);
                    if i128::from(told) < lower {
                        report.found("too-low", || {
                            let needed = lower - i128::from(told);
                            let adds = largest(operations, read, needed);
                            Evidence::new(format!("A read shows {told}; at least {lower} had been added."), adds.into_iter().chain([read]))
                                .because(format!(
                                    "All the adds that had succeeded before the read sum to at least {lower}, {needed} more than it shows."
                                ))
                        });
                    } else if i128::from(told) > upper {
                        report.found("too-high", || {
                            Evidence::new(format!("A read shows {told}; at most {upper} can have been added."), [read]).because(format!(
                                "All the adds that were asked for before the read was answered, and did not fail, sum to at most {upper}."
                            ))
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

/// Adds that had succeeded before a read: the largest, as many as it takes to exceed what is missing, or as many as are named.
fn largest<'a, 'h>(operations: &'a [Operation<'h>], read: &Operation<'_>, needed: i128) -> Vec<&'a Operation<'h>> {
    let before = operations.iter().take_while(|operation| operation.invoked < read.invoked);
    let mut adds: Vec<(i128, &Operation<'_>)> = before
        .filter(|it| super::order::precedes(it, read))
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
