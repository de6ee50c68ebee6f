//! Carrying a timetable out, and healing whatever happens.
//!
//! Of each injection: planned, written in the ledger, invoked in the history, injected, verified; and later invoked again, healed, verified, struck from the ledger.
//! What could not be verified is `info` in the history; what was not done is `fail`.

mod sweep;
mod turn;

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use elenchus_core::{FaultEvent, Kind, Seed, Symbol};
use futures_util::future::join_all;
use tokio::sync::watch;

pub use sweep::{heal_all, heal_outstanding};

use crate::timetable::Timetable;
use crate::{Cluster, Deed, Ledger, NemesisError, Scheduled};

/// Told of every event of the nemesis as it happens: kind, the fault's name, what is said, and why it failed or could not be verified.
pub type Record<'a> = &'a (dyn Fn(Kind, Symbol, FaultEvent, Option<String>) + Send + Sync);

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
    names: Vec<String>,
    ledger: &'a Ledger,
    record: Record<'a>,
    began: Instant,
    next_id: AtomicU32,
    /// The injections in force, or about to be.
    active: Mutex<Vec<Active>>,
    outcome: Mutex<Outcome>,
}

#[derive(Clone)]
struct Active {
    id: u32,
    fault: &'static str,
    deed: Deed,
    /// Its heal has begun: it no longer keeps others from healing its nodes.
    ending: bool,
}

/// Whether all lines can be carried out on this cluster, and else why not.
pub fn check(lines: &[Scheduled], cluster: &Cluster) -> Result<(), NemesisError> {
    let names = cluster.names();
    for (line, scheduled) in lines.iter().enumerate() {
        let wrong = |message| NemesisError::Line { line, message };
        scheduled.check(&names).map_err(wrong)?;
        let Some(fault) = scheduled.fault() else { continue };
        if fault.needs_system() && cluster.system.is_none() {
            return Err(wrong(format!("{} needs a system, to know its processes; the plan names none", fault.name())));
        }
        let tells_primary = cluster.system.as_ref().is_some_and(|system| system.definition().primary.is_some());
        if fault.needs_primary() && !tells_primary {
            return Err(wrong(format!("{} aims at the primary, but the system's definition has no `primary` command", fault.name())));
        }
    }
    Ok(())
}

/// Carries out all lines at once until `stop` says true or its sender is gone; then heals what is in force, and at last everything these faults could have done to
/// any node.
///
/// # Errors
/// Only when a line cannot be carried out at all, before anything is done. What goes wrong later is in the record and in the outcome.
pub async fn run(
    cluster: &Cluster,
    lines: &[Scheduled],
    seed: Seed,
    ledger: &Ledger,
    record: Record<'_>,
    stop: watch::Receiver<bool>,
) -> Result<Outcome, NemesisError> {
    check(lines, cluster)?;
    let run = Run {
        cluster,
        names: cluster.names(),
        ledger,
        record,
        began: Instant::now(),
        next_id: AtomicU32::new(1),
        active: Mutex::default(),
        outcome: Mutex::default(),
    };
    join_all(lines.iter().enumerate().map(|(line, scheduled)| run.carry_out(line, scheduled, seed, stop.clone()))).await;
    run.sweep(lines).await;
    Ok(run.outcome.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner()))
}

impl Run<'_> {
    async fn carry_out(&self, line: usize, scheduled: &Scheduled, seed: Seed, mut stop: watch::Receiver<bool>) {
        let Some(fault) = scheduled.fault() else { return };
        for planned in Timetable::new(line, scheduled, &self.names, seed) {
            if self.stopped_before(planned.at, &mut stop).await {
                return;
            }
            let id = self.next_id.fetch_add(1, Ordering::Relaxed);
            let Some(deed) = self.resolve(fault, id, planned.aim).await else { continue };
            // Finding the primary takes its time, and a fault must not begin after the end.
            if *stop.borrow() {
                return;
            }
            if self.inject(fault, id, &deed).await {
                self.stopped_before(planned.until, &mut stop).await;
                self.heal(fault, id, &deed).await;
            }
        }
    }

    /// Waits until this much of the run has passed, or until it is stopped.
    async fn stopped_before(&self, moment: Duration, stop: &mut watch::Receiver<bool>) -> bool {
        tokio::select! {
            biased;
            // An error means that the sender is gone, and with it whoever wanted the faults.
            _ = stop.wait_for(|stop| *stop) => true,
            () = tokio::time::sleep(moment.saturating_sub(self.began.elapsed())) => false,
        }
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
