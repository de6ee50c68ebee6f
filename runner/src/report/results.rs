//! The verdict for machines: `results.json` of a run, and what `elenchus check --json` prints. Fields are added, never renamed or removed.

use std::time::Duration;

use elenchus_core::exchange::Skipped;
use elenchus_core::{Finding, Kind, Verdict};
use serde::Serialize;
use serde_json::{Map, Value as Json, json};

use super::{Facts, Run};
use crate::judge::Outcomes;

/// What `elenchus run --json` prints and the store keeps.
#[derive(Clone, Debug, Serialize)]
pub struct Results {
    /// The gravest verdict of all findings.
    pub verdict: Verdict,
    /// What every checker found.
    pub findings: Vec<Finding>,
    /// Operations of clients, by outcome.
    pub operations: Outcomes,
    /// Faults injected, and how many of them were verified to have taken effect.
    pub faults: Faults,
    /// What must be known to run it again.
    pub run: Facts,
}

/// Faults of a run.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Faults {
    /// Injected, verified or not.
    pub injected: usize,
    /// Seen to have taken effect.
    pub verified: usize,
    /// Seen to be gone.
    pub healed: usize,
}

impl Results {
    /// The results of a run.
    pub fn of(run: &Run) -> Results {
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

/// What `elenchus check --json` prints: what the checker found, its own figures beside the common ones.
///
/// | field | meaning |
/// | --- | --- |
/// | `verdict` | `valid`, `invalid` or `unknown` |
/// | `checker`, `summary` | who decided, and what, in a sentence |
/// | `outcomes` | how many operations ended in `ok`, `fail` and `info` |
/// | `skipped` | how many lines `--lenient` left out |
/// | `elapsed_ms` | reading and judging, in milliseconds |
/// | `peak_bytes` | the most memory that the process held, in bytes |
/// | `findings` | every finding whole, with its anomalies |
/// | for models: `model`, `algorithm`, `operations`, `keys`, `failures` … | what decided, and each object that failed: `key`, `operation`, `prefix`, `counterexample` |
/// | for transactions: `isolation`, `anomalies`, `refuted`, `also_refuted`, `possible` … | by name how many with examples, and the levels |
#[derive(Clone, Debug, Serialize)]
#[serde(transparent)]
pub struct CheckResults(Map<String, Json>);

impl CheckResults {
    /// The results of a check that took so long.
    pub fn of(run: &Run, outcomes: Outcomes, skipped: &Skipped, elapsed: Duration) -> CheckResults {
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

/// The most memory that this process held so far, in bytes; none where the kernel does not say.
fn peak_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1024)
}
