//! File systems that some faults need, mounted from before the system is started until after the last client has ended.
//!
//! A mount is treated like an injection: it is written to the ledger and armed with a dead man's switch before it is made, verified, and in the end undone and verified.

use std::convert::Infallible;
use std::future::{Future, pending};

use super::heal_all::remove_agent;
use super::injection::{scripts, undo_scripts};
use super::lease::renew;
use super::{Run, dead_mans_switch};
use crate::means::remote_script::{self, NodeActions};
use crate::schedule::needs;
use crate::{Armed, Cluster, FaultSchedule, Ledger, NemesisError};

/// The mounted file systems. If it is dropped without [`Mounted::end`], it stays until the lease runs out.
#[derive(Debug)]
pub struct Mounted<'a> {
    cluster: &'a Cluster,
    ledger: &'a Ledger,
    schedule: FaultSchedule<'a>,
    /// The actions by number of the injection.
    actions: Vec<(u32, Vec<NodeActions>)>,
}

/// Mounts what the faults of a schedule need, equal mounts once. To be called when the nodes are prepared and before the system is started.
///
/// # Errors
/// When a mount failed. What was mounted is unmounted then, or still in the ledger.
pub async fn mount<'a>(schedule: FaultSchedule<'a>, cluster: &'a Cluster, ledger: &'a Ledger) -> Result<Mounted<'a>, NemesisError> {
    let mut needed: Vec<(&str, Vec<NodeActions>)> = Vec::new();
    for (fault, _) in schedule.lines.iter().flat_map(|line| line.faults()) {
        let Some(actions) = fault.mounts().map(|mounts| mounts.mount(cluster)) else { continue };
        if needed.iter().all(|(_, other)| *other != actions) {
            needed.push((fault.name(), actions));
        }
    }
    let mut mounted = Mounted { cluster, ledger, schedule, actions: Vec::new() };
    for (name, actions) in needed {
        let id = Run::first_id(ledger);
        let (inverse, proof) = undo_scripts(id, &actions, remote_script::LIMIT);
        let armed = Armed { id, fault: name.into(), what: "mounted for the whole run".into(), inverse, proof };
        ledger.record(armed)?;
        mounted.actions.push((id, actions.clone()));
        let lease = schedule.safety.lease.0;
        let all = |script: &dyn Fn(&NodeActions) -> String| scripts(&actions, remote_script::LIMIT, script);
        let made = async {
            remote_script::run(cluster, &all(&|node| dead_mans_switch::arm(id, node, lease))).await?;
            remote_script::run(cluster, &all(&|node| dead_mans_switch::inject(id, node))).await?;
            remote_script::run(cluster, &all(&|node| node.verify.clone())).await
        };
        if let Err(error) = made.await {
            return Err(match mounted.end().await {
                Ok(()) => error,
                Err(undoing) => NemesisError::Refused(format!("{error}; undoing it failed too: {undoing}")),
            });
        }
    }
    Ok(mounted)
}

impl Mounted<'_> {
    /// Awaits a future while the leases of the nodes are renewed.
    pub async fn during<T>(&self, doing: impl Future<Output = T>) -> T {
        tokio::select! {
            done = doing => done,
            never = self.keep_leases() => match never {},
        }
    }

    async fn keep_leases(&self) -> Infallible {
        if self.actions.is_empty() {
            return pending().await;
        }
        let every = dead_mans_switch::renewal_interval(self.schedule.safety.lease.0);
        let on: Vec<String> = self.actions.iter().flat_map(|(_, actions)| actions.iter().map(|node| node.node.clone())).collect();
        loop {
            renew(self.cluster, &on, every).await;
            tokio::time::sleep(every).await;
        }
    }

    /// Unmounts everything, the last mount first. If the ledger is empty then, removes the agent.
    ///
    /// # Errors
    /// The file systems that could not be unmounted, after everything was tried. They stay in the ledger.
    pub async fn end(self) -> Result<(), NemesisError> {
        let mut failures = Vec::new();
        for (id, actions) in self.actions.iter().rev() {
            let undone = async {
                let (undo, proof) = undo_scripts(*id, actions, remote_script::LIMIT);
                remote_script::run(self.cluster, &undo).await?;
                remote_script::run(self.cluster, &proof).await?;
                self.ledger.healed(*id)
            };
            failures.extend(undone.await.err().map(|error| error.to_string()));
        }
        if !failures.is_empty() {
            return Err(NemesisError::Refused(failures.join("; ")));
        }
        let has_agent = !needs::trials(self.schedule.lines).is_empty();
        if has_agent && self.ledger.outstanding().is_empty() { remove_agent(self.cluster).await } else { Ok(()) }
    }
}
