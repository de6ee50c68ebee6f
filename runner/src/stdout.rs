//! What was asked for, printed.

use std::io::{self, ErrorKind, Write};

/// Prints it. A reader who has seen enough, such as `head`, is no failure.
///
/// # Errors
/// When it cannot be written, as to a disk that is full.
pub fn say(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(io::Error::new(error.kind(), format!("standard output: {error}"))),
        _ => Ok(()),
    }
}
