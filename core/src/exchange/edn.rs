//! Jepsen's EDN histories.
//!
//! Supports the parts of EDN that histories contain: nil, booleans, numbers, strings, characters, keywords, symbols, lists, vectors, sets, maps, tags
//! (dropped, their datum kept: `#jepsen.history.Op{…}` is a map), comments, metadata and `#_` discards. Events are built directly from the text, without
//! a tree of the whole file.

pub(super) mod reader;

use std::io::{self, Write};

use super::event_builder::{EventBuilder, Names, at_position};
use super::event_parser::{EventParser, Scope};
use super::scanner::{Scan, Scanner};
use crate::value::Quoted;
use crate::{Event, History, Process, Value};
use reader::Reader;

impl<'t> EventParser<'t> for Reader<'t> {
    fn scanner(&mut self) -> &mut Scanner<'t> {
        &mut self.scanner
    }

    /// Parses a sequence of event maps, or one vector or list of them.
    fn next_event(&mut self, scope: &mut Scope, names: &mut Names) -> Scan<Option<Event>> {
        self.skip()?;
        // Leading blanks do not determine the scope yet.
        if *scope == Scope::Start && self.scanner.peek().is_some() {
            *scope = self.open_sequence()?.map_or(Scope::Bare, Scope::Within);
            self.skip()?;
        }
        if let Scope::Within(close) = *scope
            && self.scanner.accept(close)
        {
            *scope = Scope::Over;
            self.skip()?;
        }
        self.scanner.event_start = self.scanner.at;
        match self.scanner.peek() {
            None => Ok(None),
            Some(_) if *scope == Scope::Over => self.scanner.error("unexpected text after the end of the history"),
            Some(_) => self.event(names).map(Some),
        }
    }
}

impl Reader<'_> {
    fn event(&mut self, names: &mut Names) -> Scan<Event> {
        if !self.scanner.accept(b'{') {
            return self.scanner.error("expected an event, a map like {:process 0, :type :invoke, :f :read, :value nil}");
        }
        let start = self.scanner.at;
        let mut builder = EventBuilder::default();
        loop {
            match self.next_mark(0)? {
                Some(b'}') => break,
                None => return self.unclosed(b'}'),
                // Nearly all names are keywords, which need not become values.
                Some(b':') => {
                    let name = self.keyword();
                    self.field(name, &mut builder, names)?;
                }
                Some(_) => {
                    let name = self.value()?;
                    self.field(name.as_text().unwrap_or_default(), &mut builder, names)?;
                }
            }
        }
        self.scanner.at += 1;
        let event = builder.finish(names, |missing| format!("this event has no :{missing}"));
        at_position(&self.scanner, start, event)
    }

    #[inline]
    fn field(&mut self, name: &str, builder: &mut EventBuilder, names: &mut Names) -> Scan<()> {
        let mark = self.next_mark(0)?;
        let at = self.scanner.at;
        let datum = self.datum_at(mark, 0)?;
        at_position(&self.scanner, at, builder.set(name, datum, names))
    }
}

/// Reads the datum that `text` begins with, and returns it with its length in bytes.
///
/// # Errors
/// When `text` does not begin with a datum: the byte at which it goes wrong, and why.
pub(crate) fn datum(text: &str) -> Result<(Value, usize), (usize, String)> {
    let mut reader = Reader::new(text);
    match reader.value() {
        Ok(value) => Ok((value, reader.scanner.at)),
        Err(error) => Err((error.at, error.message)),
    }
}

/// Writes a history as EDN, one event per line. Text values are written as strings, except the functions of a transaction's micro-operations, which are
/// keywords because Jepsen's checkers expect them.
///
/// # Errors
/// When writing to the sink fails.
pub fn write(history: &History, mut sink: impl Write) -> io::Result<()> {
    for (index, event) in history.events.iter().enumerate() {
        let node = event.node.map(|node| history.node_name(node));
        write_event(index as u64, event, node.as_deref(), &mut sink)?;
    }
    Ok(())
}

/// Writes one event as a line of EDN, with its index and the name of its node, if it has one.
///
/// # Errors
/// When writing to the sink fails.
pub fn write_event(index: u64, event: &Event, node: Option<&str>, mut sink: impl Write) -> io::Result<()> {
    write!(sink, "{{:index {index}, :time {}, :process ", event.time.0)?;
    match event.process {
        Process::Client(id) => write!(sink, "{id}")?,
        Process::Nemesis => sink.write_all(b":nemesis")?,
    }
    write!(sink, ", :type :{}, :f ", event.kind.as_str())?;
    match event.f.as_str() {
        name if is_keyword(name) => write!(sink, ":{name}")?,
        name => write!(sink, "{}", Quoted(name))?,
    }
    if let Some(key) = &event.key {
        write!(sink, ", :key {key}")?;
    }
    sink.write_all(b", :value ")?;
    match &event.value {
        Value::List(accesses) if event.f == "txn" => write_accesses(accesses, &mut sink)?,
        value => write!(sink, "{value}")?,
    }
    if let Some(error) = &event.error {
        write!(sink, ", :error {}", Quoted(error))?;
    }
    if let Some(node) = node {
        write!(sink, ", :node {}", Quoted(node))?;
    }
    sink.write_all(b"}\n")
}

