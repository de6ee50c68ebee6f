//! Histories in other tools' formats, and any history from a path, a pipe or memory.
//!
//! | format | read | written | looks like |
//! | --- | --- | --- | --- |
//! | journal | yes | by [`crate::journal`] | binary, begins with `ELENCH01` |
//! | EDN | yes | [`edn::write`] | `{:process 0, :type :invoke, :f :read, :value nil}` a line, or one vector of such maps, as Jepsen writes |
//! | JSON | yes | [`json::write`] | `{"process":0,"type":"invoke","f":"read","value":null}` a line, or one array of such objects |
//! | log | yes | no | `INFO  jepsen.util - 0 :invoke :read nil`, as Jepsen logs |
//!
//! The format is told from the content, never from a name; what gzip or zstd compressed is read as it is.
//!
//! [`read`] gives a whole [`History`]; [`events()`] gives its events batch by batch, in bounded memory, for those who need not hold them all:
//!
//! ```
//! use std::io::Cursor;
//! use elenchus_core::exchange::{ReadOptions, events_from};
//!
//! let text = "{:process 0, :type :invoke, :f :read, :value nil}\n{:process 0, :type :ok, :f :read, :value 3}\n";
//! let mut events = events_from("memory", Cursor::new(text), &ReadOptions::default())?;
//! let mut count = 0;
//! for batch in &mut events {
//!     count += batch?.len();
//! }
//! assert_eq!(count, 2);
//! # Ok::<(), elenchus_core::exchange::ReadError>(())
//! ```

mod draft;
pub mod edn;
mod error;
mod events;
mod format;
pub mod json;
mod log;
mod nodes;
mod pieces;
mod scanner;
mod segment;
mod source;

use std::path::Path;

use crate::History;
pub use error::{ReadError, Skipped, SyntaxError};
pub use events::{Events, ReadOptions, events, events_from};
pub use format::Format;

/// Reads a whole history in any known format, told apart by its content; `-` is the standard input.
///
/// # Errors
/// When the file cannot be read, or its content breaks its format; the place is named.
pub fn read(path: &Path) -> Result<History, ReadError> {
    Ok(read_with(path, &ReadOptions::default())?.0)
}

/// As [`read`], with options; what was left out, where they allow it, is told beside the history.
///
/// # Errors
/// As [`read`].
pub fn read_with(path: &Path, options: &ReadOptions) -> Result<(History, Skipped), ReadError> {
    events(path, options)?.into_history()
}

/// Parses a text in memory: EDN, JSON or log lines, told apart by how it begins.
///
/// # Errors
/// Where the text breaks the format.
pub fn parse(bytes: &[u8]) -> Result<History, SyntaxError> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let language = segment::Language::new(Format::sniff(bytes), bytes, false);
    let state = segment::State { scope: segment::Scope::Start, is_recovering: false };
    let whole = segment::read_bytes(&language, bytes, state, true);
    match whole.fatal {
        Some(fault) => Err(error::Position::START.after(&bytes[..fault.at.min(bytes.len())]).error(fault.message)),
        None => Ok(History { events: whole.events, nodes: whole.nodes.names().to_vec() }),
    }
}
