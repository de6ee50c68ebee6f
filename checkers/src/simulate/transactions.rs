//! Simulation of transactional stores.
//!
//! All stores except the last two are multi-version. They differ in which versions a transaction reads and in what is validated when it
//! commits ([`Rules`]). Without validation, a transaction that read a list after appending to it still aborts if other transactions
//! appended meanwhile, because the read already fixed the order of the list.

mod accesses;
mod sites;
mod versions;

use elenchus_core::{Event, Kind, Nanos, Process, Rng, Symbol, Value};
use rustc_hash::FxHashMap;

use super::event_queue::{EventQueue, delay};
use super::keys::Keys;
use super::outcome::{Effect, Outcome, Outcomes};
use super::recipe::Recipe;
use super::rules::{Closure, Rules, SITES, Validation, Visibility};
use super::source::Source;
use super::table::Workload;
use super::truth::Truth;
use accesses::{Access, function, generate, input, output};
use sites::{Sites, View, join};
use versions::{Key, ReadResult, Version};

/// The maximum delay of a late effect after its transaction ended in `info`, in units of the latency.
const LATE: u64 = 200;
/// The number of commits between two compactions.
const COMPACT_INTERVAL: u64 = 64;

/// A simulation of a transactional store.
pub(super) struct Transactions {
    recipe: Recipe,
    rules: Rules,
    queue: EventQueue<Task>,
    workers: Vec<Worker>,
    keys: Keys,
    values: FxHashMap<u32, Key>,
    /// The open transactions, by invocation.
    open: FxHashMap<u64, Transaction>,
    sites: Sites,
    outcomes: Outcomes,
    truth: Truth,
    times: Rng,
    requests: Rng,
    store: Rng,
    invoked: u64,
    events: u64,
    /// The number of commits.
    moment: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Task {
    /// The process in a worker slot invokes a transaction.
    Invoke(u32),
    /// A transaction begins.
    Begin(u64),
    /// A transaction executes its next access.
    Step(u64),
    /// A transaction commits.
    Commit(u64),
    /// The transaction of a worker slot completes.
    Complete(u32),
}

/// A worker slot; runs one process at a time.
struct Worker {
    process: u32,
    /// The invocation of its transaction.
    event: u64,
    /// The number of commits at the only site that the process has seen.
    floor: u32,
}

/// An open transaction.
struct Transaction {
    worker: u32,
    outcome: Outcome,
    f: Symbol,
    input: Value,
    accesses: Vec<Access>,
    /// The number of accesses executed.
    executed: usize,
    /// Its view, once it has begun.
    view: Option<View>,
    has_committed: bool,
    /// The number of commits including its own.
    number: u32,
    /// Whether it already completed with `info`.
    is_late: bool,
}

impl Transactions {
    pub(super) fn new(recipe: Recipe) -> Transactions {
        let mut times = recipe.seed.stream("simulate times");
        let mut queue = EventQueue::new();
        for worker in 0..recipe.processes {
            queue.schedule_after(delay(&mut times, recipe.pause.0), Task::Invoke(worker));
        }
        let rules = Rules::of(recipe.store);
        Transactions {
            queue,
            rules,
            workers: (0..recipe.processes).map(|process| Worker { process, event: 0, floor: 0 }).collect(),
            keys: Keys::new(&recipe),
            values: FxHashMap::default(),
            open: FxHashMap::default(),
            sites: Sites::new(rules),
            outcomes: Outcomes::new(&recipe),
            truth: Truth::default(),
            times,
            requests: recipe.seed.stream("simulate requests"),
            store: recipe.seed.stream("simulate store"),
            invoked: 0,
            events: 0,
            moment: 0,
            recipe,
        }
    }

    /// Draws the duration of a third of an operation.
    fn third(&mut self) -> u64 {
        delay(&mut self.times, self.recipe.latency.0 / 3)
    }

