//! Transactions as flat lists of sent and polled messages.

use std::borrow::Cow;

use elenchus_core::{Kind, Operation, Value};
use rustc_hash::{FxHashMap, FxHashSet};

use super::super::Part;
use super::super::interner::normalised_key;

/// One message of one partition.
pub(super) struct Message<'h> {
    /// The partition's number.
    pub(super) key: u32,
    pub(super) value: &'h Value,
    /// The first operation that sent it and did not fail, by position.
    pub(super) writer: Option<u32>,
    /// An operation that sent it and failed.
    pub(super) failed: Option<u32>,
    /// The first successful operation that polled it.
    pub(super) reader: Option<u32>,
    /// Whether any operation polled it, whatever its outcome.
    pub(super) is_polled: bool,
}

/// A message's value as a hash key; integers are stored inline, without a pointer to follow.
#[derive(PartialEq, Eq, Hash)]
enum Name<'h> {
    Int(i64),
    Other(&'h Value),
}

impl<'h> Name<'h> {
    fn of(value: &'h Value) -> Name<'h> {
        value.as_int().map_or(Name::Other(value), Name::Int)
    }
}

/// The numbers of messages, by partition and value.
type Known<'h> = FxHashMap<(u32, Name<'h>), u32>;

/// A message as one operation sent or polled it.
#[derive(Clone, Copy)]
pub(super) struct Seen {
    pub(super) message: u32,
    pub(super) sends: bool,
    pub(super) offset: Option<i64>,
}

/// All sent and polled messages, in order of invocation.
#[derive(Default)]
pub(super) struct Steps<'h> {
    pub(super) seen: Vec<Seen>,
    /// The start of each operation's steps, and the total at the end.
    starts: Vec<u32>,
    pub(super) messages: Vec<Message<'h>>,
    /// The names of partitions.
    pub(super) keys: Vec<Cow<'h, Value>>,
    /// The partitions that clients recorded as rebalanced, each with the operation during which it happened, in order of operations.
    moved: Vec<(u32, &'h Value)>,
    numbers: FxHashMap<Cow<'h, Value>, u32>,
}

/// Returns the value recorded at an operation's completion, also if it failed or crashed; otherwise its argument.
fn recorded_value<'h>(part: &Part<'h>, operation: &Operation<'h>) -> &'h Value {
    let recorded = operation.completed.and_then(|completed| part.history.events.get(completed.0 as usize));
    recorded.map(|event| &event.value).filter(|value| value.as_list().is_some()).unwrap_or(operation.input)
}

/// Returns whether an operation sends or polls.
pub(super) fn is_transaction(operation: &Operation<'_>) -> bool {
    matches!(operation.f.as_str(), "send" | "poll" | "txn")
}

/// Returns the steps of an operation: the name and the arguments.
fn steps<'h>(part: &Part<'h>, operation: &Operation<'h>) -> impl Iterator<Item = (&'h str, &'h [Value])> {
    let steps = if is_transaction(operation) { recorded_value(part, operation).as_list().unwrap_or_default() } else { &[] };
    steps.iter().filter_map(|step| step.as_list()?.split_first()).filter_map(|(what, arguments)| Some((what.as_text()?, arguments)))
}

/// Returns whether an operation polled without recording the result.
pub(super) fn polls_without_result(part: &Part<'_>, operation: &Operation<'_>) -> bool {
    steps(part, operation).any(|(what, arguments)| what == "poll" && !matches!(arguments, [Value::Map(_)]))
}

