//! Set: elements are added, and a final read contains all of them.
//!
//! The final read is the one that completed last. It must contain every element whose add was acknowledged before it began, and no element that was
//! never added. Elements of crashed adds may or may not be present; those that are, are counted as `recovered`.

use elenchus_core::Kind;

use super::elements::{Elements, Phantom};
use super::real_time::{succeeded, succeeded_by};
use super::report::short;
use super::{Description, Evidence, Invariant, Part, Report, Shape, Word};
use crate::options::{BuildError, OptionValues};

/// The checker for a set with a final read.
#[derive(Clone, Copy, Debug, Default)]
pub struct FinalSet;

/// The operations of a grow-only set.
pub(super) const VOCABULARY: &[Word] = &[
    Word { f: "add", input: Shape::Any, output: Shape::Any },
    Word { f: "read", input: Shape::Any, output: Shape::Either(&[Shape::List(&Shape::Any), Shape::Nil]) },
];

impl Invariant for FinalSet {
    const DESCRIPTION: Description = Description {
        name: "set",
        about: "whether a final read contains every added element, and no others",
        proves: "the final read contains every acknowledged element and no phantom",
        source: "jepsen.checker/set",
        vocabulary: VOCABULARY,
        anomalies: &[
            ("lost", "an acknowledged element is missing from the final read"),
            ("unexpected", "the final read contains an element that was never added (phantom)"),
            ("aborted", "the final read contains an element whose add failed"),
        ],
        options: &[],
        splits_by_key: true,
    };

    fn from_options(_: &OptionValues<'_>) -> Result<FinalSet, BuildError> {
        Ok(FinalSet)
    }

    fn judge(&self, part: &Part<'_>, report: &mut Report) {
        let operations = &part.operations;
        let Some(read) = succeeded(operations, "read").max_by_key(|read| read.completed) else {
            report.doubt("the set was never read");
            return;
        };
        let mut elements = Elements::new(operations, "add");
        let added = elements.len();
        let mut seen = vec![false; added];
        let (mut recovered, mut found) = (0, 0);
        for value in read.output.and_then(|output| output.as_list()).unwrap_or_default() {
            let id = elements.id(value);
            seen.resize(elements.len(), false);
            if std::mem::replace(&mut seen[id], true) {
                continue;
            }
            let by = read.completed.unwrap_or(read.invoked);
            match elements.phantom(id, by, operations) {
                None => {
                    found += 1;
                    recovered += u64::from(elements.of(id).acknowledged == 0);
                }
                Some(Phantom::NeverAdded) => report.found("unexpected", || {
                    Evidence::new(format!("The final read contains {}, which was never added.", short(value)), [read])
                }),
                Some(Phantom::AddedLater(add)) => report.found("unexpected", || {
                    Evidence::new(
                        format!("The final read contains {}, which was added only after the read completed.", short(value)),
                        [read, add],
                    )
                }),
                Some(Phantom::AddFailed(add)) => report.found("aborted", || {
                    Evidence::new(format!("The final read contains {}, whose add failed.", short(value)), [add, read])
                }),
            }
        }
        let mut late = 0;
        for id in (0..added).filter(|&id| !seen[id]) {
            let Some(add) = elements.of(id).first_acknowledged.map(|at| &operations[at as usize]) else {
                continue;
            };
            if succeeded_by(add, read.invoked) {
                report.found("lost", || {
                    Evidence::new(format!("{} was acknowledged, but is missing from the final read.", short(add.input)), [add, read])
                });
            } else {
                late += 1;
            }
        }
        if late > 0 {
            report.doubt(format!("{late} elements that are missing from the final read were acknowledged only after it began"));
        }
        let adds = || operations.iter().filter(|operation| operation.f == "add");
        report.count("attempts", adds().count() as u64);
        report.count("acknowledged", adds().filter(|add| add.kind == Kind::Ok).count() as u64);
        report.count("read", found);
        report.count("recovered", recovered);
    }
}
