//! Clients of transactional stores.
//!
//! All stores but the last two keep every version that someone may still read, and differ in what a transaction sees and what it must not have
//! missed to commit ([`rules`]). Where nothing is validated, a transaction that read a list after it appended to it still aborts if others appended
//! meanwhile: a list has one order, and nobody may see another.

mod accesses;
mod rules;
mod sites;
mod versions;

use elenchus_core::{Event, Kind, Nanos, Process, Rng, Symbol, Value};
use rustc_hash::FxHashMap;

use super::agenda::{Agenda, delay};
use super::fate::{Effect, Fate, Fates};
use super::keys::Keys;
use super::recipe::Recipe;
use super::source::Source;
use super::table::{Store, Workload};
use super::truth::Truth;
use accesses::{Access, ask, asked, f, told};
use rules::{Closes, Rules, Sees, Validates};
use sites::{SITES, Sites, View, join};
use versions::{Key, Told, Version};

/// A late effect comes up to so many latencies after its operation was told to be unknown.
const LATE: u64 = 200;
/// After so many commits it is seen to what may be forgotten.
const TENDED: u64 = 64;

/// A simulation of a transactional store.
pub(super) struct Transactions {
    recipe: Recipe,
    rules: Rules,
    agenda: Agenda<Turn>,
    seats: Vec<Seat>,
    keys: Keys,
    values: FxHashMap<u32, Key>,
    /// Those under way, by their invocation.
    open: FxHashMap<u64, Transaction>,
    sites: Sites,
    fates: Fates,
    truth: Truth,
    times: Rng,
    requests: Rng,
    store: Rng,
    asked: u64,
    events: u64,
    /// How many commits there were.
    moment: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Turn {
    /// The process in a seat asks.
    Ask(u32),
    /// A transaction begins.
    Begin(u64),
    /// Its next access is carried out.
    Step(u64),
    /// It commits.
    Commit(u64),
    /// The process in a seat is told.
    Tell(u32),
}

/// Where one process sits after another.
struct Seat {
    process: u32,
    /// Its transaction.
    event: u64,
    /// How many commits the process has seen of the only site.
    floor: u32,
}

/// A transaction under way.
struct Transaction {
    seat: u32,
    fate: Fate,
    f: Symbol,
    asked: Value,
    accesses: Vec<Access>,
    /// How many accesses were carried out.
    done: usize,
    /// What it sees, once it has begun.
    view: Option<View>,
    has_committed: bool,
    /// How many commits there were with its own.
    number: u32,
    /// Its process was told that nobody knows.
    is_late: bool,
}

impl Transactions {
    pub(super) fn new(recipe: Recipe) -> Transactions {
        let mut times = recipe.seed.stream("simulate times");
        let mut agenda = Agenda::new();
        for seat in 0..recipe.processes {
            agenda.after(delay(&mut times, recipe.pause.0), Turn::Ask(seat));
        }
        let rules = Rules::of(recipe.store);
        Transactions {
            agenda,
            rules,
            seats: (0..recipe.processes).map(|process| Seat { process, event: 0, floor: 0 }).collect(),
            keys: Keys::new(&recipe),
            values: FxHashMap::default(),
            open: FxHashMap::default(),
            sites: Sites::new(rules),
            fates: Fates::new(&recipe),
            truth: Truth::default(),
            times,
            requests: recipe.seed.stream("simulate requests"),
            store: recipe.seed.stream("simulate store"),
            asked: 0,
            events: 0,
            moment: 0,
            recipe,
        }
    }

    /// How long a third of an operation takes.
    fn third(&mut self) -> u64 {
        delay(&mut self.times, self.recipe.latency.0 / 3)
    }

