//! What is done on a node where a shell cannot do it: by a small static program that is uploaded when a fault needs it.
//!
//! It is told what to do on its command line, and says on standard error why it failed; what it remembers is in files below `/run/elenchus`, as for the
//! faults that are scripts. Every order may be given twice, and by another process than the one that gave the order before.
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`change`] | how a clock is set wrong, as a plan asks it and a command line says it |
//! | [`skew`] | what such a clock shows: a function of the true time |
//! | [`clock`] | giving processes such a clock, and taking it away |
//! | [`machine`] | the same for the clock of a whole machine |
//! | [`link`] | a link that is late or untrustworthy, where the kernel has none |
//! | [`proxy`] | between clients and a server: replies that are lost, late, cut or doubled |
//! | [`power`] | restarting the machine and switching it off |
//! | [`disk`] | a file system that forgets what was not synced, and fails |
//! | `kept` | the files that remember what is in force |
//! | [`processes`] | who runs on the node |
//!
//! Errors are sentences for people: nothing here is handled by a program but by telling it.

pub mod change;
pub mod clock;
pub mod disk;
mod kept;
pub mod link;
pub mod machine;
pub mod power;
pub mod processes;
pub mod proxy;
pub mod skew;

/// The result of an order, or why it could not be carried out, in words.
pub type Result<T> = std::result::Result<T, String>;

/// Says what was being done when something went wrong.
pub(crate) fn failed<E: std::fmt::Display>(what: impl std::fmt::Display) -> impl FnOnce(E) -> String {
    move |error| format!("{what}: {error}")
}
