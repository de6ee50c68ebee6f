//! Builds events from the fields of a map, in any format.

use crate::exchange::nodes::NodeNames;
use crate::exchange::scanner::Scan;
use crate::exchange::scanner::Scanner;
use crate::{Event, Kind, Nanos, Process, Symbol, Value};

/// A cache of function names, which avoids most accesses to the global symbol table shared by all threads.
#[derive(Default)]
pub(super) struct FunctionCache {
    known: Vec<Symbol>,
}

/// The size of the cache: histories have few functions.
const CACHED_FUNCTIONS: usize = 32;

impl FunctionCache {
    pub(super) fn symbol(&mut self, name: &str) -> Symbol {
        if let Some(&known) = self.known.iter().find(|known| known.as_str() == name) {
            return known;
        }
        let symbol = Symbol::intern(name);
        if self.known.len() < CACHED_FUNCTIONS {
            self.known.push(symbol);
        }
        symbol
    }
}

/// The names collected while the events of a text are parsed.
#[derive(Default)]
pub(super) struct Names {
    pub(super) functions: FunctionCache,
    pub(super) nodes: NodeNames,
}

/// An event under construction.
#[derive(Default)]
pub(super) struct EventBuilder {
    time: Nanos,
    process: Option<Process>,
    kind: Option<Kind>,
    f: Option<Symbol>,
    key: Option<Value>,
    value: Value,
    error: Option<Box<str>>,
    /// The node's name; it is numbered only when the event is complete, so that skipped events leave no trace.
    node: Option<Value>,
}

impl EventBuilder {
    /// Sets a field. Unknown names and nil fields are ignored.
    pub(super) fn set(&mut self, name: &str, datum: Value, names: &mut Names) -> Result<(), String> {
        match name {
            "type" => self.kind = Some(kind(&datum)?),
            "process" => self.process = Some(process(&datum)?),
            // Jepsen writes -1 for events without a time.
            "time" => self.time = Nanos(datum.as_int().and_then(|time| u64::try_from(time).ok()).unwrap_or(0)),
            "value" => self.value = datum,
            _ if datum.is_nil() => {}
            "f" => {
                self.f = Some(match &datum {
                    Value::Text(name) => names.functions.symbol(name),
                    other => names.functions.symbol(&other.to_string()),
                })
            }
            "key" => self.key = Some(datum),
            "error" => self.error = Some(plain(&datum).into()),
            "node" => self.node = Some(datum),
            _ => {}
        }
        Ok(())
    }

    /// Returns the event, or the message of `missing` for a required field that is missing.
    pub(super) fn finish(self, names: &mut Names, missing: impl Fn(&str) -> String) -> Result<Event, String> {
        let process = self.process.ok_or_else(|| missing("process"))?;
        let kind = self.kind.ok_or_else(|| missing("type"))?;
        let node = match &self.node {
            Some(Value::Text(name)) => Some(names.nodes.index(name)?),
            Some(other) => Some(names.nodes.index(&other.to_string())?),
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

/// Turns an error message into a parse error at a position.
pub(super) fn at_position<T>(scanner: &Scanner<'_>, at: usize, result: Result<T, String>) -> Scan<T> {
    result.or_else(|message| scanner.error_at(at, message))
}

/// Parses an event type.
pub(super) fn kind(datum: &Value) -> Result<Kind, String> {
    datum
        .as_text()
        .and_then(Kind::parse)
        .ok_or_else(|| format!("unknown event type `{}`; expected :invoke, :ok, :fail or :info", plain(datum)))
}

/// Parses a process: a number or the nemesis.
pub(super) fn process(datum: &Value) -> Result<Process, String> {
    match datum {
        Value::Int(id) => u32::try_from(*id)
            .ok()
            .filter(|id| *id < u32::MAX)
            .map(Process::Client)
            .ok_or_else(|| format!("invalid process {id}; expected a number from 0 to 4294967294, or :nemesis")),
        // Other words must not pass for the nemesis: a client's operations would not be checked.
        Value::Text(word) if word == "nemesis" => Ok(Process::Nemesis),
        other => Err(format!("invalid process {other}; expected a number or :nemesis")),
    }
}

/// Formats a datum, without quotes if it is text.
fn plain(datum: &Value) -> String {
    datum.as_text().map_or_else(|| datum.to_string(), str::to_owned)
}
