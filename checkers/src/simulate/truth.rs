//! What a simulator knows of the history that it made.

/// The truth behind a simulated history, as far as it has been played.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Truth {
    /// The invocations (their positions among the events) of the operations that the store's defect struck, in the order in which they took
    /// effect. A strike may be invisible to clients.
    pub defects: Vec<u64>,
    /// How many transactions took effect.
    pub committed: u64,
    /// How many transactions the store aborted because of what others did.
    pub conflicts: u64,
    /// How many committed transactions changed something and read something that had a newer version by then.
    pub antidependencies: u64,
    /// How many committed transactions changed a key that they had read and that had a newer version by then.
    pub lost_updates: u64,
}
