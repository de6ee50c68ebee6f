//! Errors of reading histories, with positions.

use std::path::PathBuf;

use thiserror::Error;

use crate::journal::JournalError;

/// An error of reading a history from a file.
#[derive(Debug, Error)]
pub enum ReadError {
    /// An I/O error, or damaged compressed data.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The error.
        source: std::io::Error,
    },
    /// The file begins like a journal but cannot be read as one.
    #[error("{path}: {source}")]
    Journal {
        /// The file.
        path: PathBuf,
        /// The error.
        source: JournalError,
    },
    /// A syntax error.
    #[error("{path}:{error}")]
    Syntax {
        /// The file.
        path: PathBuf,
        /// The error, with its position.
        error: SyntaxError,
    },
}

/// A syntax error at a position of a text.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{line}:{column}: {message}")]
pub struct SyntaxError {
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1, in bytes.
    pub column: usize,
    /// The text that was found, and what was expected.
    pub message: String,
}

/// The malformed lines or events that were skipped in lenient mode.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Skipped {
    /// The number of lines or events.
    pub count: u64,
    /// The errors of the first of them.
    pub first: Vec<SyntaxError>,
    /// The bytes of a journal from its first damaged or incomplete block on. Also counted without lenient mode: the events before them are good.
    pub unreadable_bytes: u64,
}

impl Skipped {
    /// The maximum number of errors in `first`.
    pub const EXPLAINED: usize = 10;
}

/// A position in a text that is read in chunks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Position {
    line: usize,
    column: usize,
}

impl Position {
    pub(super) const START: Position = Position { line: 1, column: 1 };

    /// Returns the end position of a text that begins here. O(length).
    pub(super) fn after(self, text: &[u8]) -> Position {
        match memchr::memrchr(b'\n', text) {
            Some(last) => Position { line: self.line + memchr::memchr_iter(b'\n', text).count(), column: text.len() - last },
            None => Position { line: self.line, column: self.column + text.len() },
        }
    }

    /// Returns the end position of a text that begins here, given its end position relative to the start.
    pub(super) fn plus(self, end: Position) -> Position {
        let column = if end.line == 1 { self.column + end.column - 1 } else { end.column };
        Position { line: self.line + end.line - 1, column }
    }

    pub(super) fn error(self, message: String) -> SyntaxError {
        SyntaxError { line: self.line, column: self.column, message }
    }
}
