//! The system under test: what a YAML definition says of it, and doing what it says on the nodes.
//!
//! ```text
//! Definition (YAML) ── templates, one node at a time ──> Rendered ── shell over Host ──> the node
//! ```
//!
//! Nodes need no systemd: a system runs as a session of its own (`setsid`) whose leader is named, with its start time, in a pidfile
//! under `/run/elenchus`. Everything in that session belongs to the system, so that kill and pause reach its children too.

mod checks;
mod cleaning;
pub mod daemon;
mod definition;
mod error;
mod logs;
mod processes;
mod rendered;
mod runtime;
mod template;

pub use definition::{Definition, File, Install, LogPattern, Membership, Process, Ready, Requires, Start, Stop, Upload};
pub use error::SystemError;
pub use logs::{Trouble, Troubles};
pub use rendered::Rendered;
pub use runtime::{Node, System, at_once};