    fn ask(&mut self, seat: u32) -> Option<Event> {
        if self.asked == self.recipe.operations {
            return None;
        }
        self.asked += 1;
        let mut retired = Vec::new();
        let accesses = ask(&self.recipe, &mut self.keys, &mut self.requests, &mut retired);
        for access in &accesses {
            self.values.entry(access.key).or_insert_with(Key::new).open += 1;
        }
        for key in retired {
            self.values.entry(key).or_insert_with(Key::new).is_retired = true;
        }
        let (event, fate) = (self.events, self.fates.draw());
        self.seats[seat as usize].event = event;
        let wait = self.third();
        let is_done = match fate {
            Fate::Crashed(Effect::Later | Effect::Never) => true,
            // In place, what is refused was done before.
            Fate::Refused => !self.rules.is_in_place(),
            _ => false,
        };
        self.agenda.after(wait, if is_done { Turn::Tell(seat) } else { Turn::Begin(event) });
        let (f, asked) = (f(self.recipe.workload, &accesses), asked(self.recipe.workload, &accesses));
        let told = self.event(seat, Kind::Invoke, f, asked.clone());
        let fresh = Transaction { seat, fate, f, asked, accesses, done: 0, view: None, has_committed: false, number: 0, is_late: false };
        self.open.insert(event, fresh);
        Some(told)
    }

    fn begin(&mut self, event: u64) {
        let wait = self.third();
        let Some(transaction) = self.open.get_mut(&event) else { return };
        let seat = transaction.seat as usize;
        let floor = if self.rules.is_session && !transaction.is_late { self.seats[seat].floor } else { 0 };
        let only_reads = transaction.accesses.iter().all(|access| !access.writes);
        if self.rules.goes_step_by_step() {
            self.agenda.after(wait / 2, Turn::Step(event));
        } else {
            transaction.view = Some(self.sites.view(seat % SITES, only_reads, floor, &mut self.store));
            self.agenda.after(wait, Turn::Commit(event));
        }
    }

    /// Carries the next access of a transaction out, at a moment of its own.
    fn step(&mut self, event: u64) {
        let wait = self.third();
        let Some(transaction) = self.open.get_mut(&event) else { return };
        let at = transaction.done;
        let view = self.sites.view(0, true, 0, &mut self.store);
        let carried_out = carry_out(&self.recipe, self.rules, transaction, event, &mut self.values, (view, self.sites.made, self.moment));
        if !carried_out {
            return self.end(event, false);
        }
        let is_last = at + 1 == transaction.accesses.len();
        let wait = wait / transaction.accesses.len() as u64;
        self.agenda.after(wait, if is_last { Turn::Commit(event) } else { Turn::Step(event) });
    }

    fn commit(&mut self, event: u64) {
        let Some(transaction) = self.open.get_mut(&event) else { return };
        if self.rules.is_in_place() {
            let commits = transaction.fate != Fate::Refused;
            self.moment += u64::from(commits);
            return self.end(event, commits);
        }
        let moments = (transaction.view.unwrap_or(self.sites.made), self.sites.made, self.moment);
        while transaction.done < transaction.accesses.len() {
            if !carry_out(&self.recipe, self.rules, transaction, event, &mut self.values, moments) {
                return self.end(event, false);
            }
        }
        if transaction.accesses.iter().all(|access| !access.writes) {
            return self.end(event, true);
        }
        if self.conflicts(event) {
            self.truth.conflicts += 1;
            return self.end(event, false);
        }
        self.install(event);
        self.end(event, true);
        if self.moment.is_multiple_of(TENDED) {
            let views = self.open.values().filter_map(|transaction| transaction.view);
            let least = views.fold(self.sites.made, |least, view| std::array::from_fn(|site| least[site].min(view[site])));
            self.sites.tend(least);
        }
    }

    /// Whether a transaction may not commit, because of what others have committed.
    fn conflicts(&self, event: u64) -> bool {
        let Some(transaction) = self.open.get(&event) else { return true };
        let accesses = &transaction.accesses;
        let wrote_before = |at: usize| accesses[..at].iter().any(|before| before.writes && before.key == accesses[at].key);
        accesses.iter().enumerate().any(|(at, access)| {
            let must_not_miss = match self.rules.validates {
                Validates::Reads => !access.writes,
                Validates::Writes => access.writes,
                Validates::Nothing => false,
            };
            let saw_own = self.recipe.workload == Workload::ListAppend && !access.writes && wrote_before(at);
            (must_not_miss || saw_own) && self.misses(transaction, access)
        })
    }

    /// Whether a key has a version that a transaction did not see when it accessed it.
    fn misses(&self, transaction: &Transaction, access: &Access) -> bool {
        match (&transaction.view, self.values.get(&access.key)) {
            (Some(view), Some(key)) => key.has_beyond(view),
            (None, Some(key)) => key.versions.last().is_some_and(|version| version.moment > access.moment),
            _ => false,
        }
    }

