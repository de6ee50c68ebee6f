//! One injection and its heal.

use std::time::Duration;

use elenchus_core::{FaultEvent, FaultPhase, Kind, Symbol};

use super::{Active, Run};
use crate::{Aim, Armed, Deed, Fault, NemesisError};

/// A node may be out of reach for a moment just because of what is being healed.
const HEAL_TRIES: u32 = 3;
const HEAL_PAUSE: Duration = Duration::from_secs(1);

impl Run<'_> {
    /// Decides what the seed left to the moment. Nothing when it cannot be decided, which is told.
    pub(super) async fn resolve(&self, fault: &dyn Fault, id: u32, aim: Aim) -> Option<Deed> {
        let error = match aim {
            Aim::Deed(deed) => return Some(deed),
            Aim::Primaries => match self.cluster.primaries().await {
                Ok(primaries) if primaries.is_empty() => NemesisError::Refused("no node says who is primary".into()),
                Ok(primaries) => return Some(fault.at_primaries(&self.names, &primaries)),
                Err(error) => error,
            },
        };
        let deed = Deed { what: "the primary".into(), ..Deed::default() };
        self.say(fault, id, &deed, FaultPhase::Inject, Kind::Invoke, None);
        self.not_done(fault, id, &deed, &error);
        None
    }

    /// Injects, and returns whether there is something to be healed.
    pub(super) async fn inject(&self, fault: &dyn Fault, id: u32, deed: &Deed) -> bool {
        // From here on a heal of another injection leaves these nodes alone.
        self.active(|active| active.push(Active { id, fault: fault.name(), deed: deed.clone(), ending: false }));
        self.say(fault, id, deed, FaultPhase::Inject, Kind::Invoke, None);
        if let Err(error) = self.arm(fault, id, deed) {
            self.active(|active| active.retain(|other| other.id != id));
            self.not_done(fault, id, deed, &error);
            return false;
        }
        if let Err(error) = fault.inject(self.cluster, id, deed).await {
            return self.undo(fault, id, deed, error).await;
        }
        let (kind, doubt) = match fault.verify(self.cluster, id, deed).await {
            Ok(()) => (Kind::Ok, None),
            Err(error) => (Kind::Info, Some(format!("not verified: {error}"))),
        };
        self.say(fault, id, deed, FaultPhase::Inject, kind, doubt);
        self.outcome(|outcome| outcome.injected += 1);
        true
    }

    /// It may have been done on some of the nodes: it counts as not done only when it is seen to be undone on all.
    async fn undo(&self, fault: &dyn Fault, id: u32, deed: &Deed, error: NemesisError) -> bool {
        match self.heal_and_verify(fault, id, deed).await {
            Ok(()) => {
                self.struck(id);
                self.not_done(fault, id, deed, &error);
                false
            }
            Err(undoing) => {
                self.say(fault, id, deed, FaultPhase::Inject, Kind::Info, Some(format!("{error}; nor could it be undone: {undoing}")));
                self.outcome(|outcome| outcome.injected += 1);
                true
            }
        }
    }

    /// Heals, and says how that went. What is not seen to be healed stays in the ledger.
    pub(super) async fn heal(&self, fault: &dyn Fault, id: u32, deed: &Deed) {
        self.say(fault, id, deed, FaultPhase::Heal, Kind::Invoke, None);
        let mut tries = 1;
        let outcome = loop {
            match self.heal_and_verify(fault, id, deed).await {
                Err(_) if tries < HEAL_TRIES => tries += 1,
                outcome => break outcome,
            }
            tokio::time::sleep(HEAL_PAUSE).await;
        };
        match outcome {
            Ok(()) => {
                let (kind, doubt) = match self.struck(id) {
                    None => (Kind::Ok, None),
                    doubt => (Kind::Info, doubt),
                };
                self.say(fault, id, deed, FaultPhase::Heal, kind, doubt);
            }
            Err(error) => {
                tracing::error!(fault = fault.name(), id, "could not be healed: {error}");
                self.say(fault, id, deed, FaultPhase::Heal, Kind::Fail, Some(error.to_string()));
            }
        }
    }

    async fn heal_and_verify(&self, fault: &dyn Fault, id: u32, deed: &Deed) -> Result<(), NemesisError> {
        let ours = self.not_held_by_others(fault, id, deed);
        fault.heal(self.cluster, id, &ours).await?;
        fault.verify_healed(self.cluster, id, &ours).await
    }

    /// The deed without the nodes that another injection of the same fault still holds: they are healed with that one. Of two that end together, the later to ask
    /// heals what they share. Cuts of the network do not share anything.
    pub(super) fn not_held_by_others(&self, fault: &dyn Fault, id: u32, deed: &Deed) -> Deed {
        let mut ours = deed.clone();
        if !deed.grudge.is_empty() {
            return ours;
        }
        self.active(|active| {
            for own in active.iter_mut().filter(|own| own.id == id) {
                own.ending = true;
            }
            let others = active.iter().filter(|other| !other.ending && other.fault == fault.name());
            let held: Vec<usize> = others.flat_map(|other| other.deed.nodes.iter().copied()).collect();
            ours.nodes.retain(|node| !held.contains(node));
        });
        ours
    }

    fn arm(&self, fault: &dyn Fault, id: u32, deed: &Deed) -> Result<(), NemesisError> {
        let (inverse, proof) = (fault.inverse(self.cluster, id, deed)?, fault.proof(self.cluster, id, deed)?);
        let armed = Armed { id, fault: fault.name().into(), what: deed.what.clone(), inverse, proof };
        blocking(|| self.ledger.record(armed))
    }

    /// Strikes out what is healed. That the ledger could not be written is told, though it only means that a heal may be done twice.
    pub(super) fn struck(&self, id: u32) -> Option<String> {
        self.active(|active| active.retain(|other| other.id != id));
        blocking(|| self.ledger.healed(id)).err().map(|error| error.to_string())
    }

    fn not_done(&self, fault: &dyn Fault, id: u32, deed: &Deed, error: &NemesisError) {
        self.outcome(|outcome| outcome.failed += 1);
        self.say(fault, id, deed, FaultPhase::Inject, Kind::Fail, Some(error.to_string()));
    }

    pub(super) fn say(&self, fault: &dyn Fault, id: u32, deed: &Deed, phase: FaultPhase, kind: Kind, error: Option<String>) {
        let nodes = deed.nodes.iter().filter_map(|&at| self.names.get(at).cloned()).collect();
        (self.record)(kind, Symbol::of(fault.name()), FaultEvent { id, phase, nodes, what: deed.what.clone() }, error);
    }
}

/// Waiting for the disk must not hold up clients that share the thread; a runtime of one thread has no other to give them.
fn blocking<T>(wait: impl FnOnce() -> T) -> T {
    match tokio::runtime::Handle::current().runtime_flavor() {
        tokio::runtime::RuntimeFlavor::MultiThread => tokio::task::block_in_place(wait),
        _ => wait(),
    }
}
