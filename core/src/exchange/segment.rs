//! Parses the events of one chunk of text.
//!
//! A chunk may end anywhere, even inside an event: parsing stops before anything that the next chunk might complete, and returns the position from which
//! to parse again together with it. So a long text can be split where an event probably ends, its chunks parsed in parallel, and wrong guesses corrected
//! afterwards: the result is always that of parsing the whole text at once.

use memchr::memmem::Finder;

use super::edn::reader::Reader;
use super::error::Skipped;
use super::event_builder::Names;
use super::event_parser::{EventParser, Scope};
use super::format::Format;
use super::json::JsonReader;
use super::log::LogReader;
use super::nodes::NodeNames;
use super::scanner::ScanError;
use crate::Event;

/// Within this distance from its end, an error may be due to the truncation of the text: more than the longest character escape.
const LOOKAHEAD: usize = 16;

/// The typical length of an event.
const BYTES_PER_EVENT: usize = 96;

/// How to split and parse a text.
pub(super) struct ParseContext {
    pub(super) format: Format,
    pub(super) is_lenient: bool,
    opening: Finder<'static>,
    line_opening: Finder<'static>,
}

impl ParseContext {
    pub(super) fn new(format: Format, head: &[u8], is_lenient: bool) -> ParseContext {
        let opening = super::format::opening(head);
        let line_opening = [b"\n", opening.as_slice()].concat();
        ParseContext {
            format,
            is_lenient,
            opening: Finder::new(&opening).into_owned(),
            line_opening: Finder::new(&line_opening).into_owned(),
        }
    }

    /// Returns the best split point of a text: after the last event that seems complete; its end if none does.
    pub(super) fn cut(&self, text: &[u8]) -> usize {
        if self.format == Format::Log {
            return memchr::memrchr(b'\n', text).map_or(text.len(), |newline| newline + 1);
        }
        let last = |opening: &Finder<'_>| memchr::memmem::rfind(text, opening.needle()).filter(|&at| at > 0);
        last(&self.line_opening).map(|newline| newline + 1).or_else(|| last(&self.opening)).unwrap_or(text.len())
    }

    /// Returns the position from `from` on at which to resume after a malformed event.
    fn next_opening(&self, text: &str, from: usize) -> Option<usize> {
        let rest = text.as_bytes().get(from..)?;
        let found = match self.format {
            Format::Log => memchr::memchr(b'\n', rest).map(|newline| newline + 1),
            _ => {
                let brace = memchr::memmem::find(rest, b"\n{").map(|newline| newline + 1);
                self.opening.find(rest).into_iter().chain(brace).min()
            }
        };
        found.map(|at| from + at)
    }

    /// Returns the latest end of an event that begins before `from`, so that a torn event does not swallow the following ones.
    fn next_line_opening(&self, text: &str, from: usize) -> Option<usize> {
        match self.format {
            Format::Log => None,
            _ => self.line_opening.find(text.as_bytes().get(from..)?).map(|newline| from + newline + 1),
        }
    }

    /// Returns whether parsing may resume here after a malformed event.
    pub(super) fn opens(&self, text: &[u8]) -> bool {
        self.format == Format::Log || text.starts_with(self.opening.needle())
    }
}

/// The parser's state at the start of a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct State {
    pub(super) scope: Scope,
    /// Whether the text up to the next opening belongs to a malformed event.
    pub(super) is_recovering: bool,
}

/// The events of a chunk.
pub(super) struct Segment {
    pub(super) events: Vec<Event>,
    pub(super) nodes: NodeNames,
    /// The position from which to parse again together with the next chunk; the chunk's length if all was parsed.
    pub(super) rest: usize,
    /// The state at that position.
    pub(super) state: State,
    /// The number of skipped malformed events, and the errors of the first ones.
    pub(super) skipped: u64,
    pub(super) errors: Vec<ScanError>,
    /// The error that ended parsing.
    pub(super) fatal: Option<Box<ScanError>>,
}

