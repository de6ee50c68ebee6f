//! A run from its beginning to its verdict.

mod clocks;
mod describe;
mod faults;
mod interrupt;
pub(crate) mod nodes;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use elenchus_control::lab::LabNet;
use elenchus_control::system::{Node, System, SystemError, Troubles, at_once};
use elenchus_core::{Anomaly, Finding, Generator, Nanos, Seed, Target, Verdict};
use elenchus_nemesis::{Cluster, Ledger, NemesisError};
use elenchus_workloads::generator::{Stagger, TimeLimit};
use thiserror::Error;
use tokio::sync::watch;

pub use describe::describe;

use crate::conductor::{Cast, Conductor, Recorder, RecorderError, Sighting, Tally, Watcher};
use crate::judge;
use crate::plan::{PlanError, Resolved};
use crate::report::{Facts, Run};
use crate::store::{RunDir, StoreError};
use interrupt::Interrupt;

/// Why a test could not run, or not be judged.
#[derive(Debug, Error)]
pub enum RunError {
    /// The plan makes no sense.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The lab cannot be made.
    #[error(transparent)]
    Lab(#[from] elenchus_control::lab::LabError),
    /// The system cannot be installed, started or stopped.
    #[error(transparent)]
    System(#[from] SystemError),
    /// The faults cannot be carried out.
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
    /// A check makes no sense.
    #[error(transparent)]
    Check(#[from] elenchus_checkers::BuildError),
    /// The workload or the client makes no sense.
    #[error("{0}")]
    Mismatch(String),
    /// The user ended the run before there was anything to judge.
    #[error("interrupted before the clients began; what was started has been stopped")]
    Interrupted,
    /// The report cannot be written.
    #[error(transparent)]
    Report(#[from] crate::report::ReportError),
}

/// What happens during a run, for whoever shows it.
#[derive(Clone, Debug)]
pub enum RunEvent {
    /// A phase began.
    Phase(&'static str),
    /// Operations so far, time driven and time to drive, and the faults in force.
    Progress {
        /// Operations so far.
        tally: Tally,
        /// Time since clients began.
        elapsed: Duration,
        /// Time that clients are driven in all.
        duration: Duration,
        /// The faults in force.
        faults: Vec<String>,
    },
}

/// Told of every event of a run.
pub type Reporter<'a> = &'a (dyn Fn(RunEvent) + Send + Sync);

/// Runs a test in a lab's network or against nodes that are there, and judges it.
///
/// # Errors
/// When the test could not run. What was started is stopped and what was broken is healed in any case.
pub async fn run(plan: &Resolved, net: Option<&LabNet>, facts: Facts, reporter: Reporter<'_>) -> Result<(RunDir, Run), RunError> {
    let workload = plan.workload.build().map_err(RunError::Mismatch)?;
    let client = plan.client.build();
    if !client.offers().contains(&workload.needs()) {
        return Err(RunError::Mismatch(format!(
            "the workload {} needs data of type {}, which this client does not offer",
            plan.workload.name(),
            workload.needs().as_str()
        )));
    }
    let dir = RunDir::create(&plan.store, &plan.name, SystemTime::now())?;
    dir.write(&dir.plan(), &plan.text()?)?;
    dir.write(&dir.facts(), &facts.to_json())?;
    reporter(RunEvent::Phase("reaching the nodes"));
    // The lab lives until the end of this function.
    let (nodes, _lab) = nodes::reach(plan, net)?;
    let system = nodes::system(plan, &nodes)?;
    let cluster = Cluster::new(nodes, system).with_roster(plan.roster.clone());
    let campaign = plan.campaign(Seed(facts.seed));
    elenchus_nemesis::check(&campaign, &cluster)?;
    let ledger = Ledger::open(dir.path())?;
    if plan.lab.is_none() && !plan.nemesis.is_empty() {
        // What a run that was killed left broken, if there was one. Nothing is known of a system where no run is, so that it is left as it is.
        elenchus_nemesis::heal_all(&cluster.nodes, &plan.nemesis).await?;
    }
    elenchus_nemesis::prepare(&campaign, &cluster).await?;

    let mut findings = Vec::new();
    let interrupt = Interrupt::listen();
    let stage = Stage { plan, seed: Seed(facts.seed), cluster: &cluster, workload: workload.clone(), client, dir: &dir };
    let staged = elenchus_nemesis::mount(campaign, &cluster, &ledger).await?;
    let ran = staged.during(drive(stage, &ledger, &interrupt, reporter)).await;
    let fetched = match &cluster.system {
        Some(system) => {
            reporter(RunEvent::Phase("fetching logs and cleaning up"));
            staged.during(logs(system, &cluster.nodes, &dir)).await
        }
        None => Vec::new(),
    };
    findings.extend(fetched);
    // The system need not end before: what it still writes arrives all the same.
    if let Err(error) = staged.end().await {
        findings.push(finding("clean-up", Verdict::Unknown, format!("{error}; `elenchus heal` undoes it")));
    }
    if let Some(system) = &cluster.system
        && let Err(error) = system.tear_down(&cluster.nodes).await
    {
        findings.push(finding("clean-up", Verdict::Unknown, error.to_string()));
    }
    let driven = ran?;
    findings.extend(driven.findings);

    reporter(RunEvent::Phase("judging"));
    let history = dir.read_history()?;
    let mut judged = judge::judge(&history, &workload.checks())?;
    judged.append(&mut findings);
    let run = Run {
        facts: Facts { duration_ms: driven.elapsed.as_millis() as u64, ..facts },
        plan: plan.text()?,
        history,
        clocks: crate::clocks::read(&dir.clocks()),
        findings: judged,
    };
    run.write(&dir)?;
    Ok((dir, run))
}

/// Why clients were driven no longer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// The time was over.
    InTime,
    /// A violation was certain.
    Violation,
    /// Somebody asked for it, or nothing could be recorded any more.
    Interrupted,
}

/// What driving the clients left to judge.
struct Driven {
    elapsed: Duration,
    findings: Vec<Finding>,
}

/// What a run is made of.
struct Stage<'a> {
    plan: &'a Resolved,
    seed: Seed,
    cluster: &'a Cluster,
    workload: Arc<dyn elenchus_core::Workload>,
    client: Arc<dyn elenchus_core::Client>,
    dir: &'a RunDir,
}

/// Starts the system, drives the clients and the nemesis, and heals.
async fn drive(stage: Stage<'_>, ledger: &Ledger, interrupt: &Interrupt, reporter: Reporter<'_>) -> Result<Driven, RunError> {
    let Stage { plan, seed, cluster, workload, client, dir } = stage;
    if let Some(system) = &cluster.system {
        reporter(RunEvent::Phase("starting the system"));
        tokio::select! {
            up = system.set_up(&cluster.nodes) => up?,
            () = interrupt.wait() => return Err(RunError::Interrupted),
        }
    }
    let targets = cluster.nodes.iter().map(|node| Target { node: node.name.clone(), address: node.address.clone() }).collect();
    let cast = Cast { workload: workload.clone(), client, targets, concurrency: plan.concurrency, timeout: plan.timeout.0 };
    let (watcher, sighting) = look_out(plan, workload.as_ref())?;
    let conductor = Conductor::new(cast, Recorder::watched(&dir.history(), &cluster.roster.nodes, watcher)?);

    reporter(RunEvent::Phase("driving clients"));
    let (stop, stopped) = watch::channel(false);
    let record = |kind, fault, said: elenchus_core::FaultEvent, error| conductor.testify(kind, fault, &said, error);
    let nemesis = async {
        if plan.nemesis.is_empty() {
            return Ok(elenchus_nemesis::Outcome::default());
        }
        elenchus_nemesis::run(cluster, plan.campaign(seed), ledger, &record, &|| conductor.tally().completed(), stopped).await
    };
    let clients = async {
        let ending = tokio::select! {
            () = conductor.play(main_phase(plan, workload.as_ref(), seed)) => Ending::InTime,
            () = sighting.wait() => Ending::Violation,
            () = interrupt.wait() => Ending::Interrupted,
            // The reason is known when the recording is finished.
            () = show(&conductor, plan.duration.0, reporter) => Ending::Interrupted,
        };
        conductor.stop();
        reporter(RunEvent::Phase("healing"));
        let _ = stop.send(true);
        ending
    };
    let (over, is_over) = watch::channel(false);
    let all = async {
        let both = tokio::join!(clients, nemesis);
        let _ = over.send(true);
        both
    };
    let (path, now) = (dir.clocks(), || conductor.now());
    let ((ending, outcome), clocks) = tokio::join!(all, clocks::keep_reading(&cluster.nodes, &path, &now, is_over));
    let outcome = outcome?;
    clocks?;
    let elapsed = Duration::from(conductor.now());
    if let (Ending::InTime, Some(last)) = (ending, workload.final_generator(seed)) {
        reporter(RunEvent::Phase("reading what is left"));
        conductor.play(last).await;
    }
    conductor.finish().await?;
    Ok(Driven { elapsed, findings: faults::findings(&outcome, ending, elapsed, !plan.nemesis.is_empty()) })
}

/// Who looks out for the first violation, where the run is to end there; and what they see.
fn look_out(plan: &Resolved, workload: &dyn elenchus_core::Workload) -> Result<(Option<Watcher>, Sighting), RunError> {
    if !plan.stops_on_violation {
        return Ok((None, Sighting::default()));
    }
    let mut watches = Vec::new();
    for check in workload.checks() {
        watches.extend(elenchus_checkers::build(&check)?.watch());
    }
    if watches.is_empty() {
        return Err(RunError::Mismatch(format!(
            "`stop_on: violation` needs a check that can be made while the run goes on, and the workload {} has none; remove it",
            plan.workload.name()
        )));
    }
    let (watcher, sighting) = Watcher::start(watches).map_err(RecorderError::Io)?;
    Ok((Some(watcher), sighting))
}

fn main_phase(plan: &Resolved, workload: &dyn elenchus_core::Workload, seed: Seed) -> Box<dyn Generator> {
    let operations = workload.generator(seed);
    let limit = plan.duration.0;
    match plan.rate_hz {
        Some(rate) => Box::new(TimeLimit::new(limit, Stagger::new(rate, seed.stream("rate"), operations))),
        None => Box::new(TimeLimit::new(limit, operations)),
    }
}

/// Shows progress, for as long as the history can be recorded.
async fn show(conductor: &Conductor, duration: Duration, reporter: Reporter<'_>) {
    let mut ticks = tokio::time::interval(Duration::from_millis(200));
    while conductor.is_recording() {
        ticks.tick().await;
        let elapsed = Duration::from(conductor.now().since(Nanos::ZERO));
        reporter(RunEvent::Progress { tally: conductor.tally(), elapsed, duration, faults: conductor.faults_in_force() });
    }
}

/// Fetches every node's logs, and says what in them means trouble.
async fn logs(system: &System, nodes: &[Node], dir: &RunDir) -> Vec<Finding> {
    let folder = dir.logs();
    let fetched = at_once(nodes, |node| system.fetch_logs(node, &folder)).await;
    let mut findings: Vec<Finding> = fetched
        .err()
        .map(|error| finding("node-logs", Verdict::Unknown, format!("not all logs could be fetched: {error}")))
        .into_iter()
        .collect();
    match Troubles::new(system.definition()).and_then(|troubles| troubles.search(&folder)) {
        Err(error) => findings.push(finding("node-logs", Verdict::Unknown, error.to_string())),
        Ok(found) if found.is_empty() => {
            findings.push(finding("node-logs", Verdict::Valid, "nothing in the nodes' logs means trouble".to_owned()))
        }
        Ok(found) => {
            let mut trouble = finding("node-logs", Verdict::Invalid, format!("{} lines of the nodes' logs mean trouble", found.len()));
            trouble.anomalies = found
                .iter()
                .map(|line| Anomaly {
                    name: line.name.clone(),
                    description: format!("{} ({}:{}): {}", line.node, line.file.display(), line.line, line.text),
                    ..Anomaly::default()
                })
                .collect();
            findings.push(trouble);
        }
    }
    findings
}

/// A finding without anomalies.
fn finding(checker: &str, verdict: Verdict, summary: String) -> Finding {
    Finding { checker: checker.to_owned(), verdict, summary, anomalies: Vec::new(), details: serde_json::Value::Null }
}