/// Writes `[[:append 3 1] [:r 3 nil]]`.
fn write_accesses(accesses: &[Value], mut sink: impl Write) -> io::Result<()> {
    for (at, access) in accesses.iter().enumerate() {
        sink.write_all(if at == 0 { b"[" } else { b" " })?;
        match access.as_list() {
            Some([Value::Text(name), rest @ ..]) if is_keyword(name) => {
                write!(sink, "[:{name}")?;
                for value in rest {
                    write!(sink, " {value}")?;
                }
                sink.write_all(b"]")?;
            }
            _ => write!(sink, "{access}")?,
        }
    }
    sink.write_all(if accesses.is_empty() { b"[]" } else { b"]" })
}

/// Returns whether a keyword may have this name.
fn is_keyword(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"*+!-_?<>=./".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Value;
    use crate::exchange::{self, json, parse};

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
    fn reads_every_kind_of_datum() {
        let value = |text: &str| parse(format!("{{:process 0 :type :info :value {text}}}").as_bytes()).unwrap().events[0].value.to_string();
        for (text, value_shown) in [
            ("[:a b \"c\" a/b]", r#"["a" "b" "c" "a/b"]"#),
            ("[1 -2 +3 4N 9223372036854775807 -9223372036854775808]", "[1 -2 3 4 9223372036854775807 -9223372036854775808]"),
            ("[1.5 2M 1e3 ##Inf ##-Inf ##NaN]", "[1.5 2 1000.0 ##Inf ##-Inf ##NaN]"),
            ("(true false nil)", "[true false nil]"),
            ("#{1 2}", "[1 2]"),
            ("{:a 1, 2 {}}", r#"{"a" 1, 2 {}}"#),
            ("[\\a \\newline \\u00e9 \\( \\ü]", r#"["a" "\n" "é" "(" "ü"]"#),
            (r#""a\n\"\\\té\u00e9\u{e9}\ud83d\ude00""#, r#""a\n\"\\\tééé😀""#),
            ("#inst \"2020-01-01\"", "\"2020-01-01\""),
            ("#object[clojure.core$f 0x4b {:val #\"re\"}]", r#"["clojure.core$f" "0x4b" {"val" "re"}]"#),
            ("^:meta [#'user/x #_ dropped 1 #_#_ 2 3]", r#"["'user/x" 1]"#),
        ] {
            assert_eq!(value(text), value_shown, "{text}");
        }
    }

    #[test]
    fn both_formats_round_trip() {
        let mut history = parse(JEPSEN.as_bytes()).unwrap();
        history.nodes = vec!["n1".into()];
        history.events[0].node = Some(crate::NodeIndex(0));
        history.events[0].key = Some(Value::Int(3));
        let (mut as_edn, mut as_json) = (Vec::new(), Vec::new());
        write(&history, &mut as_edn).unwrap();
        json::write(&history, &mut as_json).unwrap();
        assert_eq!(parse(&as_edn).unwrap(), history);
        assert_eq!(parse(&as_json).unwrap(), history);
    }

    #[test]
    fn errors_have_a_position() {
        let message = |text: &str| parse(text.as_bytes()).unwrap_err().to_string();
        assert_eq!(message("{:process 0\n :type :okay}"), "2:8: unknown event type `okay`; expected :invoke, :ok, :fail or :info");
        assert_eq!(message("{:process 0, :type :ok"), "1:23: the text ends inside a map; expected `}`");
        assert_eq!(message("{:type :ok}"), "1:2: this event has no :process");
        assert_eq!(message("hello"), "1:1: expected an event, a map like {:process 0, :type :invoke, :f :read, :value nil}");
        assert_eq!(message("[{:process 0 :type :ok}\n"), "2:1: the text ends inside a sequence; expected `]`");
        assert_eq!(message("[] 1"), "1:4: unexpected text after the end of the history");
        assert_eq!(message("{:process :client :type :ok}"), "1:11: invalid process \"client\"; expected a number or :nemesis");
        assert_eq!(
            message("{:process 0 :type :ok\n :value [9223372036854775808]}"),
            "2:10: 9223372036854775808 does not fit a signed 64-bit integer"
        );
        assert_eq!(message("{:value 1/2}"), "1:9: invalid number `1/2`; expected for example 12, -3 or 0.5");
    }

    proptest::proptest! {
        #[test]
        fn garbage_is_an_error_not_a_panic(text in r#"[\[\]{}()#_:;"\\a-z0-9 \n.^-]{0,60}"#) {
            let _ = exchange::parse(text.as_bytes());
            let _ = exchange::parse(format!("{{:process 0 :type :ok :value {text}}}").as_bytes());
        }
    }
}
