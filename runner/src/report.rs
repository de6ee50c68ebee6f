//! What a run leaves for people and machines to read. Everything here is made from a [`Run`], and nothing here decides anything.

mod availability;
mod charts;
mod ci;
mod counterexample;
mod figures;
mod html;
mod results;
mod terminal;
mod timeline;

use std::path::PathBuf;

use elenchus_core::{Finding, History, Verdict};
use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use ci::{annotations, junit};
pub use results::{CheckResults, Results};
pub use terminal::{explanation, summary};

use crate::clocks::Moment;
use crate::judge;
use crate::store::RunDir;

/// Why a report could not be written.
#[derive(Debug, Error)]
pub enum ReportError {
    /// The operating system refused.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What it said.
        source: std::io::Error,
    },
    /// A chart could not be drawn, or a page not be filled.
    #[error("the report could not be made: {0}")]
    Made(String),
}

/// What must be known to run a test again.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    /// The test's name.
    pub name: String,
    /// When it began, in UTC.
    pub started: String,
    /// The seed that decided every operation and every fault.
    pub seed: u64,
    /// The command that runs it again.
    pub command: String,
    /// What ran it, and on what.
    pub versions: Vec<(String, String)>,
    /// How long clients were driven, in milliseconds.
    #[serde(default)]
    pub duration_ms: u64,
}

impl Facts {
    /// What runs here, and on what.
    pub fn versions() -> Vec<(String, String)> {
        let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        vec![
            ("elenchus".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
            ("kernel of the control node".to_owned(), kernel.trim().to_owned()),
        ]
    }

    /// As one JSON object.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default()
    }
}

/// A run that was judged.
#[derive(Clone, Debug)]
pub struct Run {
    /// What must be known to run it again.
    pub facts: Facts,
    /// Its plan, as it was resolved.
    pub plan: String,
    /// What was recorded.
    pub history: History,
    /// What the nodes' clocks showed, in order of time.
    pub clocks: Vec<Moment>,
    /// What the checkers found.
    pub findings: Vec<Finding>,
}

impl Run {
    /// The gravest verdict of all findings.
    pub fn verdict(&self) -> Verdict {
        judge::verdict(&self.findings)
    }

    /// Writes `results.json`, `report.html` and the charts into the run's directory.
    ///
    /// # Errors
    /// When something cannot be drawn or written.
    pub fn write(&self, dir: &RunDir) -> Result<(), ReportError> {
        let put = |name: &str, text: &str| {
            let path = dir.path().join(name);
            std::fs::write(&path, text).map_err(|source| ReportError::Io { path, source })
        };
        put("results.json", &Results::of(self).to_json())?;
        let charts = charts::draw(self)?;
        for chart in &charts {
            put(&format!("{}.svg", chart.name), &chart.svg)?;
        }
        put("report.html", &html::page(self, &charts)?)
    }
}
