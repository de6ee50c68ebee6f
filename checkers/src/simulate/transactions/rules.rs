//! The rules that distinguish the transactional stores.

use super::super::table::Store;

/// The rules of a store.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    /// The number of sites, which replicate commits to each other asynchronously.
    pub(super) sites: usize,
    pub(super) sees: Sees,
    pub(super) validates: Validates,
    pub(super) closes: Closes,
    /// Whether snapshots at a single site contain everything that the process has seen.
    pub(super) is_session: bool,
}

/// The versions that a transaction reads besides its own writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sees {
    /// All that is committed when it begins.
    Newest,
    /// As [`Sees::Newest`]; read-only transactions as [`Sees::Past`].
    NewestButReaders,
    /// A past snapshot; with several sites, what its site has applied.
    Past,
    /// All commits of its own site, and of each other site a past prefix.
    Pieces,
    /// At each read, all that is committed.
    EachNewest,
    /// At each read, a past snapshot.
    EachPast,
    /// At each access, the current state, committed or not.
    InPlace,
    /// As [`Sees::InPlace`], but writes are locked until the transaction ends, and undone if it aborts.
    InPlaceLocked,
}

/// What must not have changed for a transaction to commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Validates {
    Nothing,
    Writes,
    /// What it has read. Read-only transactions always commit.
    Reads,
}

/// What a site must apply before it applies a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Closes {
    Nothing,
    /// All that the transaction saw.
    Causes,
    /// All that precedes it in every serial order: the writers of versions that it read or overwrote, and the readers of versions that it
    /// overwrote.
    Conflicts,
}

impl Rules {
    /// The rules of a transactional store.
    pub(super) fn of(store: Store) -> Rules {
        use Sees::*;
        let one = |sees, validates, is_session| Rules { sites: 1, sees, validates, closes: Closes::Nothing, is_session };
        let four = |sees, validates, closes| Rules { sites: super::SITES, sees, validates, closes, is_session: true };
        match store {
            Store::StrongSessionSerializable => one(NewestButReaders, Validates::Reads, true),
            Store::Serializable => one(NewestButReaders, Validates::Reads, false),
            Store::UpdateSerializable => four(NewestButReaders, Validates::Reads, Closes::Conflicts),
            Store::StrongSnapshotIsolation => one(Newest, Validates::Writes, true),
            Store::StrongSessionSnapshotIsolation => one(Past, Validates::Writes, true),
            Store::SnapshotIsolation => one(Past, Validates::Writes, false),
            Store::ParallelSnapshotIsolation => four(Past, Validates::Writes, Closes::Causes),
            Store::Prefix => one(Past, Validates::Nothing, true),
            Store::TransactionalCausal => four(Past, Validates::Nothing, Closes::Causes),
            Store::ReadAtomic => four(Pieces, Validates::Nothing, Closes::Nothing),
            Store::MonotonicAtomicView => one(EachNewest, Validates::Nothing, true),
            Store::ReadCommitted => one(EachPast, Validates::Nothing, false),
            Store::ReadUncommitted => one(InPlaceLocked, Validates::Nothing, true),
            Store::NoIsolation => one(InPlace, Validates::Nothing, true),
            _ => one(Newest, Validates::Reads, true),
        }
    }

    /// Returns whether each access is executed at a moment of its own.
    pub(super) fn goes_step_by_step(self) -> bool {
        matches!(self.sees, Sees::EachNewest | Sees::EachPast) || self.is_in_place()
    }

    /// Returns whether writes are visible before the commit.
    pub(super) fn is_in_place(self) -> bool {
        matches!(self.sees, Sees::InPlace | Sees::InPlaceLocked)
    }
}
