//! Lock: mutual exclusion, increasing fencing tokens, leases that expire.
//!
//! A process *certainly* holds the lock from the completion of its acquire until it invokes a release, its lease may have expired, or it invokes an
//! operation that crashes (its session may be gone). Two processes that certainly hold it at the same time violate mutual exclusion, whatever
//! happened in between. A second acquire by the holder is not an anomaly.
//!
//! A lease is a number of milliseconds, in the argument or result of `acquire`; it lasts at least that long from the invocation, and has certainly
//! expired when that long has passed since the completion. A `renew` restarts it. A fencing token is the integer result of `acquire`, or its field
//! `token`; `write` presents its token to the protected resource, which must reject tokens below one that it has accepted.
//!
//! Option: `slack`, the maximum clock skew in milliseconds for leases (0).

mod holds;

use elenchus_core::{EventIndex, Kind, Operation, Value};

use super::real_time::{Moment, moments};
use super::report::short;
use super::{Description, Evidence, Invariant, Part, Report, Shape, Word};
use crate::options::{BuildError, OptionEntry, OptionValues};

/// The checker for locks.
#[derive(Clone, Copy, Debug, Default)]
pub struct Lock {
    /// The maximum clock skew for leases, in milliseconds.
    pub slack: u64,
}

const GRANT: Shape = Shape::Either(&[Shape::Nil, Shape::Int("token"), Shape::Fields(&[])]);

/// Returns the token that an operation was granted or presents.
fn token(operation: &Operation<'_>) -> Option<i64> {
    let of = |value: &Value| value.as_int().or_else(|| value.get("token")?.as_int());
    if operation.f == "write" { of(operation.input) } else { operation.output.and_then(of) }
}

/// Returns the length of the lease that an operation was granted, in nanoseconds.
fn lease(operation: &Operation<'_>) -> Option<u64> {
    let of = |value: &Value| value.get("lease")?.as_int();
    let millis = operation.output.and_then(of).or_else(|| of(operation.input))?;
    u64::try_from(millis).ok()?.checked_mul(1_000_000)
}

impl Invariant for Lock {
    const DESCRIPTION: Description = Description {
        name: "lock",
        about: "whether a lock ensures mutual exclusion, its fencing tokens increase, and its leases expire",
        proves: "mutual exclusion held, fencing tokens increased, and leases expired",
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
            ("two-holders", "two processes held the lock at the same time"),
            ("token-not-rising", "a fencing token is not greater than one granted before"),
            ("stale-token", "a write was accepted with a fencing token below one accepted before"),
            ("lease-outlived", "a lease was renewed after it had expired"),
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
            report.doubt("leases cannot be checked: the events have no times, or times that go backwards");
        } else {
            holds::judge(part, &events, self.slack.saturating_mul(1_000_000), report);
        }
        rising(operations, report);
    }
}

/// Checks fencing tokens: granted ones must increase, accepted ones must not decrease.
fn rising(operations: &[Operation<'_>], report: &mut Report) {
    let (mut granted, mut accepted): (Option<usize>, Option<usize>) = (None, None);
    let mut open: rustc_hash::FxHashMap<usize, Option<usize>> = rustc_hash::FxHashMap::default();
    for moment in moments(operations) {
        let (Moment::Invoked(at) | Moment::Completed(at)) = moment;
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
        if let Moment::Invoked(_) = moment {
            open.insert(at, *best);
            continue;
        }
        let highest = |at: usize| token(&operations[at]).unwrap_or(i64::MIN);
        if let Some(before) =
            open.remove(&at).flatten().filter(|&before| if grants { highest(before) >= mine } else { highest(before) > mine })
        {
            let (name, what) = if grants { ("token-not-rising", "granted") } else { ("stale-token", "accepted") };
            report.found(name, || {
                let description = format!("Token {mine} was {what} after token {}.", highest(before));
                Evidence::new(description, [&operations[before], operation])
                    .because(format!("The second operation, {}, was invoked after the first had completed.", short(operation)))
            });
        }
        if best.is_none_or(|best| highest(best) < mine) {
            *best = Some(at);
        }
    }
}
