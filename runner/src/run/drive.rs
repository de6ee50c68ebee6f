//! The middle of a run: the system is started, clients and nemesis run, faults are healed.

use std::time::Duration;

use elenchus_control::system::{Node, System, SystemError, on_all_nodes};
use elenchus_core::{DataType, Failure, Finding, Generator, Nanos, Phases, Seed, Verdict};
use elenchus_nemesis::{Cluster, Ledger};
use elenchus_workloads::generator::{Stagger, TimeLimit};
use tokio::sync::watch;
use tokio::time::timeout;

use super::clients::{self, SETUP_LIMIT};
use super::interrupt::Interrupt;
use super::outcome::{self, Ending};
use super::{RunError, clock_log};
use crate::conductor::{Conductor, Primaries, Recorder, RecorderError, RunSetup, ViolationSignal, Watcher};
use crate::events::{Events, FaultStep, Phase, RunEvent};
use crate::judge::finding;
use crate::plan::Resolved;
use crate::store::RunDir;

/// How long the operations after healing may take.
const FINAL_LIMIT: Duration = Duration::from_secs(60);

/// How often progress is emitted.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(200);

/// A test: plan, cluster, and where it is recorded.
#[derive(Clone, Copy)]
pub(super) struct Test<'a> {
    pub(super) plan: &'a Resolved,
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
    let Test { plan, seed, cluster, .. } = test;
    if let Some(system) = &cluster.system {
        events.phase(Phase::StartingSystem);
        tokio::select! {
            up = set_up(system, &cluster.nodes, events) => up?,
            () = interrupt.wait() => return Err(RunError::Interrupted),
        }
    }
    let primaries = Primaries::default();
    clients::look_up_primaries(plan, cluster, &primaries).await;
    let setup = clients::run_setup(plan, cluster, seed, &primaries);
    let prepared: Vec<_> = setup.clients.iter().map(|placed| (placed.client.clone(), placed.deployment.clone())).collect();
    let needed: Vec<DataType> = plan.workload.needs().iter().map(|need| need.data).collect();
    events.phase(Phase::PreparingData);
    let driven = tokio::select! {
        ready = clients::prepare(&prepared, &needed) => match ready {
            Ok(()) => with_clients(test, setup, &primaries, interrupt, events).await,
            Err(error) => Err(error),
        },
        () = interrupt.wait() => Err(RunError::Interrupted),
    };
    for (client, deployment) in &prepared {
        let ended = timeout(SETUP_LIMIT, client.teardown(deployment)).await.unwrap_or_else(|_| Err(Failure::Info("no answer".into())));
        if let Err(failure) = ended {
            events.emit(RunEvent::Warning { message: format!("a client could not tear down its set-up: {failure}") });
        }
    }
    driven
}

/// Records a history: everything between the clients' set-up and their teardown. However it ends, the workers are stopped and the history is on disk.
async fn with_clients(
    test: Test<'_>,
    setup: RunSetup,
    primaries: &Primaries,
    interrupt: &Interrupt,
    events: &Events,
) -> Result<Driven, RunError> {
    let (watcher, signal) = watch_for_violation(test.plan)?;
    let conductor = Conductor::new(setup, Recorder::watched(&test.dir.history(), &test.cluster.roster.nodes, watcher)?);
    let driven = tokio::select! {
        driven = phases(&test, &conductor, &signal, interrupt, events) => driven,
        never = clients::follow_primaries(test.plan, test.cluster, primaries) => match never {},
    };
    conductor.stop();
    let finished = conductor.finish().await;
    let driven = driven?;
    finished?;
    Ok(driven)
}

