//! JSON lines: one event a line.

use std::io::{self, Write};

use serde::{Deserialize, Serialize};

use super::SyntaxError;
use crate::{Event, History, Kind, Nanos, NodeIndex, Process, Symbol, Value};

/// An event as one line of JSON has it.
#[derive(Serialize, Deserialize)]
struct Line {
    #[serde(default)]
    time: u64,
    /// A number, or `"nemesis"`.
    process: Value,
    #[serde(rename = "type")]
    kind: Kind,
    f: Symbol,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<Value>,
    #[serde(default)]
    value: Value,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    error: Option<Value>,
    /// The node's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    node: Option<String>,
}

/// Parses JSON lines. Empty lines are skipped.
///
/// # Errors
/// At the first line that is no event.
pub fn parse(bytes: &[u8]) -> Result<History, SyntaxError> {
    let mut history = History::default();
    for (number, line) in bytes.split(|&byte| byte == b'\n').enumerate() {
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let at = |column: usize, message: String| SyntaxError { line: number + 1, column: column.max(1), message };
        let line: Line = serde_json::from_slice(line).map_err(|error| {
            let text = error.to_string();
            let what = text.rsplit_once(" at line ").map_or(text.as_str(), |(what, _)| what);
            at(error.column(), format!("this line is no event: {what}"))
        })?;
        let event = line.into_event(&mut history.nodes).map_err(|message| at(1, message))?;
        history.events.push(event);
    }
    Ok(history)
}

/// Writes a history as JSON lines.
///
/// # Errors
/// When the sink refuses.
pub fn write(history: &History, mut sink: impl Write) -> io::Result<()> {
    for event in &history.events {
        let line = Line {
            time: event.time.0,
            process: match event.process {
                Process::Client(id) => Value::Int(i64::from(id)),
                Process::Nemesis => "nemesis".into(),
            },
            kind: event.kind,
            f: event.f,
            key: event.key.clone(),
            value: event.value.clone(),
            error: event.error.as_deref().map(Value::from),
            node: event.node.map(|node| history.node_name(node)),
        };
        serde_json::to_writer(&mut sink, &line)?;
        sink.write_all(b"\n")?;
    }
    Ok(())
}

impl Line {
    fn into_event(self, nodes: &mut Vec<String>) -> Result<Event, String> {
        Ok(Event {
            time: Nanos(self.time),
            process: super::edn::process(&self.process)?,
            kind: self.kind,
            f: self.f,
            key: self.key,
            value: self.value,
            error: self.error.map(|error| super::edn::plain(&error).into()),
            node: self.node.map(|name| node_index(nodes, &name)),
        })
    }
}

/// The index of a node's name, which is added where it is new.
pub(super) fn node_index(nodes: &mut Vec<String>, name: &str) -> NodeIndex {
    let at = nodes.iter().position(|known| known == name).unwrap_or_else(|| {
        nodes.push(name.to_owned());
        nodes.len() - 1
    });
    NodeIndex(at.min(usize::from(u16::MAX)) as u16)
}
