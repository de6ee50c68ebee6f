//! The events of a part of a text.
//!
//! A part may end anywhere, even inside an event: reading it stops before what the next part might complete, and says what has to be read again together with
//! that. So a long text can be cut where it is likely that an event ends, its parts read at once, and all guesses that were wrong be mended afterwards: what comes
//! out is always what reading the whole text at once gives.

use memchr::memmem::Finder;

use super::draft::Vocabulary;
use super::edn::reader::Reader;
use super::error::Skipped;
use super::format::Format;
use super::json::JsonReader;
use super::log::LogReader;
use super::nodes::NodeNames;
use super::scanner::{Fault, Scan, Scanner};
use crate::Event;

/// What lies around the events at a place of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// It is the start: nothing is known yet.
    Start,
    /// Nothing: events stand one after another.
    Bare,
    /// A vector, list or array that this byte closes.
    Within(u8),
    /// The end of that was passed.
    Over,
}

/// How a format gives its events.
pub(super) trait Syntax<'t> {
    /// The place it has reached.
    fn scanner(&mut self) -> &mut Scanner<'t>;

    /// Reads the next event; none when nothing but blanks and comments is left.
    fn next_event(&mut self, scope: &mut Scope, vocabulary: &mut Vocabulary) -> Scan<Option<Event>>;
}

/// How far from where a fault is seen the text may be responsible for it: more than the longest escape of a character.
const LOOKAHEAD: usize = 16;

/// About as long as an event is written.
const BYTES_PER_EVENT: usize = 96;

/// How a text is to be read.
pub(super) struct Language {
    pub(super) format: Format,
    pub(super) is_lenient: bool,
    opening: Finder<'static>,
    line_opening: Finder<'static>,
}

impl Language {
    pub(super) fn new(format: Format, head: &[u8], is_lenient: bool) -> Language {
        let opening = super::format::opening(head);
        let line_opening = [b"\n", opening.as_slice()].concat();
        Language { format, is_lenient, opening: Finder::new(&opening).into_owned(), line_opening: Finder::new(&line_opening).into_owned() }
    }

    /// Where a text is best cut: after the last event that seems whole; at its end if none does.
    pub(super) fn cut(&self, text: &[u8]) -> usize {
        if self.format == Format::Log {
            return memchr::memrchr(b'\n', text).map_or(text.len(), |newline| newline + 1);
        }
        let last = |opening: &Finder<'_>| memchr::memmem::rfind(text, opening.needle()).filter(|&at| at > 0);
        last(&self.line_opening).map(|newline| newline + 1).or_else(|| last(&self.opening)).unwrap_or(text.len())
    }

    /// Where reading may go on after an event that makes no sense, not before `from`.
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

    /// Where the event that begins before `from` is over at the latest, if nothing is torn: it might else swallow all that follow.
    fn next_line_opening(&self, text: &str, from: usize) -> Option<usize> {
        match self.format {
            Format::Log => None,
            _ => self.line_opening.find(text.as_bytes().get(from..)?).map(|newline| from + newline + 1),
        }
    }

    /// Whether reading may begin here after an event that made no sense.
    pub(super) fn opens(&self, text: &[u8]) -> bool {
        self.format == Format::Log || text.starts_with(self.opening.needle())
    }
}

/// What is known before a part is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct State {
    pub(super) scope: Scope,
    /// Whether what comes first belongs to an event that made no sense.
    pub(super) is_recovering: bool,
}

/// The events of a part.
pub(super) struct Segment {
    pub(super) events: Vec<Event>,
    pub(super) nodes: NodeNames,
    /// Where what has to be read again begins, together with the next part; the part's length where nothing has.
    pub(super) rest: usize,
    /// What is known there.
    pub(super) state: State,
    /// How many events made no sense and were left out, and what was wrong with the first ones.
    pub(super) skipped: u64,
    pub(super) faults: Vec<Fault>,
    /// What ended the reading.
    pub(super) fatal: Option<Box<Fault>>,
}

