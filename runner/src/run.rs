//! A run, from reaching the nodes to the verdict.
//!
//! | module | contents |
//! | --- | --- |
//! | `nodes` | the nodes of a plan, connected; the lab they are in |
//! | `clients` | clients made ready, the system prepared by them, the primary followed |
//! | `drive` | the system started, clients and nemesis running, faults healed |
//! | `outcome` | findings about faults, logs and the end of the run |
//! | `clock_log` | the nodes' clocks, sampled throughout |
//! | `interrupt` | SIGINT and SIGTERM |
//! | `dry_run` | the actions of a run, for `--dry-run` |
//! | `error` | why a run failed |

mod clients;
mod clock_log;
mod drive;
mod dry_run;
mod error;
mod interrupt;
pub(crate) mod nodes;
mod outcome;

use std::time::{Duration, SystemTime};

use elenchus_control::lab::LabNet;
use elenchus_control::system::System;
use elenchus_core::{CheckSpec, Finding, History, Seed, Verdict};
use elenchus_nemesis::{Cluster, Ledger};

pub use dry_run::describe;
pub use error::{RunError, RunFailure};

use crate::clock_sample::read_clock_log;
use crate::events::{Events, Phase, RunEvent};
use crate::judge::{self, finding};
use crate::plan::Resolved;
use crate::report::{Facts, JudgedRun};
use crate::store::RunDir;
use drive::{Driven, Test, drive};
use interrupt::Interrupt;

/// Carries out a plan in a lab's network or against existing nodes, and judges the history. Everything that happens is also emitted to `events`.
///
/// # Errors
/// When the run could not be carried out or judged. In any case what was started is stopped, what was injected is healed, and what was found so far is in
/// the failure and in the run's `results.json`.
pub async fn run(mut plan: Resolved, net: Option<&LabNet>, facts: Facts, events: &Events) -> Result<(RunDir, JudgedRun), Box<RunFailure>> {
    let system = plan.system.take();
    let dir = open(&plan, &facts).map_err(|error| Box::new(error.into()))?;
    events.emit(RunEvent::RunStarted { name: plan.name.clone(), seed: facts.seed, directory: dir.path().display().to_string() });
    let mut collected = Collected::new(events);
    let judged = match execute(&plan, system, net, &dir, facts.seed, &mut collected).await {
        Ok(()) => judge(&plan.checks, &dir, &mut collected),
        Err(error) => Err(error),
    };
    conclude(dir, facts, plan.text, collected, judged)
}

/// The summary of the finding by which a run says that it failed.
pub(crate) fn failure_summary(error: &RunError) -> String {
    format!("the run failed: {error}")
}

/// Creates the run's directory, with the plan and the facts known so far.
fn open(plan: &Resolved, facts: &Facts) -> Result<RunDir, RunError> {
    let dir = RunDir::create(&plan.store, &plan.name, SystemTime::now())?;
    dir.write(&dir.plan(), &plan.text)?;
    dir.write(&dir.facts(), &facts.to_json())?;
    Ok(dir)
}

/// The findings of a run, collected as they arise.
struct Collected<'a> {
    events: &'a Events,
    findings: Vec<Finding>,
    /// How long clients ran.
    elapsed: Duration,
}

