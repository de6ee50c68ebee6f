//! Jepsen's EDN histories.
//!
//! Of EDN, what histories contain: nil, booleans, numbers, strings, characters, keywords, symbols, lists, vectors, sets, maps, tags (dropped, their
//! datum kept), comments and `#_` discards. Events are built straight from the text, without a tree of the whole file.

mod reader;

use std::io::{self, Write};

use super::SyntaxError;
use super::json::node_index;
use crate::{Event, History, Kind, Nanos, Process, Symbol, Value};
use reader::Reader;

/// Parses a history: event maps one after another, or one vector or list of them.
///
/// # Errors
/// At the first place that breaks EDN, or where a map is no event.
pub fn parse(bytes: &[u8]) -> Result<History, SyntaxError> {
    let mut reader = Reader::new(bytes);
    let mut history = History::default();
    let close = reader.open_sequence()?;
    loop {
        match close {
            Some(close) if reader.close(close)? => {
                reader.expect_end()?;
                return Ok(history);
            }
            None if reader.at_end()? => return Ok(history),
            _ => {
                let event = event(&mut reader, &mut history.nodes)?;
                history.events.push(event);
            }
        }
    }
}

fn event(reader: &mut Reader<'_>, nodes: &mut Vec<String>) -> Result<Event, SyntaxError> {
    reader.open_map()?;
    let start = reader.place();
    let (mut kind, mut f, mut who) = (None, None, None);
    let (mut time, mut key, mut value, mut error, mut node) = (Nanos::ZERO, None, Value::Nil, None, None);
    while !reader.close(b'}')? {
        let name = reader.value()?;
        let at = reader.place();
        let datum = reader.value()?;
        match name.as_text().unwrap_or_default() {
            "type" => {
                let word = plain(&datum);
                kind =
                    Some(Kind::parse(&word).ok_or_else(|| {
                        reader.error_at(at, format!("`{word}` is no type of event; expected :invoke, :ok, :fail or :info"))
                    })?);
            }
            "f" => f = Some(Symbol::intern(&plain(&datum))),
            "process" => who = Some(process(&datum).map_err(|message| reader.error_at(at, message))?),
            "time" => time = Nanos(datum.as_int().and_then(|time| u64::try_from(time).ok()).unwrap_or(0)),
            "key" => key = Some(datum),
            "value" => value = datum,
            "error" => error = Some(plain(&datum).into()),
            "node" => node = Some(node_index(nodes, &plain(&datum))),
            _ => {}
        }
    }
    let missing = |what: &str| reader.error_at(start, format!("this map is no event: it has no {what}"));
    Ok(Event {
        time,
        process: who.ok_or_else(|| missing(":process"))?,
        kind: kind.ok_or_else(|| missing(":type"))?,
        f: f.unwrap_or(Symbol::of("")),
        key,
        value,
        error,
        node,
    })
}

/// The process that a datum names: a number, or a word for the nemesis.
pub(super) fn process(datum: &Value) -> Result<Process, String> {
    match datum {
        Value::Int(id) => u32::try_from(*id)
            .ok()
            .filter(|id| *id < u32::MAX)
            .map(Process::Client)
            .ok_or_else(|| format!("{id} is no process; expected a number from 0 to 4294967294, or :nemesis")),
        Value::Text(_) => Ok(Process::Nemesis),
        other => Err(format!("{other} is no process; expected a number or :nemesis")),
    }
}

/// A datum as text, without quotes where it is text already.
pub(super) fn plain(datum: &Value) -> String {
    datum.as_text().map_or_else(|| datum.to_string(), str::to_owned)
}

/// Writes a history as EDN, an event a line. Text values are written as strings, never keywords.
///
/// # Errors
/// When the sink refuses.
pub fn write(history: &History, mut sink: impl Write) -> io::Result<()> {
    for (index, event) in history.events.iter().enumerate() {
        let process = match event.process {
            Process::Client(id) => id.to_string(),
            Process::Nemesis => ":nemesis".to_owned(),
        };
        write!(sink, "{{:index {index}, :time {}, :process {process}, :type :{}, :f :{}", event.time.0, event.kind.as_str(), event.f)?;
        if let Some(key) = &event.key {
            write!(sink, ", :key {key}")?;
        }
        write!(sink, ", :value {}", event.value)?;
        if let Some(error) = &event.error {
            write!(sink, ", :error {error:?}")?;
        }
        if let Some(node) = event.node {
            write!(sink, ", :node {:?}", history.node_name(node))?;
        }
        writeln!(sink, "}}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::{self, json};

    const JEPSEN: &str = r#"
        [{:type :invoke, :f :txn, :value [[:append 3 1] [:r 3 nil]], :process 0, :time 10, :index 0}
         #jepsen.history.Op{:index 1, :time 12, :type :ok, :process 0, :f :txn, :value [[:append 3 1] [:r 3 [1]]]}
         ; a comment
         {:process :nemesis, :type :info, :f :start, :value #{"n1"}, :error [:boom "x"]} #_ {:dropped 1}]"#;

    #[test]
    fn reads_jepsen() {
        let history = parse(JEPSEN.as_bytes()).unwrap();
        assert_eq!(history.events.len(), 3);
        assert_eq!(history.events[1].to_string(), r#"0 ok txn [["append" 3 1] ["r" 3 [1]]]"#);
        assert_eq!(history.events[2].process, Process::Nemesis);
        assert_eq!(history.events[2].error.as_deref(), Some(r#"["boom" "x"]"#));
    }

    #[test]
    fn both_formats_give_back_what_they_were_given() {
        let mut history = parse(JEPSEN.as_bytes()).unwrap();
        history.nodes = vec!["n1".into()];
        history.events[0].node = Some(crate::NodeIndex(0));
        history.events[0].key = Some(Value::Int(3));
        let (mut as_edn, mut as_json) = (Vec::new(), Vec::new());
        write(&history, &mut as_edn).unwrap();
        json::write(&history, &mut as_json).unwrap();
        assert_eq!(exchange::parse(&as_edn).unwrap(), history);
        assert_eq!(exchange::parse(&as_json).unwrap(), history);
    }

    #[test]
    fn errors_name_the_place() {
        let message = |text: &str| exchange::parse(text.as_bytes()).unwrap_err().to_string();
        assert_eq!(message("{:process 0\n :type :okay}"), "2:8: `okay` is no type of event; expected :invoke, :ok, :fail or :info");
        assert_eq!(message("{:process 0, :type :ok"), "1:23: the text ends inside a map; expected `}`");
        assert_eq!(message("{:type :ok}"), "1:2: this map is no event: it has no :process");
        assert_eq!(message("hello"), "1:1: expected an event, a map like {:process 0, :type :invoke, :f :read, :value nil}");
        assert_eq!(message("{\"process\": 0}"), "1:14: this line is no event: missing field `type`");
    }

    proptest::proptest! {
        #[test]
        fn garbage_is_an_error_not_a_panic(text in r#"[\[\]{}()#_:;"\\a-z0-9 \n.^-]{0,60}"#) {
            let _ = exchange::parse(text.as_bytes());
            let _ = exchange::parse(format!("{{:process 0 :type :ok :value {text}}}").as_bytes());
        }
    }
}
