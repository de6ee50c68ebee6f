//! Kafka: partitioned logs lose, repeat, reorder and invent nothing.
//!
//! Each key is one partition: a log of messages at rising offsets. Operations are transactions of steps, as in Jepsen: `[send k v]`, answered
//! `[send k [offset v]]`, and `[poll]`, answered `[poll {k [[offset v] …]}]`. Values are unique for a key. A send counts as committed when its
//! operation succeeded, or crashed and one of its messages was polled; polls say what is in the log whatever became of them, because a broker
//! only hands out what is committed. Offsets are compared by rank: gaps are taken by what clients cannot see.
//!
//! A process that subscribes shares partitions with its group, and a rebalance may move its position: what it skips or sees again is only
//! counted, between operations always, within one unless its client records rebalances as steps `[rebalance [k …]]` that name other keys. One
//! that assigns itself partitions, or says nothing, reads alone.
//!
//! A message that was never polled is lost when a later one of its log was, and no crashed poll of a subscribed process, whose content nobody
//! knows, may have consumed it. When no later one was polled it may be that nobody got so far.
//!
//! Options: `drained`, whether every log was polled to its end (false: what was not polled is a doubt; Jepsen's checker assumes it);
//! `crashed-polls-consume`, whether a crashed poll of a subscribed process may have consumed messages (true; false in Jepsen's checker);
//! `exactly-once`, whether a subscribed process that is handed a message twice is an anomaly (false). Cycles between transactions are for the
//! checker of transactions.

mod log;
mod positions;
mod steps;
mod visibility;

use super::{Description, Evidence, Invariant, Part, Report, Shape, Word};
use crate::options::{BuildError, OptionEntry, OptionValues};
use log::Log;
use steps::Steps;

/// The checker of partitioned logs.
#[derive(Clone, Copy, Debug)]
pub struct Kafka {
    /// Whether every log was polled to its end.
    pub drained: bool,
    /// Whether a crashed poll of a subscribed process may have consumed messages.
    pub crashed_polls_consume: bool,
    /// Whether a subscribed process may be handed a message only once.
    pub exactly_once: bool,
}

impl Default for Kafka {
    fn default() -> Kafka {
        Kafka { drained: false, crashed_polls_consume: true, exactly_once: false }
    }
}

const KEYS: Shape = Shape::List(&Shape::Some("k"));
const POLLED: Shape = Shape::Map(&Shape::List(&Shape::Tuple(&[Shape::Either(&[Shape::Int("offset"), Shape::Nil]), Shape::Any])));
const SEND: Shape = Shape::Tuple(&[Shape::Text(&["send"]), Shape::Some("k"), Shape::Some("v")]);
const ASKED: Shape = Shape::List(&Shape::Either(&[SEND, Shape::Tuple(&[Shape::Text(&["poll"])])]));
const TOLD: Shape = Shape::List(&Shape::Either(&[
    SEND,
    Shape::Tuple(&[Shape::Text(&["poll"]), POLLED]),
    Shape::Tuple(&[Shape::Text(&["poll"])]),
    Shape::Tuple(&[Shape::Text(&["rebalance"]), KEYS]),
]));

impl Invariant for Kafka {
    const DESCRIPTION: Description = Description {
        name: "kafka",
        about: "whether partitioned logs lose, repeat, reorder and invent nothing, for producers, consumers and groups",
        proves: "every acknowledged message was polled, in the order of its log, and no other",
        source: "jepsen.tests.kafka",
        vocabulary: &[
            Word { f: "send", input: ASKED, output: TOLD },
            Word { f: "poll", input: ASKED, output: TOLD },
            Word { f: "txn", input: ASKED, output: TOLD },
            Word { f: "assign", input: KEYS, output: Shape::Any },
            Word { f: "subscribe", input: KEYS, output: Shape::Any },
            Word { f: "crash", input: Shape::Any, output: Shape::Any },
            Word { f: "debug-topic-partitions", input: Shape::Any, output: Shape::Any },
        ],
        anomalies: &[
            ("lost-write", "a committed message was never polled, although a later one of its log was"),
            ("G1a", "a message was polled whose send failed"),
            ("unexpected", "a message was polled that nobody had sent"),
            ("precommitted-read", "a transaction polled a message that it sent itself"),
            ("inconsistent-offsets", "one offset of a log has several messages"),
            ("duplicate", "one message is at several offsets of a log"),
            ("poll-skip", "a consumer went on behind messages that it had not polled"),
            ("nonmonotonic-poll", "a consumer went on at or before a message that it had polled"),
            ("int-poll-skip", "one operation polled past messages of a log"),
            ("int-nonmonotonic-poll", "one operation polled a log against its order"),
            ("nonmonotonic-send", "a message of a producer is in the log before one that it had sent earlier"),
            ("int-nonmonotonic-send", "the messages that one operation sent are in the log in another order"),
            ("unseen", "an acknowledged message was never polled, although every log was polled to its end"),
            ("reconsumed", "a subscribed process was handed a message twice (only where delivery shall be exactly once)"),
        ],
        options: &[
            OptionEntry::flag("drained", "false").about("whether every log was polled to its end, so that what was not polled is lost"),
            OptionEntry::flag("crashed-polls-consume", "true")
                .about("whether a poll with an unknown outcome by a subscribed process may have consumed messages"),
            OptionEntry::flag("exactly-once", "false").about("whether it is an anomaly that a subscribed process receives a message twice"),
        ],
        splits_by_key: false,
    };

    fn from_options(options: &OptionValues<'_>) -> Result<Kafka, BuildError> {
        let flag = |name, default| Ok(options.flag(name)?.unwrap_or(default));
        let Kafka { drained, crashed_polls_consume, exactly_once } = Kafka::default();
        Ok(Kafka {
            drained: flag("drained", drained)?,
            crashed_polls_consume: flag("crashed-polls-consume", crashed_polls_consume)?,
            exactly_once: flag("exactly-once", exactly_once)?,
        })
    }

    fn judge(&self, part: &Part<'_>, report: &mut Report) {
        let steps = Steps::new(part);
        if !steps.seen.iter().any(|seen| !seen.sends) {
            report.doubt("nothing was polled");
        }
        let log = Log::new(part, &steps);
        log.report(part, &steps, report);
        visibility::judge(self, part, &steps, &log, report);
        positions::judge(self, part, &steps, &log, report);
        report.count("messages", steps.messages.len() as u64);
        report.count("partitions", steps.keys.len() as u64);
    }
}
