//! Healing everything, whether it is known to be broken or not.

use std::collections::BTreeMap;

use elenchus_control::Command;
use elenchus_control::system::Node;
use elenchus_core::{FaultPhase, Kind};
use futures_util::future::join_all;

use super::turn::{HEAL_PAUSE, HEAL_TRIES};
use super::{Active, Run};
use crate::scheduled::one_of_each;
use crate::{Armed, Cluster, Errand, Fault, Ledger, NemesisError, Scheduled, errand, helper, requirement, switch};

/// Undoes every fault of every kind on every node, and whatever else the lines of a plan could have done there; but starts no system, of which nothing is known. Idempotent.
///
/// # Errors
/// What could not be undone, after everything was tried.
pub async fn heal_all(nodes: &[Node], lines: &[Scheduled]) -> Result<(), NemesisError> {
    let silent = silent(nodes).await;
    let cluster = Cluster::new(nodes.iter().filter(|node| !silent.contains_key(&node.name)).cloned().collect(), None);
    let mut failures: Vec<String> = silent.into_values().collect();
    failures.extend(persistently(async || sweep_switches(&cluster).await).await.err().map(|error| format!("switches: {error}")));
    let kinds = one_of_each();
    let planned = lines.iter().flat_map(|line| line.faults()).map(|(fault, _)| fault);
    let of_all = distinct(&cluster, planned.chain(kinds.iter().map(|kind| kind.as_ref())));
    // What is undone by starting a system has none to start.
    let of_all: Vec<&dyn Fault> = of_all.into_iter().filter(|fault| fault.sweep(&cluster).is_ok()).collect();
    failures.extend(sweep_kinds(&cluster, &of_all).await);
    let mut unstaged: Vec<Errand> = Vec::new();
    for errand in kinds.iter().flat_map(|fault| fault.unstage(&cluster)) {
        if !unstaged.contains(&errand) {
            unstaged.push(errand);
        }
    }
    failures.extend(errand::run(&cluster, &unstaged).await.err().map(|error| format!("mounts: {error}")));
    if failures.is_empty() { Ok(()) } else { Err(NemesisError::Refused(failures.join("; "))) }
}

/// The nodes that do not answer, by name, with what is said of each.
async fn silent(nodes: &[Node]) -> BTreeMap<String, String> {
    let asked = nodes.iter().map(|node| async {
        let answer = node.host.run(Command::new("true").sudo(false)).await;
        answer.err().map(|error| (node.name.clone(), error.to_string()))
    });
    join_all(asked).await.into_iter().flatten().collect()
}

/// Undoes all of some kinds, each once more if it must be, and returns what could not be, in words.
async fn sweep_kinds(cluster: &Cluster, kinds: &[&dyn Fault]) -> Vec<String> {
    let mut again = Vec::new();
    for fault in kinds {
        if sweep(cluster, *fault).await.is_err() {
            again.push(*fault);
        }
    }
    let mut failures = Vec::new();
    for fault in again {
        failures.extend(sweep(cluster, fault).await.err().map(|error| format!("{}: {error}", fault.name())));
    }
    failures
}

/// Undoes whatever switches are armed for.
async fn sweep_switches(cluster: &Cluster) -> Result<(), NemesisError> {
    let errands = errand::everywhere(cluster, &switch::sweep()).into_iter().map(|errand| errand.within(errand::LONGEST));
    errand::run(cluster, &errands.collect::<Vec<_>>()).await.map(drop)
}

/// What healing from a ledger came to, in words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Healing {
    /// What was in the ledger and is undone.
    pub healed: Vec<String>,
    /// What could not be undone, and why. It stays in the ledger.
    pub unhealed: Vec<String>,
}

/// Undoes what a run's ledger says may be in force, as after a crash of the control node.
pub async fn heal_outstanding(nodes: &[Node], ledger: &Ledger) -> Healing {
    let cluster = Cluster::new(nodes.to_vec(), None);
    let outstanding = ledger.outstanding();
    if outstanding.is_empty() {
        return Healing::default();
    }
    // Nothing can be done on a node that is off before it is on.
    let is_off = |armed: &Armed| armed.inverse.iter().any(|errand| errand.away.is_some());
    let (off, outstanding): (Vec<Armed>, Vec<Armed>) = outstanding.into_iter().partition(is_off);
    let nobody = BTreeMap::new();
    let mut outcomes = join_all(off.iter().map(|armed| undo(&cluster, ledger, armed, &nobody))).await;
    let silent = silent(nodes).await;
    let errands: Vec<Errand> = outstanding.iter().flat_map(|armed| armed.inverse.iter().chain(&armed.proof)).cloned().collect();
    // Where it cannot be brought, an errand will say so.
    let there: Vec<Node> = nodes.iter().filter(|node| !silent.contains_key(&node.name)).cloned().collect();
    let brought = helper::install_for(&there, &errands).await;
    // The last injected is undone first, as one undoes a pile.
    for armed in outstanding.iter().rev() {
        outcomes.push(persistently(async || undo(&cluster, ledger, armed, &silent).await).await);
    }
    let mut healing = Healing::default();
    for (outcome, armed) in outcomes.into_iter().zip(off.iter().chain(outstanding.iter().rev())) {
        match outcome {
            Ok(said) => healing.healed.push(said),
            Err(error) => healing.unhealed.push(format!("{} {} ({}): {error}", armed.fault, armed.id, armed.what)),
        }
    }
    if healing.unhealed.is_empty()
        && let Err(error) = brought.and(remove_helper(&cluster).await)
    {
        healing.unhealed.push(format!("the helper is left behind: {error}"));
    }
    healing
}

