//! The middle of a run: the system is started, clients and nemesis run, faults are healed.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use elenchus_control::system::{Node, System, SystemError, on_all_nodes};
use elenchus_core::{
    DataType, Deployment, Endpoint, Failure, Finding, Generator, Nanos, NodeIndex, Phases, Request, RunScope, Seed, Verdict,
};
use elenchus_nemesis::{Cluster, Ledger};
use elenchus_workloads::generator::{Stagger, TimeLimit, each_until_ok};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use super::clock_log;
use super::error::RunError;
use super::interrupt::Interrupt;
use super::outcome::{self, Ending};
use crate::conductor::{Conductor, PlacedClient, Placement, Primaries, Recorder, RecorderError, RunSetup, ViolationSignal, Watcher};
use crate::events::{Events, FaultStep, Phase, RunEvent};
use crate::judge::finding;
use crate::plan::{Resolved, ResolvedPlacement};
use crate::store::RunDir;

/// How long the clients and the workload's setup operations may take to prepare the system.
const SETUP_LIMIT: Duration = Duration::from_secs(60);

/// How long the operations after healing may take.
const FINAL_LIMIT: Duration = Duration::from_secs(60);

/// How long to wait before trying again to prepare the system.
const SETUP_PAUSE: Duration = Duration::from_millis(200);

/// The interval at which the primary is looked up, where clients follow it.
const PRIMARY_INTERVAL: Duration = Duration::from_millis(500);

/// How often progress is emitted.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(200);

/// A test: plan, cluster, and where it is recorded.
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
    let Test { plan, seed, cluster, dir, ledger } = test;
    if let Some(system) = &cluster.system {
        events.phase(Phase::StartingSystem);
        tokio::select! {
            up = set_up(system, &cluster.nodes, events) => up?,
            () = interrupt.wait() => return Err(RunError::Interrupted),
        }
    }
    let primaries = Primaries::default();
    let setup = run_setup(plan, cluster, seed, &primaries);
    let prepared_clients: Vec<_> = setup.clients.iter().map(|placed| (placed.client.clone(), placed.deployment.clone())).collect();
    let needed: Vec<DataType> = plan.workload.needs().iter().map(|need| need.data).collect();
    events.phase(Phase::PreparingData);
    tokio::select! {
        prepared = prepare(&prepared_clients, &needed) => prepared?,
        () = interrupt.wait() => return Err(RunError::Interrupted),
    }
    let (watcher, signal) = watch_for_violation(plan)?;
    // A service that Elenchus did not start may hold what an earlier run wrote.
    let scope = match &cluster.system {
        Some(_) => RunScope::fresh(seed),
        None => RunScope { seed, namespace: namespace() },
    };
    let Phases { setup: requests, main, last } = plan.workload.phases(&scope);
    let conductor = Conductor::new(setup, Recorder::watched(&dir.history(), &cluster.roster.nodes, watcher)?);
    tokio::select! {
        prepared = run_in_order(&conductor, requests) => prepared?,
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
            () = follow_primaries(plan, cluster, &primaries) => Ending::Interrupted,
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
    let mut findings = outcome::findings(&outcome, ending, elapsed, !plan.nemesis.is_empty());
    if let (Ending::OnTime, Some(last)) = (ending, last) {
        events.phase(Phase::FinalOperations);
        if timeout(FINAL_LIMIT, conductor.run(last)).await.is_err() {
            conductor.stop();
            let summary =
                format!("not all final operations succeeded within {FINAL_LIMIT:?} after healing; the system may not have recovered");
            findings.push(finding("final-operations", Verdict::Unknown, summary));
        }
    }
    conductor.finish().await?;
    for (client, deployment) in &prepared_clients {
        if let Err(failure) = client.teardown(deployment).await {
            events.emit(RunEvent::Warning { message: format!("a client could not tear down its set-up: {failure}") });
        }
    }
    Ok(Driven { elapsed, findings })
}

/// A beginning for the names of keys that no other run has: the time, in seconds, as four letters or more.
fn namespace() -> String {
    let mut rest = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |now| now.as_secs());
    let mut letters = Vec::new();
    while rest > 0 {
        letters.push(char::from(b'a' + (rest % 26) as u8));
        rest /= 26;
    }
    letters.iter().rev().collect::<String>() + "-"
}

