//! The agent: a small static program that is uploaded to a node when a fault needs more than a shell can do.
//!
//! It takes a command on its command line and prints the reason on standard error when it fails. Its state is in files below
//! `/run/elenchus`, like that of faults that are scripts. Every command is idempotent, and can be repeated by another process.
//!
//! | module | contents |
//! | --- | --- |
//! | [`change`] | a change of a clock, as a plan and a command line describe it |
//! | [`skew`] | the time that a changed clock shows: a function of the true time |
//! | [`clock`] | changing the clocks of processes through ptrace and the vDSO, and restoring them |
//! | [`machine`] | the same for the clock of a whole machine |
//! | [`link`] | latency, jitter, loss, duplication, reordering and corruption where the kernel has no netem |
//! | [`proxy`] | a TCP proxy in front of a server: lost, late, cut, repeated and altered messages |
//! | [`power`] | restarting the machine and powering it off |
//! | [`disk`] | a FUSE file system that loses writes that were not synced, and fails operations |
//! | `state` | the files that record which injections are active |
//! | [`processes`] | the processes of the node |
//!
//! Errors are sentences for people: no code branches on them.

pub mod change;
pub mod clock;
pub mod disk;
pub mod link;
pub mod machine;
pub mod power;
pub mod processes;
pub mod proxy;
pub mod skew;
mod state;

/// The result of a command, or a sentence why it failed.
pub type Result<T> = std::result::Result<T, String>;

/// Prefixes an error with what failed.
pub(crate) fn failed<E: std::fmt::Display>(what: impl std::fmt::Display) -> impl FnOnce(E) -> String {
    move |error| format!("{what}: {error}")
}
