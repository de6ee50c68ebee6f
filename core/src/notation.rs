//! A compact notation for small histories, for tests and documentation.
//!
//! One line is one event, or one operation that begins and ends there:
//!
//! ```
//! use elenchus_core::History;
//!
//! let history = History::parse("
//!     0/x write 1 ok            # process 0 writes 1 to key x, acknowledged before the next line
//!     1/x read                  # process 1 invokes a read of x …
//!     0/x cas [1 2] ok
//!     1 ok 1                    # … which returns 1: an old value, but it was current while the read was pending
//!     2@n3/x read → 2           # process 2 reads 2 from node n3
//!     2@n3/x write 3 info ! time-out
//! ")?;
//! assert_eq!(history.operations()?.len(), 5);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Grammar
//!
//! ```text
//! line        = [ "[" time "]" ] who event [ "#" comment ]
//!             | "nodes" name…                            names all nodes, in order; before the first event
//! who         = process [ "@" node ] [ "/" key ]         process: a number, or `nemesis`
//! event       = "invoke" function [ value ] [ error ]    one event
//!             | completion function [ value ] [ error ]  one event
//!             | completion [ value ] [ error ]           completes the process' pending operation
//!             | function [ value ]                       the same as `invoke`
//!             | function [ value ] completion [ error ]  two events: the operation begins and ends here
//!             | function [ value ] "→" value             two events: it ends in `ok` with this result; `->` does as well
//! completion  = "ok" | "fail" | "info"
//! error       = "!" text                                 to the end of the line, or a string in quotes
//! ```
//!
//! * *value*, *key*: EDN, as [`Value`] displays it: `nil`, `3`, `"text"`, `[1 2]`, `{"k" 1}`. A bare word is text: `x` is `"x"`.
//! * *value left out*: a completion repeats the argument of the process' pending operation; anything else has `nil`.
//! * *function left out*: a completion also repeats function, key and node of the pending operation.
//! * *time*: `[20ms]`, `[1m 3s]`. An event without one is a millisecond later than the one before; the first is at 0.
//! * *function*: a word that begins with a letter and is not `nil`, `true` or `false`, nor (where a kind may stand) a kind. Others are
//!   written between back-quotes.
//! * *comment*: from `;`, or from a `#` between blanks, to the end of the line. Empty lines are skipped.
//!
//! Histories that no run could record (a process that invokes twice, a completion of nothing) can be written, to test how they are refused.
//!
//! [`History`] displays itself with one event per line; parsing that gives the same history, with two exceptions: a node without a name gets
//! one, and a function name cannot contain a back-quote or a line break.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use rustc_hash::FxHashMap;

use crate::exchange::edn;
use crate::value::Quoted;
use crate::{Event, History, Kind, Nanos, NodeIndex, Process, Span, Symbol, Value};

/// The time between two events of which the second has no time of its own.
const STEP: Duration = Duration::from_millis(1);

/// A text that is not a history in this [notation](self).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotationError {
    /// The line, counted from 1.
    pub line: usize,
    /// The column in characters, counted from 1.
    pub column: usize,
    /// The problem, and what was expected.
    pub message: String,
    /// The whole line.
    pub excerpt: String,
}

impl fmt::Display for NotationError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let NotationError { line, column, message, excerpt } = self;
        write!(out, "line {line}, column {column}: {message}\n  {excerpt}\n  {:>column$}", "^")
    }
}

impl std::error::Error for NotationError {}

impl History {
    /// Parses a history in the [compact notation](self). O(n).
    ///
    /// # Errors
    /// At the first line that breaks the grammar, with line and column.
    pub fn parse(text: &str) -> Result<History, NotationError> {
        let mut parser = Parser::default();
        for (number, line) in text.lines().enumerate() {
            let (excerpt, code) = (line, without_comment(line));
            parser.line(&mut Line { text: code, at: 0 }).map_err(|(at, message)| NotationError {
                line: number + 1,
                column: line.get(..at).map_or(1, |before| before.chars().count() + 1),
                message,
                excerpt: excerpt.replace('\t', " "),
            })?;
        }
        Ok(parser.history)
    }
}

impl FromStr for History {
    type Err = NotationError;

