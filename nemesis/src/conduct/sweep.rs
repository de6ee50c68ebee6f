//! Healing everything, whether it is known to be broken or not.

use elenchus_control::system::Node;
use elenchus_core::{FaultPhase, Kind};

use super::{Active, Run};
use crate::scheduled::one_of_each;
use crate::{Cluster, Fault, Ledger, NemesisError, Scheduled, errand};

/// Undoes every fault of every kind on every node, and fails where it cannot. Where a system is given, it is started wherever it does not run. Idempotent.
pub async fn heal_all(cluster: &Cluster) -> Result<(), NemesisError> {
    for fault in one_of_each() {
        if !fault.needs_system() || cluster.system.is_some() {
            sweep(cluster, fault.as_ref()).await?;
        }
    }
    Ok(())
}

/// Undoes what a run's ledger says may be in force, as after a crash of the control node, and returns what was undone, in words. What cannot be undone stays in
/// the ledger; the error names the first of it, after everything was tried.
pub async fn heal_outstanding(nodes: &[Node], ledger: &Ledger) -> Result<Vec<String>, NemesisError> {
    let (mut healed, mut first_failure) = (Vec::new(), None);
    // The last injected is undone first, as one undoes a pile.
    for armed in ledger.outstanding().into_iter().rev() {
        let undone = async {
            errand::run(nodes, &armed.inverse).await?;
            errand::run(nodes, &armed.proof).await?;
            ledger.healed(armed.id)
        };
        match undone.await {
            Ok(()) => healed.push(format!("{} {}: {}", armed.fault, armed.id, armed.what)),
            Err(error) => first_failure = first_failure.or(Some(error)),
        }
    }
    first_failure.map_or(Ok(healed), Err)
}

async fn sweep(cluster: &Cluster, fault: &dyn Fault) -> Result<(), NemesisError> {
    let errands = fault.sweep(cluster)?;
    let _one_at_a_time = cluster.firewall.lock().await;
    errand::run(&cluster.nodes, &errands).await.map(drop)
}

impl Run<'_> {
    /// The end of a run: every fault of the plan is undone on every node, and what could not be healed before is told as healed if it now is.
    pub(super) async fn sweep(&self, lines: &[Scheduled]) {
        let mut swept: Vec<&str> = Vec::new();
        for fault in lines.iter().filter_map(Scheduled::fault) {
            if swept.contains(&fault.name()) {
                continue;
            }
            swept.push(fault.name());
            if let Err(error) = sweep(self.cluster, fault).await {
                self.outcome(|outcome| outcome.unhealed.push(format!("{}: {error}", fault.name())));
            }
            for late in self.active(|active| active.iter().filter(|left| left.fault == fault.name()).cloned().collect::<Vec<Active>>()) {
                self.settle(fault, late).await;
            }
        }
    }

    async fn settle(&self, fault: &dyn Fault, late: Active) {
        match fault.verify_healed(self.cluster, late.id, &late.deed).await {
            Ok(()) => {
                let doubt = self.struck(late.id);
                self.say(fault, late.id, &late.deed, FaultPhase::Heal, Kind::Ok, doubt);
            }
            Err(error) => {
                self.outcome(|outcome| outcome.unhealed.push(format!("{} {} ({}): {error}", fault.name(), late.id, late.deed.what)))
            }
        }
    }
}
