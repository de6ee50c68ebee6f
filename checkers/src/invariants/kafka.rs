//! Kafka: partitioned logs have no lost, duplicate, reordered or phantom messages.
//!
//! Each key is one partition: a log of messages at increasing offsets. Operations are transactions of steps, as in Jepsen: `[send k v]` with the
//! result `[send k [offset v]]`, and `[poll]` with the result `[poll {k [[offset v] …]}]`. Values are unique within a key. A send counts as
//! committed if its operation succeeded, or crashed and one of its messages was polled; polls prove what is in the log whatever their own outcome,
//! because a broker only delivers committed messages. Offsets are compared by rank: gaps are taken by records that clients do not see.
//!
//! A process that subscribes shares partitions with its consumer group, and a rebalance may move its position. So what it skips or polls again is
//! only counted: always between operations; within one operation unless the clients record rebalances as steps `[rebalance [k …]]` that do not
//! name the key. A process that assigns itself partitions, or does neither, reads alone.
//!
//! A message that was never polled is lost if a later one of its log was, and no crashed poll of a subscribed process, whose result is unknown, may
//! have consumed it. If no later one was polled, the consumers may not have got that far.
//!
//! Options: `drained`, whether every log was polled to its end (false: unpolled messages are a doubt; Jepsen's checker assumes true);
//! `crashed-polls-consume`, whether a crashed poll of a subscribed process may have consumed messages (true; false in Jepsen's checker);
//! `exactly-once`, whether the redelivery of a message to a subscribed process is an anomaly (false). Cycles between transactions are checked by the
//! transactional checkers.

mod log;
mod positions;
mod steps;
mod visibility;

use super::{Description, Evidence, Invariant, Part, Report, Shape, Word};
use crate::options::{BuildError, OptionEntry, OptionValues};
use log::Log;
use steps::Steps;

/// The checker for partitioned logs.
#[derive(Clone, Copy, Debug)]
pub struct Kafka {
    /// Whether every log was polled to its end.
    pub drained: bool,
    /// Whether a crashed poll of a subscribed process may have consumed messages.
    pub crashed_polls_consume: bool,
    /// Whether the redelivery of a message to a subscribed process is an anomaly.
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
const INPUT: Shape = Shape::List(&Shape::Either(&[SEND, Shape::Tuple(&[Shape::Text(&["poll"])])]));
const OUTPUT: Shape = Shape::List(&Shape::Either(&[
    SEND,
    Shape::Tuple(&[Shape::Text(&["poll"]), POLLED]),
    Shape::Tuple(&[Shape::Text(&["poll"])]),
    Shape::Tuple(&[Shape::Text(&["rebalance"]), KEYS]),
]));

impl Invariant for Kafka {
    const DESCRIPTION: Description = Description {
        name: "kafka",
        about: "whether partitioned logs have no lost, duplicate, reordered or phantom messages, for producers, consumers and groups",
        proves: "every acknowledged message was polled in log order, and no phantom",
        source: "jepsen.tests.kafka",
        vocabulary: &[
            Word { f: "send", input: INPUT, output: OUTPUT },
            Word { f: "poll", input: INPUT, output: OUTPUT },
            Word { f: "txn", input: INPUT, output: OUTPUT },
            Word { f: "assign", input: KEYS, output: Shape::Any },
            Word { f: "subscribe", input: KEYS, output: Shape::Any },
            Word { f: "crash", input: Shape::Any, output: Shape::Any },
            Word { f: "debug-topic-partitions", input: Shape::Any, output: Shape::Any },
        ],
        anomalies: &[
            ("lost-write", "a committed message was never polled, although a later one of its log was"),
            ("G1a", "a message was polled whose send failed (aborted read)"),
            ("unexpected", "a message was polled that was never sent (phantom)"),
            ("precommitted-read", "a transaction polled a message that it sent itself"),
            ("inconsistent-offsets", "one offset of a log has several messages"),
            ("duplicate", "one message is at several offsets of a log"),
            ("poll-skip", "a consumer's next poll skipped messages of a log"),
            ("nonmonotonic-poll", "a consumer's next poll returned a message at or before one that it had polled"),
            ("int-poll-skip", "a single operation skipped messages of a log"),
            ("int-nonmonotonic-poll", "a single operation polled a log out of order"),
            ("nonmonotonic-send", "a message of a producer is in the log before one that it had sent earlier"),
            ("int-nonmonotonic-send", "the messages sent by a single operation are in the log in another order"),
            ("unseen", "a committed message was never polled, although every log was polled to its end"),
            ("reconsumed", "a message was redelivered to a subscribed process (only with the option `exactly-once`)"),
        ],
        options: &[
            OptionEntry::flag("drained", "false")
                .about("whether every log was polled to its end, so that messages that were not polled are lost"),
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
            report.doubt("no message was polled");
        }
        let log = Log::new(part, &steps);
        log.report(part, &steps, report);
        visibility::judge(self, part, &steps, &log, report);
        positions::judge(self, part, &steps, &log, report);
        report.count("messages", steps.messages.len() as u64);
        report.count("partitions", steps.keys.len() as u64);
    }
}
