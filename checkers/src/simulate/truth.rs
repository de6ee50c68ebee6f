//! The facts that a simulator knows about the history that it generated.

/// Facts about a simulated history that clients cannot observe, up to the events generated so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Truth {
    /// The operations on which the store's defect occurred, by the index of their invocation event, in the order in which they took
    /// effect. A defect may be invisible to clients.
    pub defects: Vec<u64>,
    /// The number of transactions that took effect.
    pub committed: u64,
    /// The number of transactions that the store aborted because of conflicts.
    pub conflicts: u64,
    /// The number of committed updates that read a version which had been overwritten when they committed.
    pub antidependencies: u64,
    /// The number of committed updates that overwrote a key of which they had read a version that had been overwritten when they
    /// committed.
    pub lost_updates: u64,
}
