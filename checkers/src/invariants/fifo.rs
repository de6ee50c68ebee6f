//! FIFO per producer: the values of one producer come out in the order in which it put them in.
//!
//! The promise of most message brokers, weaker than one order for all. A producer is a process, which does one thing at a time, so its order
//! is certain. Two values are out of order where the later one had come out before the earlier one was asked for: in real time over all
//! consumers (`order: queue`), or at one consumer (`order: consumer`). When a value comes out more than once its first delivery counts. An
//! acknowledged value that never came out while a later one of the same producer did was skipped, unless a crashed dequeue may have taken it.
//!
//! Options: `order` (queue); `crashed-dequeues-take`, whether a crashed dequeue may have taken a value (true).

use elenchus_core::{EventIndex, Kind, Operation, Process};
use rustc_hash::FxHashMap;

use super::elements::Elements;
use super::order::end;
use super::report::short;
use super::total_queue::{VOCABULARY, takable, taken};
use super::{Description, Evidence, Invariant, Part, Report};
use crate::options::{BuildError, OptionEntry, OptionValues};

/// Whose order of deliveries is held against that of the producers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeliveryOrder {
    /// Real time, over all consumers.
    #[default]
    Queue,
    /// Each consumer's own.
    Consumer,
}

/// The checker of order per producer.
#[derive(Clone, Copy, Debug)]
pub struct Fifo {
    /// Whose order counts.
    pub order: DeliveryOrder,
    /// Whether a crashed dequeue may have taken a value.
    pub crashed_dequeues_take: bool,
}

impl Default for Fifo {
    fn default() -> Fifo {
        Fifo { order: DeliveryOrder::Queue, crashed_dequeues_take: true }
    }
}

/// One value that may have been enqueued, and its first delivery.
struct Message {
    enqueue: u32,
    /// The delivery that was asked for first: which operation, and where among what it took.
    asked: Option<(EventIndex, u32, u32)>,
    /// The delivery that ended first.
    ended: Option<(EventIndex, u32)>,
}

impl Invariant for Fifo {
    const DESCRIPTION: Description = Description {
        name: "fifo",
        about: "whether the values of each producer are dequeued in the order in which it enqueued them",
        proves: "the values of every producer came out in its order",
        source: "the ordering guarantee of message brokers, for example AMQP 0-9-1, section 4.7",
        vocabulary: VOCABULARY,
        anomalies: &[
            ("reordered", "a value came out after a later one of the same producer"),
            ("skipped", "an acknowledged value never came out, but a later one of the same producer did"),
        ],
        options: &[
            OptionEntry::new("order", "`queue` or `consumer`")
                .default("queue")
                .example("\"consumer\"")
                .about("whether values leave the queue in order, or each consumer receives those of a producer in order"),
            OptionEntry::flag("crashed-dequeues-take", "true").about("whether a dequeue with an unknown outcome may have taken a value"),
        ],
        splits_by_key: true,
    };

    fn from_options(options: &OptionValues<'_>) -> Result<Fifo, BuildError> {
        let order = |word: &serde_json::Value| match word.as_str()? {
            "queue" => Some(DeliveryOrder::Queue),
            "consumer" => Some(DeliveryOrder::Consumer),
            _ => None,
        };
        let takes = options.flag("crashed-dequeues-take")?;
        Ok(Fifo { order: options.get("order", order)?.unwrap_or_default(), crashed_dequeues_take: takes.unwrap_or(true) })
    }

