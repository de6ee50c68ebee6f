//! The limits of a search.

use std::time::Instant;

/// The limits of the rest of a check.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// When the search must end.
    pub(crate) deadline: Option<Instant>,
    /// The maximum memory in bytes.
    pub(crate) bytes: usize,
    /// The maximum number of edge visits, a limit that does not depend on the machine.
    pub(crate) edges: u64,
}

impl Limits {
    /// Returns whether a search that visited so many edges and holds so many bytes must end.
    pub(crate) fn are_reached(&self, edges: u64, bytes: usize) -> bool {
        edges > self.edges || bytes > self.bytes || self.deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }
}