/// The clients of the plan, each with the nodes that its processes connect to.
fn run_setup(plan: &Resolved, cluster: &Cluster, seed: Seed, primaries: &Primaries) -> RunSetup {
    let endpoints: Vec<Endpoint> =
        cluster.nodes.iter().map(|node| Endpoint { node: node.name.clone(), address: node.address.clone() }).collect();
    let options = cluster.system.as_ref().map(|system| system.options().clone()).unwrap_or_default();
    let placed = plan.clients.clients.iter().map(|client| PlacedClient {
        client: client.spec.build(),
        deployment: Arc::new(Deployment {
            endpoints: endpoints.clone(),
            options: options.clone(),
            credentials: client.credentials.clone(),
            tls: None,
            timeout: plan.timeout.0,
        }),
        placement: match &client.placement {
            ResolvedPlacement::RoundRobin => Placement::RoundRobin,
            ResolvedPlacement::Any => Placement::Any { seed: seed.stream("placement").bits() },
            ResolvedPlacement::Primary => Placement::Primary(primaries.clone()),
            ResolvedPlacement::Replicas => Placement::Replicas(primaries.clone()),
            ResolvedPlacement::Nodes(nodes) => Placement::Nodes(nodes.clone()),
        },
    });
    RunSetup { clients: placed.collect(), routes: plan.clients.routes.clone(), concurrency: plan.concurrency, timeout: plan.timeout.0 }
}

/// Has every client prepare every node and then the system. Each step is tried until it succeeds or the time for it is over.
async fn prepare(clients: &[(Arc<dyn elenchus_core::Client>, Arc<Deployment>)], needed: &[DataType]) -> Result<(), RunError> {
    let deadline = Instant::now() + SETUP_LIMIT;
    for (client, deployment) in clients {
        for node in 0..deployment.endpoints.len() {
            let node = NodeIndex(node as u16);
            until_ok(deadline, || client.setup_node(deployment, node)).await?;
        }
        until_ok(deadline, || client.setup(deployment, needed)).await?;
    }
    Ok(())
}

async fn until_ok<'a>(
    deadline: Instant,
    mut attempt: impl FnMut() -> elenchus_core::BoxFuture<'a, Result<(), Failure>>,
) -> Result<(), RunError> {
    loop {
        let failure = match tokio::time::timeout_at(deadline, attempt()).await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(failure)) => failure,
            Err(_) => Failure::Info("no answer".into()),
        };
        if Instant::now() >= deadline {
            return Err(RunError::Setup(format!("the client could not prepare the system within {SETUP_LIMIT:?}: {failure}")));
        }
        sleep(SETUP_PAUSE).await;
    }
}

/// Runs the workload's setup operations one after the other, each until it succeeds.
async fn run_in_order(conductor: &Conductor, requests: Vec<Request>) -> Result<(), RunError> {
    if requests.is_empty() {
        return Ok(());
    }
    let count = requests.len();
    let setup = each_until_ok(move || requests).in_order();
    timeout(SETUP_LIMIT, conductor.run(Box::new(setup))).await.map_err(|_| {
        conductor.stop();
        RunError::Setup(format!(
            "the {count} setup operations of the workload did not succeed within {SETUP_LIMIT:?}; is the system healthy?"
        ))
    })
}

/// Keeps the primaries known to the clients that follow them, until this is dropped.
async fn follow_primaries(plan: &Resolved, cluster: &Cluster, primaries: &Primaries) {
    let follows = |placement: &ResolvedPlacement| matches!(placement, ResolvedPlacement::Primary | ResolvedPlacement::Replicas);
    let is_needed = plan.clients.clients.iter().any(|client| follows(&client.placement));
    let (Some(system), true) = (&cluster.system, is_needed) else { return std::future::pending().await };
    loop {
        let found = system.primaries(&cluster.nodes).await;
        let position = |name: &String| cluster.nodes.iter().position(|node| node.name == *name).map(|at| NodeIndex(at as u16));
        primaries.set(found.iter().filter_map(position).collect());
        sleep(PRIMARY_INTERVAL).await;
    }
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
