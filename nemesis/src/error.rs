//! What can go wrong with a fault, in words.

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
        /// Which line of the plan's list, from 0.
        line: usize,
        /// What is wrong and what was expected.
        message: String,
    },
    /// The fault cannot be done to this cluster now.
    #[error("{0}")]
    Refused(String),
    /// Nodes lack what the faults of the plan need.
    #[error("the faults of this plan cannot be made here:\n{}", .0.join("\n"))]
    Missing(Vec<String>),
    /// A step failed on one or more nodes.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Nodes(Vec<ControlError>),
    /// The system under test.
    #[error(transparent)]
    System(#[from] SystemError),
    /// Somebody else has the ledger open.
    #[error("the run of the fault ledger {} is under way; wait until it has ended, or end it", .0.display())]
    UnderWay(PathBuf),
    /// The ledger on the control node.
    #[error("the fault ledger {}: {source}; no fault is injected that could not be healed after a crash", path.display())]
    Ledger {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}
