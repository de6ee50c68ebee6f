//! FIFO per producer: the messages of one producer are delivered in the order in which it enqueued them.
//!
//! The guarantee of most message brokers, weaker than one total order. A producer is a process, which invokes one operation at a time, so its order
//! is certain. Two messages are reordered if the later one was delivered before the dequeue of the earlier one was invoked: in real time over all
//! consumers (`order: queue`), or at one consumer (`order: consumer`). If a message is delivered more than once, its first delivery counts. An
//! acknowledged message that was never delivered while a later one of the same producer was is skipped, unless a crashed dequeue may have removed it.
//!
//! Options: `order` (queue); `crashed-dequeues-take`, whether a crashed dequeue may have removed a message (true).

use elenchus_core::{EventIndex, Kind, Operation, Process};
use rustc_hash::FxHashMap;

use super::elements::Elements;
use super::real_time::end;
use super::report::short;
use super::total_queue::{VOCABULARY, dequeued, max_removed_by_crashes};
use super::{Description, Evidence, Invariant, Part, Report};
use crate::options::{BuildError, OptionEntry, OptionValues};

/// The delivery order that must agree with the producers' order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeliveryOrder {
    /// Real-time order over all consumers.
    #[default]
    Queue,
    /// The order at each consumer.
    Consumer,
}

/// The checker for FIFO order per producer.
#[derive(Clone, Copy, Debug)]
pub struct Fifo {
    /// The delivery order that is checked.
    pub order: DeliveryOrder,
    /// Whether a crashed dequeue may have removed a message.
    pub crashed_dequeues_take: bool,
}

impl Default for Fifo {
    fn default() -> Fifo {
        Fifo { order: DeliveryOrder::Queue, crashed_dequeues_take: true }
    }
}

/// A message that may have been enqueued, and its first delivery.
struct Message {
    enqueue: u32,
    /// The delivery that was invoked first: its invocation, operation and position among the elements of that operation.
    invoked: Option<(EventIndex, u32, u32)>,
    /// The delivery that completed first.
    completed: Option<(EventIndex, u32)>,
}

impl Invariant for Fifo {
    const DESCRIPTION: Description = Description {
        name: "fifo",
        about: "whether the messages of each producer are dequeued in the order in which it enqueued them",
        proves: "the messages of every producer were dequeued in order",
        source: "the ordering guarantee of message brokers, for example AMQP 0-9-1, section 4.7",
        vocabulary: VOCABULARY,
        anomalies: &[
            ("reordered", "a message was dequeued after a later one of the same producer"),
            ("skipped", "an acknowledged message was never dequeued, but a later one of the same producer was"),
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
            report.doubt(format!(
                "{} was enqueued more than once, so its order is ambiguous; enqueue unique values",
                short(elements.interner.value(id))
            ));
            return;
        }
        let mut messages: Vec<Message> = Vec::with_capacity(elements.len());
        let mut of_element = vec![u32::MAX; elements.len()];
        let mut producers: FxHashMap<Process, Vec<u32>> = FxHashMap::default();
        for (at, enqueue) in operations.iter().enumerate().filter(|(_, it)| it.f == "enqueue" && it.kind != Kind::Fail) {
            if let Some(id) = elements.interner.find(enqueue.input) {
                of_element[id] = messages.len() as u32;
                producers.entry(enqueue.process).or_default().push(messages.len() as u32);
                messages.push(Message { enqueue: at as u32, invoked: None, completed: None });
            }
        }
        for (at, operation) in (0_u32..).zip(operations) {
            for (place, value) in (0_u32..).zip(dequeued(operation)) {
                let message = elements.interner.find(value).and_then(|id| messages.get_mut(of_element[id] as usize));
                if let Some(message) = message {
                    message.invoked.get_or_insert((operation.invoked, at, place));
                    if message.completed.is_none_or(|(earliest, _)| end(operation) < earliest) {
                        message.completed = Some((end(operation), at));
                    }
                }
            }
        }
        if operations.iter().all(|operation| dequeued(operation).is_empty()) {
            report.doubt("no message was dequeued");
        }
        let mut producers: Vec<Vec<u32>> = producers.into_values().collect();
        producers.sort_unstable();
        let mut skipped = Vec::new();
        for sent in &producers {
            self.reordered(operations, &messages, sent, report);
            let mut later = None;
            for &message in sent.iter().rev() {
                let Message { enqueue, completed, .. } = messages[message as usize];
                match (completed, later) {
                    (Some((_, by)), _) => later = Some(by),
                    (None, Some(by)) if operations[enqueue as usize].kind == Kind::Ok => skipped.push((enqueue, by)),
                    (None, _) => {}
                }
            }
        }
        let last = skipped.iter().map(|(_, by)| end(&operations[*by as usize])).max().unwrap_or(EventIndex(0));
        let crashed = if self.crashed_dequeues_take { max_removed_by_crashes(operations, last) } else { 0 };
        if (skipped.len() as u64) <= crashed && !skipped.is_empty() {
            report.doubt(format!("{} messages were skipped, but crashed dequeues may have removed them", skipped.len()));
            return;
        }
        for (enqueue, by) in skipped.into_iter().skip(crashed as usize) {
            let (enqueue, by) = (&operations[enqueue as usize], &operations[by as usize]);
            report.found("skipped", || {
                let description = format!("{} was never dequeued, but a later message of its producer was.", short(enqueue.input));
                let later = operations
                    .iter()
                    .find(|it| it.process == enqueue.process && it.invoked > enqueue.invoked && dequeued(by).contains(it.input));
                Evidence::new(description, [enqueue, by].into_iter().chain(later))
            });
        }
    }
}

