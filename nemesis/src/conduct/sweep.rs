//! Healing everything, whether it is known to be broken or not.

use elenchus_control::system::Node;
use elenchus_core::{FaultPhase, Kind};
use futures_util::future::join_all;

use super::{Active, Run};
use crate::scheduled::one_of_each;
use crate::{Armed, Cluster, Errand, Fault, Ledger, NemesisError, errand, helper, requirement, switch};

/// Undoes every fault of every kind on every node, and fails where it cannot. Where a system is given, it is started wherever it does not run. Idempotent.
pub async fn heal_all(cluster: &Cluster) -> Result<(), NemesisError> {
    errand::run(cluster, &errand::everywhere(cluster, &switch::sweep())).await?;
    for fault in one_of_each() {
        if !fault.needs_system() || cluster.system.is_some() {
            sweep(cluster, fault.as_ref()).await?;
        }
    }
    let mut unstaged: Vec<Errand> = Vec::new();
    for errand in one_of_each().iter().flat_map(|fault| fault.unstage(cluster)) {
        if !unstaged.contains(&errand) {
            unstaged.push(errand);
        }
    }
    errand::run(cluster, &unstaged).await?;
    // What was done with it to a system is known when that is.
    if cluster.system.is_some() { remove_helper(cluster).await } else { Ok(()) }
}

/// Undoes what a run's ledger says may be in force, as after a crash of the control node, and returns what was undone, in words. What cannot be undone stays in
/// the ledger; the error names the first of it, after everything was tried.
pub async fn heal_outstanding(nodes: &[Node], ledger: &Ledger) -> Result<Vec<String>, NemesisError> {
    let cluster = Cluster::new(nodes.to_vec(), None);
    let (mut healed, mut first_failure) = (Vec::new(), None);
    let outstanding = ledger.outstanding();
    // Nothing can be done on a node that is off before it is on.
    let is_off = |armed: &Armed| armed.inverse.iter().any(|errand| errand.away.is_some());
    let (off, outstanding): (Vec<Armed>, Vec<Armed>) = outstanding.into_iter().partition(is_off);
    let undo = async |armed: &Armed| {
        errand::run(&cluster, &armed.inverse).await?;
        let printed = errand::run(&cluster, &armed.proof).await?;
        ledger.healed(armed.id)?;
        let by_itself = if switch::has_lapsed(&printed) { " (the node had healed itself when its lease ran out)" } else { "" };
        Ok(format!("{} {}: {}{by_itself}", armed.fault, armed.id, armed.what))
    };
    for outcome in join_all(off.iter().map(&undo)).await {
        match outcome {
            Ok(said) => healed.push(said),
            Err(error) => first_failure = first_failure.or(Some(error)),
        }
    }
    let errands: Vec<Errand> = outstanding.iter().flat_map(|armed| armed.inverse.iter().chain(&armed.proof)).cloned().collect();
    // Where it cannot be brought, an errand will say so.
    let brought = helper::install_for(nodes, &errands).await;
    // The last injected is undone first, as one undoes a pile.
    for armed in outstanding.iter().rev() {
        match undo(armed).await {
            Ok(said) => healed.push(said),
            Err(error) => first_failure = first_failure.or(Some(error)),
        }
    }
    match first_failure {
        Some(failure) => Err(failure),
        None => {
            brought?;
            remove_helper(&cluster).await?;
            Ok(healed)
        }
    }
}

/// When nothing is left for it to undo.
pub(super) async fn remove_helper(cluster: &Cluster) -> Result<(), NemesisError> {
    errand::run(cluster, &errand::everywhere(cluster, &helper::remove())).await.map(drop)
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
        let mut kinds: Vec<&dyn Fault> = Vec::new();
        for (fault, _) in self.campaign.lines.iter().flat_map(|line| line.faults()) {
            // Two of a kind may be undone in other ways: what fills one disk does not fill another.
            let sweep = |of: &dyn Fault| of.sweep(self.cluster).ok();
            if kinds.iter().all(|other| sweep(*other) != sweep(fault)) {
                kinds.push(fault);
            }
        }
        // Nothing can be done on a node that is off before it is on.
        let (off, others): (Vec<&dyn Fault>, Vec<&dyn Fault>) = kinds.into_iter().partition(|fault| fault.takes_down());
        self.sweep_kinds(&off).await;
        if let Err(error) = errand::run(self.cluster, &errand::everywhere(self.cluster, &switch::sweep())).await {
            self.outcome(|outcome| outcome.unhealed.push(error.to_string()));
        }
        self.sweep_kinds(&others).await;
        for late in self.active(|active| active.clone()) {
            self.settle(late).await;
        }
        let is_healed = self.outcome.lock().is_ok_and(|outcome| outcome.unhealed.is_empty());
        // What is in place while the system runs is taken away later.
        if is_healed
            && self.ledger.outstanding().is_empty()
            && !requirement::trials(self.campaign.lines).is_empty()
            && let Err(error) = remove_helper(self.cluster).await
        {
            tracing::warn!("the helper could not be removed: {error}");
        }
    }

    async fn sweep_kinds(&self, kinds: &[&dyn Fault]) {
        for fault in kinds {
            if let Err(error) = sweep(self.cluster, *fault).await {
                self.outcome(|outcome| outcome.unhealed.push(format!("{}: {error}", fault.name())));
            }
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
