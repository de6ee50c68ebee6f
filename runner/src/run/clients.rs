//! The clients of a run: made ready, the system prepared by them, the primary followed.

use std::convert::Infallible;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use elenchus_clients::ClientSpec;
use elenchus_core::{BoxFuture, Client, DataType, Deployment, Endpoint, Failure, NodeIndex, Request, RunScope, Seed};
use elenchus_nemesis::Cluster;
use elenchus_workloads::generator::each_until_ok;
use tokio::time::{Instant, sleep, timeout};

use super::RunError;
use crate::conductor::{Conductor, PlacedClient, Placement, Primaries, RunSetup};
use crate::plan::{Resolved, ResolvedClient, ResolvedPlacement};

/// How long the clients and the workload's setup operations may take to prepare the system.
pub(super) const SETUP_LIMIT: Duration = Duration::from_secs(60);

/// How long to wait before trying again to prepare the system.
const SETUP_PAUSE: Duration = Duration::from_millis(200);

/// The interval at which the primary is looked up, where clients follow it.
const PRIMARY_INTERVAL: Duration = Duration::from_millis(500);

/// The scope of a run's operations. A service that Elenchus did not start may hold what an earlier run wrote.
pub(super) fn scope(cluster: &Cluster, seed: Seed) -> RunScope {
    match &cluster.system {
        Some(_) => RunScope::fresh(seed),
        None => RunScope { seed, namespace: namespace() },
    }
}

/// A prefix for the names of keys that no other run has, in letters.
fn namespace() -> String {
    // `RandomState` is seeded by the operating system. 40 bits: nine letters at most.
    let mut rest = RandomState::new().hash_one((std::process::id(), SystemTime::now())) >> 24;
    let mut letters = Vec::new();
    while rest > 0 {
        letters.push(char::from(b'a' + (rest % 26) as u8));
        rest /= 26;
    }
    letters.iter().rev().collect::<String>() + "-"
}

/// The clients of the plan, each with the nodes that its processes connect to.
pub(super) fn run_setup<'p>(plan: &'p Resolved, cluster: &Cluster, seed: Seed, primaries: &Primaries) -> RunSetup {
    let endpoints: Vec<Endpoint> =
        cluster.nodes.iter().map(|node| Endpoint { node: node.name.clone(), address: node.address.clone() }).collect();
    let options = cluster.system.as_ref().map(|system| system.options().clone()).unwrap_or_default();
    // `readers` and `writers` with the same settings are one client: the store inside the control node would be two stores otherwise.
    let mut built: Vec<(&ClientSpec, Arc<dyn Client>)> = Vec::new();
    let mut build = |client: &'p ResolvedClient| {
        let known = built.iter().find(|(spec, _)| client.is_for_any_workload() && **spec == client.spec).map(|(_, built)| built.clone());
        known.unwrap_or_else(|| {
            let new = client.spec.build();
            built.push((&client.spec, new.clone()));
            new
        })
    };
    let placed = plan.clients.clients.iter().map(|client| PlacedClient {
        client: build(client),
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
pub(super) async fn prepare(clients: &[(Arc<dyn Client>, Arc<Deployment>)], needed: &[DataType]) -> Result<(), RunError> {
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

async fn until_ok<'a>(deadline: Instant, mut attempt: impl FnMut() -> BoxFuture<'a, Result<(), Failure>>) -> Result<(), RunError> {
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
pub(super) async fn run_in_order(conductor: &Conductor, requests: Vec<Request>) -> Result<(), RunError> {
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

/// Keeps the primaries known to the clients that follow them, until this is dropped; the caller has looked them up once.
pub(super) async fn follow_primaries(plan: &Resolved, cluster: &Cluster, primaries: &Primaries) -> Infallible {
    loop {
        sleep(PRIMARY_INTERVAL).await;
        if !look_up_primaries(plan, cluster, primaries).await {
            return std::future::pending().await;
        }
    }
}

/// Looks up the primaries once, if clients follow them, and returns whether they do.
pub(super) async fn look_up_primaries(plan: &Resolved, cluster: &Cluster, primaries: &Primaries) -> bool {
    let follows = |placement: &ResolvedPlacement| matches!(placement, ResolvedPlacement::Primary | ResolvedPlacement::Replicas);
    let is_needed = plan.clients.clients.iter().any(|client| follows(&client.placement));
    let (Some(system), true) = (&cluster.system, is_needed) else { return false };
    let found = system.primaries(&cluster.nodes).await;
    let position = |name: &String| cluster.nodes.iter().position(|node| node.name == *name).map(|at| NodeIndex(at as u16));
    primaries.set(found.iter().filter_map(position).collect());
    true
}
