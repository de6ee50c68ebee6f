//! Why a run failed.

use elenchus_control::system::SystemError;
use elenchus_nemesis::NemesisError;
use thiserror::Error;

use crate::conductor::RecorderError;
use crate::plan::PlanError;
use crate::report::JudgedRun;
use crate::store::{RunDir, StoreError};

/// Why a run could not be carried out or judged.
#[derive(Debug, Error)]
pub enum RunError {
    /// The plan is invalid.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The lab cannot be created.
    #[error(transparent)]
    Lab(#[from] elenchus_control::lab::LabError),
    /// The system cannot be installed, started or stopped.
    #[error(transparent)]
    System(#[from] SystemError),
    /// The faults cannot be injected.
    #[error(transparent)]
    Nemesis(#[from] NemesisError),
    /// The history cannot be recorded.
    #[error(transparent)]
    Recorder(#[from] RecorderError),
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The history cannot be read back.
    #[error(transparent)]
    Read(#[from] elenchus_core::exchange::ReadError),
    /// A check names a checker or an option that does not exist.
    #[error(transparent)]
    Check(#[from] elenchus_checkers::BuildError),
    /// Wrong usage: parts of the plan that do not fit together, or a path to something else.
    #[error("{0}")]
    Usage(String),
    /// The clients or the workload could not prepare the system.
    #[error("{0}")]
    Setup(String),
    /// The user interrupted the run before the clients started.
    #[error("interrupted before the clients started, so there is nothing to check; everything that was started has been stopped")]
    Interrupted,
    /// The report cannot be written.
    #[error(transparent)]
    Report(#[from] crate::report::ReportError),
}

/// A run that ended without a verdict.
#[derive(Debug)]
pub struct RunFailure {
    /// The reason.
    pub error: RunError,
    /// The findings and the history until then, also written to the run's directory; none when the run failed before it had one.
    pub partial: Option<(RunDir, JudgedRun)>,
}

impl<E: Into<RunError>> From<E> for RunFailure {
    fn from(error: E) -> RunFailure {
        RunFailure { error: error.into(), partial: None }
    }
}