impl<'a> Collected<'a> {
    fn new(events: &'a Events) -> Collected<'a> {
        Collected { events, findings: Vec::new(), elapsed: Duration::ZERO }
    }

    fn add(&mut self, finding: Finding) {
        self.events.emit(RunEvent::FindingReported { finding: finding.clone() });
        self.findings.push(finding);
    }
}

/// Reaches the nodes, drives the test, and cleans up. Findings go to `collected` as they arise, so that an error loses none.
async fn execute(
    plan: &Resolved,
    system: Option<System>,
    net: Option<&LabNet>,
    dir: &RunDir,
    seed: u64,
    collected: &mut Collected<'_>,
) -> Result<(), RunError> {
    let events = collected.events;
    events.phase(Phase::ReachingNodes);
    // The lab lives until the end of this function.
    let (nodes, _lab) = nodes::reach(plan, net, events)?;
    let cluster = Cluster::new(nodes, system).with_roster(plan.roster.clone());
    let faults = plan.fault_schedule(Seed(seed));
    elenchus_nemesis::check(&faults, &cluster)?;
    let ledger = Ledger::open(dir.path())?;
    if plan.lab.is_none() && !plan.nemesis.is_empty() {
        // Undoes what an earlier run that was killed may have left. Processes are not touched: no system is expected to run now.
        elenchus_nemesis::heal_all(&cluster.nodes, &plan.nemesis).await?;
    }
    elenchus_nemesis::prepare(&faults, &cluster).await?;

    let interrupt = Interrupt::listen();
    let mounted = elenchus_nemesis::mount(faults, &cluster, &ledger).await?;
    let test = Test { plan, seed: Seed(seed), cluster: &cluster, dir, ledger: &ledger };
    let driven = mounted.during(drive(test, &interrupt, events)).await;
    if let Some(system) = &cluster.system {
        events.phase(Phase::CleaningUp);
        let logs = mounted.during(outcome::fetch_logs(system, &cluster.nodes, dir, events)).await;
        logs.into_iter().for_each(|finding| collected.add(finding));
    }
    // The system may still run: what it writes from now on no longer matters.
    if let Err(error) = mounted.end().await {
        collected.add(finding(
            "clean-up",
            Verdict::Unknown,
            format!("{error}; run `elenchus heal` on {} to undo it", dir.path().display()),
        ));
    }
    if let Some(system) = &cluster.system
        && let Err(error) = system.tear_down(&cluster.nodes).await
    {
        collected.add(finding("clean-up", Verdict::Unknown, error.to_string()));
    }
    let Driven { elapsed, findings } = driven?;
    collected.elapsed = elapsed;
    findings.into_iter().for_each(|finding| collected.add(finding));
    Ok(())
}

/// Reads the history back and runs the checks. Their findings come before those of the run.
fn judge(checks: &[CheckSpec], dir: &RunDir, collected: &mut Collected<'_>) -> Result<History, RunError> {
    collected.events.phase(Phase::Checking);
    let (history, skipped) = dir.read_history()?;
    if let Some(finding) = judge::completeness(&skipped) {
        collected.add(finding);
    }
    let judged = judge::judge(&history, checks)?;
    for finding in &judged {
        collected.events.emit(RunEvent::FindingReported { finding: finding.clone() });
    }
    collected.findings.splice(0..0, judged);
    Ok(history)
}

/// Writes what a run left into its directory. A failed run keeps its findings, with the error as one more.
fn conclude(
    dir: RunDir,
    facts: Facts,
    plan: String,
    mut collected: Collected<'_>,
    judged: Result<History, RunError>,
) -> Result<(RunDir, JudgedRun), Box<RunFailure>> {
    let (history, error) = match judged {
        Ok(history) => (history, None),
        Err(error) => {
            collected.add(finding("run", Verdict::Unknown, failure_summary(&error)));
            (dir.read_history().map(|(history, _)| history).unwrap_or_default(), Some(error))
        }
    };
    let events = collected.events.clone();
    let run = JudgedRun {
        facts: Facts { duration_ms: collected.elapsed.as_millis() as u64, ..facts },
        plan,
        history,
        clocks: read_clock_log(&dir.clocks()),
        findings: collected.findings,
    };
    let written = run.write(&dir);
    let error = error.or_else(|| written.err().map(RunError::from));
    match error {
        None => {
            events.emit(RunEvent::RunFinished { verdict: run.verdict() });
            Ok((dir, run))
        }
        Some(error) => {
            events.emit(RunEvent::RunFailed { error: error.to_string() });
            Err(Box::new(RunFailure { error, partial: Some((dir, run)) }))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use parking_lot::Mutex;

    use super::*;
    use crate::events::TimedEvent;

    #[test]
    fn findings_before_a_failure_are_kept_and_written() {
        let store = tempfile::tempdir().unwrap();
        let dir = RunDir::create(store.path(), "broken", SystemTime::now()).unwrap();
        let events = Events::new();
        let emitted: Arc<Mutex<Vec<String>>> = Arc::default();
        let kept = emitted.clone();
        events
            .listen(move |event: &TimedEvent| kept.lock().push(serde_json::to_value(event).unwrap()["event"].as_str().unwrap().to_owned()))
            .unwrap();
        let mut collected = Collected::new(&events);
        collected.add(finding("clean-up", Verdict::Unknown, "n1 still runs it".to_owned()));
        let failed = Err(RunError::Usage("etcd did not start".to_owned()));
        let failure = *conclude(dir.clone(), Facts::default(), "name: broken\n".to_owned(), collected, failed).unwrap_err();
        assert_eq!(failure.error.to_string(), "etcd did not start");
        let results: serde_json::Value = serde_json::from_slice(&std::fs::read(dir.path().join("results.json")).unwrap()).unwrap();
        assert_eq!(results["verdict"], "unknown");
        let summaries: Vec<&str> = results["findings"].as_array().unwrap().iter().map(|one| one["summary"].as_str().unwrap()).collect();
        assert_eq!(summaries, ["n1 still runs it", "the run failed: etcd did not start"]);
        let (_, partial) = failure.partial.expect("it had a directory");
        assert_eq!(partial.findings.len(), 2);
        events.close();
        assert_eq!(*emitted.lock(), ["finding_reported", "finding_reported", "run_failed"]);
    }
}
