//! Errors of the nemesis.

use std::path::PathBuf;

use elenchus_control::ControlError;
use elenchus_control::system::SystemError;
use thiserror::Error;

/// Why a fault could not be planned, injected or healed.
#[derive(Debug, Error)]
pub enum NemesisError {
    /// A line of the plan does not fit the cluster.
    #[error("nemesis[{line}]: {message}")]
    Line {
        /// The line's position in the plan's list, from 0.
        line: usize,
        /// The problem, and what was expected.
        message: String,
    },
    /// The fault cannot be injected into this cluster now.
    #[error("{0}")]
    Refused(String),
    /// Nodes do not meet the requirements of the plan's faults.
    #[error("these nodes do not meet the requirements of the plan's faults:\n{}", .0.join("\n"))]
    Missing(Vec<String>),
    /// A script failed on one or more nodes.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Nodes(Vec<ControlError>),
    /// The system under test.
    #[error(transparent)]
    System(#[from] SystemError),
    /// Another process has the ledger open.
    #[error("the run of the fault ledger {} is under way; wait for it to end, or stop it", .0.display())]
    UnderWay(PathBuf),
    /// The ledger could not be read or written.
    #[error("the fault ledger {}: {source}; no fault is injected, as it could not be healed after a crash", path.display())]
    Ledger {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
}