    fn from_str(text: &str) -> Result<History, NotationError> {
        History::parse(text)
    }
}

/// A message and the byte of the line that it is about.
type Fault = (usize, String);

/// The rest of a line.
struct Line<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Line<'t> {
    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn skip_blanks(&mut self) {
        self.at = self.text.len() - self.rest().trim_start().len();
    }

    fn accept(&mut self, mark: &str) -> bool {
        let is_next = self.rest().starts_with(mark);
        self.at += if is_next { mark.len() } else { 0 };
        is_next
    }

    /// The word that comes next, up to a blank.
    fn peek_word(&self) -> &'t str {
        self.rest().split(char::is_whitespace).next().unwrap_or_default()
    }

    /// Takes the next word if it is this one.
    fn accept_word(&mut self, word: &str) -> bool {
        self.skip_blanks();
        self.peek_word() == word && self.accept(word)
    }

    fn fault<T>(&self, message: impl Into<String>) -> Result<T, Fault> {
        Err((self.at, message.into()))
    }

    fn datum(&mut self) -> Result<Value, Fault> {
        let (value, length) = edn::datum(self.rest()).map_err(|(at, message)| (self.at + at, message))?;
        self.at += length;
        Ok(value)
    }

    /// A value, unless the line ends or goes on with something else.
    fn optional_value(&mut self) -> Result<Option<Value>, Fault> {
        self.skip_blanks();
        let is_absent = matches!(self.peek_word(), "" | "ok" | "fail" | "info" | "→" | "->" | "!");
        if is_absent { Ok(None) } else { self.datum().map(Some) }
    }

    fn optional_error(&mut self) -> Result<Option<Box<str>>, Fault> {
        self.skip_blanks();
        if !self.accept_word("!") {
            return Ok(None);
        }
        self.skip_blanks();
        if self.rest().starts_with('"')
            && let Value::Text(text) = self.datum()?
        {
            return Ok(Some(text.as_str().into()));
        }
        let text = self.rest().trim_end();
        self.at = self.text.len();
        Ok(Some(text.into()))
    }

    /// A function's name, if one comes next.
    fn function(&mut self) -> Result<Option<Symbol>, Fault> {
        self.skip_blanks();
        if self.accept("`") {
            let Some(length) = self.rest().find('`') else { return self.fault("expected a back-quote that closes the function's name") };
            let name = &self.rest()[..length];
            self.at += length + 1;
            return Ok(Some(Symbol::intern(name)));
        }
        let word = self.peek_word();
        if !is_function(word) {
            return Ok(None);
        }
        self.at += word.len();
        Ok(Some(Symbol::intern(word)))
    }

    fn kind(&mut self) -> Option<Kind> {
        self.skip_blanks();
        let word = self.peek_word();
        let kind = Kind::parse(word)?;
        self.at += word.len();
        Some(kind)
    }

    fn end(&mut self) -> Result<(), Fault> {
        self.skip_blanks();
        if self.rest().is_empty() { Ok(()) } else { self.fault(format!("unexpected `{}` after the event", self.rest().trim_end())) }
    }
}

/// Whether a word is a function's name without quotes.
fn is_function(word: &str) -> bool {
    word.starts_with(char::is_alphabetic)
        && !word.contains(['`', '"', ';', '[', '{', '('])
        && !matches!(word, "nil" | "true" | "false")
        && !word.contains(char::is_whitespace)
}

/// Whether a text value is displayed without quotes: a key like `x`.
fn is_bare(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.chars().all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_'))
        && !matches!(text, "nil" | "true" | "false")
}

fn without_comment(line: &str) -> &str {
    let (mut in_string, mut is_escaped, mut follows_blank) = (false, false, true);
    for (at, letter) in line.char_indices() {
        let starts_comment = !in_string
            && (letter == ';' || letter == '#' && follows_blank && line[at + 1..].chars().next().is_none_or(char::is_whitespace));
        if starts_comment {
            return &line[..at];
        }
        in_string ^= letter == '"' && !is_escaped;
        is_escaped = in_string && letter == '\\' && !is_escaped;
        follows_blank = letter.is_whitespace();
    }
    line
}

