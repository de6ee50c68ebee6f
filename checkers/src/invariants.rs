//! Invariants over many operations: promises that need no model and no order of everything.
//!
//! Each checker is one file: its head says what it promises and what its options mean, and its [`Description`] says as data which operations
//! it expects, which anomalies it finds and where the invariant is defined. All take time linear in the history, or n log n, and none guesses:
//! a failed operation did not happen, a crashed one may or may not have, and a history that cannot say gives `unknown` with the reason.
//!
//! | checker | what it promises |
//! | --- | --- |
//! | [`Bank`] | transfers preserve the total |
//! | [`Counter`] | reads lie within bounds |
//! | [`Fifo`] | the values of a producer come out in its order |
//! | [`Monotonic`] | numbers rise |
//! | [`Set`] | a final read has all that was added |
//! | [`SetFull`] | every read has all that was added, sooner or later |
//! | [`TotalQueue`] | what goes in comes out |
//! | [`UniqueIds`] | no id is given out twice |

mod bank;
mod checker;
mod counter;
mod description;
mod elements;
mod fifo;
mod intern;
mod monotonic;
mod order;
mod report;
mod set;
mod set_full;
mod total_queue;
mod unique_ids;

pub use bank::Bank;
pub use checker::{Checked, Invariant, Part};
pub use counter::Counter;
pub use description::{Description, Shape, Word};
pub use fifo::{DeliveryOrder, Fifo};
pub use monotonic::{Monotonic, Scope};
pub use report::{EXAMPLES, Evidence, Report};
pub use set::Set;
pub use set_full::SetFull;
pub use total_queue::TotalQueue;
pub use unique_ids::UniqueIds;

/// Every invariant, described.
pub const DESCRIPTIONS: &[&Description] = &[
    &Bank::DESCRIPTION,
    &Counter::DESCRIPTION,
    &Fifo::DESCRIPTION,
    &Monotonic::DESCRIPTION,
    &Set::DESCRIPTION,
    &SetFull::DESCRIPTION,
    &TotalQueue::DESCRIPTION,
    &UniqueIds::DESCRIPTION,
];
