//! The interface of the formats' parsers.

use super::event_builder::Names;
use super::scanner::{Scan, Scanner};
use crate::Event;

/// The nesting of events at a position of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// The start of the text: unknown yet.
    Start,
    /// None: a sequence of events.
    Bare,
    /// Inside a vector, list or array that this byte closes.
    Within(u8),
    /// After the end of that.
    Over,
}

/// A parser for the events of one format.
pub(super) trait EventParser<'t> {
    /// Returns the scanner at the current position.
    fn scanner(&mut self) -> &mut Scanner<'t>;

    /// Parses the next event; `None` if only blanks and comments are left.
    fn next_event(&mut self, scope: &mut Scope, names: &mut Names) -> Scan<Option<Event>>;
}
