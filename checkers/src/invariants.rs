//! Invariants over many operations: properties that need neither a sequential model nor a total order.
//!
//! Each checker is one file: the module's documentation defines the invariant and its options, and its [`Description`] lists as data the operations
//! it supports, the anomalies it finds and where the invariant is defined. All run in linear time, or O(n log n), and none guesses: failed
//! operations did not take effect, crashed ones may or may not have, and if the history is inconclusive the verdict is `unknown`, with the reason.
//!
//! | checker | invariant |
//! | --- | --- |
//! | [`Bank`] | transfers preserve the total |
//! | [`CausalReverse`] | a visible write implies all writes acknowledged before it was invoked |
//! | [`Convergence`] | replicas converge to a state that the updates allow |
//! | [`CounterBounds`] | reads are between the certain and the possible sum |
//! | [`Fifo`] | each producer's messages are delivered in order |
//! | [`Kafka`] | partitioned logs have no lost, duplicate, reordered or phantom messages |
//! | [`Lock`] | mutual exclusion, increasing fencing tokens, leases that expire |
//! | [`LongFork`] | all reads observe writes in one order |
//! | [`Monotonic`] | ids and timestamps increase |
//! | [`SnapshotTimestamps`] | transactions read the snapshot at their start timestamp |
//! | [`Saga`] | each saga is completed or fully compensated |
//! | [`FinalSet`] | a final read contains all added elements |
//! | [`SetFull`] | every added element becomes and stays visible |
//! | [`Tombstones`] | deleted values are not resurrected |
//! | [`TotalQueue`] | every enqueued element is dequeued |
//! | [`TwoStores`] | after a migration both stores are equal |
//! | [`UniqueIds`] | generated ids are unique |

mod bank;
mod causal_reverse;
mod checker;
mod convergence;
mod counter;
mod description;
mod elements;
mod fifo;
mod interner;
mod kafka;
mod lock;
mod long_fork;
mod monotonic;
mod real_time;
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
