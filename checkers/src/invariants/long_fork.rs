//! Long fork: all reads observe writes to different keys in one order.
//!
//! Each key is written once, and a read takes a group of keys. If one read observes the write of `x` but not of `y`, and another observes `y` but
//! not `x`, the writes were observed in both orders. Parallel snapshot isolation allows that; snapshot isolation does not.
//!
//! The reads of a group have one order if and only if, sorted by the number of writes that they observe, each observes all writes that its
//! predecessor does: O(n log n), where Jepsen compares every pair.

use elenchus_core::{Kind, Operation, Value};
use rustc_hash::FxHashMap;

use super::interner::Interner;
use super::report::short;
use super::{Description, Evidence, Invariant, Part, Report, Shape, Word};
use crate::options::{BuildError, OptionValues};

/// The checker for long forks.
#[derive(Clone, Copy, Debug, Default)]
pub struct LongFork;

const TRANSACTION: Shape = Shape::List(&Shape::Tuple(&[Shape::Text(&["r", "read", "w", "write"]), Shape::Some("k"), Shape::Any]));

/// Returns the micro-operations of a transaction: whether it writes, the key, the value.
fn steps(txn: &Value) -> impl Iterator<Item = (bool, &Value, &Value)> + Clone {
    txn.as_list().unwrap_or_default().iter().filter_map(|step| match step.as_list() {
        Some([f, key, value]) => Some((matches!(f.as_text(), Some("w" | "write")), key, value)),
        _ => None,
    })
}

/// The reads of one group of keys.
#[derive(Default)]
struct Group {
    reads: Vec<u32>,
    /// Whether each read observes each key of the group as written, one word for 64 keys.
    shown: Vec<u64>,
}

impl Invariant for LongFork {
    const DESCRIPTION: Description = Description {
        name: "long-fork",
        about: "whether all reads observe the writes to different keys in one order",
        proves: "the reads of every group of keys have one order",
        source: "jepsen.tests.long-fork; Sovran et al., Transactional storage for geo-replicated systems (SOSP 2011), section 3.2",
        vocabulary: &[
            Word { f: "write", input: TRANSACTION, output: TRANSACTION },
            Word { f: "read", input: TRANSACTION, output: TRANSACTION },
            Word { f: "txn", input: TRANSACTION, output: TRANSACTION },
        ],
        anomalies: &[
            ("long-fork", "two reads observed two writes in opposite orders"),
            ("unexpected", "a read returned a value that was never written (phantom)"),
            ("aborted", "a read returned a value whose write failed"),
        ],
        options: &[],
        splits_by_key: false,
    };

    fn from_options(_: &OptionValues<'_>) -> Result<LongFork, BuildError> {
        Ok(LongFork)
    }

    fn judge(&self, part: &Part<'_>, report: &mut Report) {
        let operations = &part.operations;
        let mut keys = Interner::default();
        // By key: the writing operation and the value.
        let mut writers: Vec<Option<(u32, &Value)>> = Vec::new();
        for (at, operation) in (0_u32..).zip(operations) {
            for (_, key, value) in steps(operation.input).filter(|(writes, ..)| *writes) {
                let id = keys.intern(key);
                writers.resize(keys.len(), None);
                if writers[id].replace((at, value)).is_some() {
                    report
                        .doubt(format!("key {} is written more than once, so reads cannot be compared; write every key once", short(key)));
                    return;
                }
                if steps(operation.input).any(|(writes, ..)| !writes) {
                    report.doubt(format!(
                        "the transaction at {} both reads and writes; expected one write, or reads only",
                        operation.invoked
                    ));
                    return;
                }
            }
        }
        let mut groups: FxHashMap<Vec<u32>, Group> = FxHashMap::default();
        let mut reads = 0;
        for (at, read) in (0_u32..).zip(operations) {
            let Some(txn) = read.output.filter(|txn| read.kind == Kind::Ok && steps(txn).all(|(writes, ..)| !writes)) else {
                continue;
            };
            let mut read_keys: Vec<(u32, bool)> = Vec::with_capacity(4);
            for (_, key, value) in steps(txn) {
                let id = keys.intern(key);
                writers.resize(keys.len(), None);
                read_keys.push((id as u32, !value.is_nil()));
                if !value.is_nil() {
                    phantom(operations, read, key, value, writers[id], report);
                }
            }
            read_keys.sort_unstable();
            read_keys.dedup_by_key(|(key, _)| *key);
            if read_keys.is_empty() {
                continue;
            }
            reads += 1;
            let group = groups.entry(read_keys.iter().map(|(key, _)| *key).collect()).or_default();
            group.reads.push(at);
            for keys in read_keys.chunks(64) {
                group.shown.push(keys.iter().enumerate().fold(0, |word, (bit, (_, shown))| word | u64::from(*shown) << bit));
            }
        }
        if reads == 0 {
            report.doubt("no read succeeded");
        }
        let mut groups: Vec<(Vec<u32>, Group)> = groups.into_iter().collect();
        groups.sort_unstable_by(|(_, a), (_, b)| a.reads.cmp(&b.reads));
        for (group_keys, group) in &groups {
            let key = |at: usize| short(keys.value(group_keys[at] as usize));
            forks(operations, group, &key, report);
        }
        report.count("reads", reads);
        report.count("groups", groups.len() as u64);
    }
}

/// Reports a phantom or aborted value.
fn phantom(
    operations: &[Operation<'_>],
    read: &Operation<'_>,
    key: &Value,
    value: &Value,
    writer: Option<(u32, &Value)>,
    report: &mut Report,
) {
    let says = |what: &str| format!("A read returned {} for key {}, {what}.", short(value), short(key));
    match writer.map(|(at, written)| (&operations[at as usize], written)) {
        Some((write, written)) if written == value && write.kind == Kind::Fail => {
            report.found("aborted", || Evidence::new(says("whose write failed"), [write, read]));
        }
        Some((write, written)) if written != value || Some(write.invoked) > read.completed => {
            report.found("unexpected", || Evidence::new(says("which was never written"), [write, read]));
        }
        Some(_) => {}
        None => report.found("unexpected", || Evidence::new(says("which was never written"), [read])),
    }
}

/// Reports reads of a group that are not ordered with their predecessor.
fn forks(operations: &[Operation<'_>], group: &Group, key: &dyn Fn(usize) -> String, report: &mut Report) {
    let words = group.shown.len() / group.reads.len().max(1);
    let shown = |read: usize| &group.shown[read * words..(read + 1) * words];
    let count = |read: usize| shown(read).iter().map(|word| word.count_ones()).sum::<u32>();
    let mut order: Vec<usize> = (0..group.reads.len()).collect();
    order.sort_by_key(|&read| count(read));
    let only = |one: usize, other: usize| {
        let mut words = shown(one).iter().zip(shown(other)).enumerate();
        words.find_map(|(at, (one, other))| (one & !other != 0).then(|| at * 64 + (one & !other).trailing_zeros() as usize))
    };
    for pair in order.windows(2) {
        if let [fewer, more] = *pair
            && let (Some(x), Some(y)) = (only(fewer, more), only(more, fewer))
        {
            report.found("long-fork", || {
                let (x, y) = (key(x), key(y));
                Evidence::new(
                    format!("One read observed the write of {x} but not of {y}, another that of {y} but not of {x}."),
                    [fewer, more].map(|read| &operations[group.reads[read] as usize]),
                )
                .because(format!("By the first read {x} was written before {y}, by the second {y} before {x}."))
            });
        }
    }
}
