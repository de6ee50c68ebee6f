//! Two stores: a live migration leaves the new store equal to the old one.
//!
//! Clients write to both stores while rows are copied; then the test cuts over to the new one. Pre-existing rows must be written in the history too,
//! otherwise their reads are phantoms. Rows are compared by the last scan of each store. A difference on a row that was still being written during the
//! scans, or whose write crashed, proves nothing and is only counted. After the cut-over a read must not return a value that had certainly been
//! overwritten or deleted before the read was invoked.

use std::borrow::Cow;

use elenchus_core::{EventIndex, Kind, Operation, Value};
use rustc_hash::{FxHashMap, FxHashSet};

use super::interner::{Interner, normalised_key};
use super::real_time::succeeded;
use super::report::short;
use super::writes::{FirstAfter, Source, Sources};
use super::{Description, Evidence, Invariant, Part, Report, Shape, Word};
use crate::options::{BuildError, OptionValues};

/// The checker for migrations.
#[derive(Clone, Copy, Debug, Default)]
pub struct TwoStores;

const NIL: &Value = &Value::Nil;

/// Returns the row of an operation, and the value that it writes; a delete writes nil.
fn row<'h>(operation: &Operation<'h>) -> Option<(&'h Value, Option<&'h Value>)> {
    match operation.f.as_str() {
        "write" => operation.input.as_pair().map(|(key, value)| (key, Some(value))),
        "delete" => Some((operation.input, Some(NIL))),
        "read" => Some((operation.input, None)),
        _ => None,
    }
}

impl Invariant for TwoStores {
    const DESCRIPTION: Description = Description {
        name: "two-stores",
        about: "whether a migration leaves the new store equal to the old one, with no stale reads after the cut-over",
        proves: "both stores have the same rows, and no read after the cut-over was stale",
        source: "dual writes and shadow reads: Stripe, Online migrations at scale (2017)",
        vocabulary: &[
            Word { f: "write", input: Shape::Tuple(&[Shape::Some("k"), Shape::Some("v")]), output: Shape::Any },
            Word { f: "delete", input: Shape::Some("k"), output: Shape::Any },
            Word { f: "read", input: Shape::Some("k"), output: Shape::Any },
            Word { f: "cut-over", input: Shape::Any, output: Shape::Any },
            Word { f: "scan", input: Shape::Text(&["old", "new"]), output: Shape::Map(&Shape::Any) },
        ],
        anomalies: &[
            ("missing-row", "a row of the old store is missing from the new one"),
            ("resurrected-row", "a deleted row is in the new store, but not in the old one"),
            ("unexpected-row", "a row that was not deleted is in the new store, but not in the old one"),
            ("differing-row", "a row differs between the stores"),
            ("stale-read", "a read after the cut-over returned a value that had been overwritten or deleted"),
            ("unexpected-read", "a read after the cut-over returned a value that was never written (phantom)"),
        ],
        options: &[],
        splits_by_key: false,
    };

    fn from_options(_: &OptionValues<'_>) -> Result<TwoStores, BuildError> {
        Ok(TwoStores)
    }

    fn judge(&self, part: &Part<'_>, report: &mut Report) {
        let operations = &part.operations;
        let last = |store: &str| {
            succeeded(operations, "scan").filter(|scan| scan.input.as_text() == Some(store)).max_by_key(|scan| scan.completed)
        };
        match (last("old"), last("new")) {
            (Some(old), Some(new)) => compare(operations, old, new, report),
            _ => report.doubt("there is no successful scan of both stores"),
        }
        match succeeded(operations, "cut-over").filter_map(|cut| cut.completed).min() {
            Some(cut) => after(operations, cut, report),
            None => report.doubt("the cut-over did not succeed"),
        }
    }
}

/// Returns the rows of a scan; a nil row is absent.
fn pairs<'h>(scan: &Operation<'h>) -> impl Iterator<Item = (&'h Value, &'h Value)> {
    let pairs: &[(Value, Value)] = match scan.output {
        Some(Value::Map(pairs)) => pairs,
        _ => &[],
    };
    pairs.iter().filter(|(_, value)| !value.is_nil()).map(|(key, value)| (key, value))
}

/// Returns the rows of a scan by normalised key.
fn rows<'h>(scan: &Operation<'h>) -> FxHashMap<Cow<'h, Value>, &'h Value> {
    pairs(scan).map(|(key, value)| (normalised_key(key), value)).collect()
}

