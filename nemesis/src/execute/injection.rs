//! One injection and its heal.

use std::sync::atomic::Ordering;
use std::time::Duration;

use elenchus_core::{FaultEvent, FaultPhase, Kind, Span, Symbol};
use tokio::sync::watch;

use super::retry::{HEAL_PAUSE, retry};
use super::{ActiveInjection, Run, dead_mans_switch};
use crate::fault::Overlap;
use crate::means::node_down::Recovery;
use crate::means::remote_script::{self, NodeActions, RemoteScript};
use crate::schedule::active::ActiveFault;
use crate::schedule::planned::{Planned, Start};
use crate::schedule::timetable;
use crate::{Armed, Cluster, Decision, Fault, FaultSchedule, Injection, NemesisError};

/// How long to wait before trying to heal again after all tries failed.
const HEAL_AGAIN: Duration = Duration::from_secs(5);

/// How long an election may take when a fault is to be injected into the primary, and how long to wait before asking again.
const PRIMARY_LIMIT: Duration = Duration::from_secs(5);
const PRIMARY_PAUSE: Duration = Duration::from_millis(200);

/// How often the primary is looked up while a line waits for it to change.
const PRIMARY_WATCH: Duration = Duration::from_millis(500);

impl Run<'_> {
    /// Waits for the start of a planned injection, injects it, waits, and heals it.
    pub(super) async fn execute_planned(&self, planned: Planned, mut stop: watch::Receiver<bool>) {
        let Some(lock) = self.line_locks.get(planned.line) else { return };
        match planned.start {
            Start::PrimaryChanges => return self.execute_at_changes(planned.line, stop).await,
            Start::AfterOperations(count) if self.stopped_before_operations(count, &mut stop).await => return,
            Start::AfterOperations(_) | Start::At(_) => {}
        }
        let _locked = lock.lock().await;
        let since = match planned.start {
            Start::At(at) => at,
            _ => self.began.elapsed(),
        };
        self.inject_and_heal(planned, since, &mut stop).await;
    }

    /// Executes the injections of a line that waits for changes of the primary.
    async fn execute_at_changes(&self, line: usize, mut stop: watch::Receiver<bool>) {
        let FaultSchedule { lines, seed, .. } = self.schedule;
        for planned in timetable::at_each_event(lines, line, &self.cluster.roster, seed) {
            if self.stopped_before_change(&mut stop).await {
                return;
            }
            if let Some(planned) = planned {
                self.inject_and_heal(planned, self.began.elapsed(), &mut stop).await;
            }
        }
    }

    /// Waits until a node is seen as primary that was not before; returns true if the run was stopped before.
    async fn stopped_before_change(&self, stop: &mut watch::Receiver<bool>) -> bool {
        let mut before: Option<Vec<usize>> = None;
        loop {
            // Empty during an election, or when no node answers.
            let now = self.cluster.primaries().await.unwrap_or_default();
            if before.as_ref().is_some_and(|before| now.iter().any(|node| !before.contains(node))) {
                return *stop.borrow();
            }
            before = if now.is_empty() { before } else { Some(now) };
            if self.stopped_before(self.began.elapsed() + PRIMARY_WATCH, stop).await {
                return true;
            }
        }
    }

    async fn inject_and_heal(&self, planned: Planned, since: Duration, stop: &mut watch::Receiver<bool>) {
        let Some(fault) = planned.of(self.schedule.lines) else { return };
        let of_line = self.schedule.lines.get(planned.line).and_then(|line| line.until).map_or(Duration::MAX, |until| until.0);
        let until = since.saturating_add(planned.lasting).min(self.schedule.end()).min(of_line);
        if *stop.borrow() || self.began.elapsed() >= until {
            return;
        }
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let Some(injection) = self.resolve(fault, id, planned.decision.clone()).await else { return };
        // Finding the primary takes time, and no fault may be injected after the run was stopped.
        if *stop.borrow() {
            return;
        }
        let Some(active) = ActiveFault::new(self.schedule.lines, &planned, id, &injection) else { return };
        let new = ActiveInjection::new(active, injection.clone());
        if self.inject(fault, new).await {
            self.stopped_before(until, stop).await;
            self.heal(fault, id, &injection, stop).await;
        }
    }

    /// Decides what depends on the primary. Records the failure and returns nothing if the primary cannot be found.
    pub(super) async fn resolve(&self, fault: &dyn Fault, id: u32, decision: Decision) -> Option<Injection> {
        let error = match decision {
            Decision::Injection(injection) => return Some(injection),
            Decision::Primaries { seed } => match self.primaries().await {
                Ok(primaries) if primaries.is_empty() => {
                    NemesisError::Refused(format!("no node reported a primary within {PRIMARY_LIMIT:?}"))
                }
                Ok(primaries) => return Some(fault.at_primaries(&self.cluster.roster, &primaries, seed)),
                Err(error) => error,
            },
        };
        let injection = Injection { description: "the primary".into(), ..Injection::default() };
        self.record_event(fault, id, &injection, FaultPhase::Inject, Kind::Invoke, None);
        self.record_failure(fault, id, &injection, &error);
        None
    }

    /// Finds the primaries. While there is none, as in an election, asks again for a while.
    async fn primaries(&self) -> Result<Vec<usize>, NemesisError> {
        let began = tokio::time::Instant::now();
        loop {
            let primaries = self.cluster.primaries().await?;
            if !primaries.is_empty() || began.elapsed() >= PRIMARY_LIMIT {
                return Ok(primaries);
            }
            tokio::time::sleep(PRIMARY_PAUSE).await;
        }
    }

    /// Injects; returns whether there is something to be healed.
    pub(super) async fn inject(&self, fault: &dyn Fault, mut new: ActiveInjection) -> bool {
        let (id, injection) = (new.id, new.injection.clone());
        self.record_event(fault, id, &injection, FaultPhase::Inject, Kind::Invoke, None);
        let actions = match fault.actions(self.cluster, id, &injection) {
            Ok(actions) => actions,
            Err(error) => {
                self.record_failure(fault, id, &injection, &error);
                return false;
            }
        };
        new.fault.reach = actions.iter().filter_map(|node| self.cluster.roster.nodes.iter().position(|name| *name == node.node)).collect();
        // From here on, the heal of another injection leaves these nodes alone.
        let begun = self.begin(new).and_then(|()| self.write_to_ledger(fault, id, &injection, &actions));
        if let Err(error) = begun {
            self.active(|active| active.retain(|other| other.id != id));
            self.record_failure(fault, id, &injection, &error);
            return false;
        }
        let (lease, limit) = (self.schedule.safety.lease.0, fault.time_limit(self.cluster));
        let arm = scripts(&actions, remote_script::LIMIT, |node| dead_mans_switch::arm(id, node, lease));
        let injected = match remote_script::run(self.cluster, &arm).await {
            Ok(_) => remote_script::run(self.cluster, &scripts(&actions, limit, |node| dead_mans_switch::inject(id, node))).await,
            Err(error) => Err(error),
        };
        let had_effect = |printed: &[String]| !fault.about().reports_effect || printed.iter().any(|text| !text.is_empty());
        let injected = injected.and_then(|printed| if had_effect(&printed) { Ok(()) } else { Err(no_target(&actions)) });
        let verify = scripts(&actions, limit, |node| node.verify.clone());
        let verify = remote_script::on_nodes_going_down(verify, |node| recovery(fault, self.cluster, node));
        let verified = match injected {
            Ok(()) => remote_script::run(self.cluster, &verify).await,
            // A node that goes down may do so before it answers.
            Err(error) if fault.takes_down().is_some() => match remote_script::run(self.cluster, &verify).await {
                Ok(verified) => Ok(verified),
                Err(_) => return self.undo(fault, id, &injection, error).await,
            },
            Err(error) => return self.undo(fault, id, &injection, error).await,
        };
        if fault.takes_down().is_some() {
            self.cut_short(fault, id, &injection);
        }
        self.active(|active| active.iter_mut().filter(|own| own.id == id).for_each(|own| own.verified = verified.is_ok()));
        let (kind, doubt) = match verified {
            Ok(_) => (Kind::Ok, None),
            Err(error) => (Kind::Info, Some(format!("not verified: {error}"))),
        };
        self.record_event(fault, id, &injection, FaultPhase::Inject, kind, doubt);
        self.outcome(|outcome| outcome.injected += 1);
        true
    }

    /// Notes that what was in force on nodes that went down has ended there, unless it was on a disk.
    fn cut_short(&self, fault: &dyn Fault, id: u32, injection: &Injection) {
        self.active(|active| {
            for other in active.iter_mut().filter(|other| other.id != id) {
                let both: Vec<usize> = other.fault.reach.iter().copied().filter(|node| injection.nodes.contains(node)).collect();
                if !both.is_empty() {
                    let nodes = self.cluster.roster.listed(&both);
                    other.cut_short = Some(format!("ended early: {} {id} took {nodes} down", fault.name()));
                }
            }
        });
    }

    /// The names of the nodes that are down, or may be.
    pub(super) fn down(&self) -> Vec<String> {
        let down = self.active(|active| {
            let down = active.iter().filter(|one| one.fault.takes_down);
            down.flat_map(|one| one.injection.nodes.clone()).collect::<Vec<usize>>()
        });
        self.names(down)
    }

    /// The names of nodes.
    pub(super) fn names(&self, nodes: impl IntoIterator<Item = usize>) -> Vec<String> {
        nodes.into_iter().filter_map(|at| self.cluster.roster.nodes.get(at).cloned()).collect()
    }

    /// If some nodes of an injection are down, heals the others, and waits for those.
    async fn heal_nodes_that_are_up(&self, fault: &dyn Fault, id: u32, injection: &Injection) {
        let reach = self.active(|active| active.iter().find(|own| own.id == id).map(|own| own.fault.reach.clone()));
        let reach = self.names(reach.unwrap_or_default());
        let is_down = || fault.takes_down().is_none() && self.down().iter().any(|node| reach.contains(node));
        if !is_down() {
            return;
        }
        if let Ok(actions) = fault.actions(self.cluster, id, &self.without_shared_nodes(fault, id, injection).0) {
            let up = self.on_nodes_that_are_up(actions);
            // A failure shows when all nodes are healed.
            let _ = remote_script::run(self.cluster, &undo_scripts(id, &up, fault.time_limit(self.cluster)).0).await;
        }
        while is_down() {
            tokio::time::sleep(HEAL_PAUSE).await;
        }
    }

    fn on_nodes_that_are_up(&self, actions: Vec<NodeActions>) -> Vec<NodeActions> {
        let down = self.down();
        actions.into_iter().filter(|node| !down.contains(&node.node)).collect()
    }

    /// Adds an injection to those in force, unless the limits forbid it.
    fn begin(&self, new: ActiveInjection) -> Result<(), NemesisError> {
        self.active(|active| {
            let others = active.iter().map(|other| &other.fault);
            match self.schedule.safety.objection(others, &new.fault, self.cluster.roster.count()) {
                Some(objection) => Err(NemesisError::Refused(objection)),
                None => {
                    active.push(new);
                    Ok(())
                }
            }
        })
    }

    /// Undoes a failed injection. Some nodes may have it: it counts as not injected only when it is verified to be undone on all.
    async fn undo(&self, fault: &dyn Fault, id: u32, injection: &Injection, error: NemesisError) -> bool {
        match self.heal_and_verify(fault, id, injection).await {
            Ok(_) => {
                self.remove(id);
                self.record_failure(fault, id, injection, &error);
                false
            }
            Err(undoing) => {
                let doubt = format!("{error}; undoing it failed too: {undoing}");
                self.record_event(fault, id, injection, FaultPhase::Inject, Kind::Info, Some(doubt));
                self.outcome(|outcome| outcome.injected += 1);
                true
            }
        }
    }

    /// Heals, and records the result. What is not verified to be healed stays in the ledger, and is tried again until the run ends.
    pub(super) async fn heal(&self, fault: &dyn Fault, id: u32, injection: &Injection, stop: &mut watch::Receiver<bool>) {
        let ended = self.not_in_force(fault, id, injection).await;
        self.record_event(fault, id, injection, FaultPhase::Heal, Kind::Invoke, None);
        self.heal_nodes_that_are_up(fault, id, injection).await;
        let attempt = async || self.heal_and_verify(fault, id, injection).await;
        // An attempt that waits for nodes to come back is long enough.
        let outcome = if fault.takes_down().is_some() { attempt().await } else { retry(attempt).await };
        let cut_short = self.active(|active| active.iter_mut().find(|own| own.id == id).and_then(|own| own.cut_short.take()));
        match outcome {
            Ok(printed) => self.healed(fault, id, injection, cut_short.or(lapsed(&printed)).or(ended)),
            Err(error) => {
                tracing::error!(fault = fault.name(), id, "could not be healed: {error}");
                self.record_event(fault, id, injection, FaultPhase::Heal, Kind::Fail, Some(error.to_string()));
                self.active(|active| {
                    for own in active.iter_mut().filter(|own| own.id == id) {
                        // Other injections must not wait any longer for a node that does not come back.
                        own.fault.takes_down = false;
                        // Lets the lease run out, so that the dead man's switch tries too.
                        own.is_leased = false;
                    }
                });
                while !self.stopped_before(self.began.elapsed() + HEAL_AGAIN, stop).await {
                    if let Ok(printed) = self.heal_and_verify(fault, id, injection).await {
                        return self.healed(fault, id, injection, cut_short.or(lapsed(&printed)).or(ended));
                    }
                }
            }
        }
    }

    /// Removes a healed injection from the ledger, and records the heal with what is uncertain about it.
    fn healed(&self, fault: &dyn Fault, id: u32, injection: &Injection, uncertain: Option<String>) {
        let doubt = self.remove(id).or(uncertain);
        let kind = if doubt.is_none() { Kind::Ok } else { Kind::Info };
        self.record_event(fault, id, injection, FaultPhase::Heal, kind, doubt);
    }

    /// Returns why a fault that was in force no longer is, just before it is healed: it ended by itself, or was ended by something else.
    async fn not_in_force(&self, fault: &dyn Fault, id: u32, injection: &Injection) -> Option<String> {
        if !fault.lasts_until_healed() || !self.active(|active| active.iter().any(|own| own.id == id && own.verified)) {
            return None;
        }
        let up = self.on_nodes_that_are_up(fault.actions(self.cluster, id, injection).ok()?);
        let seen = remote_script::run(self.cluster, &scripts(&up, fault.time_limit(self.cluster), |node| node.verify.clone())).await;
        seen.err().map(|error| format!("it was no longer in force: {error}"))
    }

    /// Returns what the nodes printed when they verified the heal.
    async fn heal_and_verify(&self, fault: &dyn Fault, id: u32, injection: &Injection) -> Result<Vec<String>, NemesisError> {
        let (own, shared) = self.without_shared_nodes(fault, id, injection);
        let actions = fault.actions(self.cluster, id, &own)?;
        // The switch of the other injection undoes what is shared.
        let disarm: Vec<RemoteScript> =
            self.cluster.at(&shared).map(|node| RemoteScript::new(&node.name, dead_mans_switch::disarm(id))).collect();
        remote_script::run(self.cluster, &disarm).await?;
        let (inverse, proof) = self.undo_scripts(fault, id, &actions);
        remote_script::run(self.cluster, &inverse).await?;
        remote_script::run(self.cluster, &proof).await
    }

    /// Splits an injection into the part to heal now and the nodes that another injection of the same fault still needs, which are healed with that one. Of two that end
    /// together, the later heals what they share. Only faults with [`Overlap::Shared`] share anything.
    pub(super) fn without_shared_nodes(&self, fault: &dyn Fault, id: u32, injection: &Injection) -> (Injection, Vec<usize>) {
        let mut own = injection.clone();
        if fault.about().overlap != Overlap::Shared {
            return (own, Vec::new());
        }
        let needed: Vec<usize> = self.active(|active| {
            for own in active.iter_mut().filter(|own| own.id == id) {
                own.ending = true;
            }
            let others = active.iter().filter(|other| !other.ending && other.fault.name == fault.name());
            others.flat_map(|other| other.injection.nodes.iter().copied()).collect()
        });
        let shared = own.nodes.extract_if(.., |node| needed.contains(node)).collect();
        (own, shared)
    }

    /// Returns what undoes an injection, and what fails unless it is undone.
    fn undo_scripts(&self, fault: &dyn Fault, id: u32, actions: &[NodeActions]) -> (Vec<RemoteScript>, Vec<RemoteScript>) {
        let (undo, proof) = undo_scripts(id, actions, fault.time_limit(self.cluster));
        let back = |scripts| remote_script::on_nodes_coming_back(scripts, |node| recovery(fault, self.cluster, node));
        (back(undo), back(proof))
    }

    fn write_to_ledger(&self, fault: &dyn Fault, id: u32, injection: &Injection, actions: &[NodeActions]) -> Result<(), NemesisError> {
        let (inverse, proof) = self.undo_scripts(fault, id, actions);
        let armed = Armed { id, fault: fault.name().into(), what: injection.description.clone(), inverse, proof };
        blocking(|| self.ledger.record(armed))
    }

    /// Removes an injection that is undone. Returns the error if the ledger could not be written, though that only means that it may be healed twice.
    pub(super) fn remove(&self, id: u32) -> Option<String> {
        self.active(|active| active.retain(|other| other.id != id));
        blocking(|| self.ledger.healed(id)).err().map(|error| error.to_string())
    }

    fn record_failure(&self, fault: &dyn Fault, id: u32, injection: &Injection, error: &NemesisError) {
        self.outcome(|outcome| outcome.failed += 1);
        self.record_event(fault, id, injection, FaultPhase::Inject, Kind::Fail, Some(error.to_string()));
    }

    pub(super) fn record_event(
        &self,
        fault: &dyn Fault,
        id: u32,
        injection: &Injection,
        phase: FaultPhase,
        kind: Kind,
        error: Option<String>,
    ) {
        let nodes = self.names(injection.nodes.iter().copied());
        (self.record)(kind, Symbol::of(fault.name()), FaultEvent { id, phase, nodes, description: injection.description.clone() }, error);
    }
}

