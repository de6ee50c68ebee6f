//! The system under test: its YAML definition, and the operations on nodes that carry it out.
//!
//! ```text
//! Definition (YAML) ── templates, one node at a time ──> Rendered ── shell over Host ──> the node
//! ```
//!
//! Nodes need no systemd. A system runs in a session of its own (`setsid`), whose leader's pid and start time are in a pidfile under `/run/elenchus`. All processes
//! of that session belong to the system, so that kill and pause reach its children.
//!
//! # Example
//!
//! A definition is any value that serde can deserialize; Elenchus reads YAML. See the folder `systems` for complete ones.
//!
//! ```
//! use std::collections::BTreeMap;
//! use std::path::Path;
//!
//! use elenchus_control::system::{Definition, System};
//!
//! let definition: Definition = serde_json::from_str(
//!     r#"{
//!         "name": "my-store",
//!         "options": {"port": "7000"},
//!         "data": ["/var/lib/my-store"],
//!         "start": {"command": "exec my-store --listen {{ node.address }}:{{ options.port }}"},
//!         "ready": {"command": "my-store ping {{ node.address }}:{{ options.port }}"}
//!     }"#,
//! )?;
//! let nodes = [("n1".to_owned(), "10.0.0.1".to_owned()), ("n2".to_owned(), "10.0.0.2".to_owned())];
//! let system = System::new(definition, &BTreeMap::new(), Path::new("."), &nodes)?;
//! assert_eq!(system.on("n2")?.daemon.command, "exec my-store --listen 10.0.0.2:7000");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`System::set_up`] then installs and starts it on [`Node`]s, [`System::kill`] and [`System::pause`] act on one node, [`System::fetch_logs`] and
//! [`System::tear_down`] end a run.

mod checks;
mod cleaning;
pub mod daemon;
mod definition;
mod error;
mod log_patterns;
mod logs;
mod processes;
mod rendered;
mod runtime;
mod template;

pub use definition::{Definition, File, Install, LogPattern, Membership, Process, Ready, Requires, Start, Stop, Upload};
pub use error::SystemError;
pub use log_patterns::{LogFinding, LogPatterns};
pub use rendered::Rendered;
pub use runtime::{Node, System, on_all_nodes};