/// As [`read`], from bytes that should be a text.
pub(super) fn read_bytes(language: &Language, bytes: &[u8], state: State, is_last: bool) -> Segment {
    match std::str::from_utf8(bytes) {
        Ok(text) => read(language, text, state, is_last),
        Err(error) => {
            let at = error.valid_up_to();
            let text = std::str::from_utf8(&bytes[..at]).unwrap_or_default();
            let mut part = read(language, text, state, false);
            part.fatal.get_or_insert_with(|| Box::new(Fault { at, message: "this byte is no UTF-8; expected a text".to_owned() }));
            part
        }
    }
}

impl Segment {
    /// A fault: what ends the reading, or leaves something out.
    fn note(&mut self, fault: Box<Fault>, is_lenient: bool) {
        if !is_lenient {
            self.fatal = Some(fault);
            return;
        }
        self.skipped += 1;
        if self.faults.len() < Skipped::EXPLAINED {
            self.faults.push(*fault);
        }
    }
}

/// Reads a part of a text.
pub(super) fn read(language: &Language, text: &str, state: State, is_last: bool) -> Segment {
    match language.format {
        Format::Json => read_as(JsonReader::new(text), language, text, state, is_last),
        Format::Log => {
            // A line is whole or not there.
            let whole = if is_last { text.len() } else { memchr::memrchr(b'\n', text.as_bytes()).map_or(0, |newline| newline + 1) };
            read_as(LogReader::new(&text[..whole]), language, &text[..whole], state, true)
        }
        Format::Edn | Format::Journal => read_as(Reader::new(text), language, text, state, is_last),
    }
}

fn read_as<'t>(mut syntax: impl Syntax<'t>, language: &Language, text: &'t str, state: State, is_last: bool) -> Segment {
    let mut part = Segment {
        events: Vec::with_capacity(text.len() / BYTES_PER_EVENT),
        nodes: NodeNames::default(),
        rest: text.len(),
        state,
        skipped: 0,
        faults: Vec::new(),
        fatal: None,
    };
    let mut vocabulary = Vocabulary::default();
    let mut start = 0;
    loop {
        if part.state.is_recovering {
            match language.next_opening(text, start) {
                Some(opening) => start = opening,
                None => {
                    // The next opening might begin in this line.
                    let line = memchr::memrchr(b'\n', &text.as_bytes()[start..]).map_or(start, |newline| start + newline);
                    part.rest = if is_last { text.len() } else { line };
                    break;
                }
            }
            part.state.is_recovering = false;
        }
        let limit = if language.is_lenient { language.next_line_opening(text, start + 1) } else { None };
        let readable = limit.map_or(text, |limit| &text[..limit]);
        syntax.scanner().enter(readable, start);
        // Where nothing can be torn, the scanner goes on and on.
        let (outcome, scope_before) = loop {
            let scope = part.state.scope;
            match syntax.next_event(&mut part.state.scope, &mut vocabulary) {
                Ok(Some(event)) => part.events.push(event),
                Ok(None) => break (Ok(()), scope),
                Err(fault) => break (Err(fault), scope),
            }
            start = syntax.scanner().at;
        };
        match (outcome, limit) {
            (Ok(()), Some(limit)) => start = limit,
            (Ok(()), None) => {
                if is_last && let Scope::Within(close) = part.state.scope {
                    let message = format!("the text ends inside a sequence; expected `{}`", char::from(close));
                    part.note(Box::new(Fault { at: text.len(), message }), language.is_lenient);
                } else if !is_last && !is_closed(&text[start..]) {
                    part.rest = start;
                    part.state.scope = scope_before;
                }
                break;
            }
            (Err(_), None) if !is_last && syntax.scanner().at + LOOKAHEAD >= text.len() => {
                part.rest = start;
                part.state.scope = scope_before;
                break;
            }
            (Err(fault), _) => {
                part.note(fault, language.is_lenient);
                if part.fatal.is_some() {
                    break;
                }
                let begin = syntax.scanner().event_start.max(start);
                start = (begin + 1..=text.len()).find(|&at| text.is_char_boundary(at)).unwrap_or(text.len());
                part.state.is_recovering = true;
            }
        }
    }
    part.nodes = vocabulary.nodes;
    part
}

/// Whether what stands between events is over at its end, whatever follows: a comment or a tag might go on.
fn is_closed(between: &str) -> bool {
    between.ends_with('\n') || between.bytes().all(|byte| byte.is_ascii_whitespace() || byte == b',')
}
