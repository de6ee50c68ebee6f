//! `results.json`: the verdict for machines. Fields are added, never renamed or removed.

use elenchus_core::{Finding, Kind, Process, Verdict};
use serde::Serialize;

use super::{Facts, Run};

/// What `--json` prints and the store keeps.
#[derive(Clone, Debug, Serialize)]
pub struct Results {
    /// The gravest verdict of all findings.
    pub verdict: Verdict,
    /// What every checker found.
    pub findings: Vec<Finding>,
    /// Operations of clients, by outcome.
    pub operations: Operations,
    /// Faults injected, and how many of them were verified to have taken effect.
    pub faults: Faults,
    /// What must be known to run it again.
    pub run: Facts,
}

/// Operations of clients, by outcome.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Operations {
    /// They happened.
    pub ok: usize,
    /// They certainly did not.
    pub fail: usize,
    /// Nobody knows.
    pub info: usize,
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
        let clients = || run.history.events.iter().filter(|event| event.process != Process::Nemesis);
        let count = |kind| clients().filter(|event| event.kind == kind).count();
        let windows = run.history.fault_windows();
        Results {
            verdict: run.verdict(),
            findings: run.findings.clone(),
            operations: Operations { ok: count(Kind::Ok), fail: count(Kind::Fail), info: count(Kind::Info) },
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