#[derive(Default)]
struct Parser {
    history: History,
    time: Option<Nanos>,
    /// The invocation of each process' pending operation.
    pending: FxHashMap<Process, usize>,
}

/// The process of an event, with its node and key.
struct Who {
    process: Process,
    node: Option<NodeIndex>,
    key: Option<Value>,
}

impl Parser {
    fn line(&mut self, line: &mut Line<'_>) -> Result<(), Fault> {
        line.skip_blanks();
        if line.rest().is_empty() {
            return Ok(());
        }
        if line.accept_word("nodes") {
            return self.nodes(line);
        }
        let time = self.time(line)?;
        let who = self.who(line)?;
        match line.kind() {
            None => self.operation(line, time, who)?,
            Some(Kind::Invoke) => {
                let Some(f) = line.function()? else { return line.fault("expected a function after `invoke`") };
                let value = line.optional_value()?.unwrap_or_default();
                let error = line.optional_error()?;
                self.push(time, who, Kind::Invoke, f, value, error);
            }
            Some(kind) => self.completion(line, time, who, kind)?,
        }
        line.end()
    }

    fn nodes(&mut self, line: &mut Line<'_>) -> Result<(), Fault> {
        if !self.history.events.is_empty() {
            return Err((0, "`nodes` must stand before the first event".to_owned()));
        }
        line.skip_blanks();
        while !line.rest().is_empty() {
            self.node(line)?;
            line.skip_blanks();
        }
        Ok(())
    }

    fn node(&mut self, line: &mut Line<'_>) -> Result<NodeIndex, Fault> {
        let name = if line.rest().starts_with('"') {
            match line.datum()? {
                Value::Text(name) => name.as_str().to_owned(),
                _ => return line.fault("expected a node's name"),
            }
        } else {
            let name = line.peek_word().split('/').next().unwrap_or_default();
            line.at += name.len();
            name.to_owned()
        };
        if name.is_empty() {
            return line.fault("expected a node's name");
        }
        let nodes = &mut self.history.nodes;
        let position = nodes.iter().position(|known| *known == name).unwrap_or_else(|| {
            nodes.push(name);
            nodes.len() - 1
        });
        u16::try_from(position).map(NodeIndex).or_else(|_| line.fault("more than 65536 nodes"))
    }

    /// The time of the line's first event.
    fn time(&self, line: &mut Line<'_>) -> Result<Nanos, Fault> {
        let next = self.time.map_or(Nanos::ZERO, |before| before + STEP);
        if !line.accept("[") {
            return Ok(next);
        }
        let Some(length) = line.rest().find(']') else { return line.fault("expected a time like `[20ms]`") };
        let span: Span = line.rest()[..length].trim().parse().map_err(|error: String| (line.at, error))?;
        line.at += length + 1;
        line.skip_blanks();
        Ok(span.0.into())
    }

    fn who(&mut self, line: &mut Line<'_>) -> Result<Who, Fault> {
        let digits = line.rest().len() - line.rest().trim_start_matches(|digit: char| digit.is_ascii_digit()).len();
        let process = if line.accept("nemesis") {
            Process::Nemesis
        } else if digits > 0 {
            let Ok(id) = line.rest()[..digits].parse() else { return line.fault("the process must be less than 4294967296") };
            line.at += digits;
            Process::Client(id)
        } else {
            return line.fault(format!("expected a process (a number, or `nemesis`), found `{}`", line.peek_word()));
        };
        let node = if line.accept("@") { Some(self.node(line)?) } else { None };
        let key = if line.accept("/") { Some(line.datum()?) } else { None };
        if !line.rest().is_empty() && !line.rest().starts_with(char::is_whitespace) {
            return line.fault("expected `@node`, `/key` or a blank after the process");
        }
        Ok(Who { process, node, key })
    }

