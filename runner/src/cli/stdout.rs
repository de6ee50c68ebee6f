//! Printing on standard output.

use std::io::{self, ErrorKind, Write};

/// Prints a text. EPIPE counts as success: readers such as `head` close the pipe early.
///
/// # Errors
/// When the text cannot be written, for example to a full disk.
pub(super) fn say(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(io::Error::new(error.kind(), format!("standard output: {error}"))),
        _ => Ok(()),
    }
}