    /// Makes a transaction's writes the newest versions.
    fn install(&mut self, event: u64) {
        let Some(transaction) = self.open.get(&event) else { return };
        let site = if self.rules.sites > 1 { transaction.seat as usize % SITES } else { 0 };
        let accesses = &transaction.accesses;
        let view = transaction.view.unwrap_or(self.sites.made);
        let mut needs = if self.rules.closes == Closes::Causes { view } else { [0; SITES] };
        for (key, access) in accesses.iter().filter_map(|access| Some((self.values.get(&access.key)?, access))) {
            let conflicts = self.rules.closes == Closes::Conflicts;
            // Whoever sees an element of a list sees those before it.
            if (conflicts || (access.writes && self.recipe.workload == Workload::ListAppend))
                && let Some(last) = key.versions.last()
            {
                needs = join(needs, self.sites.needs(last.site, last.number));
            }
            if conflicts && access.writes {
                needs = join(needs, key.readers);
            }
        }
        let missed = || accesses.iter().filter(|access| !access.writes && self.misses(transaction, access));
        let is_written = |key: u32| accesses.iter().any(|access| access.writes && access.key == key);
        let (has_missed, has_lost) = (missed().next().is_some(), missed().any(|access| is_written(access.key)));
        self.truth.antidependencies += u64::from(has_missed);
        self.truth.lost_updates += u64::from(has_lost);
        let number = self.sites.commit(site, needs);
        let needs = self.sites.needs(site, number);
        self.moment += 1;
        let moment = self.moment;
        for access in accesses {
            let Some(key) = self.values.get_mut(&access.key) else { continue };
            if access.writes {
                key.versions.push(Version { site, number, moment, writer: event, value: access.value });
                key.forget_past(&self.sites.horizon, self.recipe.workload);
            } else if self.rules.closes == Closes::Conflicts {
                key.read_by(needs);
            }
        }
        if self.rules.sites == 1 && !transaction.is_late {
            self.seats[transaction.seat as usize].floor = number;
        }
        if let Some(transaction) = self.open.get_mut(&event) {
            transaction.number = number;
        }
    }

    /// A transaction is over for the store.
    fn end(&mut self, event: u64, commits: bool) {
        let wait = self.third();
        let Some(transaction) = self.open.get_mut(&event) else { return };
        transaction.has_committed = commits;
        self.truth.committed += u64::from(commits);
        if self.rules.is_in_place() {
            unlock(transaction, event, &mut self.values, self.rules.sees == Sees::InPlaceLocked && !commits);
        }
        if self.rules.sites == 1
            && !transaction.is_late
            && let Some(view) = transaction.view
        {
            let floor = &mut self.seats[transaction.seat as usize].floor;
            *floor = (*floor).max(view[0]);
        }
        if transaction.is_late {
            self.leave(event);
        } else {
            self.agenda.after(wait, Turn::Tell(transaction.seat));
        }
    }

    fn tell(&mut self, seat: u32) -> Option<Event> {
        self.agenda.after(delay(&mut self.times, self.recipe.pause.0), Turn::Ask(seat));
        let event = self.seats[seat as usize].event;
        let transaction = self.open.get_mut(&event)?;
        let f = transaction.f;
        let (kind, value) = match transaction.fate {
            Fate::Crashed(_) => (Kind::Info, transaction.asked.clone()),
            _ if transaction.has_committed => {
                let told = told(self.recipe.workload, &transaction.accesses, &transaction.asked);
                let view = transaction.view.filter(|_| self.recipe.timestamps);
                let value = match view {
                    Some(view) => stamped(told, view[0], transaction.number),
                    None => told,
                };
                (Kind::Ok, value)
            }
            _ => (Kind::Fail, transaction.asked.clone()),
        };
        if transaction.fate == Fate::Crashed(Effect::Later) {
            transaction.is_late = true;
            let wait = self.times.below(LATE.saturating_mul(self.recipe.latency.0));
            self.agenda.after(wait, Turn::Begin(event));
        } else {
            self.leave(event);
        }
        let event = self.event(seat, kind, f, value);
        if kind == Kind::Info {
            let place = &mut self.seats[seat as usize];
            place.process += self.recipe.processes;
            place.floor = 0;
        }
        Some(event)
    }

