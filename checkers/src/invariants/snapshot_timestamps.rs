//! Snapshot isolation by the store's own timestamps: every transaction reads the snapshot at its start, and no two concurrent ones write the same key.
//!
//! If a store reports the timestamp (or log position) at which each transaction started and committed, no search is needed: the value that each read
//! must return follows (Li et al., "Chronos", ICDE 2025; Adya 1999, 4.3.2, phenomena G-SI(a) and G-SI(b)). This is stricter than snapshot isolation
//! of what clients observe: wrong timestamps are found as well, and a store that is serializable by locking need not pass.
//!
//! A transaction returns `{txn [[w k v] [r k v] [append k v] …], start n, commit n}`; a read-only one needs no `commit`. Values are unique within a
//! key. A list that was read stands for its last element.
//!
//! Option: `order`, what snapshots must also contain: `session`, the earlier commits of the same process; `real-time`, everything that had returned
//! before the transaction was invoked; `none` (the default).

use elenchus_core::{Kind, Operation, Value};
use rustc_hash::FxHashMap;

use super::report::short;
use super::{Description, Evidence, Invariant, Part, Report, Shape, Word};
use crate::options::{BuildError, OptionEntry, OptionValues};

/// The checker for snapshot isolation by timestamps.
#[derive(Clone, Copy, Debug, Default)]
pub struct SnapshotTimestamps {
    /// The commits that snapshots must contain besides those before their timestamps.
    pub order: Order,
}

/// The commits that a snapshot must contain, whatever its timestamp.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// Nothing else.
    #[default]
    None,
    /// The earlier commits of the same process.
    Session,
    /// Everything that had returned before the transaction was invoked.
    RealTime,
}

/// A transaction that returned, or one that crashed and may have committed.
struct Transaction<'h> {
    steps: &'h [Value],
    start: Option<i64>,
    commit: Option<i64>,
}

/// A version of a key: its writer, and whether it is the writer's last version of the key.
struct Version {
    writer: usize,
    is_last: bool,
}

/// One micro-operation: key and value.
enum Step<'h> {
    Read(&'h Value, &'h Value),
    Write(&'h Value, &'h Value),
}

/// All writes.
#[derive(Default)]
struct Writes<'h> {
    versions: FxHashMap<(&'h Value, &'h Value), Version>,
    /// By key: the commit timestamps with their transactions, in order.
    commits: FxHashMap<&'h Value, Vec<(i64, usize)>>,
}

impl Invariant for SnapshotTimestamps {
    const DESCRIPTION: Description = Description {
        name: "snapshot-timestamps",
        about: "whether every transaction read the snapshot at its start timestamp, and no two concurrent ones wrote the same key",
        proves: "every transaction read the snapshot at its start timestamp",
        source: "Li et al., Chronos (ICDE 2025); Adya 1999, 4.3.2",
        vocabulary: &[Word {
            f: "txn",
            input: Shape::Any,
            output: Shape::Either(&[
                Shape::Fields(&[("txn", Shape::List(&Shape::Some("step"))), ("start", Shape::Int("start"))]),
                Shape::List(&Shape::Some("step")),
            ]),
        }],
        anomalies: &[
            ("G-SIa", "interference: a transaction read or overwrote a version that committed only after its start"),
            ("G-SIb", "missed effects: a transaction read an older version than the last one committed at its start"),
            ("G1a", "aborted read: a transaction read a version of a failed one"),
            ("G1b", "intermediate read: a transaction read a version that its writer overwrote itself"),
            ("garbage-read", "a transaction read a value that was never written (phantom)"),
            ("internal", "a transaction's read disagrees with its own earlier read or write of the key"),
            ("stale-snapshot", "a transaction's start timestamp is before a commit that its snapshot must contain"),
            ("reversed-timestamps", "a transaction's commit timestamp is before its start timestamp"),
        ],
        options: &[OptionEntry::new("order", "none, session or real-time").default("none").example("\"session\"").about(
            "the commits that a snapshot must contain whatever its timestamp: none, those of its own process, or all that returned before",
        )],
        splits_by_key: false,
    };

    fn from_options(options: &OptionValues<'_>) -> Result<SnapshotTimestamps, BuildError> {
        let order = options.get("order", |value| match value.as_str()? {
            "none" => Some(Order::None),
            "session" => Some(Order::Session),
            "real-time" => Some(Order::RealTime),
            _ => None,
        })?;
        Ok(SnapshotTimestamps { order: order.unwrap_or_default() })
    }

