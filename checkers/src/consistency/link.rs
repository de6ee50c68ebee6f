//! Derived links between accesses, and the reads-from pairs that count beside them.

use super::registers::{Access, AccessId, AccessKind, Source};

/// Which reads-from pairs count as precedence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// All: causality.
    All,
    /// Those of one session's reads: its own view.
    Session(u32),
}

impl Scope {
    /// Returns the write that precedes an access because the access reads from it.
    pub(crate) fn source(self, access: &Access) -> Option<AccessId> {
        match access.kind {
            AccessKind::Read(Source::Write(write)) if self == Scope::All || self == Scope::Session(access.session) => Some(write),
            _ => None,
        }
    }
}

/// A derived precedence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    /// The preceding access.
    pub(crate) from: AccessId,
    /// The following access.
    pub(crate) to: AccessId,
    /// The read that implies it.
    pub(crate) read: AccessId,
    /// The rule that implies it.
    pub(crate) rule: Rule,
}

/// A derivation rule. Both writes and the read are on one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// `from` precedes `read`, which returned the value of `to`: so `from` precedes `to`.
    WriteBeforeSource,
    /// `to` follows the source of `read`, which still returned that source: so the read (or the write of its compare-and-set), `from`, precedes `to`.
    ReadBeforeOverwrite,
}