    fn invoke(&mut self, worker: u32) -> Option<Event> {
        if self.invoked == self.recipe.operations {
            return None;
        }
        self.invoked += 1;
        let mut retired = Vec::new();
        let accesses = generate(&self.recipe, &mut self.keys, &mut self.requests, &mut retired);
        for access in &accesses {
            self.values.entry(access.key).or_insert_with(Key::new).open += 1;
        }
        for key in retired {
            self.values.entry(key).or_insert_with(Key::new).is_retired = true;
        }
        let (event, outcome) = (self.events, self.outcomes.draw());
        self.workers[worker as usize].event = event;
        let wait = self.third();
        let is_done = match outcome {
            Outcome::Crashed(Effect::Later | Effect::Never) => true,
            // With in-place writes, a rejected transaction executes before it is undone.
            Outcome::Failed => !self.rules.is_in_place(),
            _ => false,
        };
        self.queue.schedule_after(wait, if is_done { Task::Complete(worker) } else { Task::Begin(event) });
        let (f, input) = (function(self.recipe.workload, &accesses), input(self.recipe.workload, &accesses));
        let event_out = self.event(worker, Kind::Invoke, f, input.clone());
        let fresh =
            Transaction { worker, outcome, f, input, accesses, executed: 0, view: None, has_committed: false, number: 0, is_late: false };
        self.open.insert(event, fresh);
        Some(event_out)
    }

    fn begin(&mut self, event: u64) {
        let wait = self.third();
        let Some(transaction) = self.open.get_mut(&event) else { return };
        let worker = transaction.worker as usize;
        let floor = if self.rules.is_session && !transaction.is_late { self.workers[worker].floor } else { 0 };
        let only_reads = transaction.accesses.iter().all(|access| !access.writes);
        if self.rules.is_interleaved() {
            self.queue.schedule_after(wait / 2, Task::Step(event));
        } else {
            transaction.view = Some(self.sites.view(worker % SITES, only_reads, floor, &mut self.store));
            self.queue.schedule_after(wait, Task::Commit(event));
        }
    }

    /// Executes the next access of a transaction at a moment of its own.
    fn execute_next(&mut self, event: u64) {
        let wait = self.third();
        let Some(transaction) = self.open.get_mut(&event) else { return };
        let at = transaction.executed;
        let view = self.sites.view(0, true, 0, &mut self.store);
        let is_executed =
            execute_access(&self.recipe, self.rules, transaction, event, &mut self.values, (view, self.sites.committed, self.moment));
        if !is_executed {
            return self.end(event, false);
        }
        let is_last = at + 1 == transaction.accesses.len();
        let wait = wait / transaction.accesses.len() as u64;
        self.queue.schedule_after(wait, if is_last { Task::Commit(event) } else { Task::Step(event) });
    }

