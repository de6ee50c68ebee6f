//! Errors of the lab.

use thiserror::Error;

/// The reason why a lab or one of its nodes cannot be started or entered.
#[derive(Debug, Error)]
pub enum LabError {
    /// The kernel refuses to create namespaces or a bridge.
    #[error("cannot create a lab on this machine: {what}: {source}. {advice}")]
    Namespaces {
        /// The step that failed.
        what: &'static str,
        /// The kernel's error.
        source: std::io::Error,
        /// How to permit it.
        advice: &'static str,
    },
    /// A step of setting up the lab failed.
    #[error("cannot set up the lab: {what}: {source}")]
    Setup {
        /// The step.
        what: String,
        /// The kernel's error.
        source: std::io::Error,
    },
    /// A node did not start.
    #[error("lab node {node} did not start: {reason}")]
    Node {
        /// The node's name.
        node: String,
        /// The reason.
        reason: String,
    },
    /// A running node cannot be entered.
    #[error("cannot enter lab node {node}: {reason}")]
    Join {
        /// The node's name.
        node: String,
        /// The reason.
        reason: String,
    },
    /// The options cannot be fulfilled.
    #[error("{0}")]
    Options(String),
}

impl LabError {
    /// Wraps the I/O error of a set-up step.
    pub(super) fn setup(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> LabError {
        let what = what.into();
        move |source| LabError::Setup { what, source }
    }
}
