//! Fault injection: what is injected into a cluster, when, and how it is undone in any case.
//!
//! ```text
//! Scheduled (a line of the plan) ── Seed ──> Timetable ──> Planned ── Fault ──> NodeActions: scripts for each node
//!                                                                                 ├──> Ledger: their undo, on the control node's disk before the injection
//!                                                                                 └──> dead man's switch: their undo, on the node, for when the control node is gone
//! ```
//!
//! | module | contents |
//! | --- | --- |
//! | [`fault`] | the [`Fault`] trait; [`About`]: the description of a kind; [`Injection`]: one injection, decided |
//! | [`faults`] | the faults, by kind, and their registration |
//! | `means` | what faults are made with: remote scripts, firewall, cgroups, background jobs, the agent |
//! | [`schedule`] | [`Scheduled`]: a line of the plan; the timetable, the limits, what lines need |
//! | [`execute`] | injecting and healing what is scheduled; the ledger, leases, the dead man's switch |
//! | [`catalogue`] | the printed table of faults |
//! | [`roster`], [`targets`], [`cluster`] | the nodes by name; which of them are targets; how they are reached |
//! | [`clock_reading`] | what nodes' clocks show |
//!
//! Dependencies point one way: `execute` → `schedule` → `faults` → `fault` → `means` → `cluster`, `roster`, `targets`, `error`.
//!
//! To add a fault, write one file and one line: see [`faults`].

pub mod catalogue;
pub mod clock_reading;
pub mod cluster;
pub mod error;
pub mod execute;
pub mod fault;
pub mod faults;
mod means;
pub mod roster;
pub mod schedule;
pub mod targets;

pub use clock_reading::ClockReading;
pub use cluster::Cluster;
pub use error::NemesisError;
pub use execute::heal_all::{Healing, heal_all, heal_outstanding};
pub use execute::ledger::{Armed, Ledger};
pub use execute::mounts::{Mounted, mount};
pub use execute::{Outcome, Record, check, prepare, run};
pub use fault::{About, Decision, Fault, Injection, Mounts, Need, Overlap, TakesDown};
pub use faults::NAMES;
pub use means::firewall::{Protocol, Verdict};
pub use means::node_down::{Expect, Recovery};
pub use means::remote_script::{NodeActions, RemoteScript};
pub use means::requirement::{Requirement, missing};
pub use roster::Roster;
pub use schedule::FaultSchedule;
pub use schedule::line::{Interval, Pick, Scheduled, When};
pub use schedule::needs::{UnmetNeed, requirements, unmet};
pub use schedule::planned::{Planned, Start};
pub use schedule::safety::{AtMost, Safety};
pub use schedule::timetable::plan;
pub use targets::Targets;
