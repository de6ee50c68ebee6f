//! One injection and its heal.

use std::sync::atomic::Ordering;
use std::time::Duration;

use elenchus_core::{FaultEvent, FaultPhase, Kind, Span, Symbol};
use tokio::sync::watch;

use super::sweep::persistently;
use super::{Active, Campaign, Run};
use crate::about::Overlap;
use crate::timetable::{self, Planned, Start};
use crate::{Aim, Armed, Deed, Errand, Fault, NemesisError, Work, absence, errand, switch};

/// A node may be out of reach for a moment just because of what is being healed.
pub(super) const HEAL_TRIES: u32 = 3;
pub(super) const HEAL_PAUSE: Duration = Duration::from_secs(1);

/// How long to wait before trying again what could not be healed.
const HEAL_AGAIN: Duration = Duration::from_secs(5);

/// How long an election may take that was under way when a fault aims at the primary, and how long to wait before asking again.
const PRIMARY_LIMIT: Duration = Duration::from_secs(5);
const PRIMARY_PAUSE: Duration = Duration::from_millis(200);

/// How often it is looked who is primary where a line waits for a change.
const PRIMARY_WATCH: Duration = Duration::from_millis(500);

impl Run<'_> {
    /// Waits for its time, injects what was planned, waits, and heals it.
    pub(super) async fn turn(&self, planned: Planned, mut stop: watch::Receiver<bool>) {
        let Some(turn) = self.turns.get(planned.line) else { return };
        match planned.start {
            Start::PrimaryChanges => return self.turns_at_changes(planned.line, stop).await,
            Start::AfterOperations(count) if self.stopped_before_operations(count, &mut stop).await => return,
            Start::AfterOperations(_) | Start::At(_) => {}
        }
        let _alone = turn.lock().await;
        let since = match planned.start {
            Start::At(at) => at,
            _ => self.began.elapsed(),
        };
        self.once(planned, since, &mut stop).await;
    }

    /// The injections of a line that waits for changes of the primary.
    async fn turns_at_changes(&self, line: usize, mut stop: watch::Receiver<bool>) {
        let Campaign { lines, seed, .. } = self.campaign;
        for planned in timetable::each_time(lines, line, &self.cluster.roster, seed) {
            if self.stopped_before_change(&mut stop).await {
                return;
            }
            if let Some(planned) = planned {
                self.once(planned, self.began.elapsed(), &mut stop).await;
            }
        }
    }

    /// Waits until a node is seen as primary that was not before, or until it is stopped.
    async fn stopped_before_change(&self, stop: &mut watch::Receiver<bool>) -> bool {
        let mut before: Option<Vec<usize>> = None;
        loop {
            // Nobody is, as in an election, or nobody says.
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

    /// Injects what was planned, waits, and heals it.
    async fn once(&self, planned: Planned, since: Duration, stop: &mut watch::Receiver<bool>) {
        let Some(fault) = planned.of(self.campaign.lines) else { return };
        let of_line = self.campaign.lines.get(planned.line).and_then(|line| line.until).map_or(Duration::MAX, |until| until.0);
        let until = since.saturating_add(planned.lasting).min(self.campaign.end()).min(of_line);
        if *stop.borrow() || self.began.elapsed() >= until {
            return;
        }
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let Some(deed) = self.resolve(fault, id, planned.aim.clone()).await else { return };
        // Finding the primary takes its time, and a fault must not begin after the end.
        if *stop.borrow() {
            return;
        }
        let Some(held) = timetable::held(self.campaign.lines, &planned, id, &deed) else { return };
        let active = Active { id, held, deed: deed.clone(), is_leased: true, verified: false, ending: false, cut_short: None };
        if self.inject(fault, active).await {
            self.stopped_before(until, stop).await;
            self.heal(fault, id, &deed, stop).await;
        }
    }

    /// Decides what the seed left to the moment. Nothing when it cannot be decided, which is told.
    pub(super) async fn resolve(&self, fault: &dyn Fault, id: u32, aim: Aim) -> Option<Deed> {
        let error = match aim {
            Aim::Deed(deed) => return Some(deed),
            Aim::Primaries { seed } => match self.primaries().await {
                Ok(primaries) if primaries.is_empty() => {
                    NemesisError::Refused(format!("no node said within {PRIMARY_LIMIT:?} who is primary"))
                }
                Ok(primaries) => return Some(fault.at_primaries(&self.cluster.roster, &primaries, seed)),
                Err(error) => error,
            },
        };
        let deed = Deed { what: "the primary".into(), ..Deed::default() };
        self.say(fault, id, &deed, FaultPhase::Inject, Kind::Invoke, None);
        self.not_done(fault, id, &deed, &error);
        None
    }

    /// Who is primary. While nobody is, as in an election, it is asked again for a while.
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

    /// Injects, and returns whether there is something to be healed.
    pub(super) async fn inject(&self, fault: &dyn Fault, mut new: Active) -> bool {
        let (id, deed) = (new.id, new.deed.clone());
        self.say(fault, id, &deed, FaultPhase::Inject, Kind::Invoke, None);
        let works = match fault.works(self.cluster, id, &deed) {
            Ok(works) => works,
            Err(error) => {
                self.not_done(fault, id, &deed, &error);
                return false;
            }
        };
        new.held.reach = works.iter().filter_map(|work| self.cluster.roster.nodes.iter().position(|node| *node == work.node)).collect();
        // From here on a heal of another injection leaves these nodes alone.
        let begun = self.begin(new).and_then(|()| self.arm(fault, id, &deed, &works));
        if let Err(error) = begun {
            self.active(|active| active.retain(|other| other.id != id));
            self.not_done(fault, id, &deed, &error);
            return false;
        }
        let (lease, limit) = (self.campaign.safety.lease.0, fault.limit(self.cluster));
        let armed = errand::run(self.cluster, &errands(&works, errand::LIMIT, |work| switch::arm(id, work, lease))).await;
        let injected = match armed {
            Ok(_) => errand::run(self.cluster, &errands(&works, limit, |work| switch::inject(id, work))).await,
            Err(error) => Err(error),
        };
        let injected = injected.and_then(|printed| if fault.is_felt(&printed) { Ok(()) } else { Err(nobody(&works)) });
        let verify = absence::down(errands(&works, limit, |work| work.verify.clone()), |node| fault.comeback(self.cluster, node));
        let verified = match injected {
            Ok(()) => errand::run(self.cluster, &verify).await,
            // A node that goes down may take the answer with it.
            Err(error) if fault.takes_down() => match errand::run(self.cluster, &verify).await {
                Ok(verified) => Ok(verified),
                Err(_) => return self.undo(fault, id, &deed, error).await,
            },
            Err(error) => return self.undo(fault, id, &deed, error).await,
        };
        if fault.takes_down() {
            self.cut_short(fault, id, &deed);
        }
        self.active(|active| active.iter_mut().filter(|own| own.id == id).for_each(|own| own.verified = verified.is_ok()));
        let (kind, doubt) = match verified {
            Ok(_) => (Kind::Ok, None),
            Err(error) => (Kind::Info, Some(format!("not verified: {error}"))),
        };
        self.say(fault, id, &deed, FaultPhase::Inject, kind, doubt);
        self.outcome(|outcome| outcome.injected += 1);
        true
    }

    /// What was in force on nodes that went down is over there, if it was not on a disk.
    fn cut_short(&self, fault: &dyn Fault, id: u32, deed: &Deed) {
        self.active(|active| {
            for other in active.iter_mut().filter(|other| other.id != id) {
                let both: Vec<usize> = other.held.reach.iter().copied().filter(|node| deed.nodes.contains(node)).collect();
                if !both.is_empty() {
                    let nodes = self.cluster.roster.listed(&both);
                    other.cut_short =
                        Some(format!("{} {id} took {nodes} down before, and what was in memory there was over", fault.name()));
                }
            }
        });
    }

    /// The names of the nodes that are down, or may be.
    pub(super) fn down(&self) -> Vec<String> {
        let down = self.active(|active| {
            let down = active.iter().filter(|one| one.held.takes_down);
            down.flat_map(|one| one.deed.nodes.clone()).collect::<Vec<usize>>()
        });
        self.names(down)
    }

    /// The names of nodes.
    pub(super) fn names(&self, nodes: impl IntoIterator<Item = usize>) -> Vec<String> {
        nodes.into_iter().filter_map(|at| self.cluster.roster.nodes.get(at).cloned()).collect()
    }

    /// Heals what is not on nodes that are down, and waits for those.
    async fn heal_before_others_are_back(&self, fault: &dyn Fault, id: u32, deed: &Deed) {
        let reach = self.active(|active| active.iter().find(|own| own.id == id).map(|own| own.held.reach.clone()));
        let reach = self.names(reach.unwrap_or_default());
        let is_down = || !fault.takes_down() && self.down().iter().any(|node| reach.contains(node));
        if !is_down() {
            return;
        }
        if let Ok(works) = fault.works(self.cluster, id, &self.not_held_by_others(fault, id, deed).0) {
            let down = self.down();
            let up: Vec<Work> = works.into_iter().filter(|work| !down.contains(&work.node)).collect();
            // Whether it succeeds is seen when all are healed.
            let _ = errand::run(self.cluster, &ways_back(id, &up, fault.limit(self.cluster)).0).await;
        }
        while is_down() {
            tokio::time::sleep(HEAL_PAUSE).await;
        }
    }

    /// Takes the place of an injection among those in force, if nothing there stands against it.
    fn begin(&self, new: Active) -> Result<(), NemesisError> {
        self.active(|active| {
            let others = active.iter().map(|other| &other.held);
            match self.campaign.safety.objection(others, &new.held, self.cluster.roster.count()) {
                Some(objection) => Err(NemesisError::Refused(objection)),
                None => {
                    active.push(new);
                    Ok(())
                }
            }
        })
    }

    /// It may have been done on some of the nodes: it counts as not done only when it is seen to be undone on all.
    async fn undo(&self, fault: &dyn Fault, id: u32, deed: &Deed, error: NemesisError) -> bool {
        match self.heal_and_verify(fault, id, deed).await {
            Ok(_) => {
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

    /// Heals, and says how that went. What is not seen to be healed stays in the ledger, and is tried again for as long as the run goes on.
    pub(super) async fn heal(&self, fault: &dyn Fault, id: u32, deed: &Deed, stop: &mut watch::Receiver<bool>) {
        let ended = self.not_in_force(fault, id, deed).await;
        self.say(fault, id, deed, FaultPhase::Heal, Kind::Invoke, None);
        self.heal_before_others_are_back(fault, id, deed).await;
        let attempt = async || self.heal_and_verify(fault, id, deed).await;
        // Who waits for a node to come back has tried for long enough.
        let outcome = if fault.takes_down() { attempt().await } else { persistently(attempt).await };
        let cut_short = self.active(|active| active.iter_mut().find(|own| own.id == id).and_then(|own| own.cut_short.take()));
        match outcome {
            Ok(printed) => self.healed(fault, id, deed, cut_short.or(lapsed(&printed)).or(ended)),
            Err(error) => {
                tracing::error!(fault = fault.name(), id, "could not be healed: {error}");
                self.say(fault, id, deed, FaultPhase::Heal, Kind::Fail, Some(error.to_string()));
                self.active(|active| {
                    for own in active.iter_mut().filter(|own| own.id == id) {
                        // Nobody is to wait any longer for a node that does not come back.
                        own.held.takes_down = false;
                        // Its switch is to try, once the lease has run out.
                        own.is_leased = false;
                    }
                });
                while !self.stopped_before(self.began.elapsed() + HEAL_AGAIN, stop).await {
                    if let Ok(printed) = self.heal_and_verify(fault, id, deed).await {
                        return self.healed(fault, id, deed, cut_short.or(lapsed(&printed)).or(ended));
                    }
                }
            }
        }
    }

    /// Strikes out what is healed, and says so, with what is to be said besides.
    fn healed(&self, fault: &dyn Fault, id: u32, deed: &Deed, besides: Option<String>) {
        let doubt = self.struck(id).or(besides);
        let kind = if doubt.is_none() { Kind::Ok } else { Kind::Info };
        self.say(fault, id, deed, FaultPhase::Heal, kind, doubt);
    }

    /// Why a fault that was in force is no longer, though it is only now to be healed: it ended by itself, or somebody else ended it.
    async fn not_in_force(&self, fault: &dyn Fault, id: u32, deed: &Deed) -> Option<String> {
        if !fault.lasts() || !self.active(|active| active.iter().any(|own| own.id == id && own.verified)) {
            return None;
        }
        let down = self.down();
        let works = fault.works(self.cluster, id, deed).ok()?;
        let up: Vec<Work> = works.into_iter().filter(|work| !down.contains(&work.node)).collect();
        let seen = errand::run(self.cluster, &errands(&up, fault.limit(self.cluster), |work| work.verify.clone())).await;
        seen.err().map(|error| format!("it was no longer in force: {error}"))
    }

    /// Returns what the nodes printed of it.
    async fn heal_and_verify(&self, fault: &dyn Fault, id: u32, deed: &Deed) -> Result<Vec<String>, NemesisError> {
        let (ours, left) = self.not_held_by_others(fault, id, deed);
        let works = fault.works(self.cluster, id, &ours)?;
        // Another switch undoes what is left to others.
        let disarmed = left.iter().filter_map(|&at| self.cluster.nodes.get(at));
        let disarmed: Vec<Errand> = disarmed.map(|node| Errand::new(&node.name, switch::disarm(id))).collect();
        errand::run(self.cluster, &disarmed).await?;
        let (inverse, proof) = self.ways_back(fault, id, &works);
        errand::run(self.cluster, &inverse).await?;
        errand::run(self.cluster, &proof).await
    }

    /// The deed without the nodes that another injection of the same fault still holds, and those nodes: they are healed with that one. Of two that end together, the
    /// later to ask heals what they share. Faults that are undone each by itself share nothing.
    pub(super) fn not_held_by_others(&self, fault: &dyn Fault, id: u32, deed: &Deed) -> (Deed, Vec<usize>) {
        let mut ours = deed.clone();
        if fault.about().overlap != Overlap::Shared {
            return (ours, Vec::new());
        }
        let held: Vec<usize> = self.active(|active| {
            for own in active.iter_mut().filter(|own| own.id == id) {
                own.ending = true;
            }
            let others = active.iter().filter(|other| !other.ending && other.held.fault == fault.name());
            others.flat_map(|other| other.deed.nodes.iter().copied()).collect()
        });
        let left = ours.nodes.extract_if(.., |node| held.contains(node)).collect();
        (ours, left)
    }

    /// What undoes an injection, and what fails unless it is undone.
    fn ways_back(&self, fault: &dyn Fault, id: u32, works: &[Work]) -> (Vec<Errand>, Vec<Errand>) {
        let both = ways_back(id, works, fault.limit(self.cluster));
        let back = |errands| absence::back(errands, |node| fault.comeback(self.cluster, node));
        (back(both.0), back(both.1))
    }

    fn arm(&self, fault: &dyn Fault, id: u32, deed: &Deed, works: &[Work]) -> Result<(), NemesisError> {
        let (inverse, proof) = self.ways_back(fault, id, works);
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
        let nodes = self.names(deed.nodes.iter().copied());
        (self.record)(kind, Symbol::of(fault.name()), FaultEvent { id, phase, nodes, what: deed.what.clone() }, error);
    }
}

/// A script of each work, which may take so long.
pub(super) fn errands(works: &[Work], limit: Span, script: impl Fn(&Work) -> String) -> Vec<Errand> {
    works.iter().map(|work| Errand::new(&work.node, script(work)).within(limit)).collect()
}

/// What undoes an injection, and what fails unless it is undone, when a script of its fault may take so long.
pub(super) fn ways_back(id: u32, works: &[Work], limit: Span) -> (Vec<Errand>, Vec<Errand>) {
    // What is undone first waits for its injection to be over.
    let undo = errands(works, Span(limit.0 + switch::PATIENCE), |work| switch::undo(id, work));
    (undo, errands(works, limit, |work| switch::verify_undone(id, work)))
}

/// What is said when a node had healed itself, as it may have printed when it was seen to be healed.
fn lapsed(printed: &[String]) -> Option<String> {
    switch::has_lapsed(printed).then(|| "a node had healed itself before, as its lease had run out".to_owned())
}

fn nobody(works: &[Work]) -> NemesisError {
    let nodes: Vec<&str> = works.iter().map(|work| work.node.as_str()).collect();
    NemesisError::Refused(format!("there was nobody to strike on {}", nodes.join(", ")))
}

/// Waiting for the disk must not hold up clients that share the thread; a runtime of one thread has no other to give them.
fn blocking<T>(wait: impl FnOnce() -> T) -> T {
    match tokio::runtime::Handle::current().runtime_flavor() {
        tokio::runtime::RuntimeFlavor::MultiThread => tokio::task::block_in_place(wait),
        _ => wait(),
    }
}
