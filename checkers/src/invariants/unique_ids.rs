//! Unique ids: no id is given out twice.

use super::intern::Interner;
use super::order::succeeded;
use super::report::short;
use super::{Description, Evidence, Invariant, Part, Report, Shape, Word};
use crate::options::{BuildError, OptionValues};

/// The checker of unique ids.
#[derive(Clone, Copy, Debug, Default)]
pub struct UniqueIds;

impl Invariant for UniqueIds {
    const DESCRIPTION: Description = Description {
        name: "unique-ids",
        about: "whether no id is given out twice",
        proves: "all ids are distinct",
        source: "jepsen.checker/unique-ids",
        vocabulary: &[Word { f: "generate", input: Shape::Any, output: Shape::Some("id") }],
        anomalies: &[("duplicate", "an id was given out more than once")],
        options: &[],
        splits_by_key: true,
    };

    fn from_options(_: &OptionValues<'_>) -> Result<UniqueIds, BuildError> {
        Ok(UniqueIds)
    }

    fn judge(&self, part: &Part<'_>, report: &mut Report) {
        let mut ids = Interner::default();
        // Who was given each id first, and whether anybody was given it again.
        let mut given: Vec<(u32, bool)> = Vec::new();
        for (at, operation) in (0_u32..).zip(&part.operations) {
            let Some(told) = operation.output else {
                continue;
            };
            let id = ids.intern(told);
            match given.get_mut(id) {
                None => given.push((at, false)),
                Some((_, true)) => {}
                Some((first, again)) => {
                    *again = true;
                    let first = &part.operations[*first as usize];
                    report.found("duplicate", || Evidence::new(format!("The id {} was given out twice.", short(told)), [first, operation]));
                }
            }
        }
        if ids.len() == 0 {
            report.doubt("no id was given out");
        }
        report.count("attempts", part.operations.len() as u64);
        report.count("acknowledged", succeeded(&part.operations, "generate").count() as u64);
    }
}
