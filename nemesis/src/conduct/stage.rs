//! What is in place from before the system is started until after the last client is done: what some faults need to be possible at all.
//!
//! It is treated as an injection: written in the ledger and armed with a switch on the node before it is made, verified, and undone and verified in the end.

use std::convert::Infallible;
use std::future::{Future, pending};

use super::lease::renew;
use super::sweep::remove_helper;
use super::turn::{errands, ways_back};
use super::{Campaign, Run};
use crate::{Armed, Cluster, Ledger, NemesisError, Work, errand, requirement, switch};

/// What is in place. Dropped without [`Staged::end`], it stays until the lease runs out.
#[derive(Debug)]
pub struct Staged<'a> {
    cluster: &'a Cluster,
    ledger: &'a Ledger,
    /// How often the lease is renewed.
    campaign: Campaign<'a>,
    /// By number of the injection.
    works: Vec<(u32, Vec<Work>)>,
}

/// Puts in place what the faults of a campaign need, once each. To be called when the nodes are prepared and before the system is started.
///
/// # Errors
/// When something could not be put in place; what was is undone then, or in the ledger.
pub async fn stage<'a>(campaign: Campaign<'a>, cluster: &'a Cluster, ledger: &'a Ledger) -> Result<Staged<'a>, NemesisError> {
    let mut needed: Vec<(&str, Vec<Work>)> = Vec::new();
    for (fault, _) in campaign.lines.iter().flat_map(|line| line.faults()) {
        let works = fault.stage(cluster);
        if !works.is_empty() && needed.iter().all(|(_, other)| *other != works) {
            needed.push((fault.name(), works));
        }
    }
    let mut staged = Staged { cluster, ledger, campaign, works: Vec::new() };
    for (name, works) in needed {
        let id = Run::first_id(ledger);
        let (inverse, proof) = ways_back(id, &works, errand::LIMIT);
        let armed = Armed { id, fault: name.into(), what: "what it needs while the system runs".into(), inverse, proof };
        ledger.record(armed)?;
        staged.works.push((id, works.clone()));
        let lease = campaign.safety.lease.0;
        let put = async {
            errand::run(cluster, &errands(&works, errand::LIMIT, |work| switch::arm(id, work, lease))).await?;
            errand::run(cluster, &errands(&works, errand::LIMIT, |work| switch::inject(id, work))).await?;
            errand::run(cluster, &errands(&works, errand::LIMIT, |work| work.verify.clone())).await
        };
        if let Err(error) = put.await {
            return Err(match staged.end().await {
                Ok(()) => error,
                Err(undoing) => NemesisError::Refused(format!("{error}; nor could it be undone: {undoing}")),
            });
        }
    }
    Ok(staged)
}

impl Staged<'_> {
    /// Does something while the nodes are told that the control node lives.
    pub async fn during<T>(&self, doing: impl Future<Output = T>) -> T {
        tokio::select! {
            done = doing => done,
            never = self.keep() => match never {},
        }
    }

    async fn keep(&self) -> Infallible {
        if self.works.is_empty() {
            return pending().await;
        }
        let every = switch::renewal(self.campaign.safety.lease.0);
        let on: Vec<String> = self.works.iter().flat_map(|(_, works)| works.iter().map(|work| work.node.clone())).collect();
        loop {
            renew(self.cluster, &on, every).await;
            tokio::time::sleep(every).await;
        }
    }

    /// Undoes it, the last first. When nothing is left to be undone, the helper is taken away.
    ///
    /// # Errors
    /// What could not be undone, after everything was tried. It stays in the ledger.
    pub async fn end(self) -> Result<(), NemesisError> {
        let mut failures = Vec::new();
        for (id, works) in self.works.iter().rev() {
            let undone = async {
                let (undo, proof) = ways_back(*id, works, errand::LIMIT);
                errand::run(self.cluster, &undo).await?;
                errand::run(self.cluster, &proof).await?;
                self.ledger.healed(*id)
            };
            failures.extend(undone.await.err().map(|error| error.to_string()));
        }
        if !failures.is_empty() {
            return Err(NemesisError::Refused(failures.join("; ")));
        }
        let has_helper = !requirement::trials(self.campaign.lines).is_empty();
        if has_helper && self.ledger.outstanding().is_empty() { remove_helper(self.cluster).await } else { Ok(()) }
    }
}