    /// A line without a kind: an invocation, and perhaps its completion.
    fn operation(&mut self, line: &mut Line<'_>, time: Nanos, who: Who) -> Result<(), Fault> {
        let Some(f) = line.function()? else {
            return line.fault("expected a function, or one of `invoke`, `ok`, `fail`, `info`");
        };
        let input = line.optional_value()?.unwrap_or_default();
        let again = Who { key: who.key.clone(), ..who };
        self.push(time, who, Kind::Invoke, f, input.clone(), None);
        let (kind, output) = if line.accept_word("→") || line.accept_word("->") {
            line.skip_blanks();
            (Kind::Ok, line.datum()?)
        } else {
            match line.kind() {
                None if line.rest().starts_with('!') => {
                    return line.fault("only a completion has an error: write `info ! …` or `fail ! …`");
                }
                None => return Ok(()),
                Some(Kind::Invoke) => return line.fault("expected `ok`, `fail`, `info` or `→` after the argument"),
                Some(kind) => (kind, input),
            }
        };
        let error = line.optional_error()?;
        self.push(time + STEP, again, kind, f, output, error);
        Ok(())
    }

    fn completion(&mut self, line: &mut Line<'_>, time: Nanos, who: Who, kind: Kind) -> Result<(), Fault> {
        let at = line.at;
        let pending = self.pending.get(&who.process).map(|&invocation| self.history.events[invocation].clone());
        let (f, who) = match (line.function()?, &pending) {
            (Some(f), _) => (f, who),
            (None, Some(pending)) => {
                let Who { process, node, key } = who;
                (pending.f, Who { process, node: node.or(pending.node), key: key.or_else(|| pending.key.clone()) })
            }
            (None, None) => {
                let process = who.process;
                return Err((
                    at,
                    format!("process {process} has no pending operation; name the function: `{process} {} read`", kind.as_str()),
                ));
            }
        };
        let value = match (line.optional_value()?, pending) {
            (Some(value), _) => value,
            (None, Some(pending)) => pending.value,
            (None, None) => Value::Nil,
        };
        let error = line.optional_error()?;
        self.push(time, who, kind, f, value, error);
        Ok(())
    }

    fn push(&mut self, time: Nanos, who: Who, kind: Kind, f: Symbol, value: Value, error: Option<Box<str>>) {
        let Who { process, node, key } = who;
        match kind {
            Kind::Invoke => self.pending.insert(process, self.history.events.len()),
            _ => self.pending.remove(&process),
        };
        self.time = Some(time);
        self.history.events.push(Event { time, process, kind, f, key, value, error, node });
    }
}

impl fmt::Display for History {
    /// One event per line, in the [compact notation](self).
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut seen: Vec<NodeIndex> = Vec::new();
        for node in self.events.iter().filter_map(|event| event.node) {
            if !seen.contains(&node) {
                seen.push(node);
            }
        }
        // Parsing numbers nodes in the order in which they appear.
        if seen.len() < self.nodes.len() || seen.iter().zip(0..).any(|(node, at)| node.0 != at) {
            out.write_str("nodes")?;
            self.nodes.iter().try_for_each(|name| write!(out, " {}", Name(name)))?;
            out.write_str("\n")?;
        }
        let mut expected = Nanos::ZERO;
        for event in &self.events {
            if event.time != expected {
                write!(out, "[{}] ", Span(event.time.into()))?;
            }
            expected = event.time + STEP;
            write!(out, "{}", event.process)?;
            if let Some(node) = event.node {
                write!(out, "@{}", Name(&self.node_name(node)))?;
            }
            match &event.key {
                None => {}
                Some(Value::Text(key)) if is_bare(key) => write!(out, "/{key}")?,
                Some(key) => write!(out, "/{key}")?,
            }
            write!(out, " {} ", event.kind.as_str())?;
            match event.f.as_str() {
                f if is_function(f) => out.write_str(f)?,
                f => write!(out, "`{f}`")?,
            }
            write!(out, " {}", event.value)?;
            if let Some(error) = &event.error {
                write!(out, " ! {}", Quoted(error))?;
            }
            out.write_str("\n")?;
        }
        Ok(())
    }
}

/// A node's name, in quotes where it needs them.
struct Name<'n>(&'n str);