    fn judge(&self, part: &Part<'_>, report: &mut Report) {
        let operations = &part.operations;
        let elements = Elements::new(operations, "enqueue");
        if let Some(id) = (0..elements.len()).find(|&id| elements.of(id).possible > 1) {
            report.doubt(format!("{} was enqueued more than once, so that its order is not certain", short(elements.interner.value(id))));
            return;
        }
        let mut messages: Vec<Message> = Vec::with_capacity(elements.len());
        let mut of_element = vec![u32::MAX; elements.len()];
        let mut producers: FxHashMap<Process, Vec<u32>> = FxHashMap::default();
        for (at, enqueue) in operations.iter().enumerate().filter(|(_, it)| it.f == "enqueue" && it.kind != Kind::Fail) {
            if let Some(id) = elements.interner.find(enqueue.input) {
                of_element[id] = messages.len() as u32;
                producers.entry(enqueue.process).or_default().push(messages.len() as u32);
                messages.push(Message { enqueue: at as u32, asked: None, ended: None });
            }
        }
        for (at, operation) in (0_u32..).zip(operations) {
            for (place, value) in (0_u32..).zip(taken(operation)) {
                let message = elements.interner.find(value).and_then(|id| messages.get_mut(of_element[id] as usize));
                if let Some(message) = message {
                    message.asked.get_or_insert((operation.invoked, at, place));
                    if message.ended.is_none_or(|(earliest, _)| end(operation) < earliest) {
                        message.ended = Some((end(operation), at));
                    }
                }
            }
        }
        if operations.iter().all(|operation| taken(operation).is_empty()) {
            report.doubt("nothing was dequeued");
        }
        let mut producers: Vec<Vec<u32>> = producers.into_values().collect();
        producers.sort_unstable();
        let mut skipped = Vec::new();
        for sent in &producers {
            self.reordered(operations, &messages, sent, report);
            let mut later = None;
            for &message in sent.iter().rev() {
                let Message { enqueue, ended, .. } = messages[message as usize];
                match (ended, later) {
                    (Some((_, by)), _) => later = Some(by),
                    (None, Some(by)) if operations[enqueue as usize].kind == Kind::Ok => skipped.push((enqueue, by)),
                    (None, _) => {}
                }
            }
        }
        let last = skipped.iter().map(|(_, by)| end(&operations[*by as usize])).max().unwrap_or(EventIndex(0));
        let crashed = if self.crashed_dequeues_take { takable(operations, last) } else { 0 };
        if (skipped.len() as u64) <= crashed && !skipped.is_empty() {
            report.doubt(format!("{} values were passed over, but crashed dequeues may have taken them", skipped.len()));
            return;
        }
        for (enqueue, by) in skipped.into_iter().skip(crashed as usize) {
            let (enqueue, by) = (&operations[enqueue as usize], &operations[by as usize]);
            report.found("skipped", || {
                let description = format!("{} never came out, but what its producer enqueued later did.", short(enqueue.input));
                let later = operations
                    .iter()
                    .find(|it| it.process == enqueue.process && it.invoked > enqueue.invoked && taken(by).contains(it.input));
                Evidence::new(description, [enqueue, by].into_iter().chain(later))
            });
        }
    }
}

impl Fifo {
    /// Reports the values of a producer that came out after a later one.
    fn reordered(&self, operations: &[Operation<'_>], messages: &[Message], sent: &[u32], report: &mut Report) {
        // Of the later messages: the one that ended first; at each consumer, the one whose delivery was asked for first.
        let mut first: Option<(EventIndex, u32, u32)> = None;
        let mut at_consumer: FxHashMap<Process, (EventIndex, u32, u32, u32)> = FxHashMap::default();
        // Within one drain: the place of the first later message.
        let mut in_drain: FxHashMap<u32, (u32, u32)> = FxHashMap::default();
        for &number in sent.iter().rev() {
            let Message { enqueue, asked, ended } = messages[number as usize];
            let (Some((asked, taker, place)), Some((ended, ender))) = (asked, ended) else {
                continue;
            };
            let consumer = operations[taker as usize].process;
            let before = match self.order {
                DeliveryOrder::Queue => first.filter(|(end, ..)| *end < asked).map(|(_, number, by)| (number, by)),
                DeliveryOrder::Consumer => {
                    at_consumer.get(&consumer).filter(|first| (first.0, first.1) < (asked, place)).map(|first| (first.2, first.3))
                }
            };
            let same_drain = in_drain.get(&taker).filter(|(first, _)| *first < place).map(|(_, number)| (*number, taker));
            if let Some((later, by)) = before.or(same_drain) {
                report.found("reordered", || {
                    let proof = [enqueue, messages[later as usize].enqueue, by, taker].map(|at| &operations[at as usize]);
                    let description =
                        format!("{} came out after {}, which its producer enqueued later.", short(proof[0].input), short(proof[1].input));
                    Evidence::new(description, proof)
                });
            }
            if first.is_none_or(|(end, ..)| ended < end) {
                first = Some((ended, number, ender));
            }
            if self.order == DeliveryOrder::Consumer {
                let entry = at_consumer.entry(consumer).or_insert((asked, place, number, taker));
                if (asked, place) < (entry.0, entry.1) {
                    *entry = (asked, place, number, taker);
                }
            }
            if operations[taker as usize].f == "drain" {
                let entry = in_drain.entry(taker).or_insert((place, number));
                if place < entry.0 {
                    *entry = (place, number);
                }
            }
        }
    }
}