    fn judge(&self, part: &Part<'_>, report: &mut Report) {
        let transactions: Vec<Transaction<'_>> = part.operations.iter().map(read).collect();
        let writes = Writes::new(&transactions, &part.operations, report);
        let judge = Judge { operations: &part.operations, transactions: &transactions, writes: &writes };
        let (mut without, mut open) = (0, 0);
        for (at, (operation, transaction)) in part.operations.iter().zip(&transactions).enumerate() {
            match (operation.kind, transaction.start) {
                (Kind::Ok, Some(start)) => open += judge.transaction(at, start, report),
                (Kind::Ok, None) => without += 1,
                _ => {}
            }
        }
        self.order(&judge, report);
        if without > 0 {
            report.doubt(format!("{without} transactions returned without timestamps"));
        }
        if open > 0 {
            report.doubt(format!("{open} reads returned versions whose commit timestamp is unknown"));
        }
        report.count("transactions", transactions.len() as u64);
    }
}

impl SnapshotTimestamps {
    /// Checks that snapshots contain what they must. O(n log n).
    fn order(&self, judge: &Judge<'_, '_>, report: &mut Report) {
        let mut moments: Vec<(u32, bool, usize)> = Vec::new();
        for (at, operation) in judge.operations.iter().enumerate().filter(|(_, operation)| operation.kind == Kind::Ok) {
            moments.push((operation.invoked.0, false, at));
            moments.extend(operation.completed.map(|completed| (completed.0, true, at)));
        }
        moments.sort_unstable();
        // The latest commit of each process, or of all.
        let mut latest: FxHashMap<Option<elenchus_core::Process>, (i64, usize)> = FxHashMap::default();
        for (_, completes, at) in moments.into_iter().filter(|_| self.order != Order::None) {
            let operation = &judge.operations[at];
            let whose = (self.order == Order::Session).then_some(operation.process);
            let transaction = &judge.transactions[at];
            match (completes, transaction.start, transaction.commit) {
                (true, _, Some(commit)) => {
                    let last = latest.entry(whose).or_insert((commit, at));
                    *last = (*last).max((commit, at));
                }
                (false, Some(start), _) => {
                    if let Some(&(commit, before)) = latest.get(&whose).filter(|(commit, _)| *commit > start) {
                        report.found("stale-snapshot", || {
                            let why = format!(
                                "A transaction started at timestamp {start}, but one that had returned before committed at {commit}."
                            );
                            Evidence::new(why, [&judge.operations[before], operation])
                        });
                    }
                }
                _ => {}
            }
        }
    }
}

/// Returns the steps and timestamps of an operation.
fn read<'h>(operation: &Operation<'h>) -> Transaction<'h> {
    let said = operation.output.unwrap_or(operation.input);
    let number = |name: &str| said.get(name).and_then(Value::as_int);
    let steps = said.get("txn").unwrap_or(said).as_list().unwrap_or_default();
    Transaction { steps, start: number("start"), commit: number("commit") }
}

/// Parses a step; `None` for other micro-operations.
fn access(step: &Value) -> Option<Step<'_>> {
    match step.as_list()? {
        [f, key, value] if matches!(f.as_text(), Some("r" | "read")) => Some(Step::Read(key, value)),
        [f, key, value] if matches!(f.as_text(), Some("w" | "write" | "append")) => Some(Step::Write(key, value)),
        _ => None,
    }
}

/// Returns the version that a read returned; `None` for the initial state.
fn version(result: &Value) -> Option<&Value> {
    match result {
        Value::Nil => None,
        Value::List(elements) => elements.last(),
        value => Some(value),
    }
}

impl<'h> Writes<'h> {
    fn new(transactions: &[Transaction<'h>], operations: &[Operation<'h>], report: &mut Report) -> Writes<'h> {
        let mut writes = Writes::default();
        let mut repeated = 0;
        for (at, transaction) in transactions.iter().enumerate() {
            let mut own: Vec<(&Value, &Value)> = Vec::new();
            for step in transaction.steps {
                let Some(Step::Write(key, value)) = access(step) else { continue };
                match own.iter_mut().find(|(other, _)| *other == key) {
                    Some((_, before)) => {
                        if let Some(overwritten) = writes.versions.get_mut(&(key, std::mem::replace(before, value))) {
                            overwritten.is_last = false;
                        }
                    }
                    None => own.push((key, value)),
                }
                repeated += u64::from(writes.versions.insert((key, value), Version { writer: at, is_last: true }).is_some());
            }
            let commit = transaction.commit.filter(|_| operations[at].kind == Kind::Ok);
            for (key, commit) in own.into_iter().filter_map(|(key, _)| Some((key, commit?))) {
                writes.commits.entry(key).or_default().push((commit, at));
            }
        }
        writes.commits.values_mut().for_each(|commits| commits.sort_unstable());
        if repeated > 0 {
            report.doubt(format!("{repeated} values were written more than once, so their writers are ambiguous; write unique values"));
        }
        writes
    }

    /// Returns the last commit of a key between two timestamps, both included, by another transaction than `but`.
    fn last_within(&self, key: &Value, from: i64, to: i64, but: usize) -> Option<(i64, usize)> {
        let commits = self.commits.get(key)?;
        let end = commits.partition_point(|&(commit, _)| commit <= to);
        commits[..end].iter().rev().take_while(|&&(commit, _)| commit >= from).copied().find(|&(_, writer)| writer != but)
    }
}