/// Compares the last scans of both stores.
fn compare(operations: &[Operation<'_>], old: &Operation<'_>, new: &Operation<'_>, report: &mut Report) {
    let begun = old.invoked.min(new.invoked);
    let ended = old.completed.max(new.completed).unwrap_or(EventIndex(u32::MAX));
    let (mut open, mut last) = (FxHashSet::default(), FxHashMap::default());
    for operation in operations.iter().filter(|it| it.kind != Kind::Fail && it.invoked < ended) {
        if let Some((key, Some(value))) = row(operation) {
            let is_settled = operation.kind == Kind::Ok && operation.completed.is_some_and(|completed| completed < begun);
            if !is_settled {
                open.insert(normalised_key(key));
            }
            last.insert(normalised_key(key), (operation, value.is_nil()));
        }
    }
    let (olds, news) = (rows(old), rows(new));
    let mut doubtful = 0;
    let mut differs = |key: &Value, kind: &'static str, description: &dyn Fn() -> String| {
        if open.contains(&*normalised_key(key)) {
            doubtful += 1;
        } else {
            let last = last.get(&*normalised_key(key)).map(|(operation, _)| *operation);
            report.found(kind, || Evidence::new(description(), [old, new].into_iter().chain(last)));
        }
    };
    for (key, value) in pairs(old) {
        match news.get(&*normalised_key(key)) {
            None => differs(key, "missing-row", &|| {
                format!("Row {} is {} in the old store, but missing from the new one.", short(key), short(value))
            }),
            Some(other) if *other != value => differs(key, "differing-row", &|| {
                format!("Row {} is {} in the old store and {} in the new one.", short(key), short(value), short(*other))
            }),
            Some(_) => {}
        }
    }
    for (key, value) in pairs(new).filter(|(key, _)| !olds.contains_key(&*normalised_key(key))) {
        let is_deleted = last.get(&*normalised_key(key)).is_some_and(|(_, deletes)| *deletes);
        let kind = if is_deleted { "resurrected-row" } else { "unexpected-row" };
        differs(key, kind, &|| format!("Row {} is {} in the new store, but missing from the old one.", short(key), short(value)));
    }
    report.count("rows_in_old", olds.len() as u64);
    report.count("rows_in_new", news.len() as u64);
    report.count("rows_in_doubt", doubtful);
}

/// Checks the reads that were invoked after the cut-over completed, row by row.
fn after(operations: &[Operation<'_>], cut: EventIndex, report: &mut Report) {
    let mut keys = Interner::default();
    let mut by_row: Vec<Vec<u32>> = Vec::new();
    for (at, operation) in (0_u32..).zip(operations) {
        let Some((key, _)) = row(operation) else {
            continue;
        };
        let id = keys.intern(key);
        by_row.resize_with(keys.len(), Vec::new);
        by_row[id].push(at);
    }
    let mut reads = 0;
    for at in by_row {
        let operations: Vec<Operation<'_>> = at.into_iter().map(|at| operations[at as usize]).collect();
        let writes = || operations.iter().enumerate().filter_map(|(at, it)| Some((at, row(it)?.1?, it)));
        let overwrites = FirstAfter::new(writes().map(|(at, _, it)| (at, it)));
        let mut sources = Sources::default();
        writes().for_each(|(at, value, it)| sources.add(at, value, it));
        for read in succeeded(&operations, "read").filter(|read| read.invoked > cut) {
            reads += 1;
            let value = read.output.unwrap_or(NIL);
            let (ended, write) = match sources.find(value, read.completed.unwrap_or(read.invoked)) {
                Source::Settled(ended, write) => (Some(ended), Some(write)),
                Source::NotWritten(_) | Source::Failed(_) if value.is_nil() => (None, None),
                Source::Open => continue,
                Source::NotWritten(write) => {
                    report.found("unexpected-read", || {
                        let description = format!("A read after the cut-over returned {}, which was never written.", short(value));
                        Evidence::new(description, write.map(|write| &operations[write]).into_iter().chain([read]))
                    });
                    continue;
                }
                Source::Failed(write) => {
                    report.found("unexpected-read", || {
                        let description = format!("A read after the cut-over returned {}, whose write failed.", short(value));
                        Evidence::new(description, [&operations[write], read])
                    });
                    continue;
                }
            };
            if let Some(later) = overwrites.find(ended, read.invoked) {
                report.found("stale-read", || {
                    let proof = write.into_iter().chain([later]).map(|at| &operations[at]).chain([read]);
                    Evidence::new(
                        format!("A read after the cut-over returned {}, which had been overwritten or deleted.", short(value)),
                        proof,
                    )
                });
            }
        }
    }
    report.count("reads_after_cut_over", reads);
}
