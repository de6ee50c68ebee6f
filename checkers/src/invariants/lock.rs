//! Mutual exclusion: one holder at a time, tokens that rise, leases that end.
//!
//! A process *certainly* holds the lock from the moment it is told so until it asks to release it, its lease may have ended, or it asks
//! something whose outcome is unknown (its session may be gone). Two processes that certainly hold it at one moment break the lock, whatever
//! happened on the way. Acquiring again what one holds is not judged.
//!
//! A lease is a number of milliseconds, which `acquire` asks for or is told; it lasts at least from the moment it was asked for, and is over for
//! certain when as long has passed since it was granted. A `renew` begins it anew. A token is the number that `acquire` is told, alone or
//! under `token`; `write` shows its token to what the lock protects, and to be accepted it must not be below one that was accepted before.
//!
//! Option: `slack`, by how many milliseconds clocks may disagree on a lease (0).

mod holds;

use elenchus_core::{EventIndex, Kind, Operation, Value};

use super::order::{Moment, moments};
use super::report::short;
use super::{Description, Evidence, Invariant, Part, Report, Shape, Word};
use crate::options::{BuildError, OptionEntry, OptionValues};

/// The checker of locks.
#[derive(Clone, Copy, Debug, Default)]
pub struct Lock {
    /// By how many milliseconds clocks may disagree on a lease.
    pub slack: u64,
}

const GRANT: Shape = Shape::Either(&[Shape::Nil, Shape::Int("token"), Shape::Fields(&[])]);

/// The token that an operation was told or shows.
fn token(operation: &Operation<'_>) -> Option<i64> {
    let of = |value: &Value| value.as_int().or_else(|| value.get("token")?.as_int());
    if operation.f == "write" { of(operation.input) } else { operation.output.and_then(of) }
}

/// The length of the lease that an operation was granted, in nanoseconds.
fn lease(operation: &Operation<'_>) -> Option<u64> {
    let of = |value: &Value| value.get("lease")?.as_int();
    let millis = operation.output.and_then(of).or_else(|| of(operation.input))?;
    u64::try_from(millis).ok()?.checked_mul(1_000_000)
}

impl Invariant for Lock {
    const DESCRIPTION: Description = Description {
        name: "lock",
        about: "whether a lock has one holder at a time, its tokens rise, and its leases end",
        proves: "no two processes held the lock at once, tokens rose, and leases ended",
        source: "Kleppmann, How to do distributed locking (2016); Gray and Cheriton, Leases (SOSP 1989)",
        vocabulary: &[
            Word { f: "acquire", input: Shape::Any, output: GRANT },
            Word { f: "renew", input: Shape::Any, output: Shape::Any },
            Word { f: "release", input: Shape::Any, output: Shape::Any },
            Word {
                f: "write",
                input: Shape::Either(&[Shape::Int("token"), Shape::Fields(&[("token", Shape::Int("token"))])]),
                output: Shape::Any,
            },
        ],
        anomalies: &[
            ("two-holders", "two processes held the lock at once"),
            ("token-not-rising", "a token is not above one that had been granted before"),
            ("stale-token", "a write was accepted with a token below one that had been accepted before"),
            ("lease-outlived", "a lease was renewed after it had ended"),
        ],
        options: &[OptionEntry::new("slack", "a number of milliseconds")
            .default("0")
            .example("100")
            .about("by how much clocks may disagree about the end of a lease")],
        splits_by_key: true,
    };

    fn from_options(options: &OptionValues<'_>) -> Result<Lock, BuildError> {
        Ok(Lock { slack: options.count("slack")?.unwrap_or_default() })
    }

    fn judge(&self, part: &Part<'_>, report: &mut Report) {
        let operations = &part.operations;
        let acquired = operations.iter().filter(|it| it.f == "acquire" && it.kind == Kind::Ok);
        report.count("acquired", acquired.clone().count() as u64);
        if acquired.clone().next().is_none() {
            report.doubt("the lock was never acquired");
        }
        let mut events: Vec<EventIndex> = operations.iter().flat_map(|it| [Some(it.invoked), it.completed]).flatten().collect();
        events.sort_unstable();
        let times = || events.iter().map(|event| part.time(*event));
        if operations.iter().any(|it| lease(it).is_some()) && (!times().is_sorted() || times().max() == times().min()) {
            report.doubt("leases cannot be judged: the events have no times, or times that go backwards");
        } else {
            holds::judge(part, &events, self.slack.saturating_mul(1_000_000), report);
        }
        rising(operations, report);
    }
}

/// Judges tokens: those granted must rise, those accepted must not fall.
fn rising(operations: &[Operation<'_>], report: &mut Report) {
    let (mut granted, mut accepted): (Option<usize>, Option<usize>) = (None, None);
    let mut open: rustc_hash::FxHashMap<usize, Option<usize>> = rustc_hash::FxHashMap::default();
    for moment in moments(operations) {
        let (Moment::Asked(at) | Moment::Succeeded(at)) = moment;
        let operation = &operations[at];
        let grants = match operation.f.as_str() {
            "acquire" => true,
            "write" => false,
            _ => continue,
        };
        let (Some(mine), true) = (token(operation), operation.kind == Kind::Ok) else {
            continue;
        };
        let best = if grants { &mut granted } else { &mut accepted };
        if let Moment::Asked(_) = moment {
            open.insert(at, *best);
            continue;
        }
        let highest = |at: usize| token(&operations[at]).unwrap_or(i64::MIN);
        if let Some(before) =
            open.remove(&at).flatten().filter(|&before| if grants { highest(before) >= mine } else { highest(before) > mine })
        {
            let (name, what) = if grants { ("token-not-rising", "granted") } else { ("stale-token", "accepted") };
            report.found(name, || {
                let description = format!("Token {mine} was {what} after {} had been.", highest(before));
                Evidence::new(description, [&operations[before], operation])
                    .because(format!("The second, {}, was asked after the first had succeeded.", short(operation)))
            });
        }
        if best.is_none_or(|best| highest(best) < mine) {
            *best = Some(at);
        }
    }
}