/// The phases of a history: setup operations, clients and faults, healing, final operations.
async fn phases(
    test: &Test<'_>,
    conductor: &Conductor,
    signal: &ViolationSignal,
    interrupt: &Interrupt,
    events: &Events,
) -> Result<Driven, RunError> {
    let Test { plan, seed, cluster, dir, ledger } = *test;
    let Phases { setup: requests, main, last } = plan.workload.phases(&clients::scope(cluster, seed));
    tokio::select! {
        prepared = clients::run_in_order(conductor, requests) => prepared?,
        () = interrupt.wait() => return Err(RunError::Interrupted),
    }
    events.phase(Phase::DrivingClients);
    let (stop, stopped) = watch::channel(false);
    let record = |kind, fault, reported: elenchus_core::FaultEvent, error: Option<String>| {
        events.emit(RunEvent::Fault(FaultStep::new(kind, fault, &reported, error.as_deref())));
        conductor.record_fault(kind, fault, &reported, error);
    };
    let nemesis = async {
        if plan.nemesis.is_empty() {
            return Ok(elenchus_nemesis::Outcome::default());
        }
        elenchus_nemesis::run(cluster, plan.fault_schedule(seed), ledger, &record, &|| conductor.tally().completed(), stopped).await
    };
    let clients = async {
        let ending = tokio::select! {
            () = conductor.run(main_phase(plan, main, seed)) => Ending::OnTime,
            () = signal.wait() => {
                events.emit(RunEvent::ViolationFound { time: conductor.now() });
                Ending::Violation
            }
            () = interrupt.wait() => Ending::Interrupted,
            // Why the history cannot be recorded is known when the recording is finished.
            () = sample_progress(conductor, plan.duration.0, events) => Ending::Interrupted,
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
    let mut findings = outcome::findings(&outcome, ending, elapsed, !plan.nemesis.is_empty());
    if let (Ending::OnTime, Some(last)) = (ending, last) {
        events.phase(Phase::FinalOperations);
        // The longer the run, the more there is to read.
        let limit = FINAL_LIMIT + plan.duration.0 / 10;
        tokio::select! {
            done = timeout(limit, conductor.run(last)) => if done.is_err() {
                let summary = format!("not all final operations succeeded within {limit:?} after healing; the system may not have recovered");
                findings.push(finding("final-operations", Verdict::Unknown, summary));
            },
            () = interrupt.wait() => {
                findings.push(finding("run", Verdict::Unknown, "the run was interrupted during its final operations".to_owned()));
            }
        }
    }
    Ok(Driven { elapsed, findings })
}

/// Brings a clean system up on all nodes at once, as [`System::set_up`] does, with an event for each node.
async fn set_up(system: &System, nodes: &[Node], events: &Events) -> Result<(), SystemError> {
    on_all_nodes(nodes, |node| async move {
        system.install(node).await?;
        system.wipe(node).await?;
        system.configure(node).await?;
        events.emit(RunEvent::SystemInstalled { node: node.name.clone() });
        Ok(())
    })
    .await?;
    on_all_nodes(nodes, |node| system.start(node)).await?;
    on_all_nodes(nodes, |node| async move {
        system.await_ready(node).await?;
        events.emit(RunEvent::SystemReady { node: node.name.clone() });
        Ok(())
    })
    .await
    .map(drop)
}

/// The watcher that looks for the first violation, where the plan ends the run then, and its signal.
fn watch_for_violation(plan: &Resolved) -> Result<(Option<Watcher>, ViolationSignal), RunError> {
    if !plan.stops_on_violation {
        return Ok((None, ViolationSignal::default()));
    }
    let mut watches = Vec::new();
    for check in &plan.checks {
        watches.extend(elenchus_checkers::build(check)?.watch());
    }
    if watches.is_empty() {
        return Err(RunError::Usage(format!(
            "`stop_on: violation` needs a check that can run while the history grows, and the workload `{}` has none; remove `stop_on`",
            plan.workload_name
        )));
    }
    let (watcher, signal) = Watcher::start(watches).map_err(RecorderError::Io)?;
    Ok((Some(watcher), signal))
}

fn main_phase(plan: &Resolved, operations: Box<dyn Generator>, seed: Seed) -> Box<dyn Generator> {
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