/// The history to check.
struct Judge<'a, 'h> {
    operations: &'a [Operation<'h>],
    transactions: &'a [Transaction<'h>],
    writes: &'a Writes<'h>,
}

impl Judge<'_, '_> {
    /// Checks one transaction with a start timestamp. Returns how many of its reads could not be checked.
    fn transaction(&self, at: usize, start: i64, report: &mut Report) -> u64 {
        let transaction = &self.transactions[at];
        let operation = &self.operations[at];
        let commit = transaction.commit.unwrap_or(start);
        if commit < start {
            report.found("reversed-timestamps", || {
                Evidence::new(format!("A transaction started at timestamp {start} and committed at {commit}."), [operation])
            });
        }
        // By key: the version that it must read next, and whether it wrote that version.
        let mut known: FxHashMap<&Value, (Option<&Value>, bool)> = FxHashMap::default();
        let mut open = 0;
        for step in transaction.steps {
            match access(step) {
                Some(Step::Read(key, result)) => {
                    let result = version(result);
                    match known.insert(key, (result, false)) {
                        None => open += u64::from(!self.read(at, start, key, result, report)),
                        Some((expected, wrote)) if expected != result => report.found("internal", || {
                            let how = if wrote { "written" } else { "read" };
                            let expected = expected.map_or("the initial value".to_owned(), short);
                            Evidence::new(
                                format!(
                                    "A transaction's read {} disagrees with its own earlier access, which had {how} {expected}.",
                                    short(step)
                                ),
                                [operation],
                            )
                        }),
                        Some(_) => {}
                    }
                }
                Some(Step::Write(key, value)) => {
                    let is_first = !known.get(key).is_some_and(|(_, wrote)| *wrote);
                    known.insert(key, (Some(value), true));
                    // A transaction that starts at the commit of another is not concurrent with it.
                    if let Some((other, writer)) = self.writes.last_within(key, start.saturating_add(1), commit, at).filter(|_| is_first) {
                        report.found("G-SIa", || {
                            let why = format!(
                                "Two concurrent transactions wrote {}: one started at timestamp {start} and committed at {commit}, the other committed at {other}.",
                                short(key)
                            );
                            Evidence::new(why, [operation, &self.operations[writer]])
                        });
                    }
                }
                None => {}
            }
        }
        open
    }

    /// Checks a transaction's first read of a key. Returns whether that was possible.
    fn read(&self, at: usize, start: i64, key: &Value, result: Option<&Value>, report: &mut Report) -> bool {
        let operation = &self.operations[at];
        let mut committed = i64::MIN;
        if let Some(result) = result {
            let Some(version) = self.writes.versions.get(&(key, result)) else {
                report.found("garbage-read", || {
                    Evidence::new(format!("A transaction read {} of {}, which was never written.", short(result), short(key)), [operation])
                });
                return true;
            };
            let writer = &self.operations[version.writer];
            let evidence = |why: String| Evidence::new(why, [writer, operation]);
            if writer.kind == Kind::Fail {
                report.found("G1a", || evidence(format!("A transaction read {} of {}, whose writer failed.", short(result), short(key))));
                return true;
            }
            if !version.is_last {
                report.found("G1b", || {
                    evidence(format!("A transaction read {} of {}, which its writer overwrote.", short(result), short(key)))
                });
            }
            match self.transactions[version.writer].commit.filter(|_| writer.kind == Kind::Ok) {
                None => return false,
                Some(commit) if commit > start => {
                    report.found("G-SIa", || {
                        let (result, key) = (short(result), short(key));
                        evidence(format!(
                            "A transaction that started at timestamp {start} read {result} of {key}, which committed at {commit}."
                        ))
                    });
                    return true;
                }
                Some(commit) => committed = commit,
            }
        }
        if let Some((newer, writer)) = self.writes.last_within(key, committed.saturating_add(1), start, at) {
            report.found("G-SIb", || {
                let result = result.map_or("the initial value".to_owned(), short);
                let why = format!(
                    "A transaction that started at timestamp {start} read {result} of {}, although a newer version committed at {newer}.",
                    short(key)
                );
                Evidence::new(why, [&self.operations[writer], operation])
            });
        }
        true
    }
}
