//! What can go wrong with a system, in words.

use std::path::PathBuf;

use thiserror::Error;

use crate::ControlError;

/// Why a system could not be read, installed, started or looked into.
#[derive(Debug, Error)]
pub enum SystemError {
    /// A template does not hold.
    #[error("system `{system}`: {field}, line {line}: {message}")]
    Template {
        /// The system's name.
        system: String,
        /// Which text of the definition.
        field: String,
        /// The line within that text, from 1.
        line: usize,
        /// What is wrong with it.
        message: String,
    },
    /// The definition says something it must not.
    #[error("system `{system}`: {message}")]
    Definition {
        /// The system's name.
        system: String,
        /// What is wrong and what was expected.
        message: String,
    },
    /// A file to upload is not there.
    #[error("system `{system}`: cannot upload `{from}`: {message}")]
    Upload {
        /// The system's name.
        system: String,
        /// What the definition names.
        from: String,
        /// Where it was looked for, or why it could not be read.
        message: String,
    },
    /// A step failed on a node.
    #[error("cannot {step} on {node}: {source}")]
    Step {
        /// What was being done, as in “cannot …”.
        step: String,
        /// On which node.
        node: String,
        /// Command, exit status and output.
        source: Box<ControlError>,
    },
    /// A node did not become ready.
    #[error("{node}: `{system}` was not ready within {within}; {details}")]
    NotReady {
        /// The node.
        node: String,
        /// The system's name.
        system: String,
        /// The time it was given.
        within: String,
        /// The check, what it last said, and the last lines that the system printed.
        details: String,
    },
    /// The system still runs.
    #[error("{node}: `{system}` still runs after it was killed: {processes}")]
    StillRunning {
        /// The node.
        node: String,
        /// The system's name.
        system: String,
        /// The processes left.
        processes: String,
    },
    /// A node that is not one of the system's.
    #[error("system `{system}` was not made for a node `{node}`")]
    UnknownNode {
        /// The system's name.
        system: String,
        /// The node.
        node: String,
    },
    /// A file on the control node could not be written or read.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Several nodes failed.
    #[error("{} nodes failed:\n{}", .0.len(), .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Several(Vec<SystemError>),
}
