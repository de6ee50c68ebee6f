//! Undoing every fault, whether it is in a ledger or not.

use std::collections::BTreeMap;

use elenchus_control::Command;
use elenchus_control::system::Node;
use elenchus_core::{FaultPhase, Kind};
use futures_util::future::join_all;

use super::retry::retry;
use super::{ActiveInjection, Run, dead_mans_switch};
use crate::means::agent;
use crate::means::remote_script::{self, RemoteScript};
use crate::schedule::needs;
use crate::{Armed, Cluster, Fault, Ledger, NemesisError, Scheduled, faults};

/// Undoes every fault of every kind on every node, and whatever else the lines of a plan could have done there. It does not start the system, whose definition is
/// not known here. Idempotent.
///
/// # Errors
/// The faults that could not be undone, after everything was tried.
pub async fn heal_all(nodes: &[Node], lines: &[Scheduled]) -> Result<(), NemesisError> {
    let silent = silent(nodes).await;
    let cluster = Cluster::new(nodes.iter().filter(|node| !silent.contains_key(&node.name)).cloned().collect(), None);
    let mut failures: Vec<String> = silent.into_values().collect();
    let switches = retry(async || undo_armed(&cluster).await).await;
    failures.extend(switches.err().map(|error| format!("dead man's switches: {error}")));
    let kinds = faults::defaults();
    let planned = lines.iter().flat_map(|line| line.faults()).map(|(fault, _)| fault);
    let of_all = distinct(&cluster, planned.chain(kinds.iter().map(|kind| kind.as_ref())));
    // Kinds that are undone by starting the system fail here, where there is none.
    let of_all: Vec<&dyn Fault> = of_all.into_iter().filter(|fault| fault.undo_all(&cluster).is_ok()).collect();
    failures.extend(undo_kinds(&cluster, &of_all).await);
    failures.extend(remote_script::run(&cluster, &unmount_all(&cluster)).await.err().map(|error| format!("mounts: {error}")));
    if failures.is_empty() { Ok(()) } else { Err(NemesisError::Refused(failures.join("; "))) }
}

/// Returns what unmounts everything that any kind may have mounted, without duplicates.
fn unmount_all(cluster: &Cluster) -> Vec<RemoteScript> {
    let mut all: Vec<RemoteScript> = Vec::new();
    for fault in faults::defaults() {
        let scripts = fault.mounts().map(|mounts| mounts.unmount_all(cluster)).unwrap_or_default();
        let new: Vec<RemoteScript> = scripts.into_iter().filter(|script| !all.contains(script)).collect();
        all.extend(new);
    }
    all
}

/// Returns the error of each node that does not answer, by name.
async fn silent(nodes: &[Node]) -> BTreeMap<String, String> {
    let asked = nodes.iter().map(|node| async {
        let answer = node.host.run(Command::new("true").sudo(false)).await;
        answer.err().map(|error| (node.name.clone(), error.to_string()))
    });
    join_all(asked).await.into_iter().flatten().collect()
}

/// Undoes all injections of some kinds, trying twice, and returns a message for each kind that failed.
async fn undo_kinds(cluster: &Cluster, kinds: &[&dyn Fault]) -> Vec<String> {
    let mut again = Vec::new();
    for fault in kinds {
        if undo_kind(cluster, *fault).await.is_err() {
            again.push(*fault);
        }
    }
    let mut failures = Vec::new();
    for fault in again {
        failures.extend(undo_kind(cluster, fault).await.err().map(|error| format!("{}: {error}", fault.name())));
    }
    failures
}

/// Undoes every injection for which a dead man's switch is armed.
async fn undo_armed(cluster: &Cluster) -> Result<(), NemesisError> {
    let scripts = remote_script::everywhere(cluster, &dead_mans_switch::undo_all()).into_iter();
    let scripts: Vec<RemoteScript> = scripts.map(|script| script.within(remote_script::LONGEST)).collect();
    remote_script::run(cluster, &scripts).await.map(drop)
}

/// The result of healing from a ledger, in words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Healing {
    /// The injections of the ledger that are undone.
    pub healed: Vec<String>,
    /// The injections that could not be undone, and why. They stay in the ledger.
    pub unhealed: Vec<String>,
}

/// Undoes the outstanding injections of a run's ledger, as after a crash of the control node.
pub async fn heal_outstanding(nodes: &[Node], ledger: &Ledger) -> Healing {
    let cluster = Cluster::new(nodes.to_vec(), None);
    let outstanding = ledger.outstanding();
    if outstanding.is_empty() {
        return Healing::default();
    }
    // Nodes that are off come first: nothing else can be undone there before they are on.
    let is_off = |armed: &Armed| armed.inverse.iter().any(|script| script.expect.is_some());
    let (off, outstanding): (Vec<Armed>, Vec<Armed>) = outstanding.into_iter().partition(is_off);
    let none_silent = BTreeMap::new();
    let mut outcomes = join_all(off.iter().map(|armed| undo(&cluster, ledger, armed, &none_silent))).await;
    let silent = silent(nodes).await;
    let scripts: Vec<RemoteScript> = outstanding.iter().flat_map(|armed| armed.inverse.iter().chain(&armed.proof)).cloned().collect();
    // If the agent cannot be uploaded, the script that needs it fails with a message.
    let answering: Vec<Node> = nodes.iter().filter(|node| !silent.contains_key(&node.name)).cloned().collect();
    let uploaded = agent::install_for(&answering, &scripts).await;
    // In reverse order of injection, like a stack.
    for armed in outstanding.iter().rev() {
        outcomes.push(retry(async || undo(&cluster, ledger, armed, &silent).await).await);
    }
    let mut healing = Healing::default();
    for (outcome, armed) in outcomes.into_iter().zip(off.iter().chain(outstanding.iter().rev())) {
        match outcome {
            Ok(said) => healing.healed.push(said),
            Err(error) => healing.unhealed.push(format!("{} {} ({}): {error}", armed.fault, armed.id, armed.what)),
        }
    }
    if healing.unhealed.is_empty()
        && let Err(error) = uploaded.and(remove_agent(&cluster).await)
    {
        healing.unhealed.push(format!("the agent could not be removed: {error}"));
    }
    healing
}

