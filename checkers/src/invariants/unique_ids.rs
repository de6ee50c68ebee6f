//! Unique ids: no id is generated twice.

use super::interner::Interner;
use super::real_time::succeeded;
use super::report::short;
use super::{Description, Evidence, Invariant, Part, Report, Shape, Word};
use crate::options::{BuildError, OptionValues};

/// The checker for unique ids.
#[derive(Clone, Copy, Debug, Default)]
pub struct UniqueIds;

impl Invariant for UniqueIds {
    const DESCRIPTION: Description = Description {
        name: "unique-ids",
        about: "whether all generated ids are unique",
        proves: "all ids are unique",
        source: "jepsen.checker/unique-ids",
        vocabulary: &[Word { f: "generate", input: Shape::Any, output: Shape::Some("id") }],
        anomalies: &[("duplicate", "an id was generated more than once")],
        options: &[],
        splits_by_key: true,
    };

    fn from_options(_: &OptionValues<'_>) -> Result<UniqueIds, BuildError> {
        Ok(UniqueIds)
    }

    fn judge(&self, part: &Part<'_>, report: &mut Report) {
        let mut ids = Interner::default();
        // By id: the first operation that returned it, and whether there was a second one.
        let mut given: Vec<(u32, bool)> = Vec::new();
        for (at, operation) in (0_u32..).zip(&part.operations) {
            let Some(result) = operation.output else {
                continue;
            };
            let id = ids.intern(result);
            match given.get_mut(id) {
                None => given.push((at, false)),
                Some((_, true)) => {}
                Some((first, again)) => {
                    *again = true;
                    let first = &part.operations[*first as usize];
                    report
                        .found("duplicate", || Evidence::new(format!("The id {} was generated twice.", short(result)), [first, operation]));
                }
            }
        }
        if ids.len() == 0 {
            report.doubt("no id was generated");
        }
        report.count("attempts", part.operations.len() as u64);
        report.count("acknowledged", succeeded(&part.operations, "generate").count() as u64);
    }
}
