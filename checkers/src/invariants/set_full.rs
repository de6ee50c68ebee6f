//! Set, in full: the lifecycle of every element over all reads.
//!
//! An element is *known* from the moment its add is acknowledged or a read that contains it completes, whichever is first. A read that begins
//! later and does not contain it shows that it is absent; only the last such read matters. The element is *lost* if no read that begins later
//! contains it, *stale* if one does. The time from known to the beginning of the last read that missed an element is its visibility latency; the
//! distribution is in the details.
//!
//! Option: `linearizable`, whether stale elements are anomalies (false: the set may be eventually consistent).
//!
//! O(total length of all reads), where comparing every element with every read would be quadratic: reads are scanned from the last to the first,
//! and an element's last absence is at the end of the unbroken run of reads that contain it.

use elenchus_core::{EventIndex, Kind, Operation};

use super::elements::{Elements, Phantom};
use super::real_time::succeeded;
use super::report::short;
use super::set::VOCABULARY;
use super::{Description, Evidence, Invariant, Part, Report};
use crate::options::{BuildError, OptionEntry, OptionValues};

/// The checker for a set with reads throughout the test.
#[derive(Clone, Copy, Debug, Default)]
pub struct SetFull {
    /// Whether every read that begins after an element is known must contain it.
    pub linearizable: bool,
}

/// The reads of an element. Reads are numbered from the last invoked, 0, to the first.
#[derive(Clone, Copy)]
struct Visibility {
    /// The length of the unbroken run of last reads that contain it.
    run: u32,
    /// The last invoked read that contains it.
    last_present: Option<u32>,
    /// The first completed read that contains it.
    first_seen: Option<u32>,
    /// The read scanned last that contains it.
    latest: Option<u32>,
    /// Whether a read contains it twice.
    is_duplicate: bool,
}

const NEVER_READ: Visibility = Visibility { run: 0, last_present: None, first_seen: None, latest: None, is_duplicate: false };

impl Invariant for SetFull {
    const DESCRIPTION: Description = Description {
        name: "set-full",
        about: "whether every added element becomes visible to later reads and stays visible, and how long that takes",
        proves: "no known element was lost",
        source: "jepsen.checker/set-full",
        vocabulary: VOCABULARY,
        anomalies: &[
            ("lost", "a known element is missing from the last reads"),
            ("stale", "a later read missed a known element (only with the option `linearizable`)"),
            ("duplicate", "a read contains an element twice"),
            ("unexpected", "a read contains an element that was never added (phantom)"),
            ("aborted", "a read contains an element whose add failed"),
        ],
        options: &[OptionEntry::flag("linearizable", "false").about("whether stale elements are anomalies")],
        splits_by_key: true,
    };

    fn from_options(options: &OptionValues<'_>) -> Result<SetFull, BuildError> {
        let linearizable = options.flag("linearizable")?.unwrap_or_default();
        Ok(SetFull { linearizable })
    }

    fn judge(&self, part: &Part<'_>, report: &mut Report) {
        let operations = &part.operations;
        let reads: Vec<&Operation<'_>> = succeeded(operations, "read").collect::<Vec<_>>().into_iter().rev().collect();
        let mut elements = Elements::new(operations, "add");
        let mut visibilities = vec![NEVER_READ; elements.len()];
        for (number, read) in (0_u32..).zip(&reads) {
            for value in read.output.and_then(|output| output.as_list()).unwrap_or_default() {
                let id = elements.id(value);
                visibilities.resize(elements.len(), NEVER_READ);
                let visibility = &mut visibilities[id];
                if visibility.latest == Some(number) {
                    if !std::mem::replace(&mut visibility.is_duplicate, true) {
                        report.found("duplicate", || Evidence::new(format!("A read contains {} twice.", short(value)), [*read]));
                    }
                    continue;
                }
                visibility.latest = Some(number);
                visibility.last_present.get_or_insert(number);
                visibility.run += u32::from(visibility.run == number);
                if visibility.first_seen.is_none_or(|first| read.completed < reads[first as usize].completed) {
                    visibility.first_seen = Some(number);
                }
            }
        }
        let (mut stable, mut stale, mut never_read) = (0, 0, 0);
        let (mut visible, mut lost_after) = (Vec::new(), Vec::new());
        for (id, visibility) in visibilities.iter().enumerate() {
            let value = || short(elements.interner.value(id));
            let seen = visibility.first_seen.map(|number| reads[number as usize]);
            if let Some(seen) = seen {
                match elements.phantom(id, seen.completed.unwrap_or(seen.invoked), operations) {
                    None => {}
                    Some(Phantom::NeverAdded) => {
                        report
                            .found("unexpected", || Evidence::new(format!("A read contains {}, which was never added.", value()), [seen]));
                        continue;
                    }
                    Some(Phantom::AddedLater(add)) => {
                        report.found("unexpected", || {
                            Evidence::new(
                                format!("A read contains {}, which was added only after the read completed.", value()),
                                [seen, add],
                            )
                        });
                        continue;
                    }
                    Some(Phantom::AddFailed(add)) => {
                        report.found("aborted", || Evidence::new(format!("A read contains {}, whose add failed.", value()), [add, seen]));
                        continue;
                    }
                }
            }
            let added = elements.of(id).first_acknowledged.map(|at| &operations[at as usize]);
            let Some((since, known)) =
                [added, seen].into_iter().flatten().filter_map(|it| Some((it.completed?, it))).min_by_key(|(at, _)| *at)
            else {
                never_read += 1;
                continue;
            };
            let absent = reads.get(visibility.run as usize).copied().filter(|read| read.invoked > since);
            let waited = |until: EventIndex| part.time(until).saturating_sub(part.time(since));
            match absent {
                None if visibility.last_present.is_some() => {
                    stable += 1;
                    visible.push(0);
                }
                Some(absent) if visibility.run > 0 => {
                    stable += 1;
                    stale += 1;
                    visible.push(waited(absent.invoked));
                    if self.linearizable {
                        let later = visibility.last_present.map(|number| reads[number as usize]);
                        report.found("stale", || {
                            let proof = [known, absent].into_iter().chain(later);
                            Evidence::new(format!("{} was known, but a read that began later missed it.", value()), proof)
                        });
                    }
                }
                Some(absent) => {
                    let present = visibility.last_present.map(|number| reads[number as usize]);
                    lost_after.push(present.map_or(0, |present| waited(present.invoked)));
                    report.found("lost", || {
                        Evidence::new(format!("{} was known, but is missing from the last reads.", value()), [known, absent])
                            .because(format!("No read that began after {} contains it.", absent.invoked))
                    });
                }
                None => never_read += 1,
            }
        }
        if stable == 0 {
            report.doubt("no element was added and read back");
        }
        report.count("attempts", operations.iter().filter(|operation| operation.f == "add").count() as u64);
        report.count("acknowledged", succeeded(operations, "add").filter(|add| add.kind == Kind::Ok).count() as u64);
        report.count("reads", reads.len() as u64);
        report.count("stable", stable);
        report.count("stale", stale);
        report.count("never_read", never_read);
        report.spread("visible_after_ms", visible);
        report.spread("lost_after_ms", lost_after);
    }
}
