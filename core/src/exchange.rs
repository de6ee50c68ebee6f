//! Histories in other tools' formats, and any history from a path.
//!
//! | format | read | written | looks like |
//! | --- | --- | --- | --- |
//! | journal | yes | by [`crate::journal`] | binary, begins with `ELENCH01` |
//! | EDN | yes | yes | `{:process 0, :type :invoke, :f :read, :value nil}` a line, or one vector of such maps, as Jepsen writes |
//! | JSON lines | yes | yes | `{"process":0,"type":"invoke","f":"read","value":null}` a line |

pub mod edn;
pub mod json;

use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::History;
use crate::journal::{self, JournalError};

/// Why a history could not be read from a file.
#[derive(Debug, Error)]
pub enum ReadError {
    /// The operating system refused.
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

/// Reads a history from a file in any known format, told apart by how the file begins.
///
/// # Errors
/// When the file cannot be read, or its content breaks its format; the place is named.
pub fn read(path: &Path) -> Result<History, ReadError> {
    let bytes = std::fs::read(path).map_err(|source| ReadError::Io { path: path.to_owned(), source })?;
    if journal::is_journal(&bytes) {
        let journal = journal::read(bytes.as_slice()).map_err(|source| ReadError::Journal { path: path.to_owned(), source })?;
        return Ok(journal.history);
    }
    parse(&bytes).map_err(|error| ReadError::Syntax { path: path.to_owned(), error })
}

/// Parses text as EDN or JSON lines.
///
/// # Errors
/// Where the text breaks the format.
pub fn parse(bytes: &[u8]) -> Result<History, SyntaxError> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if looks_like_json(bytes) { json::parse(bytes) } else { edn::parse(bytes) }
}

/// A JSON object's first key is a string; EDN's is a keyword.
fn looks_like_json(bytes: &[u8]) -> bool {
    let mut marks = bytes.iter().filter(|byte| !byte.is_ascii_whitespace());
    marks.next() == Some(&b'{') && marks.next() == Some(&b'"')
}
