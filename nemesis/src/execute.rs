//! Injecting and healing what is scheduled.
//!
//! For each injection: decide its targets, write it to the ledger, record its invocation in the history, arm the dead man's switches, inject, verify; later record the
//! invocation of the heal, undo, verify, disarm, remove it from the ledger. An injection or heal that could not be verified is `info` in the history; one that was not
//! made is `fail`.

pub(crate) mod dead_mans_switch;
pub mod heal_all;
mod injection;
mod lease;
pub mod ledger;
pub mod mounts;
mod retry;

use std::sync::Mutex;
use std::sync::atomic::AtomicU32;
use std::time::{Duration, Instant};

use elenchus_core::{FaultEvent, Kind, Symbol};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::sync::watch;

use crate::means::agent;
use crate::means::requirement::{self, Requirement};
use crate::schedule::active::ActiveFault;
use crate::schedule::needs;
use crate::schedule::planned::{Planned, Start};
use crate::schedule::timetable::Timetable;
use crate::{Cluster, FaultSchedule, Injection, Ledger, NemesisError};

/// Records an event of the nemesis when it happens: its kind, the fault's name, the event, and why it failed or could not be verified.
pub type Record<'a> = &'a (dyn Fn(Kind, Symbol, FaultEvent, Option<String>) + Send + Sync);

/// The result of a nemesis in a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The number of injections that were in force, verified or not.
    pub injected: u32,
    /// The number of injections that failed.
    pub failed: u32,
    /// A message for each fault that may still be in force. These faults are still in the ledger.
    pub unhealed: Vec<String>,
}

/// The state shared by all lines of a run.
struct Run<'a> {
    cluster: &'a Cluster,
    schedule: FaultSchedule<'a>,
    ledger: &'a Ledger,
    record: Record<'a>,
    /// Returns the number of operations that the clients have completed.
    operations: &'a (dyn Fn() -> u64 + Send + Sync),
    began: Instant,
    next_id: AtomicU32,
    /// The injections that are in force, or about to be.
    active: Mutex<Vec<ActiveInjection>>,
    outcome: Mutex<Outcome>,
    /// A lock for each line: injections of one line never overlap, even when they are late.
    line_locks: Vec<tokio::sync::Mutex<()>>,
}

#[derive(Clone)]
struct ActiveInjection {
    id: u32,
    fault: ActiveFault,
    injection: Injection,
    /// Whether the lease of the nodes in its reach is renewed because of it.
    is_leased: bool,
    /// It was verified to be in force.
    verified: bool,
    /// Its heal has begun, so that it no longer keeps other injections from healing its nodes.
    ending: bool,
    /// Why it ended early, if another injection took its nodes down.
    cut_short: Option<String>,
}

/// How often the clients' operations are counted while an injection waits for a number of them.
const COUNT: Duration = Duration::from_millis(20);

/// Checks that all lines can be executed on this cluster. Does not contact the nodes.
pub fn check(schedule: &FaultSchedule, cluster: &Cluster) -> Result<(), NemesisError> {
    let wrong = |(line, message)| match line {
        Some(line) => NemesisError::Line { line, message },
        None => NemesisError::Refused(message),
    };
    schedule.check(&cluster.roster).map_err(wrong)?;
    let definition = cluster.system.as_ref().map(|system| system.definition());
    if let Some(unmet) = needs::unmet(schedule.lines, definition) {
        return Err(wrong((Some(unmet.line), unmet.message)));
    }
    let all = || {
        schedule.lines.iter().enumerate().flat_map(|(line, scheduled)| scheduled.faults().into_iter().map(move |(fault, _)| (line, fault)))
    };
    for (line, fault) in all() {
        let Some(takes_down) = fault.takes_down() else { continue };
        takes_down.check_cluster(cluster).map_err(|why| wrong((Some(line), format!("{}: {why}", fault.name()))))?;
        if let Some((_, mounting)) = all().find(|(_, other)| other.mounts().is_some()) {
            let (down, other) = (fault.name(), mounting.name());
            let message = format!("`{down}` would unmount the file system that `{other}` needs during the run; use them in separate plans");
            return Err(wrong((Some(line), message)));
        }
    }
    Ok(())
}

/// Checks that every node has what the lines need, and uploads the agent if they need it.
///
/// # Errors
/// The missing requirements of every node.
pub async fn prepare(schedule: &FaultSchedule<'_>, cluster: &Cluster) -> Result<(), NemesisError> {
    check_nodes(cluster, &needs::requirements(schedule.lines)).await?;
    let trials = needs::trials(schedule.lines);
    if trials.is_empty() {
        return Ok(());
    }
    let tried = async {
        agent::install(&cluster.nodes).await?;
        check_nodes(cluster, &trials).await
    };
    let tried = tried.await;
    if tried.is_err() {
        heal_all::try_remove_agent(cluster).await;
    }
    tried
}

