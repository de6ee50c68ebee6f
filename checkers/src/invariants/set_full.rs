//! Set, in full: the life of every element over all reads.
//!
//! An element is *known* from the moment its add is acknowledged or a read that shows it is answered, whichever is first. A read that begins
//! after that and does not show it is a witness of its absence. Of these, only the last matters: the element is *lost* when no read that
//! begins later shows it, *stale* when one does. The time from known to the beginning of the last read that missed an element is how long it
//! took to be visible for good; the distribution is among the figures.
//!
//! Option: `linearizable`, whether stale elements are anomalies (false: the set may be eventually consistent).
//!
//! O(total length of all reads), where a comparison of every element with every read would be quadratic: reads are gone through from the last
//! to the first, and an element's last absence is where the unbroken run of reads that show it ends.

use elenchus_core::{EventIndex, Kind, Operation};

use super::elements::{Elements, Unfounded};
use super::order::succeeded;
use super::report::short;
use super::set::VOCABULARY;
use super::{Description, Evidence, Invariant, Part, Report};
use crate::options::{BuildError, OptionEntry, OptionValues};

/// The checker of a set by all its reads.
#[derive(Clone, Copy, Debug, Default)]
pub struct SetFull {
    /// Whether an element must be visible to every read that begins after it is known.
    pub linearizable: bool,
}

/// What reads said of an element. Reads are numbered from the last invoked, 0, to the first.
#[derive(Clone, Copy)]
struct Life {
    /// How many of the last reads show it without a gap.
    run: u32,
    /// The last invoked read that shows it.
    last_present: Option<u32>,
    /// The read that showed it and was answered first.
    first_seen: Option<u32>,
    /// The read that was looked at last and shows it.
    latest: Option<u32>,
    /// Whether a read shows it twice.
    is_duplicate: bool,
}

const UNSEEN: Life = Life { run: 0, last_present: None, first_seen: None, latest: None, is_duplicate: false };

impl Invariant for SetFull {
    const DESCRIPTION: Description = Description {
        name: "set-full",
        about: "whether every element that was added is shown by the reads that follow, and how long that takes",
        proves: "no element that was known to be in was missing for good",
        source: "jepsen.checker/set-full",
        vocabulary: VOCABULARY,
        anomalies: &[
            ("lost", "an element was known to be in, and the last reads do not show it"),
            ("stale", "an element was known to be in, and a later read missed it (only where the set shall be linearizable)"),
            ("duplicate", "a read shows an element twice"),
            ("unexpected", "a read shows an element that nobody had added"),
            ("aborted", "a read shows an element whose add failed"),
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
        let mut lives = vec![UNSEEN; elements.len()];
        for (number, read) in (0_u32..).zip(&reads) {
            for value in read.output.and_then(|output| output.as_list()).unwrap_or_default() {
                let id = elements.id(value);
                lives.resize(elements.len(), UNSEEN);
                let life = &mut lives[id];
                if life.latest == Some(number) {
                    if !std::mem::replace(&mut life.is_duplicate, true) {
                        report.found("duplicate", || Evidence::new(format!("A read shows {} twice.", short(value)), [*read]));
                    }
                    continue;
                }
                life.latest = Some(number);
                life.last_present.get_or_insert(number);
                life.run += u32::from(life.run == number);
                if life.first_seen.is_none_or(|first| read.completed < reads[first as usize].completed) {
                    life.first_seen = Some(number);
                }
            }
        }
        let (mut stable, mut stale, mut never_read) = (0, 0, 0);
        let (mut visible, mut lost_after) = (Vec::new(), Vec::new());
        for (id, life) in lives.iter().enumerate() {
            let value = || short(elements.interner.value(id));
            let seen = life.first_seen.map(|number| reads[number as usize]);
            if let Some(seen) = seen {
                match elements.unfounded(id, seen.completed.unwrap_or(seen.invoked), operations) {
                    None => {}
                    Some(Unfounded::NeverPut) => {
                        report.found("unexpected", || Evidence::new(format!("A read shows {}, which nobody added.", value()), [seen]));
                        continue;
                    }
                    Some(Unfounded::PutLater(add)) => {
                        report.found("unexpected", || {
                            Evidence::new(format!("A read shows {}, which was added only after it had ended.", value()), [seen, add])
                        });
                        continue;
                    }
                    Some(Unfounded::PutFailed(add)) => {
                        report.found("aborted", || Evidence::new(format!("A read shows {}, whose add failed.", value()), [add, seen]));
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
            let absent = reads.get(life.run as usize).copied().filter(|read| read.invoked > since);
            let waited = |until: EventIndex| part.time(until).saturating_sub(part.time(since));
            match absent {
                None if life.last_present.is_some() => {
                    stable += 1;
                    visible.push(0);
                }
                Some(absent) if life.run > 0 => {
                    stable += 1;
                    stale += 1;
                    visible.push(waited(absent.invoked));
                    if self.linearizable {
                        let later = life.last_present.map(|number| reads[number as usize]);
                        report.found("stale", || {
                            let proof = [known, absent].into_iter().chain(later);
                            Evidence::new(format!("{} was in, and a read that began later missed it.", value()), proof)
                        });
                    }
                }
                Some(absent) => {
                    let present = life.last_present.map(|number| reads[number as usize]);
                    lost_after.push(present.map_or(0, |present| waited(present.invoked)));
                    report.found("lost", || {
                        Evidence::new(format!("{} was in, and is missing from the reads that began last.", value()), [known, absent])
                            .because(format!("No read that began after {} shows it.", absent.invoked))
                    });
                }
                None => never_read += 1,
            }
        }
        if stable == 0 {
            report.doubt("no element is known to have been added and read back");
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
