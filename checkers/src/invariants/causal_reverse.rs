//! Causal reverse: a read that returns a write also returns every write that had been acknowledged before that one was invoked.
//!
//! Serializability allows a later transaction to be ordered before an earlier one that it never observed; strict serializability does not. The
//! required writes are a prefix of all acknowledged writes in order of completion, so counting those that a read returned takes time linear in
//! the read.

use elenchus_core::{EventIndex, Kind, Operation, Value};
use rustc_hash::FxHashMap;

use super::real_time::{end, succeeded};
use super::report::short;
use super::{Description, Evidence, Invariant, Part, Report, Shape, Word};
use crate::options::{BuildError, OptionValues};

/// The checker for causal reversals.
#[derive(Clone, Copy, Debug, Default)]
pub struct CausalReverse;

/// A write, and its rank among all writes by completion.
#[derive(Clone, Copy)]
struct Write {
    at: u32,
    /// `None` for a crashed write, which was never acknowledged.
    rank: Option<u32>,
}

impl Invariant for CausalReverse {
    const DESCRIPTION: Description = Description {
        name: "causal-reverse",
        about: "whether a read that returns a write also returns all writes acknowledged before that write was invoked",
        proves: "no read returned a write without those acknowledged before it was invoked",
        source: "jepsen.tests.causal-reverse",
        vocabulary: &[
            Word { f: "write", input: Shape::Some("v"), output: Shape::Any },
            Word { f: "read", input: Shape::Any, output: Shape::Either(&[Shape::List(&Shape::Some("v")), Shape::Nil]) },
        ],
        anomalies: &[
            ("causal-reverse", "a read returned a write, but missed one that was acknowledged before it was invoked"),
            ("unexpected", "a read returned a value that was never written (phantom)"),
            ("aborted", "a read returned a value whose write failed"),
        ],
        options: &[],
        splits_by_key: true,
    };

    fn from_options(_: &OptionValues<'_>) -> Result<CausalReverse, BuildError> {
        Ok(CausalReverse)
    }

    fn judge(&self, part: &Part<'_>, report: &mut Report) {
        let operations = &part.operations;
        let (mut writes, mut failed): (FxHashMap<&Value, Write>, FxHashMap<&Value, u32>) = Default::default();
        let mut acknowledged: Vec<(EventIndex, u32)> = Vec::new();
        for (at, write) in (0_u32..).zip(operations).filter(|(_, operation)| operation.f == "write") {
            if write.kind == Kind::Fail {
                failed.insert(write.input, at);
            } else if writes.insert(write.input, Write { at, rank: None }).is_some() {
                report.doubt(format!(
                    "{} is written more than once, so the order of writes is ambiguous; write unique values",
                    short(write.input)
                ));
                return;
            }
            if write.kind == Kind::Ok {
                acknowledged.push((end(write), at));
            }
        }
        acknowledged.sort_unstable();
        for (rank, (_, at)) in (0_u32..).zip(&acknowledged) {
            if let Some(write) = writes.get_mut(operations[*at as usize].input) {
                write.rank = Some(rank);
            }
        }
        // How many writes had been acknowledged when an operation was invoked.
        let before = |operation: &Operation<'_>| acknowledged.partition_point(|(ended, _)| *ended < operation.invoked);
        let mut reads = 0;
        // The last read that returned each acknowledged write, and the ranks that the current one returns.
        let mut seen: Vec<u32> = vec![u32::MAX; acknowledged.len()];
        let mut ranks: Vec<u32> = Vec::new();
        for (number, read) in (0_u32..).zip(succeeded(operations, "read")) {
            reads += 1;
            let shown = read.output.and_then(|output| output.as_list()).unwrap_or_default();
            let mut last: Option<(usize, u32)> = None;
            ranks.clear();
            for value in shown {
                match (writes.get(value), failed.get(value)) {
                    (Some(write), _) if Some(operations[write.at as usize].invoked) > read.completed => report.found("unexpected", || {
                        let description = format!("A read returned {}, which was written only after the read completed.", short(value));
                        Evidence::new(description, [read, &operations[write.at as usize]])
                    }),
                    (Some(write), _) => {
                        if let Some(rank) = write.rank
                            && std::mem::replace(&mut seen[rank as usize], number) != number
                        {
                            ranks.push(rank);
                        }
                        last = last.max(Some((before(&operations[write.at as usize]), write.at)));
                    }
                    (None, Some(write)) => report.found("aborted", || {
                        Evidence::new(
                            format!("A read returned {}, whose write failed.", short(value)),
                            [&operations[*write as usize], read],
                        )
                    }),
                    (None, None) => {
                        report.found("unexpected", || {
                            Evidence::new(format!("A read returned {}, which was never written.", short(value)), [read])
                        });
                    }
                }
            }
            let (expected, later) = last.unwrap_or_default();
            // Scanning the whole prefix for each read would be quadratic, so count first how much of it was returned.
            if ranks.iter().filter(|rank| (**rank as usize) < expected).count() < expected {
                let missing = (0..expected).filter(|&rank| seen[rank] != number);
                let (first, count) = (missing.clone().next().unwrap_or_default(), missing.count());
                report.found("causal-reverse", || {
                    let (earlier, later) = (&operations[acknowledged[first].1 as usize], &operations[later as usize]);
                    let description = format!(
                        "A read returned {}, but missed {}, which had been acknowledged before.",
                        short(later.input),
                        short(earlier.input)
                    );
                    let evidence = Evidence::new(description, [earlier, later, read]);
                    if count > 1 { evidence.because(format!("It missed {} more such writes.", count - 1)) } else { evidence }
                });
            }
        }
        if reads == 0 {
            report.doubt("no read succeeded");
        }
        report.count("reads", reads);
    }
}