impl fmt::Display for Name<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let needs_quotes =
            self.0.is_empty() || self.0.contains(|letter: char| letter.is_whitespace() || matches!(letter, '/' | '"' | ';' | '#'));
        if needs_quotes { write!(out, "{}", Quoted(self.0)) } else { out.write_str(self.0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn refusal(text: &str) -> (usize, usize, String) {
        let NotationError { line, column, message, .. } = History::parse(text).expect_err("refused");
        (line, column, message)
    }

    #[test]
    fn short_forms_are_the_same_events_as_long_ones() {
        let short =
            History::parse("0@n1/x write 1 ok\n1/x read\n1 ok 1\n2 cas [1 2] → true\n2 read info ! time-out\n3 write 4\n3 fail").unwrap();
        let long = "0@n1/x invoke write 1
                    0@n1/x ok write 1
                    1/x invoke read nil
                    1/x ok read 1
                    2 invoke cas [1 2]
                    2 ok cas true
                    2 invoke read nil
                    2 info read nil ! \"time-out\"
                    3 invoke write 4
                    3 fail write 4";
        assert_eq!(short, History::parse(long).unwrap());
        assert_eq!(short.events[3].time, Nanos(3_000_000));
    }

    #[test]
    fn comments_times_and_nodes() {
        let history =
            History::parse("nodes b a\n; nothing\n[5s] nemesis@a info start {\"grudge\" \"#;\"} # a comment\n0@b `ok` ok").unwrap();
        assert_eq!(history.nodes, ["b", "a"]);
        assert_eq!(history.events[0].node, Some(NodeIndex(1)));
        assert_eq!(history.events[1].time, Nanos(5_001_000_000));
        assert_eq!(history.events[2].f, Symbol::of("ok"));
    }

    #[test]
    fn errors_have_their_place() {
        assert_eq!(refusal("0 write 1 ok\n  x read"), (2, 3, "expected a process (a number, or `nemesis`), found `x`".to_owned()));
        assert_eq!(refusal("0").2, "expected a function, or one of `invoke`, `ok`, `fail`, `info`");
        assert_eq!(refusal("0 ok 3"), (1, 5, "process 0 has no pending operation; name the function: `0 ok read`".to_owned()));
        assert_eq!(refusal("0 write [1"), (1, 11, "the text ends inside a sequence; expected `]`".to_owned()));
        assert_eq!(refusal("0 read → 1 2"), (1, 12, "unexpected `2` after the event".to_owned()));
        assert_eq!(refusal("0 read 1 ! x").2, "only a completion has an error: write `info ! …` or `fail ! …`");
        let shown = History::parse("0 read ] ok").unwrap_err().to_string();
        assert!(shown.ends_with("\n  0 read ] ok\n         ^"), "{shown}");
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Nil),
            any::<bool>().prop_map(Value::Bool),
            any::<i64>().prop_map(Value::Int),
            "[ -~é;#\"]{0,8}".prop_map(Value::from),
        ];
        leaf.prop_recursive(2, 8, 3, |inner| prop::collection::vec(inner, 0..3).prop_map(Value::List))
    }

    fn event() -> impl Strategy<Value = Event> {
        let process = prop_oneof![Just(Process::Nemesis), any::<u32>().prop_map(Process::Client)];
        let kind = prop::sample::select(vec![Kind::Invoke, Kind::Ok, Kind::Fail, Kind::Info]);
        let f = prop::sample::select(vec!["read", "cas", "delete-min", "ok", "nil", "3", "two words", "→"]).prop_map(Symbol::of);
        let error = prop::option::of("[ -~é;#\"\\\\\n]{0,8}".prop_map(String::into_boxed_str));
        let (key, node) = (prop::option::of(value()), prop::option::of((0..3_u16).prop_map(NodeIndex)));
        (0..3_000_000_u64, process, kind, f, key, value(), error, node).prop_map(|(time, process, kind, f, key, value, error, node)| {
            Event { time: Nanos(time), process, kind, f, key, value, error, node }
        })
    }

    proptest! {
        #[test]
        fn display_round_trips(events in prop::collection::vec(event(), 0..8)) {
            let history = History { events, nodes: vec!["n1".to_owned(), "a node".to_owned(), "1/\"2".to_owned()] };
            prop_assert_eq!(History::parse(&history.to_string()), Ok(history));
        }

        #[test]
        fn parsing_never_panics(text in "[0-9a-z@/\\[\\]\"!#;→> \n`]{0,40}") {
            let _ = History::parse(&text);
        }
    }
}
