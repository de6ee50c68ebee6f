//! Why a history cannot be read, and where.

use std::path::PathBuf;

use thiserror::Error;

use crate::journal::JournalError;

/// Why a history could not be read from a file.
#[derive(Debug, Error)]
pub enum ReadError {
    /// The operating system refused, or what is compressed is damaged.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What it said.
        source: std::io::Error,
    },
    /// It begins as a journal but cannot be read as one.
    #[error("{path}: {source}")]
    Journal {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: JournalError,
    },
    /// Its text breaks the format.
    #[error("{path}:{error}")]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Where and what.
        error: SyntaxError,
    },
}

/// A place in a text where it stops making sense.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{line}:{column}: {message}")]
pub struct SyntaxError {
    /// Counted from 1.
    pub line: usize,
    /// Counted from 1, in bytes.
    pub column: usize,
    /// What was found, and what was expected.
    pub message: String,
}

/// What was left out of a history because it could not be read, where that was allowed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Skipped {
    /// How many lines or events.
    pub count: u64,
    /// Where and why, for the first of them.
    pub first: Vec<SyntaxError>,
}

impl Skipped {
    /// How many are explained.
    pub const EXPLAINED: usize = 10;
}

/// A position in a text that is read part by part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Position {
    line: usize,
    column: usize,
}

impl Position {
    pub(super) const START: Position = Position { line: 1, column: 1 };

    /// Where a text ends that begins here. O(length), at the speed of memory.
    pub(super) fn after(self, text: &[u8]) -> Position {
        match memchr::memrchr(b'\n', text) {
            Some(last) => Position { line: self.line + memchr::memchr_iter(b'\n', text).count(), column: text.len() - last },
            None => Position { line: self.line, column: self.column + text.len() },
        }
    }

    /// Where a text ends that begins here and would end there if it began at the start.
    pub(super) fn plus(self, end: Position) -> Position {
        let column = if end.line == 1 { self.column + end.column - 1 } else { end.column };
        Position { line: self.line + end.line - 1, column }
    }

    pub(super) fn error(self, message: String) -> SyntaxError {
        SyntaxError { line: self.line, column: self.column, message }
    }
}
