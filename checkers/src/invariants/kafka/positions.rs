//! Checks that consumers and producers go through each log in order.

use elenchus_core::{Kind, Process};
use rustc_hash::{FxHashMap, FxHashSet};

use super::super::{Part, Report};
use super::log::Log;
use super::steps::{Seen, Steps, is_transaction};
use super::{Evidence, Kafka};

/// The position of a process in a partition: the message that it polled or sent last, and in which operation.
#[derive(Clone, Copy)]
struct Position {
    seen: Seen,
    operation: usize,
}

/// The state of one process as consumer and producer.
#[derive(Default)]
struct Client {
    is_subscribed: bool,
    polled: FxHashMap<u32, Position>,
    sent: FxHashMap<u32, Position>,
    /// Messages that were delivered to it while it was subscribed.
    consumed: FxHashSet<u32>,
}

/// The step from one message of a log to another.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Advance {
    /// To the next message, or to an unknown rank.
    Next,
    Skip,
    Back,
}

pub(super) fn judge(kafka: &Kafka, part: &Part<'_>, steps: &Steps<'_>, log: &Log, report: &mut Report) {
    let records_rebalances = steps.records_rebalances();
    let mut clients: FxHashMap<Process, Client> = FxHashMap::default();
    let mut excused = 0;
    let advance = |from: &Seen, to: &Seen| match (log.rank(steps, from), log.rank(steps, to)) {
        (Some(from), Some(to)) if to > from + 1 => Advance::Skip,
        (Some(from), Some(to)) if to <= from => Advance::Back,
        _ => Advance::Next,
    };
    for (at, operation) in part.operations.iter().enumerate() {
        let client = clients.entry(operation.process).or_default();
        if matches!(operation.f.as_str(), "assign" | "subscribe") && operation.kind != Kind::Fail {
            client.is_subscribed = operation.f == "subscribe";
            let keys = operation.input.as_list().unwrap_or_default().iter().filter_map(|key| steps.find(key));
            let kept: FxHashSet<u32> = keys.collect();
            client.polled.retain(|key, _| kept.contains(key));
        }
        if !is_transaction(operation) {
            continue;
        }
        let moved = steps.moved(at);
        // The messages that this operation last polled and last sent in each partition.
        let mut here: [FxHashMap<u32, Seen>; 2] = Default::default();
        for seen in steps.of(at) {
            let key = steps.message(seen).key;
            let within = here[usize::from(seen.sends)].insert(key, *seen);
            let before = if seen.sends { client.sent.get(&key) } else { client.polled.get(&key) };
            let from = within.map(|seen| Position { seen, operation: at }).or(before.copied());
            let Some(from) = from else {
                continue;
            };
            let excuses = match (seen.sends, within.is_some()) {
                (true, _) => false,
                (false, true) => moved.contains(&key) || client.is_subscribed && !records_rebalances,
                (false, false) => moved.contains(&key) || client.is_subscribed,
            };
            let name = match (seen.sends, within.is_some(), advance(&from.seen, seen)) {
                (_, _, Advance::Next) => continue,
                // Other producers' messages may lie between: only a step backwards is an anomaly.
                (true, _, Advance::Skip) => {
                    report.count("interleaved_sends", 1);
                    continue;
                }
                (true, true, Advance::Back) => "int-nonmonotonic-send",
                // A failed send is not in the log.
                (true, false, Advance::Back) if operation.kind == Kind::Fail => continue,
                (true, false, Advance::Back) => "nonmonotonic-send",
                (false, _, _) if excuses => {
                    excused += 1;
                    continue;
                }
                (false, true, Advance::Skip) => "int-poll-skip",
                (false, true, Advance::Back) => "int-nonmonotonic-poll",
                (false, false, Advance::Skip) => "poll-skip",
                (false, false, Advance::Back) => "nonmonotonic-poll",
            };
            report.found(name, || {
                let what = if seen.sends { "sent" } else { "polled" };
                let how = if advance(&from.seen, seen) == Advance::Skip {
                    "skipping the messages in between"
                } else {
                    "but it is not later in the log"
                };
                let description = format!(
                    "Process {} {what} {} after {}, {how}.",
                    operation.process,
                    steps.describe(seen.message),
                    steps.describe(from.seen.message)
                );
                Evidence::new(description, [&part.operations[from.operation], operation])
            });
        }
        let [polled, sent] = here;
        if operation.kind == Kind::Ok {
            client.polled.extend(polled.into_iter().map(|(key, seen)| (key, Position { seen, operation: at })));
        }
        if operation.kind != Kind::Fail {
            client.sent.extend(sent.into_iter().map(|(key, seen)| (key, Position { seen, operation: at })));
        }
        if kafka.exactly_once && client.is_subscribed && operation.kind == Kind::Ok {
            for seen in steps.of(at).iter().filter(|seen| !seen.sends) {
                if !client.consumed.insert(seen.message) {
                    report.found("reconsumed", || {
                        let first = steps.witness(part, seen.message, seen.offset);
                        let description = format!("{} was redelivered to process {}.", steps.describe(seen.message), operation.process);
                        Evidence::new(description, first.into_iter().chain([operation]))
                    });
                }
            }
        }
    }
    report.count("excused_by_rebalance", excused);
}
