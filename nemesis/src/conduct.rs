//! Carrying a timetable out, and healing whatever happens.
//!
//! Of each injection: planned, written in the ledger, invoked in the history, its switch armed, injected, verified; and later invoked again, healed, verified, disarmed,
//! struck from the ledger. What could not be verified is `info` in the history; what was not done is `fail`.

mod lease;
mod stage;
mod sweep;
mod turn;

use std::sync::Mutex;
use std::sync::atomic::AtomicU32;
use std::time::{Duration, Instant};

use elenchus_core::{FaultEvent, Kind, Seed, Symbol};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::sync::watch;

pub use stage::{Staged, stage};
pub use sweep::{Healing, heal_all, heal_outstanding};

use crate::safety::Held;
use crate::timetable::{Planned, Start, Timetable};
use crate::{Cluster, Deed, Ledger, NemesisError, Requirement, Roster, Safety, Scheduled, When, helper, requirement};

/// Told of every event of the nemesis as it happens: kind, the fault's name, what is said, and why it failed or could not be verified.
pub type Record<'a> = &'a (dyn Fn(Kind, Symbol, FaultEvent, Option<String>) + Send + Sync);

/// The faults of a run.
#[derive(Clone, Copy, Debug)]
pub struct Campaign<'a> {
    /// The lines of the plan.
    pub lines: &'a [Scheduled],
    /// How far they may go.
    pub safety: &'a Safety,
    /// What decides all that is random.
    pub seed: Seed,
    /// How long clients are driven.
    pub duration: Duration,
}

impl Campaign<'_> {
    /// When the quiet time at the end begins, if there is one.
    pub fn end(&self) -> Duration {
        if self.safety.quiet.0.is_zero() { Duration::MAX } else { self.duration.saturating_sub(self.safety.quiet.0) }
    }

    /// Whether it can be carried out on such a cluster, and else which line (if it is one) cannot, and why.
    pub fn check(&self, roster: &Roster) -> Result<(), (Option<usize>, String)> {
        for (line, scheduled) in self.lines.iter().enumerate() {
            scheduled.check(roster).map_err(|why| (Some(line), why))?;
        }
        self.safety.check(self.lines, roster, self.duration)
    }
}

/// What a nemesis did in a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Injections that were in force, verified or not.
    pub injected: u32,
    /// Injections that were not done.
    pub failed: u32,
    /// What may still be broken, in words. None of it is forgotten: it stays in the ledger.
    pub unhealed: Vec<String>,
}

/// What every line of one run shares.
struct Run<'a> {
    cluster: &'a Cluster,
    campaign: Campaign<'a>,
    ledger: &'a Ledger,
    record: Record<'a>,
    /// How many operations the clients have completed.
    operations: &'a (dyn Fn() -> u64 + Send + Sync),
    began: Instant,
    next_id: AtomicU32,
    /// The injections in force, or about to be.
    active: Mutex<Vec<Active>>,
    outcome: Mutex<Outcome>,
    /// For each line, whose turn it is: a line does not overlap itself, however late it is.
    turns: Vec<tokio::sync::Mutex<()>>,
}

#[derive(Clone)]
struct Active {
    id: u32,
    held: Held,
    deed: Deed,
    /// Whether the lease of the nodes in its reach is renewed for its sake.
    is_leased: bool,
    /// It was seen to be in force.
    verified: bool,
    /// Its heal has begun: it no longer keeps others from healing its nodes.
    ending: bool,
    /// How it ended before its time, where another injection took its nodes down.
    cut_short: Option<String>,
}

/// How often the clients' operations are counted while an injection waits for a number of them.
const COUNT: Duration = Duration::from_millis(20);

/// Whether all lines can be carried out on this cluster, and else why not. Nothing is asked of the nodes.
pub fn check(campaign: &Campaign, cluster: &Cluster) -> Result<(), NemesisError> {
    let wrong = |(line, message)| match line {
        Some(line) => NemesisError::Line { line, message },
        None => NemesisError::Refused(message),
    };
    campaign.check(&cluster.roster).map_err(wrong)?;
    let tells_primary = cluster.system.as_ref().is_some_and(|system| system.definition().primary.is_some());
    for (line, scheduled) in campaign.lines.iter().enumerate() {
        for (fault, _) in scheduled.faults() {
            if fault.needs_system() && cluster.system.is_none() {
                return Err(wrong((Some(line), format!("{} needs a system, to know its processes; the plan names none", fault.name()))));
            }
            if fault.needs_membership() && cluster.system.as_ref().is_none_or(|system| system.definition().membership.is_none()) {
                let message = format!("{} takes members out and in, but the system's definition has no `membership`", fault.name());
                return Err(wrong((Some(line), message)));
            }
            fault.check_cluster(cluster).map_err(|why| wrong((Some(line), format!("{}: {why}", fault.name()))))?;
            if fault.takes_down()
                && let Some(staged) =
                    campaign.lines.iter().flat_map(|line| line.faults()).find(|(other, _)| !other.stage(cluster).is_empty())
            {
                let (down, other) = (fault.name(), staged.0.name());
                let message = format!("{down} ends what {other} keeps mounted while the system runs; put them into plans of their own");
                return Err(wrong((Some(line), message)));
            }
            if scheduled.when == Some(When::PrimaryChanges) && !tells_primary {
                let message = "`when: primary-changes` asks who is primary, but the system's definition has no `primary` command";
                return Err(wrong((Some(line), message.into())));
            }
            if fault.needs_primary() && !tells_primary {
                let message = format!("{} aims at the primary, but the system's definition has no `primary` command", fault.name());
                return Err(wrong((Some(line), message)));
            }
        }
    }
    Ok(())
}

