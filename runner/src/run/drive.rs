//! The middle of a run: the system is started, clients and nemesis run, faults are healed.

use std::sync::Arc;
use std::time::Duration;

use elenchus_control::system::{Node, System, SystemError, at_once};
use elenchus_core::{Finding, Generator, Nanos, Seed, Target, Workload};
use elenchus_nemesis::{Cluster, Ledger};
use elenchus_workloads::generator::{Stagger, TimeLimit};
use tokio::sync::watch;

use super::interrupt::Interrupt;
use super::outcome::{self, Ending};
use super::{RunError, clock_log};
use crate::conductor::{Cast, Conductor, Recorder, RecorderError, Sighting, Watcher};
use crate::events::{Events, FaultStep, Phase, RunEvent};
use crate::plan::Resolved;
use crate::store::RunDir;

/// How often progress is emitted.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(200);

/// A test: plan, cluster, and where it is recorded.
pub(super) struct Test<'a> {
    pub(super) plan: &'a Resolved,
    pub(super) workload: &'a Arc<dyn Workload>,
    pub(super) seed: Seed,
    pub(super) cluster: &'a Cluster,
    pub(super) dir: &'a RunDir,
    pub(super) ledger: &'a Ledger,
}

/// The result of driving the clients.
pub(super) struct Driven {
    /// How long clients ran.
    pub(super) elapsed: Duration,
    pub(super) findings: Vec<Finding>,
}

/// Starts the system, drives the clients and the nemesis, and heals.
pub(super) async fn drive(test: Test<'_>, interrupt: &Interrupt, events: &Events) -> Result<Driven, RunError> {
    let Test { plan, workload, seed, cluster, dir, ledger } = test;
    if let Some(system) = &cluster.system {
        events.phase(Phase::StartingSystem);
        tokio::select! {
            up = set_up(system, &cluster.nodes, events) => up?,
            () = interrupt.wait() => return Err(RunError::Interrupted),
        }
    }
    let targets = cluster.nodes.iter().map(|node| Target { node: node.name.clone(), address: node.address.clone() }).collect();
    let cast =
        Cast { workload: workload.clone(), client: plan.client.build(), targets, concurrency: plan.concurrency, timeout: plan.timeout.0 };
    let (watcher, sighting) = watch_for_violation(plan, workload.as_ref())?;
    let conductor = Conductor::new(cast, Recorder::watched(&dir.history(), &cluster.roster.nodes, watcher)?);

    events.phase(Phase::DrivingClients);
    let (stop, stopped) = watch::channel(false);
    let record = |kind, fault, reported: elenchus_core::FaultEvent, error: Option<String>| {
        events.emit(RunEvent::Fault(FaultStep::new(kind, fault, &reported, error.as_deref())));
        conductor.testify(kind, fault, &reported, error);
    };
    let nemesis = async {
        if plan.nemesis.is_empty() {
            return Ok(elenchus_nemesis::Outcome::default());
        }
        elenchus_nemesis::run(cluster, plan.campaign(seed), ledger, &record, &|| conductor.tally().completed(), stopped).await
    };
    let clients = async {
        let ending = tokio::select! {
            () = conductor.play(main_phase(plan, workload.as_ref(), seed)) => Ending::OnTime,
            () = sighting.wait() => {
                events.emit(RunEvent::ViolationFound { time: conductor.now() });
                Ending::Violation
            }
            () = interrupt.wait() => Ending::Interrupted,
            // Why the history cannot be recorded is known when the recording is finished.
            () = sample_progress(&conductor, plan.duration.0, events) => Ending::Interrupted,
        };
        conductor.stop();
        events.phase(Phase::Healing);
        let _ = stop.send(true);
        ending
    };
    let (over, is_over) = watch::channel(false);
    let all = async {
        let both = tokio::join!(clients, nemesis);
        let _ = over.send(true);
        both
    };
    // With `control: none` no connection is made to the nodes.
    let read = if plan.is_controlled { cluster.nodes.as_slice() } else { &[] };
    let (path, now) = (dir.clocks(), || conductor.now());
    let ((ending, outcome), clocks) = tokio::join!(all, clock_log::record(read, &path, events, &now, is_over));
    let outcome = outcome?;
    clocks?;
    let elapsed = Duration::from(conductor.now());
    if let (Ending::OnTime, Some(last)) = (ending, workload.final_generator(seed)) {
        events.phase(Phase::FinalOperations);
        conductor.play(last).await;
    }
    conductor.finish().await?;
    Ok(Driven { elapsed, findings: outcome::findings(&outcome, ending, elapsed, !plan.nemesis.is_empty()) })
}

/// Brings a clean system up on all nodes at once, as [`System::set_up`] does, with an event for each node.
async fn set_up(system: &System, nodes: &[Node], events: &Events) -> Result<(), SystemError> {
    at_once(nodes, |node| async move {
        system.install(node).await?;
        system.wipe(node).await?;
        system.configure(node).await?;
        events.emit(RunEvent::SystemInstalled { node: node.name.clone() });
        Ok(())
    })
    .await?;
    at_once(nodes, |node| system.start(node)).await?;
    at_once(nodes, |node| async move {
        system.await_ready(node).await?;
        events.emit(RunEvent::SystemReady { node: node.name.clone() });
        Ok(())
    })
    .await
    .map(drop)
}

/// The watcher that looks for the first violation, where the plan ends the run then, and its signal.
fn watch_for_violation(plan: &Resolved, workload: &dyn Workload) -> Result<(Option<Watcher>, Sighting), RunError> {
    if !plan.stops_on_violation {
        return Ok((None, Sighting::default()));
    }
    let mut watches = Vec::new();
    for check in workload.checks() {
        watches.extend(elenchus_checkers::build(&check)?.watch());
    }
    if watches.is_empty() {
        return Err(RunError::Usage(format!(
            "`stop_on: violation` needs a check that can run while the history grows, and the workload `{}` has none; remove `stop_on`",
            plan.workload.name()
        )));
    }
    let (watcher, sighting) = Watcher::start(watches).map_err(RecorderError::Io)?;
    Ok((Some(watcher), sighting))
}

fn main_phase(plan: &Resolved, workload: &dyn Workload, seed: Seed) -> Box<dyn Generator> {
    let operations = workload.generator(seed);
    let limit = plan.duration.0;
    match plan.rate_hz {
        Some(rate) => Box::new(TimeLimit::new(limit, Stagger::new(rate, seed.stream("rate"), operations))),
        None => Box::new(TimeLimit::new(limit, operations)),
    }
}

/// Emits progress for as long as the history can be recorded. Sampled, as an event for each of many thousand operations a second would slow the clients.
async fn sample_progress(conductor: &Conductor, duration: Duration, events: &Events) {
    let mut ticks = tokio::time::interval(PROGRESS_INTERVAL);
    while conductor.is_recording() {
        ticks.tick().await;
        events.emit(RunEvent::Progress {
            operations: conductor.tally().into(),
            elapsed_ms: conductor.now().since(Nanos::ZERO).0 / 1_000_000,
            duration_ms: duration.as_millis() as u64,
            faults: conductor.faults_in_force(),
        });
    }
}
