//! What Elenchus does to a system, and what that must satisfy.
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`generator`] | combinators: mix, stagger, limits, phases … |
//! | [`register`] | reads, writes and compare-and-set over independent keys |
//!
//! Adding a workload is one file and one line in [`WorkloadSpec`].

pub mod generator;
pub mod register;

use std::sync::Arc;

use elenchus_core::Workload;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use register::RegisterSpec;

/// The workload of a plan: its name, and its settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum WorkloadSpec {
    /// Reads, writes and compare-and-set over many independent keys; judged for linearizability.
    Register(RegisterSpec),
}

/// The name of every workload, and what it does.
pub const ALL: &[(&str, &str)] =
    &[("register", "reads, writes and compare-and-set over many independent keys; judged for linearizability")];

impl WorkloadSpec {
    /// Its name.
    pub fn name(&self) -> &'static str {
        match self {
            WorkloadSpec::Register(_) => "register",
        }
    }

    /// The workload itself.
    ///
    /// # Errors
    /// When a setting makes no sense, in a sentence that names it.
    pub fn build(&self) -> Result<Arc<dyn Workload>, String> {
        match self {
            WorkloadSpec::Register(spec) => spec.build(),
        }
    }
}