    /// A transaction is over: the last that reached a retired key takes it away.
    fn leave(&mut self, event: u64) {
        let Some(transaction) = self.open.remove(&event) else { return };
        for access in &transaction.accesses {
            if let Some(key) = self.values.get_mut(&access.key) {
                key.open -= 1;
                if key.is_retired && key.open == 0 {
                    self.values.remove(&access.key);
                }
            }
        }
    }

    fn event(&mut self, seat: u32, kind: Kind, f: Symbol, value: Value) -> Event {
        self.events += 1;
        let process = Process::Client(self.seats[seat as usize].process);
        Event { time: Nanos(self.agenda.now()), process, kind, f, key: None, value, error: None, node: None }
    }
}

/// Whether a store has snapshots of one site, so that a begin and a commit are moments.
pub(super) fn has_snapshots(store: Store) -> bool {
    let rules = Rules::of(store);
    rules.sites == 1 && !rules.goes_step_by_step()
}

/// What a transaction returned, with its timestamps; one that only read has no commit.
fn stamped(told: Value, start: u32, commit: u32) -> Value {
    let mut said = vec![("txn".into(), told), ("start".into(), Value::Int(start.into()))];
    if commit > 0 {
        said.push(("commit".into(), Value::Int(commit.into())));
    }
    Value::from(said)
}

/// Carries the next access of a transaction out, which sees a view, at a moment when so much is committed. False where it must abort.
fn carry_out(
    recipe: &Recipe,
    rules: Rules,
    transaction: &mut Transaction,
    event: u64,
    values: &mut FxHashMap<u32, Key>,
    (view, newest, moment): (View, View, u64),
) -> bool {
    let (before, rest) = transaction.accesses.split_at_mut(transaction.done);
    let Some(access) = rest.first_mut() else { return false };
    let Some(key) = values.get_mut(&access.key) else { return false };
    transaction.done += 1;
    access.moment = moment;
    if !access.writes {
        let own: Vec<i64> = before.iter().filter(|other| other.writes && other.key == access.key).map(|other| other.value).collect();
        access.told = if rules.is_in_place() {
            key.read(recipe.workload, &[], |_| true)
        } else {
            // Who reads a list after appending to it must not miss anything.
            let view = if own.is_empty() || rules.sees != Sees::EachPast { view } else { newest };
            if rules.sees == Sees::EachPast {
                // With one site, commits are numbered as moments are.
                access.moment = u64::from(view[0]);
            }
            key.read(recipe.workload, &own, |version| version.number <= view[version.site])
        };
        return true;
    }
    if recipe.workload == Workload::Bank {
        let read = before.iter().rev().find(|other| other.key == access.key);
        let Some(Told::One(Some(balance))) = read.map(|read| &read.told) else { return false };
        if balance + access.value < 0 {
            return false;
        }
        access.value += balance;
    }
    if rules.is_in_place() {
        if rules.sees == Sees::InPlaceLocked && key.locked_by.is_some_and(|holder| holder != event) {
            return false;
        }
        key.locked_by = Some(event);
        key.versions.push(Version { site: 0, number: 0, moment, writer: event, value: access.value });
        // Whoever may be undone holds the lock, and has at most so many versions, all at the end.
        key.forget_all_but(recipe.accesses.1 as usize + 2, recipe.workload);
    }
    true
}

/// Gives a transaction's locks back, and takes its writes back where they are undone.
fn unlock(transaction: &Transaction, event: u64, values: &mut FxHashMap<u32, Key>, is_undone: bool) {
    for access in transaction.accesses.iter().filter(|access| access.writes) {
        let Some(key) = values.get_mut(&access.key) else { continue };
        if key.locked_by == Some(event) {
            key.locked_by = None;
        }
        if is_undone {
            key.versions.retain(|version| version.writer != event);
        }
    }
}

impl Iterator for Transactions {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        loop {
            let event = match self.agenda.next()? {
                Turn::Ask(seat) => self.ask(seat),
                Turn::Tell(seat) => self.tell(seat),
                Turn::Begin(event) => {
                    self.begin(event);
                    None
                }
                Turn::Step(event) => {
                    self.step(event);
                    None
                }
                Turn::Commit(event) => {
                    self.commit(event);
                    None
                }
            };
            if event.is_some() {
                return event;
            }
        }
    }
}

impl Source for Transactions {
    fn truth(&self) -> &Truth {
        &self.truth
    }
}