/// Like [`read`], from bytes that should be UTF-8.
pub(super) fn read_bytes(context: &ParseContext, bytes: &[u8], state: State, is_last: bool) -> Segment {
    match std::str::from_utf8(bytes) {
        Ok(text) => read(context, text, state, is_last),
        Err(error) => {
            let at = error.valid_up_to();
            let text = std::str::from_utf8(&bytes[..at]).unwrap_or_default();
            let mut part = read(context, text, state, false);
            part.fatal.get_or_insert_with(|| Box::new(ScanError { at, message: "invalid UTF-8".to_owned() }));
            part
        }
    }
}

impl Segment {
    /// Records an error: it ends parsing, or skips an event in lenient mode.
    fn note(&mut self, error: Box<ScanError>, is_lenient: bool) {
        if !is_lenient {
            self.fatal = Some(error);
            return;
        }
        self.skipped += 1;
        if self.errors.len() < Skipped::EXPLAINED {
            self.errors.push(*error);
        }
    }
}

/// Parses a chunk of text.
pub(super) fn read(context: &ParseContext, text: &str, state: State, is_last: bool) -> Segment {
    match context.format {
        Format::Json => read_as(JsonReader::new(text), context, text, state, is_last),
        Format::Log => {
            // Only complete lines are parsed.
            let whole = if is_last { text.len() } else { memchr::memrchr(b'\n', text.as_bytes()).map_or(0, |newline| newline + 1) };
            read_as(LogReader::new(&text[..whole]), context, &text[..whole], state, true)
        }
        Format::Edn | Format::Journal => read_as(Reader::new(text), context, text, state, is_last),
    }
}

fn read_as<'t>(mut parser: impl EventParser<'t>, context: &ParseContext, text: &'t str, state: State, is_last: bool) -> Segment {
    let mut part = Segment {
        events: Vec::with_capacity(text.len() / BYTES_PER_EVENT),
        nodes: NodeNames::default(),
        rest: text.len(),
        state,
        skipped: 0,
        errors: Vec::new(),
        fatal: None,
    };
    let mut names = Names::default();
    let mut start = 0;
    loop {
        if part.state.is_recovering {
            match context.next_opening(text, start) {
                Some(opening) => start = opening,
                None => {
                    // The next opening might start in this line.
                    let line = memchr::memrchr(b'\n', &text.as_bytes()[start..]).map_or(start, |newline| start + newline);
                    part.rest = if is_last { text.len() } else { line };
                    break;
                }
            }
            part.state.is_recovering = false;
        }
        let limit = if context.is_lenient { context.next_line_opening(text, start + 1) } else { None };
        let readable = limit.map_or(text, |limit| &text[..limit]);
        parser.scanner().enter(readable, start);
        // In strict mode there is no limit, and the scanner runs through the whole text.
        let (outcome, scope_before) = loop {
            let scope = part.state.scope;
            match parser.next_event(&mut part.state.scope, &mut names) {
                Ok(Some(event)) => part.events.push(event),
                Ok(None) => break (Ok(()), scope),
                Err(error) => break (Err(error), scope),
            }
            start = parser.scanner().at;
        };
        match (outcome, limit) {
            (Ok(()), Some(limit)) => start = limit,
            (Ok(()), None) => {
                if is_last && let Scope::Within(close) = part.state.scope {
                    let message = format!("the text ends inside a sequence; expected `{}`", char::from(close));
                    part.note(Box::new(ScanError { at: text.len(), message }), context.is_lenient);
                } else if !is_last && !is_closed(&text[start..]) {
                    part.rest = start;
                    part.state.scope = scope_before;
                }
                break;
            }
            (Err(_), None) if !is_last && parser.scanner().at + LOOKAHEAD >= text.len() => {
                part.rest = start;
                part.state.scope = scope_before;
                break;
            }
            (Err(error), _) => {
                part.note(error, context.is_lenient);
                if part.fatal.is_some() {
                    break;
                }
                let begin = parser.scanner().event_start.max(start);
                start = (begin + 1..=text.len()).find(|&at| text.is_char_boundary(at)).unwrap_or(text.len());
                part.state.is_recovering = true;
            }
        }
    }
    part.nodes = names.nodes;
    part
}

/// Returns whether the text between events is complete whatever follows: a comment or a tag might continue.
fn is_closed(between: &str) -> bool {
    between.ends_with('\n') || between.bytes().all(|byte| byte.is_ascii_whitespace() || byte == b',')
}
