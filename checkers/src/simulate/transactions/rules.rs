//! What tells one transactional store from another.

use super::super::table::Store;

/// The rules of a store.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    /// How many sites there are. What a site commits, others hear of later.
    pub(super) sites: usize,
    pub(super) sees: Sees,
    pub(super) validates: Validates,
    pub(super) closes: Closes,
    /// Whether a snapshot of the one site is as new as the process knows.
    pub(super) is_session: bool,
}

/// What a transaction sees besides its own writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sees {
    /// All that is committed when it begins.
    Newest,
    /// That, or if it only reads, what was committed some time ago, or what its site knows.
    NewestButReaders,
    /// What was committed some time ago, or what its site knows.
    Past,
    /// All of its own site, and of each other what was committed there some time ago.
    Pieces,
    /// With each read, all that is committed then.
    EachNewest,
    /// With each read, what was committed some time ago.
    EachPast,
    /// With each access, what is there, committed or not.
    InPlace,
    /// That, and what others write is locked until their end, and undone if they abort.
    InPlaceLocked,
}

/// What must not have changed since, for a transaction to commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Validates {
    Nothing,
    Writes,
    /// What it has read. Those that only read always commit.
    Reads,
}

/// What a site that knows a transaction knows as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Closes {
    Nothing,
    /// All that it saw.
    Causes,
    /// All that any serial order has before it: whose writes it read or overwrote, and who read what it overwrote.
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

    /// Whether each access is carried out at a moment of its own.
    pub(super) fn goes_step_by_step(self) -> bool {
        matches!(self.sees, Sees::EachNewest | Sees::EachPast) || self.is_in_place()
    }

    /// Whether writes are seen before the commit.
    pub(super) fn is_in_place(self) -> bool {
        matches!(self.sees, Sees::InPlace | Sees::InPlaceLocked)
    }
}
