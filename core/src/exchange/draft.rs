//! Events under construction: what each field of an event's map means, whatever the format.

use crate::exchange::nodes::NodeNames;
use crate::exchange::scanner::Scan;
use crate::exchange::scanner::Scanner;
use crate::{Event, Kind, Nanos, Process, Symbol, Value};

/// The names of functions that were met, so that few events ask the table of all symbols, which threads share.
#[derive(Default)]
pub(super) struct Functions {
    known: Vec<Symbol>,
}

/// Histories have a handful of functions.
const FUNCTIONS_KEPT: usize = 32;

impl Functions {
    pub(super) fn symbol(&mut self, name: &str) -> Symbol {
        if let Some(&known) = self.known.iter().find(|known| known.as_str() == name) {
            return known;
        }
        let symbol = Symbol::intern(name);
        if self.known.len() < FUNCTIONS_KEPT {
            self.known.push(symbol);
        }
        symbol
    }
}

/// What is known while a text's events are read.
#[derive(Default)]
pub(super) struct Vocabulary {
    pub(super) functions: Functions,
    pub(super) nodes: NodeNames,
}

/// An event whose fields come one by one.
#[derive(Default)]
pub(super) struct Draft {
    time: Nanos,
    process: Option<Process>,
    kind: Option<Kind>,
    f: Option<Symbol>,
    key: Option<Value>,
    value: Value,
    error: Option<Box<str>>,
    /// Its name, which is numbered only when the event is whole: nothing is to be seen of events that make no sense.
    node: Option<Value>,
}

impl Draft {
    /// Takes a field. Names that mean nothing here are passed over, as are fields that are nil.
    pub(super) fn set(&mut self, name: &str, datum: Value, vocabulary: &mut Vocabulary) -> Result<(), String> {
        match name {
            "type" => self.kind = Some(kind(&datum)?),
            "process" => self.process = Some(process(&datum)?),
            // Jepsen gives -1 to events without a time.
            "time" => self.time = Nanos(datum.as_int().and_then(|time| u64::try_from(time).ok()).unwrap_or(0)),
            "value" => self.value = datum,
            _ if datum.is_nil() => {}
            "f" => {
                self.f = Some(match &datum {
                    Value::Text(name) => vocabulary.functions.symbol(name),
                    other => vocabulary.functions.symbol(&other.to_string()),
                })
            }
            "key" => self.key = Some(datum),
            "error" => self.error = Some(plain(&datum).into()),
            "node" => self.node = Some(datum),
            _ => {}
        }
        Ok(())
    }

    /// The event, if nothing is missing; `missing` says in the format's words what is.
    pub(super) fn finish(self, vocabulary: &mut Vocabulary, missing: impl Fn(&str) -> String) -> Result<Event, String> {
        let process = self.process.ok_or_else(|| missing("process"))?;
        let kind = self.kind.ok_or_else(|| missing("type"))?;
        let node = match &self.node {
            Some(Value::Text(name)) => Some(vocabulary.nodes.index(name)?),
            Some(other) => Some(vocabulary.nodes.index(&other.to_string())?),
            None => None,
        };
        Ok(Event {
            time: self.time,
            process,
            kind,
            f: self.f.unwrap_or(Symbol::of("")),
            key: self.key,
            value: self.value,
            error: self.error,
            node,
        })
    }
}

/// Turns a message about the datum at a position into a fault there.
pub(super) fn place<T>(scanner: &Scanner<'_>, at: usize, result: Result<T, String>) -> Scan<T> {
    result.or_else(|message| scanner.fault_at(at, message))
}

/// The kind that a word names.
pub(super) fn kind(datum: &Value) -> Result<Kind, String> {
    datum
        .as_text()
        .and_then(Kind::parse)
        .ok_or_else(|| format!("`{}` is no type of event; expected :invoke, :ok, :fail or :info", plain(datum)))
}

/// The process that a datum names: a number, or the nemesis.
pub(super) fn process(datum: &Value) -> Result<Process, String> {
    match datum {
        Value::Int(id) => u32::try_from(*id)
            .ok()
            .filter(|id| *id < u32::MAX)
            .map(Process::Client)
            .ok_or_else(|| format!("{id} is no process; expected a number from 0 to 4294967294, or :nemesis")),
        // Taking any other word for the nemesis would leave a client's operations out of what is judged.
        Value::Text(word) if word == "nemesis" => Ok(Process::Nemesis),
        other => Err(format!("{other} is no process; expected a number or :nemesis")),
    }
}

/// A datum as text, without quotes where it is text already.
fn plain(datum: &Value) -> String {
    datum.as_text().map_or_else(|| datum.to_string(), str::to_owned)
}