impl Fifo {
    /// Reports the messages of a producer that were dequeued after a later one.
    fn reordered(&self, operations: &[Operation<'_>], messages: &[Message], sent: &[u32], report: &mut Report) {
        // Of the later messages: the one whose delivery completed first; at each consumer, the one whose delivery was invoked first.
        let mut first: Option<(EventIndex, u32, u32)> = None;
        let mut at_consumer: FxHashMap<Process, (EventIndex, u32, u32, u32)> = FxHashMap::default();
        // Within one drain: the position of the first later message.
        let mut in_drain: FxHashMap<u32, (u32, u32)> = FxHashMap::default();
        for &number in sent.iter().rev() {
            let Message { enqueue, invoked, completed } = messages[number as usize];
            let (Some((invoked, dequeue, place)), Some((completed, completing))) = (invoked, completed) else {
                continue;
            };
            let consumer = operations[dequeue as usize].process;
            let before = match self.order {
                DeliveryOrder::Queue => first.filter(|(end, ..)| *end < invoked).map(|(_, number, by)| (number, by)),
                DeliveryOrder::Consumer => {
                    at_consumer.get(&consumer).filter(|first| (first.0, first.1) < (invoked, place)).map(|first| (first.2, first.3))
                }
            };
            let same_drain = in_drain.get(&dequeue).filter(|(first, _)| *first < place).map(|(_, number)| (*number, dequeue));
            if let Some((later, by)) = before.or(same_drain) {
                report.found("reordered", || {
                    let proof = [enqueue, messages[later as usize].enqueue, by, dequeue].map(|at| &operations[at as usize]);
                    let description = format!(
                        "{} was dequeued after {}, which its producer enqueued later.",
                        short(proof[0].input),
                        short(proof[1].input)
                    );
                    Evidence::new(description, proof)
                });
            }
            if first.is_none_or(|(end, ..)| completed < end) {
                first = Some((completed, number, completing));
            }
            if self.order == DeliveryOrder::Consumer {
                let entry = at_consumer.entry(consumer).or_insert((invoked, place, number, dequeue));
                if (invoked, place) < (entry.0, entry.1) {
                    *entry = (invoked, place, number, dequeue);
                }
            }
            if operations[dequeue as usize].f == "drain" {
                let entry = in_drain.entry(dequeue).or_insert((place, number));
                if place < entry.0 {
                    *entry = (place, number);
                }
            }
        }
    }
}
