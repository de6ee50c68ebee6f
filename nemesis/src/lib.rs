//! How a cluster is broken, and how it is healed.
//!
//! ```text
//! Scheduled (a line of the plan) ── Seed ──> Timetable ──> Planned ── Fault ──> the nodes
//!                                                             └────> Ledger: how to undo it, on disk before it is done
//! ```
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`fault`] | [`Fault`]: what each kind of fault can do; [`Deed`]: one injection of it, decided |
//! | [`scheduled`] | the table of faults; [`Scheduled`]: a line of the plan |
//! | [`timetable`] | what is injected when: a pure function of the plan and the seed |
//! | [`conduct`] | carrying a timetable out, and healing whatever happens |
//! | [`ledger`] | what is in force, on disk, so that another process can heal it |
//! | [`grudge`], [`partition`] | who hears whom; cutting the network so |
//! | [`target`], [`kill`], [`pause`] | which nodes; what is done to the processes there |
//!
//! Adding a fault is one file and one line in the table in [`scheduled`].

pub mod cluster;
pub mod conduct;
pub mod errand;
pub mod error;
pub mod fault;
pub mod grudge;
pub mod kill;
pub mod ledger;
pub mod partition;
pub mod pause;
pub mod scheduled;
pub mod target;
pub mod timetable;

pub use cluster::Cluster;
pub use conduct::{Outcome, Record, check, heal_all, heal_outstanding, run};
pub use errand::Errand;
pub use error::NemesisError;
pub use fault::{Aim, Deed, Fault};
pub use ledger::{Armed, Ledger};
pub use scheduled::{Interval, NAMES, Scheduled};
pub use timetable::{Planned, plan};