/// Undoes what one line of a ledger says, and strikes it out; returns what was undone, in words. Where nodes are silent, it is undone on the others.
async fn undo(cluster: &Cluster, ledger: &Ledger, armed: &Armed, silent: &BTreeMap<String, String>) -> Result<String, NemesisError> {
    let to_others =
        |errands: &[Errand]| errands.iter().filter(|errand| !silent.contains_key(&errand.node)).cloned().collect::<Vec<Errand>>();
    errand::run(cluster, &to_others(&armed.inverse)).await?;
    let printed = errand::run(cluster, &to_others(&armed.proof)).await?;
    if let Some(why) = armed.inverse.iter().find_map(|errand| silent.get(&errand.node)) {
        return Err(NemesisError::Refused(why.clone()));
    }
    ledger.healed(armed.id)?;
    let by_itself = if switch::has_lapsed(&printed) { " (the node had healed itself when its lease ran out)" } else { "" };
    Ok(format!("{} {}: {}{by_itself}", armed.fault, armed.id, armed.what))
}

/// Tries a few times: a node may be out of reach for a moment just because of what is being healed.
pub(super) async fn persistently<T>(attempt: impl AsyncFn() -> Result<T, NemesisError>) -> Result<T, NemesisError> {
    for _ in 1..HEAL_TRIES {
        if let Ok(done) = attempt().await {
            return Ok(done);
        }
        tokio::time::sleep(HEAL_PAUSE).await;
    }
    attempt().await
}

/// Those that are undone in different ways: two of a kind may be, as what fills one disk does not fill another.
fn distinct<'a>(cluster: &Cluster, faults: impl Iterator<Item = &'a dyn Fault>) -> Vec<&'a dyn Fault> {
    let mut distinct: Vec<(&dyn Fault, Option<Vec<Errand>>)> = Vec::new();
    for fault in faults {
        let sweep = fault.sweep(cluster).ok();
        if distinct.iter().all(|(_, other)| *other != sweep) {
            distinct.push((fault, sweep));
        }
    }
    distinct.into_iter().map(|(fault, _)| fault).collect()
}

/// When nothing is left for it to undo.
pub(super) async fn remove_helper(cluster: &Cluster) -> Result<(), NemesisError> {
    errand::run(cluster, &errand::everywhere(cluster, &helper::remove())).await.map(drop)
}

/// The same where a failure is no reason to fail.
pub(super) async fn release_helper(cluster: &Cluster) {
    if let Err(error) = remove_helper(cluster).await {
        tracing::warn!("the helper could not be removed: {error}");
    }
}

async fn sweep(cluster: &Cluster, fault: &dyn Fault) -> Result<(), NemesisError> {
    let limit = fault.limit(cluster);
    let errands: Vec<Errand> = fault.sweep(cluster)?.into_iter().map(|errand| errand.within(limit)).collect();
    errand::run(cluster, &errands).await.map(drop)
}

impl Run<'_> {
    /// The end of a run: every fault of the plan is undone on every node, and what could not be healed before is told as healed if it now is.
    pub(super) async fn sweep(&self) {
        if self.campaign.lines.is_empty() {
            return;
        }
        let kinds = distinct(self.cluster, self.campaign.lines.iter().flat_map(|line| line.faults()).map(|(fault, _)| fault));
        // Nothing can be done on a node that is off before it is on.
        let (off, others): (Vec<&dyn Fault>, Vec<&dyn Fault>) = kinds.into_iter().partition(|fault| fault.takes_down());
        let mut failures = sweep_kinds(self.cluster, &off).await;
        let swept = sweep_switches(self.cluster).await;
        failures.extend(sweep_kinds(self.cluster, &others).await);
        // What a switch could not undo while another fault was in force, it may be able to now.
        if swept.is_err() {
            failures.extend(sweep_switches(self.cluster).await.err().map(|error| error.to_string()));
        }
        self.outcome(|outcome| outcome.unhealed.extend(failures));
        for late in self.active(|active| active.clone()) {
            self.settle(late).await;
        }
        let is_healed = self.outcome.lock().is_ok_and(|outcome| outcome.unhealed.is_empty());
        // What is in place while the system runs is taken away later.
        if is_healed && self.ledger.outstanding().is_empty() && !requirement::trials(self.campaign.lines).is_empty() {
            release_helper(self.cluster).await;
        }
    }

    async fn settle(&self, late: Active) {
        let faults = self.campaign.lines.iter().flat_map(|line| line.faults());
        let mut of_this_kind = faults.map(|(fault, _)| fault).filter(|fault| fault.name() == late.held.fault);
        let Some(fault) = of_this_kind.next() else { return };
        match self.verify_healed(late.id).await {
            Ok(_) => {
                let doubt = self.struck(late.id);
                self.say(fault, late.id, &late.deed, FaultPhase::Heal, Kind::Ok, doubt);
            }
            Err(error) => self.outcome(|outcome| {
                outcome.unhealed.push(format!("{} {} ({}): {error}", fault.name(), late.id, late.deed.what));
            }),
        }
    }

    /// Whether what the ledger says of an injection is undone.
    async fn verify_healed(&self, id: u32) -> Result<Vec<String>, NemesisError> {
        let armed = self.ledger.outstanding().into_iter().find(|armed| armed.id == id);
        errand::run(self.cluster, &armed.map(|armed| armed.proof).unwrap_or_default()).await
    }
}
