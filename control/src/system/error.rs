//! Errors of a system definition and of carrying it out.

use std::path::PathBuf;

use thiserror::Error;

use crate::ControlError;

/// The reason why a definition is invalid, or why a step on the nodes failed.
#[derive(Debug, Error)]
pub enum SystemError {
    /// A template cannot be rendered.
    #[error("system `{system}`: {field}, line {line}: {message}")]
    Template {
        /// The system's name.
        system: String,
        /// The field of the definition.
        field: String,
        /// The line within the template, from 1.
        line: usize,
        /// The error.
        message: String,
    },
    /// The definition is invalid.
    #[error("system `{system}`: {message}")]
    Definition {
        /// The system's name.
        system: String,
        /// The problem, and what was expected.
        message: String,
    },
    /// A file to upload was not found.
    #[error("system `{system}`: cannot upload `{from}`: {message}")]
    Upload {
        /// The system's name.
        system: String,
        /// The path in the definition.
        from: String,
        /// Where it was searched.
        message: String,
    },
    /// A step failed on a node.
    #[error("cannot {step} on {node}: {source}")]
    Step {
        /// The step, as in “cannot …”.
        step: String,
        /// The node.
        node: String,
        /// The command, its exit status and output.
        source: Box<ControlError>,
    },
    /// A node did not become ready in time.
    #[error("{node}: `{system}` was not ready within {within}; {details}")]
    NotReady {
        /// The node.
        node: String,
        /// The system's name.
        system: String,
        /// The time-out.
        within: String,
        /// The check, its last output, and the end of the system's log.
        details: String,
    },
    /// The system is still running after it was killed.
    #[error("{node}: `{system}` is still running after it was killed: processes {processes}")]
    StillRunning {
        /// The node.
        node: String,
        /// The system's name.
        system: String,
        /// Its processes.
        processes: String,
    },
    /// The system has no node of this name.
    #[error("system `{system}` has no node `{node}`")]
    UnknownNode {
        /// The system's name.
        system: String,
        /// The node.
        node: String,
    },
    /// A file on the control node could not be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: std::io::Error,
    },
    /// Several nodes failed.
    #[error("{} nodes failed:\n{}", .0.len(), .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Several(Vec<SystemError>),
}
