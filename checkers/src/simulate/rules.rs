//! The rules that distinguish the transactional stores.

use super::table::Store;

/// The maximum number of sites.
pub(super) const SITES: usize = 4;

/// The rules of a store.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    /// The number of sites, which replicate commits to each other asynchronously.
    pub(super) sites: usize,
    pub(super) visibility: Visibility,
    pub(super) validation: Validation,
    pub(super) closure: Closure,
    /// Whether snapshots at a single site contain everything that the process has seen.
    pub(super) is_session: bool,
}

/// The versions that a transaction reads besides its own writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Visibility {
    /// All that is committed when it begins.
    Newest,
    /// As [`Visibility::Newest`]; read-only transactions as [`Visibility::Past`].
    NewestForUpdates,
    /// A past snapshot; with several sites, what its site has applied.
    Past,
    /// All commits of its own site, and of each other site a past prefix.
    PerSitePrefix,
    /// At each read, all that is committed.
    NewestPerRead,
    /// At each read, a past snapshot.
    PastPerRead,
    /// At each access, the current state, committed or not.
    InPlace,
    /// As [`Visibility::InPlace`], but writes are locked until the transaction ends, and undone if it aborts.
    InPlaceLocked,
}

/// The keys that must not have changed for a transaction to commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Validation {
    Nothing,
    Writes,
    /// The keys it has read. Read-only transactions always commit.
    Reads,
}

/// The transactions that a site must apply before it applies a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Closure {
    Nothing,
    /// All that the transaction saw.
    Causal,
    /// All that precedes it in every serial order: the writers of versions that it read or overwrote, and the readers of versions that it
    /// overwrote.
    Conflicts,
}

impl Rules {
    /// The rules of a transactional store.
    pub(super) fn of(store: Store) -> Rules {
        use Visibility::*;
        let one = |visibility, validation, is_session| Rules { sites: 1, visibility, validation, closure: Closure::Nothing, is_session };
        let four = |visibility, validation, closure| Rules { sites: SITES, visibility, validation, closure, is_session: true };
        match store {
            Store::StrongSessionSerializable => one(NewestForUpdates, Validation::Reads, true),
            Store::Serializable => one(NewestForUpdates, Validation::Reads, false),
            Store::UpdateSerializable => four(NewestForUpdates, Validation::Reads, Closure::Conflicts),
            Store::StrongSnapshotIsolation => one(Newest, Validation::Writes, true),
            Store::StrongSessionSnapshotIsolation => one(Past, Validation::Writes, true),
            Store::SnapshotIsolation => one(Past, Validation::Writes, false),
            Store::ParallelSnapshotIsolation => four(Past, Validation::Writes, Closure::Causal),
            Store::Prefix => one(Past, Validation::Nothing, true),
            Store::TransactionalCausal => four(Past, Validation::Nothing, Closure::Causal),
            Store::ReadAtomic => four(PerSitePrefix, Validation::Nothing, Closure::Nothing),
            Store::MonotonicAtomicView => one(NewestPerRead, Validation::Nothing, true),
            Store::ReadCommitted => one(PastPerRead, Validation::Nothing, false),
            Store::ReadUncommitted => one(InPlaceLocked, Validation::Nothing, true),
            Store::NoIsolation => one(InPlace, Validation::Nothing, true),
            _ => one(Newest, Validation::Reads, true),
        }
    }

    /// Returns whether each access is executed at a moment of its own.
    pub(super) fn is_interleaved(self) -> bool {
        matches!(self.visibility, Visibility::NewestPerRead | Visibility::PastPerRead) || self.is_in_place()
    }

    /// Returns whether writes are visible before the commit.
    pub(super) fn is_in_place(self) -> bool {
        matches!(self.visibility, Visibility::InPlace | Visibility::InPlaceLocked)
    }
}

/// Returns whether a store has snapshots at a single site, so that begins and commits are points in time.
pub(super) fn has_snapshots(store: Store) -> bool {
    let rules = Rules::of(store);
    rules.sites == 1 && !rules.is_interleaved()
}