    fn commit(&mut self, event: u64) {
        let Some(transaction) = self.open.get_mut(&event) else { return };
        if self.rules.is_in_place() {
            let commits = transaction.outcome != Outcome::Failed;
            self.moment += u64::from(commits);
            return self.end(event, commits);
        }
        let moments = (transaction.view.unwrap_or(self.sites.committed), self.sites.committed, self.moment);
        while transaction.executed < transaction.accesses.len() {
            if !execute_access(&self.recipe, self.rules, transaction, event, &mut self.values, moments) {
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
        if self.moment.is_multiple_of(COMPACT_INTERVAL) {
            let views = self.open.values().filter_map(|transaction| transaction.view);
            let least = views.fold(self.sites.committed, |least, view| std::array::from_fn(|site| least[site].min(view[site])));
            self.sites.compact(least);
        }
    }

    /// Returns whether a transaction must abort because of other commits.
    fn conflicts(&self, event: u64) -> bool {
        let Some(transaction) = self.open.get(&event) else { return true };
        let accesses = &transaction.accesses;
        let wrote_before = |at: usize| accesses[..at].iter().any(|before| before.writes && before.key == accesses[at].key);
        accesses.iter().enumerate().any(|(at, access)| {
            let must_not_miss = match self.rules.validation {
                Validation::Reads => !access.writes,
                Validation::Writes => access.writes,
                Validation::Nothing => false,
            };
            let saw_own = self.recipe.workload == Workload::ListAppend && !access.writes && wrote_before(at);
            (must_not_miss || saw_own) && self.misses(transaction, access)
        })
    }

    /// Returns whether a key has a version that a transaction did not see when it accessed it.
    fn misses(&self, transaction: &Transaction, access: &Access) -> bool {
        match (&transaction.view, self.values.get(&access.key)) {
            (Some(view), Some(key)) => key.has_unseen(view),
            (None, Some(key)) => key.versions.last().is_some_and(|version| version.moment > access.moment),
            _ => false,
        }
    }

    /// Installs the writes of a transaction as the newest versions.
    fn install(&mut self, event: u64) {
        let Some(transaction) = self.open.get(&event) else { return };
        let site = if self.rules.sites > 1 { transaction.worker as usize % SITES } else { 0 };
        let accesses = &transaction.accesses;
        let view = transaction.view.unwrap_or(self.sites.committed);
        let mut dependencies = if self.rules.closure == Closure::Causal { view } else { [0; SITES] };
        for (key, access) in accesses.iter().filter_map(|access| Some((self.values.get(&access.key)?, access))) {
            let conflicts = self.rules.closure == Closure::Conflicts;
            // A reader that sees an element of a list also sees the elements before it.
            if (conflicts || (access.writes && self.recipe.workload == Workload::ListAppend))
                && let Some(last) = key.versions.last()
            {
                dependencies = join(dependencies, self.sites.dependencies(last.site, last.number));
            }
            if conflicts && access.writes {
                dependencies = join(dependencies, key.readers);
            }
        }
        let missed = || accesses.iter().filter(|access| !access.writes && self.misses(transaction, access));
        let is_written = |key: u32| accesses.iter().any(|access| access.writes && access.key == key);
        let (has_missed, has_lost) = (missed().next().is_some(), missed().any(|access| is_written(access.key)));
        self.truth.antidependencies += u64::from(has_missed);
        self.truth.lost_updates += u64::from(has_lost);
        let number = self.sites.commit(site, dependencies);
        let dependencies = self.sites.dependencies(site, number);
        self.moment += 1;
        let moment = self.moment;
        for access in accesses {
            let Some(key) = self.values.get_mut(&access.key) else { continue };
            if access.writes {
                key.versions.push(Version { site, number, moment, writer: event, value: access.value });
                key.forget_past(&self.sites.horizon, self.recipe.workload);
            } else if self.rules.closure == Closure::Conflicts {
                key.add_reader(dependencies);
            }
        }
        if self.rules.sites == 1 && !transaction.is_late {
            self.workers[transaction.worker as usize].floor = number;
        }
        if let Some(transaction) = self.open.get_mut(&event) {
            transaction.number = number;
        }
    }

    /// Ends a transaction in the store.
    fn end(&mut self, event: u64, commits: bool) {
        let wait = self.third();
        let Some(transaction) = self.open.get_mut(&event) else { return };
        transaction.has_committed = commits;
        self.truth.committed += u64::from(commits);
        if self.rules.is_in_place() {
            unlock(transaction, event, &mut self.values, self.rules.visibility == Visibility::InPlaceLocked && !commits);
        }
        if self.rules.sites == 1
            && !transaction.is_late
            && let Some(view) = transaction.view
        {
            let floor = &mut self.workers[transaction.worker as usize].floor;
            *floor = (*floor).max(view[0]);
        }
        if transaction.is_late {
            self.release(event);
        } else {
            self.queue.schedule_after(wait, Task::Complete(transaction.worker));
        }
    }

    fn complete(&mut self, worker: u32) -> Option<Event> {
        self.queue.schedule_after(delay(&mut self.times, self.recipe.pause.0), Task::Invoke(worker));
        let event = self.workers[worker as usize].event;
        let transaction = self.open.get_mut(&event)?;
        let f = transaction.f;
        let (kind, value) = match transaction.outcome {
            Outcome::Crashed(_) => (Kind::Info, transaction.input.clone()),
            _ if transaction.has_committed => {
                let output = output(self.recipe.workload, &transaction.accesses, &transaction.input);
                let view = transaction.view.filter(|_| self.recipe.timestamps);
                let value = match view {
                    Some(view) => stamped(output, view[0], transaction.number),
                    None => output,
                };
                (Kind::Ok, value)
            }
            _ => (Kind::Fail, transaction.input.clone()),
        };
        if transaction.outcome == Outcome::Crashed(Effect::Later) {
            transaction.is_late = true;
            let wait = self.times.below(LATE.saturating_mul(self.recipe.latency.0));
            self.queue.schedule_after(wait, Task::Begin(event));
        } else {
            self.release(event);
        }
        let event = self.event(worker, kind, f, value);
        if kind == Kind::Info {
            let state = &mut self.workers[worker as usize];
            state.process += self.recipe.processes;
            state.floor = 0;
        }
        Some(event)
    }

    /// Removes a completed transaction; the last one on a retired key removes the key.
    fn release(&mut self, event: u64) {
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

    fn event(&mut self, worker: u32, kind: Kind, f: Symbol, value: Value) -> Event {
        self.events += 1;
        let process = Process::Client(self.workers[worker as usize].process);
        Event { time: Nanos(self.queue.now()), process, kind, f, key: None, value, error: None, node: None }
    }
}

/// The result of a transaction with its timestamps; read-only transactions have no commit timestamp.
fn stamped(output: Value, start: u32, commit: u32) -> Value {
    let mut pairs = vec![("txn".into(), output), ("start".into(), Value::Int(start.into()))];
    if commit > 0 {
        pairs.push(("commit".into(), Value::Int(commit.into())));
    }
    Value::from(pairs)
}

/// Executes the next access of a transaction on a view. `newest` and `moment` are the current commits. Returns false if the transaction
/// must abort.
fn execute_access(
    recipe: &Recipe,
    rules: Rules,
    transaction: &mut Transaction,
    event: u64,
    values: &mut FxHashMap<u32, Key>,
    (view, newest, moment): (View, View, u64),
) -> bool {
    let (before, rest) = transaction.accesses.split_at_mut(transaction.executed);
    let Some(access) = rest.first_mut() else { return false };
    let Some(key) = values.get_mut(&access.key) else { return false };
    transaction.executed += 1;
    access.moment = moment;
    if !access.writes {
        let own: Vec<i64> = before.iter().filter(|other| other.writes && other.key == access.key).map(|other| other.value).collect();
        access.result = if rules.is_in_place() {
            key.read(recipe.workload, &[], |_| true)
        } else {
            // A read of a list after an append to it must see all commits.
            let view = if own.is_empty() || rules.visibility != Visibility::PastPerRead { view } else { newest };
            if rules.visibility == Visibility::PastPerRead {
                // With one site, commits and moments have the same numbers.
                access.moment = u64::from(view[0]);
            }
            key.read(recipe.workload, &own, |version| version.number <= view[version.site])
        };
        return true;
    }
    if recipe.workload == Workload::Bank {
        let read = before.iter().rev().find(|other| other.key == access.key);
        let Some(ReadResult::Value(Some(balance))) = read.map(|read| &read.result) else { return false };
        if balance + access.value < 0 {
            return false;
        }
        access.value += balance;
    }
    if rules.is_in_place() {
        if rules.visibility == Visibility::InPlaceLocked && key.locked_by.is_some_and(|holder| holder != event) {
            return false;
        }
        key.locked_by = Some(event);
        key.versions.push(Version { site: 0, number: 0, moment, writer: event, value: access.value });
        // A transaction that may be undone holds the lock, and its versions are the last ones.
        key.forget_all_but(recipe.accesses.1 as usize + 2, recipe.workload);
    }
    true
}

/// Releases the locks of a transaction and, if it is undone, removes its writes.
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
            let event = match self.queue.next()? {
                Task::Invoke(worker) => self.invoke(worker),
                Task::Complete(worker) => self.complete(worker),
                Task::Begin(event) => {
                    self.begin(event);
                    None
                }
                Task::Step(event) => {
                    self.execute_next(event);
                    None
                }
                Task::Commit(event) => {
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