/// Fails unless every node has what the lines need. Uploads the helper, where they need it.
pub async fn prepare(campaign: &Campaign<'_>, cluster: &Cluster) -> Result<(), NemesisError> {
    all_have(cluster, &requirement::of(campaign.lines)).await?;
    let trials = requirement::trials(campaign.lines);
    if trials.is_empty() {
        return Ok(());
    }
    let tried = async {
        helper::install(&cluster.nodes).await?;
        all_have(cluster, &trials).await
    };
    let tried = tried.await;
    if tried.is_err() {
        sweep::release_helper(cluster).await;
    }
    tried
}

async fn all_have(cluster: &Cluster, requirements: &[Requirement]) -> Result<(), NemesisError> {
    let missing = requirement::missing(&cluster.nodes, requirements).await;
    let told =
        cluster.nodes.iter().zip(missing).flat_map(|(node, missing)| missing.into_iter().map(|what| format!("{}: {what}", node.name)));
    let told: Vec<String> = told.collect();
    if told.is_empty() { Ok(()) } else { Err(NemesisError::Missing(told)) }
}

/// Carries out all lines at once until `stop` says true or its sender is gone; then heals what is in force, and at last everything these faults could have done to
/// any node. `operations` tells how many operations the clients have completed.
///
/// # Errors
/// Only when a line cannot be carried out at all, before anything is done. What goes wrong later is in the record and in the outcome.
pub async fn run(
    cluster: &Cluster,
    campaign: Campaign<'_>,
    ledger: &Ledger,
    record: Record<'_>,
    operations: &(dyn Fn() -> u64 + Send + Sync),
    stop: watch::Receiver<bool>,
) -> Result<Outcome, NemesisError> {
    check(&campaign, cluster)?;
    let run = Run::new(cluster, campaign, ledger, record, operations);
    let all = async {
        run.carry_out(stop).await;
        run.sweep().await;
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
        campaign: Campaign<'a>,
        ledger: &'a Ledger,
        record: Record<'a>,
        operations: &'a (dyn Fn() -> u64 + Send + Sync),
    ) -> Run<'a> {
        Run {
            cluster,
            campaign,
            ledger,
            record,
            operations,
            began: Instant::now(),
            next_id: AtomicU32::new(Run::first_id(ledger)),
            active: Mutex::default(),
            outcome: Mutex::default(),
            turns: campaign.lines.iter().map(|_| tokio::sync::Mutex::default()).collect(),
        }
    }

    /// The first number that no injection in the ledger has.
    fn first_id(ledger: &Ledger) -> u32 {
        ledger.outstanding().last().map_or(1, |last| last.id + 1)
    }

    async fn carry_out(&self, mut stop: watch::Receiver<bool>) {
        let Campaign { lines, safety, seed, .. } = self.campaign;
        let mut timetable = Timetable::new(lines, safety, &self.cluster.roster, seed);
        let mut under_way = FuturesUnordered::new();
        let is_in_time = |planned: &Planned| !matches!(planned.start, Start::At(at) if at >= self.campaign.end());
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
                // An error means that the sender is gone, and with it whoever wanted the faults.
                _ = stop.wait_for(|stop| *stop) => break,
                Some(()) = under_way.next(), if !under_way.is_empty() => {}
                () = tokio::time::sleep(wait), if next.is_some() => {
                    under_way.extend(next.take().map(|planned| self.turn(planned, for_each.clone())));
                    next = timetable.next().filter(is_in_time);
                }
            }
        }
        while under_way.next().await.is_some() {}
    }

    /// Waits until this much of the run has passed, or until it is stopped.
    async fn stopped_before(&self, moment: Duration, stop: &mut watch::Receiver<bool>) -> bool {
        tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => true,
            () = tokio::time::sleep(moment.saturating_sub(self.began.elapsed())) => false,
        }
    }

    /// Waits until the clients have completed so many operations, or until it is stopped.
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

    fn active<T>(&self, with: impl FnOnce(&mut Vec<Active>) -> T) -> T {
        with(&mut self.active.lock().unwrap_or_else(|poisoned| poisoned.into_inner()))
    }
}

#[cfg(test)]
mod tests;