async fn check_nodes(cluster: &Cluster, requirements: &[Requirement]) -> Result<(), NemesisError> {
    let missing = requirement::missing(&cluster.nodes, requirements).await;
    let of_nodes = cluster.nodes.iter().zip(missing);
    let messages = of_nodes.flat_map(|(node, missing)| missing.into_iter().map(|what| format!("{}: {what}", node.name)));
    let messages: Vec<String> = messages.collect();
    if messages.is_empty() { Ok(()) } else { Err(NemesisError::Missing(messages)) }
}

/// Executes all lines concurrently until `stop` is true or its sender is dropped; then heals what is in force, and at last undoes every fault that these lines could
/// have injected into any node. `operations` returns the number of operations that the clients have completed.
///
/// # Errors
/// Only when a line cannot be executed at all, before anything is injected. Later failures are in the record and the outcome.
pub async fn run(
    cluster: &Cluster,
    schedule: FaultSchedule<'_>,
    ledger: &Ledger,
    record: Record<'_>,
    operations: &(dyn Fn() -> u64 + Send + Sync),
    stop: watch::Receiver<bool>,
) -> Result<Outcome, NemesisError> {
    check(&schedule, cluster)?;
    let run = Run::new(cluster, schedule, ledger, record, operations);
    let all = async {
        run.execute(stop).await;
        run.heal_all().await;
    };
    tokio::select! {
        () = all => {}
        never = run.keep_leases() => match never {},
    }
    Ok(run.outcome.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner()))
}

impl<'a> Run<'a> {
    fn new(
        cluster: &'a Cluster,
        schedule: FaultSchedule<'a>,
        ledger: &'a Ledger,
        record: Record<'a>,
        operations: &'a (dyn Fn() -> u64 + Send + Sync),
    ) -> Run<'a> {
        Run {
            cluster,
            schedule,
            ledger,
            record,
            operations,
            began: Instant::now(),
            next_id: AtomicU32::new(Run::first_id(ledger)),
            active: Mutex::default(),
            outcome: Mutex::default(),
            line_locks: schedule.lines.iter().map(|_| tokio::sync::Mutex::default()).collect(),
        }
    }

    /// The first number that no injection in the ledger has.
    fn first_id(ledger: &Ledger) -> u32 {
        ledger.outstanding().last().map_or(1, |last| last.id + 1)
    }

    async fn execute(&self, mut stop: watch::Receiver<bool>) {
        let FaultSchedule { lines, safety, seed, .. } = self.schedule;
        let mut timetable = Timetable::new(lines, safety, &self.cluster.roster, seed);
        let mut under_way = FuturesUnordered::new();
        let is_in_time = |planned: &Planned| !matches!(planned.start, Start::At(at) if at >= self.schedule.end());
        let mut next = timetable.next().filter(is_in_time);
        let for_each = stop.clone();
        loop {
            let at = match next.as_ref().map(|planned| planned.start) {
                Some(Start::At(at)) => at,
                Some(Start::AfterOperations(_) | Start::PrimaryChanges) => Duration::ZERO,
                None => Duration::MAX,
            };
            let wait = at.saturating_sub(self.began.elapsed());
            tokio::select! {
                biased;
                // An error means that the sender was dropped: the run is over.
                _ = stop.wait_for(|stop| *stop) => break,
                Some(()) = under_way.next(), if !under_way.is_empty() => {}
                () = tokio::time::sleep(wait), if next.is_some() => {
                    under_way.extend(next.take().map(|planned| self.execute_planned(planned, for_each.clone())));
                    next = timetable.next().filter(is_in_time);
                }
            }
        }
        while under_way.next().await.is_some() {}
    }

    /// Waits until this much of the run has passed; returns true if the run was stopped before.
    async fn stopped_before(&self, moment: Duration, stop: &mut watch::Receiver<bool>) -> bool {
        tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => true,
            () = tokio::time::sleep(moment.saturating_sub(self.began.elapsed())) => false,
        }
    }

    /// Waits until the clients have completed so many operations; returns true if the run was stopped before.
    async fn stopped_before_operations(&self, count: u64, stop: &mut watch::Receiver<bool>) -> bool {
        while (self.operations)() < count {
            if self.stopped_before(self.began.elapsed() + COUNT, stop).await {
                return true;
            }
        }
        *stop.borrow()
    }

    fn outcome(&self, change: impl FnOnce(&mut Outcome)) {
        change(&mut self.outcome.lock().unwrap_or_else(|poisoned| poisoned.into_inner()));
    }

    fn active<T>(&self, with: impl FnOnce(&mut Vec<ActiveInjection>) -> T) -> T {
        with(&mut self.active.lock().unwrap_or_else(|poisoned| poisoned.into_inner()))
    }
}

#[cfg(test)]
mod tests;
