//! Tombstones: what was deleted does not come back, and what was written does not go away.
//!
//! Each key is a register that can be deleted. A read that shows a value is a *resurrection* where every write it may be from had succeeded
//! before a delete was asked, and that delete had succeeded before the read was asked: the value had been gone. A read that shows nothing is a
//! *loss* where a write had succeeded after every delete that may have removed it. Crashed writes may bring a value back at any time, and
//! crashed deletes may remove it; neither is held against the store.

use elenchus_core::{EventIndex, Kind, Operation, Value};

use super::order::succeeded;
use super::report::short;
use super::writes::{FirstAfter, Source, Sources};
use super::{Description, Evidence, Invariant, Part, Report, Shape, Word};
use crate::options::{BuildError, OptionValues};

/// The checker of deleted keys.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tombstones;

const NIL: &Value = &Value::Nil;

impl Invariant for Tombstones {
    const DESCRIPTION: Description = Description {
        name: "tombstones",
        about: "whether deleted keys stay deleted, and written ones stay there",
        proves: "no deleted value came back, and no written one went away",
        source: "the doomstones and zombies of Cassandra: Apache Cassandra documentation, Tombstones, gc_grace_seconds",
        vocabulary: &[
            Word { f: "write", input: Shape::Some("v"), output: Shape::Any },
            Word { f: "delete", input: Shape::Any, output: Shape::Any },
            Word { f: "read", input: Shape::Any, output: Shape::Any },
        ],
        anomalies: &[
            ("resurrected", "a read shows a value that had been deleted"),
            ("lost", "a read shows nothing, although a value had been written and not deleted since"),
            ("unexpected", "a read shows a value that nobody had written"),
            ("aborted", "a read shows a value whose write failed"),
        ],
        options: &[],
        splits_by_key: true,
    };

    fn from_options(_: &OptionValues<'_>) -> Result<Tombstones, BuildError> {
        Ok(Tombstones)
    }

    fn judge(&self, part: &Part<'_>, report: &mut Report) {
        let operations = &part.operations;
        let of = |f: &'static str| operations.iter().enumerate().filter(move |(_, operation)| operation.f == f);
        let (writes, deletes) = (FirstAfter::new(of("write")), FirstAfter::new(of("delete")));
        let mut sources = Sources::default();
        of("write").for_each(|(at, write)| sources.add(at, write.input, write));
        of("delete").for_each(|(at, delete)| sources.add(at, NIL, delete));
        let mut reads = 0;
        for read in succeeded(operations, "read") {
            reads += 1;
            let value = read.output.unwrap_or(NIL);
            let by = read.completed.unwrap_or(read.invoked);
            let shown = || short(value);
            if value.is_nil() {
                let lost = match sources.find(NIL, by) {
                    Source::Settled(ended, _) => writes.find(Some(ended), read.invoked),
                    Source::Nowhere(_) | Source::Failed(_) => writes.find(None, read.invoked),
                    Source::Open => None,
                };
                if let Some(write) = lost {
                    let write = &operations[write];
                    report.found("lost", || {
                        let description = format!("A read shows nothing, although {} had been written.", short(write.input));
                        Evidence::new(description, [write, read])
                            .because("No delete that may have removed it was asked before the read was answered.")
                    });
                }
                continue;
            }
            match sources.find(value, by) {
                Source::Open => {}
                Source::Settled(ended, write) => {
                    if let Some(delete) = deletes.find(Some(ended), read.invoked) {
                        let (write, delete) = (&operations[write], &operations[delete]);
                        report.found("resurrected", || {
                            let evidence =
                                Evidence::new(format!("A read shows {}, which had been deleted.", shown()), [write, delete, read]);
                            match seen_absent(operations, delete, read) {
                                Some(absent) => evidence.because(format!("It had been gone: the read at {absent} showed nothing.")),
                                None => evidence,
                            }
                        });
                    }
                }
                Source::Nowhere(None) => {
                    report.found("unexpected", || Evidence::new(format!("A read shows {}, which nobody wrote.", shown()), [read]));
                }
                Source::Nowhere(Some(write)) => report.found("unexpected", || {
                    Evidence::new(
                        format!("A read shows {}, which was written only after it had ended.", shown()),
                        [read, &operations[write]],
                    )
                }),
                Source::Failed(write) => report.found("aborted", || {
                    Evidence::new(format!("A read shows {}, whose write failed.", shown()), [&operations[write], read])
                }),
            }
        }
        if reads == 0 {
            report.doubt("no read succeeded");
        }
        report.count("reads", reads);
    }
}

/// The invocation of a read between a delete and another read that shows that the key was gone.
fn seen_absent(operations: &[Operation<'_>], delete: &Operation<'_>, read: &Operation<'_>) -> Option<EventIndex> {
    let between = |it: &&Operation<'_>| Some(it.invoked) > delete.completed && it.completed < Some(read.invoked);
    let nil = |it: &&Operation<'_>| it.kind == Kind::Ok && it.output.is_none_or(Value::is_nil);
    operations.iter().filter(|it| it.f == "read").filter(nil).find(between).map(|it| it.invoked)
}
