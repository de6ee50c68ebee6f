//! Results for machines: `results.json` of a run, and the output of `elenchus check --json`. Fields are added, never renamed or removed.

use std::time::Duration;

use elenchus_core::exchange::Skipped;
use elenchus_core::{Finding, Kind, Verdict};
use serde::Serialize;
use serde_json::{Map, Value as Json, json};

use super::{Facts, JudgedRun};
use crate::judge::Outcomes;

/// The results of a run, as `elenchus run --json` prints them and `results.json` stores them.
#[derive(Clone, Debug, Serialize)]
pub struct Results {
    /// The worst verdict of all findings.
    pub verdict: Verdict,
    /// The findings of the checkers and of the run itself.
    pub findings: Vec<Finding>,
    /// Client operations by outcome.
    pub operations: Outcomes,
    /// Faults injected, and how many of them were verified.
    pub faults: Faults,
    /// The run's facts.
    pub run: Facts,
}

/// Faults of a run.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Faults {
    /// Injected, verified or not.
    pub injected: usize,
    /// Verified to be in force.
    pub verified: usize,
    /// Verified to be undone.
    pub healed: usize,
}

impl Results {
    /// The results of a run.
    pub fn of(run: &JudgedRun) -> Results {
        let windows = run.history.fault_windows();
        Results {
            verdict: run.verdict(),
            findings: run.findings.clone(),
            operations: Outcomes::of(&run.history),
            faults: Faults {
                injected: windows.iter().filter(|window| matches!(window.injected, Some(Kind::Ok | Kind::Info))).count(),
                verified: windows.iter().filter(|window| window.injected == Some(Kind::Ok)).count(),
                healed: windows.iter().filter(|window| window.healed == Some(Kind::Ok)).count(),
            },
            run: run.facts.clone(),
        }
    }

    /// As one JSON object.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default()
    }
}

/// The results of `elenchus check --json`: common fields, and those of the checker.
///
/// | field | meaning |
/// | --- | --- |
/// | `verdict` | `valid`, `invalid` or `unknown` |
/// | `checker`, `summary` | the checker, and its summary in a sentence |
/// | `outcomes` | how many operations ended in `ok`, `fail` and `info` |
/// | `skipped` | how many malformed lines `--lenient` skipped |
/// | `elapsed_ms` | the time for reading and checking, in milliseconds |
/// | `peak_bytes` | the process' peak memory, in bytes |
/// | `findings` | all findings, with their anomalies |
/// | for models: `model`, `algorithm`, `operations`, `keys`, `failures` … | the algorithm that decided, and each object that violates the model: `key`, `operation`, `prefix`, `counterexample` |
/// | for transactions: `isolation`, `anomalies`, `refuted`, `also_refuted`, `possible` … | the anomalies by name, with count and examples, and the isolation levels |
#[derive(Clone, Debug, Serialize)]
#[serde(transparent)]
pub struct CheckResults(Map<String, Json>);

impl CheckResults {
    /// The results of a check, with the time it took.
    pub fn of(run: &JudgedRun, outcomes: Outcomes, skipped: &Skipped, elapsed: Duration) -> CheckResults {
        let first = run.findings.first();
        let mut fields = match first.map(|finding| &finding.details) {
            Some(Json::Object(details)) => details.clone(),
            _ => Map::new(),
        };
        let mut set = |name: &str, value: Json| fields.insert(name.to_owned(), value);
        set("verdict", json!(run.verdict()));
        set("checker", json!(first.map(|finding| &finding.checker)));
        set("summary", json!(first.map(|finding| &finding.summary)));
        set("outcomes", json!(outcomes));
        set("skipped", json!(skipped.count));
        set("elapsed_ms", json!(elapsed.as_secs_f64() * 1e3));
        set("peak_bytes", json!(peak_bytes()));
        set("findings", json!(run.findings));
        CheckResults(fields)
    }

    /// As one JSON object.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default()
    }
}

/// The peak memory of this process, in bytes; none where the kernel does not report it.
fn peak_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1024)
}
