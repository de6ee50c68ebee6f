//! Invariants over many operations: promises that need no model and no order of everything.
//!
//! Each checker is one file: its head says what it promises and what its options mean, and its [`Description`] says as data which operations
//! it expects, which anomalies it finds and where the invariant is defined. All take time linear in the history, or n log n, and none guesses:
//! a failed operation did not happen, a crashed one may or may not have, and a history that cannot say gives `unknown` with the reason.
//!
//! | checker | what it promises |
//! | --- | --- |
//! | [`Bank`] | transfers preserve the total |
//! | [`CausalReverse`] | a write is not seen without those acknowledged before it |
//! | [`Convergence`] | replicas agree in the end, on what the writes allow |
//! | [`CounterBounds`] | reads lie within bounds |
//! | [`Fifo`] | the values of a producer come out in its order |
//! | [`Kafka`] | partitioned logs lose, repeat, reorder and invent nothing |
//! | [`Lock`] | one holder at a time, rising tokens, leases that end |
//! | [`LongFork`] | writes are seen in one order |
//! | [`Monotonic`] | numbers rise |
//! | [`SnapshotTimestamps`] | transactions read the snapshots of their timestamps |
//! | [`Saga`] | sagas end all done or all compensated |
//! | [`FinalSet`] | a final read has all that was added |
//! | [`SetFull`] | every read has all that was added, sooner or later |
//! | [`Tombstones`] | what was deleted does not come back |
//! | [`TotalQueue`] | what goes in comes out |
//! | [`TwoStores`] | a migrated store equals the old one |
//! | [`UniqueIds`] | no id is given out twice |

mod bank;
mod causal_reverse;
mod checker;
mod convergence;
mod counter;
mod description;
mod elements;
mod fifo;
mod intern;
mod kafka;
mod lock;
mod long_fork;
mod monotonic;
mod order;
mod report;
mod saga;
mod set;
mod set_full;
mod snapshot_timestamps;
mod tombstones;
mod total_queue;
mod two_stores;
mod unique_ids;
mod writes;

pub use bank::Bank;
pub use causal_reverse::CausalReverse;
pub(crate) use checker::check_invariant;
pub use checker::{Checked, Invariant, Part};
pub use convergence::{Convergence, Replicated};
pub use counter::CounterBounds;
pub use description::{Description, Shape, Word};
pub use fifo::{DeliveryOrder, Fifo};
pub use kafka::Kafka;
pub use lock::Lock;
pub use long_fork::LongFork;
pub use monotonic::{Monotonic, Scope};
pub use report::{EXAMPLES, Evidence, Report};
pub use saga::Saga;
pub use set::FinalSet;
pub use set_full::SetFull;
pub use snapshot_timestamps::SnapshotTimestamps;
pub use tombstones::Tombstones;
pub use total_queue::TotalQueue;
pub use two_stores::TwoStores;
pub use unique_ids::UniqueIds;
