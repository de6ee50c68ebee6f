//! Reading and writing histories in other tools' formats, from a path, a pipe or memory.
//!
//! | format | read | written by | example |
//! | --- | --- | --- | --- |
//! | journal | yes | [`crate::journal`] | binary, begins with `ELENCH01` |
//! | EDN | yes | [`edn::write`] | `{:process 0, :type :invoke, :f :read, :value nil}` per line, or one vector of such maps, as Jepsen writes |
//! | JSON | yes | [`json::write`] | `{"process":0,"type":"invoke","f":"read","value":null}` per line, or one array of such objects |
//! | log | yes | – | `INFO  jepsen.util - 0 :invoke :read nil`, as Jepsen logs |
//!
//! The format is detected from the content, not from the file name. Input compressed with gzip or zstd is decompressed.
//!
//! [`read`] returns a whole [`History`]; [`events()`] returns its events in batches, in bounded memory:
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

mod chunks;
pub mod edn;
mod error;
mod event_builder;
mod event_parser;
mod events;
mod format;
pub mod json;
mod log;
mod nodes;
mod scanner;
mod segment;
mod source;

use std::path::Path;

use crate::History;
pub use error::{ReadError, Skipped, SyntaxError};
pub use events::{Events, ReadOptions, events, events_from};
pub use format::Format;

/// Reads a whole history, detecting its format; the path `-` means standard input.
///
/// # Errors
/// When the file cannot be read or has a syntax error; the error includes the position.
pub fn read(path: &Path) -> Result<History, ReadError> {
    Ok(read_with(path, &ReadOptions::default())?.0)
}

/// Like [`read`], with options; also returns the lines or events that were skipped, if the options allow skipping.
///
/// # Errors
/// Like [`read`].
pub fn read_with(path: &Path, options: &ReadOptions) -> Result<(History, Skipped), ReadError> {
    events(path, options)?.into_history()
}

/// Parses a text in memory, detecting its format: EDN, JSON or log.
///
/// # Errors
/// When the text has a syntax error.
pub fn parse(bytes: &[u8]) -> Result<History, SyntaxError> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let context = segment::ParseContext::new(Format::sniff(bytes), bytes, false);
    let state = segment::State { scope: event_parser::Scope::Start, is_recovering: false };
    let whole = segment::read_bytes(&context, bytes, state, true);
    match whole.fatal {
        Some(error) => Err(error::Position::START.after(&bytes[..error.at.min(bytes.len())]).error(error.message)),
        None => Ok(History { events: whole.events, nodes: whole.nodes.names().to_vec() }),
    }
}
