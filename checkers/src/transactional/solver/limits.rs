//! What a search may spend.

use std::time::Instant;

/// Limits on what is left of a check.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// When it must end.
    pub(crate) deadline: Option<Instant>,
    /// Bytes it may hold.
    pub(crate) bytes: usize,
    /// Ways it may look at: a limit that does not depend on the machine.
    pub(crate) ways: u64,
}

impl Limits {
    /// Whether a search that looked at so many ways and holds so many bytes must end.
    pub(crate) fn are_reached(&self, ways: u64, bytes: usize) -> bool {
        ways > self.ways || bytes > self.bytes || self.deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }
}