impl<'h> Steps<'h> {
    /// Flattens all operations. O(total size of their values).
    pub(super) fn new(part: &Part<'h>) -> Steps<'h> {
        let mut all = Steps::default();
        let mut known = Known::default();
        for (at, operation) in (0_u32..).zip(&part.operations) {
            all.starts.push(all.seen.len() as u32);
            for (what, arguments) in steps(part, operation) {
                match (what, arguments) {
                    ("send", [key, value]) => {
                        let (offset, value) = match value.as_list() {
                            Some([offset, value]) => (offset.as_int(), value),
                            _ => (None, value),
                        };
                        all.add(&mut known, at, operation, key, value, offset, true);
                    }
                    ("poll", [Value::Map(partitions)]) => {
                        for (key, messages) in partitions {
                            for message in messages.as_list().unwrap_or_default() {
                                if let Some((offset, value)) = message.as_pair() {
                                    all.add(&mut known, at, operation, key, value, offset.as_int(), false);
                                }
                            }
                        }
                    }
                    ("rebalance", [keys, ..]) => all.moved.extend(keys.as_list().unwrap_or_default().iter().map(|key| (at, key))),
                    _ => {}
                }
            }
        }
        all.starts.push(all.seen.len() as u32);
        all
    }

    #[allow(clippy::too_many_arguments)]
    fn add(
        &mut self,
        known: &mut Known<'h>,
        at: u32,
        operation: &Operation<'h>,
        key: &'h Value,
        value: &'h Value,
        offset: Option<i64>,
        sends: bool,
    ) {
        let key = self.number(key);
        let messages = &mut self.messages;
        let message = *known.entry((key, Name::of(value))).or_insert_with(|| {
            messages.push(Message { key, value, writer: None, failed: None, reader: None, is_polled: false });
            messages.len() as u32 - 1
        });
        let entry = &mut messages[message as usize];
        match (sends, operation.kind) {
            (true, Kind::Fail) => entry.failed = Some(at),
            (true, _) => {
                entry.writer.get_or_insert(at);
            }
            (false, kind) => {
                entry.is_polled = true;
                if kind == Kind::Ok {
                    entry.reader.get_or_insert(at);
                }
            }
        }
        self.seen.push(Seen { message, sends, offset });
    }

    fn number(&mut self, key: &'h Value) -> u32 {
        let key = normalised_key(key);
        if let Some(number) = self.numbers.get(&key) {
            return *number;
        }
        self.keys.push(key.clone());
        self.numbers.insert(key, self.keys.len() as u32 - 1);
        self.keys.len() as u32 - 1
    }

    /// Returns the number of a partition, if it has messages.
    pub(super) fn find(&self, key: &Value) -> Option<u32> {
        self.numbers.get(&normalised_key(key)).copied()
    }

    /// Returns whether any client records rebalances.
    pub(super) fn records_rebalances(&self) -> bool {
        !self.moved.is_empty()
    }

    /// Returns the partitions that were rebalanced during an operation.
    pub(super) fn moved(&self, operation: usize) -> FxHashSet<u32> {
        let from = self.moved.partition_point(|(at, _)| (*at as usize) < operation);
        self.moved[from..].iter().take_while(|(at, _)| *at as usize == operation).filter_map(|(_, key)| self.find(key)).collect()
    }

    /// Returns the messages that one operation sent and polled, in order.
    pub(super) fn of(&self, operation: usize) -> &[Seen] {
        &self.seen[self.starts[operation] as usize..self.starts[operation + 1] as usize]
    }

    /// Returns the message that was seen.
    pub(super) fn message(&self, seen: &Seen) -> &Message<'h> {
        &self.messages[seen.message as usize]
    }

    /// Returns the first operation that saw a message, at `offset` if given.
    pub(super) fn witness<'a>(&self, part: &'a Part<'h>, message: u32, offset: Option<i64>) -> Option<&'a Operation<'h>> {
        let sees = |seen: &Seen| seen.message == message && (offset.is_none() || seen.offset == offset);
        (0..part.operations.len()).find(|&at| self.of(at).iter().any(sees)).map(|at| &part.operations[at])
    }

    /// Describes a message: `5 in partition 3`.
    pub(super) fn describe(&self, message: u32) -> String {
        use super::super::report::short;
        let Message { key, value, .. } = &self.messages[message as usize];
        format!("{} in partition {}", short(*value), short(self.keys[*key as usize].as_ref()))
    }
}