/// Undoes one injection of a ledger and removes it there; returns a description. Nodes that do not answer are skipped, and the injection stays in the ledger then.
async fn undo(cluster: &Cluster, ledger: &Ledger, armed: &Armed, silent: &BTreeMap<String, String>) -> Result<String, NemesisError> {
    let answering = |scripts: &[RemoteScript]| {
        scripts.iter().filter(|script| !silent.contains_key(&script.node)).cloned().collect::<Vec<RemoteScript>>()
    };
    remote_script::run(cluster, &answering(&armed.inverse)).await?;
    let printed = remote_script::run(cluster, &answering(&armed.proof)).await?;
    if let Some(why) = armed.inverse.iter().find_map(|script| silent.get(&script.node)) {
        return Err(NemesisError::Refused(why.clone()));
    }
    ledger.healed(armed.id)?;
    let by_itself = if dead_mans_switch::has_lapsed(&printed) { " (the node had healed itself when its lease ran out)" } else { "" };
    Ok(format!("{} {}: {}{by_itself}", armed.fault, armed.id, armed.what))
}

/// Drops faults that are undone by the same scripts as an earlier one. Two of a kind may differ: what fills one disk does not fill another.
fn distinct<'a>(cluster: &Cluster, faults: impl Iterator<Item = &'a dyn Fault>) -> Vec<&'a dyn Fault> {
    let mut distinct: Vec<(&dyn Fault, Option<Vec<RemoteScript>>)> = Vec::new();
    for fault in faults {
        let scripts = fault.undo_all(cluster).ok();
        if distinct.iter().all(|(_, other)| *other != scripts) {
            distinct.push((fault, scripts));
        }
    }
    distinct.into_iter().map(|(fault, _)| fault).collect()
}

/// Removes the agent from every node. To be called when nothing is left for it to undo.
pub(super) async fn remove_agent(cluster: &Cluster) -> Result<(), NemesisError> {
    remote_script::run(cluster, &remote_script::everywhere(cluster, &agent::remove())).await.map(drop)
}

/// The same; a failure is only logged.
pub(super) async fn try_remove_agent(cluster: &Cluster) {
    if let Err(error) = remove_agent(cluster).await {
        tracing::warn!("the agent could not be removed: {error}");
    }
}

async fn undo_kind(cluster: &Cluster, fault: &dyn Fault) -> Result<(), NemesisError> {
    let limit = fault.time_limit(cluster);
    let scripts: Vec<RemoteScript> = fault.undo_all(cluster)?.into_iter().map(|script| script.within(limit)).collect();
    remote_script::run(cluster, &scripts).await.map(drop)
}

impl Run<'_> {
    /// Ends a run: undoes every fault of the plan on every node, and records a heal for what could not be healed before and now is.
    pub(super) async fn heal_all(&self) {
        if self.schedule.lines.is_empty() {
            return;
        }
        let kinds = distinct(self.cluster, self.schedule.lines.iter().flat_map(|line| line.faults()).map(|(fault, _)| fault));
        // Nodes that are off come first: nothing else can be undone there before they are on.
        let (off, others): (Vec<&dyn Fault>, Vec<&dyn Fault>) = kinds.into_iter().partition(|fault| fault.takes_down().is_some());
        let mut failures = undo_kinds(self.cluster, &off).await;
        let undone = undo_armed(self.cluster).await;
        failures.extend(undo_kinds(self.cluster, &others).await);
        // A switch may be able to undo now what it could not undo while another fault was in force.
        if undone.is_err() {
            failures.extend(undo_armed(self.cluster).await.err().map(|error| error.to_string()));
        }
        self.outcome(|outcome| outcome.unhealed.extend(failures));
        for late in self.active(|active| active.clone()) {
            self.settle(late).await;
        }
        let is_healed = self.outcome.lock().is_ok_and(|outcome| outcome.unhealed.is_empty());
        // If something is still mounted, it is in the ledger, and `Mounted::end` removes the agent.
        if is_healed && self.ledger.outstanding().is_empty() && !needs::trials(self.schedule.lines).is_empty() {
            try_remove_agent(self.cluster).await;
        }
    }

    async fn settle(&self, late: ActiveInjection) {
        let faults = self.schedule.lines.iter().flat_map(|line| line.faults());
        let mut of_this_kind = faults.map(|(fault, _)| fault).filter(|fault| fault.name() == late.fault.name);
        let Some(fault) = of_this_kind.next() else { return };
        match self.verify_healed(late.id).await {
            Ok(_) => {
                let doubt = self.remove(late.id);
                self.record_event(fault, late.id, &late.injection, FaultPhase::Heal, Kind::Ok, doubt);
            }
            Err(error) => self.outcome(|outcome| {
                outcome.unhealed.push(format!("{} {} ({}): {error}", fault.name(), late.id, late.injection.description));
            }),
        }
    }

    /// Verifies by the ledger's scripts that an injection is undone.
    async fn verify_healed(&self, id: u32) -> Result<Vec<String>, NemesisError> {
        let armed = self.ledger.outstanding().into_iter().find(|armed| armed.id == id);
        remote_script::run(self.cluster, &armed.map(|armed| armed.proof).unwrap_or_default()).await
    }
}
