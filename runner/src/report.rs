//! Results for people and machines, rendered from a [`JudgedRun`]. Nothing here decides a verdict.
//!
//! | module | contents |
//! | --- | --- |
//! | `results` | `results.json`, and the output of `check --json` |
//! | `terminal` | the summary on a terminal |
//! | `ci` | JUnit and annotations |
//! | `html` | the report page |
//! | `charts` | latency, rate, clocks over time, as SVG |
//! | `timeline` | one lane per worker |
//! | `counterexample` | the operations of an anomaly, drawn |
//! | `availability` | which nodes served during which fault |
//! | `figures` | latencies, rates, errors as numbers |

mod availability;
mod chart;
mod charts;
mod ci;
mod counterexample;
mod figures;
mod html;
mod results;
mod terminal;
mod timeline;

use std::path::PathBuf;

use elenchus_core::{CheckSpec, Finding, History, Verdict};
use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use ci::{annotations, junit};
pub use results::{CheckResults, Results};
pub use terminal::{explanation, summary};

use crate::clock_sample::ClockSample;
use crate::judge;
use crate::store::RunDir;

/// Why a report could not be written.
#[derive(Debug, Error)]
pub enum ReportError {
    /// An I/O error.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The operating system's error.
        source: std::io::Error,
    },
    /// A chart or a page could not be rendered.
    #[error("the report could not be rendered: {0}")]
    Render(String),
}

/// The facts that identify a run and allow to repeat it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    /// The test's name.
    pub name: String,
    /// When the run began, in UTC.
    pub started: String,
    /// The seed of every random choice.
    pub seed: u64,
    /// The command that repeats the run.
    pub command: String,
    /// The versions of the software involved, by name.
    pub versions: Vec<(String, String)>,
    /// How long clients ran, in milliseconds.
    #[serde(default)]
    pub duration_ms: u64,
    /// The checks of the run, by which `elenchus check` judges it again.
    #[serde(default)]
    pub checks: Vec<CheckSpec>,
}

impl Facts {
    /// The versions of this program and of the kernel that runs it.
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

/// A run, or a history from elsewhere, with its findings.
#[derive(Clone, Debug)]
pub struct JudgedRun {
    /// Its facts.
    pub facts: Facts,
    /// Its plan, as it was run.
    pub plan: String,
    /// The history.
    pub history: History,
    /// The nodes' clock samples, in order of time.
    pub clocks: Vec<ClockSample>,
    /// The findings of the checkers and of the run itself.
    pub findings: Vec<Finding>,
}

/// A finding's summary without the checker's name at its start: reports print that beside it.
pub(crate) fn summary_of(finding: &Finding) -> &str {
    let summary = finding.summary.as_str();
    summary.strip_prefix(finding.checker.as_str()).and_then(|rest| rest.strip_prefix(": ")).unwrap_or(summary)
}

impl JudgedRun {
    /// The worst verdict of all findings.
    pub fn verdict(&self) -> Verdict {
        judge::verdict(&self.findings)
    }

    /// Writes `results.json`, `report.html` and the charts into the run's directory.
    ///
    /// # Errors
    /// When something cannot be rendered or written.
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