impl ActiveInjection {
    pub(super) fn new(fault: ActiveFault, injection: Injection) -> ActiveInjection {
        ActiveInjection { id: fault.id, fault, injection, is_leased: true, verified: false, ending: false, cut_short: None }
    }
}

/// A script for each node of an injection, with this time limit.
pub(super) fn scripts(actions: &[NodeActions], limit: Span, script: impl Fn(&NodeActions) -> String) -> Vec<RemoteScript> {
    actions.iter().map(|node| RemoteScript::new(&node.node, script(node)).within(limit)).collect()
}

/// Returns what undoes an injection, and what fails unless it is undone, by a fault with this time limit.
pub(super) fn undo_scripts(id: u32, actions: &[NodeActions], limit: Span) -> (Vec<RemoteScript>, Vec<RemoteScript>) {
    // An undo first waits for its injection to end.
    let undo_limit = Span(limit.0 + remote_script::UNDO_PATIENCE.0);
    let undo = scripts(actions, undo_limit, |node| dead_mans_switch::undo(id, node));
    (undo, scripts(actions, limit, |node| dead_mans_switch::verify_undone(id, node)))
}

fn recovery(fault: &dyn Fault, cluster: &Cluster, node: &str) -> Option<Recovery> {
    fault.takes_down().map(|takes_down| takes_down.recovery(cluster, node))
}

/// The doubt about a heal when a node had healed itself, by what the nodes printed when they verified the heal.
fn lapsed(printed: &[String]) -> Option<String> {
    dead_mans_switch::has_lapsed(printed).then(|| "a node had healed itself before, when its lease ran out".to_owned())
}

fn no_target(actions: &[NodeActions]) -> NemesisError {
    let nodes: Vec<&str> = actions.iter().map(|node| node.node.as_str()).collect();
    NemesisError::Refused(format!("no target process or connection found on {}", nodes.join(", ")))
}

/// Waits for the disk without holding up clients on the same thread. A runtime with one thread has no other to move them to.
fn blocking<T>(wait: impl FnOnce() -> T) -> T {
    match tokio::runtime::Handle::current().runtime_flavor() {
        tokio::runtime::RuntimeFlavor::MultiThread => tokio::task::block_in_place(wait),
        _ => wait(),
    }
}
