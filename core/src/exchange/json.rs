//! JSON: one event per line, or one array of events.

mod reader;

use std::io::{self, Write};

use serde::Serialize;

use super::event_builder::{EventBuilder, Names, at_position};
use super::event_parser::{EventParser, Scope};
use super::scanner::{Scan, Scanner};
use crate::{Event, History, Kind, Process, Symbol, Value};
pub(super) use reader::JsonReader;

impl<'t> EventParser<'t> for JsonReader<'t> {
    fn scanner(&mut self) -> &mut Scanner<'t> {
        &mut self.scanner
    }

    /// Parses a sequence of objects, or one array of them. Commas between events are optional.
    fn next_event(&mut self, scope: &mut Scope, names: &mut Names) -> Scan<Option<Event>> {
        self.next_mark();
        if *scope == Scope::Start && self.scanner.peek().is_some() {
            *scope = if self.scanner.accept(b'[') { Scope::Within(b']') } else { Scope::Bare };
        }
        if let Scope::Within(close) = *scope {
            self.next_mark();
            self.scanner.accept(b',');
            self.next_mark();
            if self.scanner.accept(close) {
                *scope = Scope::Over;
            }
        }
        self.next_mark();
        self.scanner.event_start = self.scanner.at;
        match self.scanner.peek() {
            None => Ok(None),
            Some(_) if *scope == Scope::Over => self.scanner.error("unexpected text after the end of the history"),
            Some(_) => self.event(names).map(Some),
        }
    }
}

impl JsonReader<'_> {
    fn event(&mut self, names: &mut Names) -> Scan<Event> {
        let start = self.scanner.at;
        if !self.scanner.accept(b'{') {
            return self.scanner.error(r#"expected an event, an object like {"process": 0, "type": "invoke", "f": "read", "value": null}"#);
        }
        let mut builder = EventBuilder::default();
        if self.next_mark() == Some(b'}') {
            self.scanner.at += 1;
        } else {
            loop {
                let name = self.name()?;
                let at = self.scanner.at;
                let datum = self.value(0)?;
                at_position(&self.scanner, at, builder.set(&name, datum, names))?;
                if self.is_closed_by(b'}', "an object")? {
                    break;
                }
            }
        }
        let event = builder.finish(names, |missing| format!("this event has no \"{missing}\""));
        at_position(&self.scanner, start, event)
    }
}

/// The JSON representation of an event.
#[derive(Serialize)]
struct Line<'e> {
    time: u64,
    /// A number, or `"nemesis"`.
    process: Value,
    #[serde(rename = "type")]
    kind: Kind,
    f: Symbol,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'e Value>,
    value: &'e Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'e str>,
    /// The node's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    node: Option<String>,
}

/// Writes a history as JSON lines. JSON cannot represent everything: keys of maps become text, and non-finite numbers become null.
///
/// # Errors
/// When writing to the sink fails.
pub fn write(history: &History, mut sink: impl Write) -> io::Result<()> {
    for event in &history.events {
        write_event(event, event.node.map(|node| history.node_name(node)), &mut sink)?;
    }
    Ok(())
}

/// Writes one event as a line of JSON, with the name of its node, if it has one.
///
/// # Errors
/// When writing to the sink fails.
pub fn write_event(event: &Event, node: Option<String>, mut sink: impl Write) -> io::Result<()> {
    let line = Line {
        time: event.time.0,
        process: match event.process {
            Process::Client(id) => Value::Int(i64::from(id)),
            Process::Nemesis => "nemesis".into(),
        },
        kind: event.kind,
        f: event.f,
        key: event.key.as_ref(),
        value: &event.value,
        error: event.error.as_deref(),
        node,
    };
    serde_json::to_writer(&mut sink, &line)?;
    sink.write_all(b"\n")
}

#[cfg(test)]
mod tests {
    use crate::exchange::parse;

    #[test]
    fn lines_and_arrays_are_equivalent() {
        let events = [
            r#"{"process": 0, "type": "invoke", "f": "write", "key": "x", "value": [1, -2.5, {"a": [true, false, null]}], "time": 7, "other": {}}"#,
            r#"{"process":"nemesis","type":"info","f":"start","value":"\ud83d\ude00\u00e9\n\"\\\/","node":"n1","error":null}"#,
        ];
        let lines = parse(events.join("\n").as_bytes()).unwrap();
        assert_eq!(lines.events[0].to_string(), r#"0 invoke write "x" [1 -2.5 {"a" [true false nil]}]"#);
        assert_eq!(lines.events[1].value.as_text(), Some("😀é\n\"\\/"));
        assert_eq!(lines.events[1].error, None);
        let array = parse(format!(" [{}]\n", events.join(" ,\n")).as_bytes()).unwrap();
        assert_eq!(array, lines);
    }

    #[test]
    fn errors_have_a_position() {
        let message = |text: &str| parse(text.as_bytes()).unwrap_err().to_string();
        assert_eq!(message(r#"{"process": 0}"#), r#"1:1: this event has no "type""#);
        assert_eq!(message("{\"process\": 0,\n \"type\": \"ok\""), "2:14: the text ends inside an object; expected `,` or `}`");
        assert_eq!(message("{\"process\": 0\n{"), "2:1: expected `,` or `}`");
        assert_eq!(message(r#"{"type": "ok"#), "1:10: unterminated string; expected a closing `\"`");
        assert_eq!(message(r#"{"type": "okay"}"#), "1:10: unknown event type `okay`; expected :invoke, :ok, :fail or :info");
        assert_eq!(message(r#"[{"type": nul}]"#), "1:11: invalid value `nul`; expected true, false or null");
        assert_eq!(message(r#"{"value": 18446744073709551616}"#), "1:11: 18446744073709551616 does not fit a signed 64-bit integer");
        assert_eq!(message("{\"value\": \"\x01\"}"), "1:12: unescaped control character in a string; expected an escape like `\\u0000`");
    }
}
