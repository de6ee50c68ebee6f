//! How a cluster is broken, and how it is healed.
//!
//! ```text
//! Scheduled (a line of the plan) ── Seed ──> Timetable ──> Planned ── Fault ──> Work: scripts for each node
//!                                                                                 ├──> Ledger: how to undo it, on disk before it is done
//!                                                                                 └──> switch: the same on the node, for when nobody comes back
//! ```
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`fault`] | [`Fault`]: what each kind of fault can do; [`Deed`]: one injection of it, decided; [`Work`]: what it does on one node |
//! | [`about`] | what is known of each kind, as data: the table that is printed |
//! | [`scheduled`] | the list of faults; [`Scheduled`]: a line of the plan |
//! | [`timetable`], [`safety`] | what is injected when: a pure function of the plan and the seed; how far all may go together |
//! | [`requirement`] | what nodes must have |
//! | [`conduct`] | carrying a timetable out, and healing whatever happens |
//! | [`ledger`] | what is in force, on disk, so that another process can heal it |
//! | `switch` | the dead man's switch on the node |
//! | [`absence`] | nodes that are down: waiting for them, switching them on |
//! | `helper` | the program that is uploaded for what a shell cannot do |
//! | [`roster`], [`target`], [`grudge`] | who there is, who is struck, who hears whom |
//! | [`firewall`], `cgroup`, `mounted` | rules that stop packets; limits of the kernel; a disk that can be told to forget and fail |
//! | [`partition`], [`isolate`], [`dns`], [`loss`], [`link`], [`sever`], [`proxy`], [`kill`], [`pause`], [`crash_loop`], [`restart`], [`rolling`], [`cpu`], [`memory`], [`fill_disk`], [`descriptors`], [`throttle`], [`oom`], [`pids`], [`io`], [`damage`], [`rollback`], [`power_failure`], [`reboot`], [`power_off`], [`disk`], [`disk_flips`], [`clock`], [`timezone`], [`membership`], [`shell`] | the faults |
//! | [`scenario`] | ready compositions of them |
//!
//! Adding a fault is one file and one line in the table in [`scheduled`].

pub mod about;
pub mod absence;
mod cgroup;
pub mod clock;
pub mod cluster;
pub mod conduct;
pub mod cpu;
pub mod crash_loop;
pub mod damage;
pub mod descriptors;
pub mod disk;
pub mod disk_flips;
pub mod dns;
mod downfall;
pub mod errand;
pub mod error;
pub mod fault;
pub mod fill_disk;
pub mod firewall;
pub mod grudge;
mod helper;
pub mod io;
pub mod isolate;
mod job;
pub mod kill;
pub mod ledger;
pub mod link;
pub mod loss;
pub mod membership;
pub mod memory;
mod mounted;
pub mod oom;
pub mod partition;
pub mod pause;
pub mod pids;
pub mod power_failure;
pub mod power_off;
pub mod proxy;
pub mod reboot;
pub mod requirement;
pub mod restart;
pub mod rollback;
pub mod rolling;
pub mod roster;
pub mod safety;
pub mod scenario;
pub mod scheduled;
pub mod sever;
pub mod shell;
mod switch;
pub mod target;
pub mod throttle;
pub mod timetable;
pub mod timezone;

pub use cluster::Cluster;
pub use conduct::{Campaign, Healing, Outcome, Record, Staged, check, heal_all, heal_outstanding, prepare, run, stage};
pub use errand::Errand;
pub use error::NemesisError;
pub use fault::{Aim, Deed, Fault, Work};
pub use ledger::{Armed, Ledger};
pub use requirement::Requirement;
pub use roster::Roster;
pub use safety::{AtMost, Safety};
pub use scheduled::{Interval, NAMES, Pick, Scheduled, When};
pub use target::Targets;
pub use timetable::{Planned, Start, plan};
