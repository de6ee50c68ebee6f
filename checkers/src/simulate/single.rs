//! Simulation of single objects.

mod defective;
mod multi_leader;
mod single_leader;
mod stored_object;

use elenchus_core::{Event, Kind, Nanos, Process, Rng, Value};
use rustc_hash::FxHashMap;

use super::event_queue::{EventQueue, delay};
use super::keys::Keys;
use super::objects::{KeyHints, Object, Reply, Request, RequestContext};
use super::outcome::{Defects, Effect, Outcome, Outcomes};
use super::recipe::Recipe;
use super::source::Source;
use super::truth::Truth;
use stored_object::StoredObject;

/// How often an operation is retried on a busy object before it fails.
const TRIES: u32 = 8;
/// The maximum delay of a late effect after its invocation, in units of the latency.
const LATE: u64 = 200;

/// A simulation of single objects.
pub(super) struct Single<O> {
    recipe: Recipe,
    queue: EventQueue<Task>,
    workers: Vec<Worker>,
    keys: Keys,
    hints: Vec<KeyHints>,
    objects: FxHashMap<u32, ObjectEntry<O>>,
    /// Crashed operations that are still to take effect, by invocation.
    late: FxHashMap<u64, (Pending, u32)>,
    outcomes: Outcomes,
    defects: Defects,
    truth: Truth,
    times: Rng,
    requests: Rng,
    store: Rng,
    written: i64,
    invoked: u64,
    events: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Task {
    /// The process in a worker slot invokes an operation.
    Invoke(u32),
    /// Its operation takes effect.
    Apply(u32),
    /// Its operation completes.
    Complete(u32),
    /// A crashed operation takes effect late.
    ApplyLate(u64),
}

/// A worker slot; runs one process at a time.
struct Worker {
    process: u32,
    pending: Option<Pending>,
    outcome: Outcome,
    tries: u32,
    reply: Reply,
    /// The requests that the process must make before any other, the last first. Each keeps its object alive.
    follow_ups: Vec<Pending>,
}

/// An operation in progress.
#[derive(Clone)]
struct Pending {
    request: Request,
    /// The slot of its key when it was chosen.
    slot: usize,
    key: u32,
    /// The index of its invocation.
    event: u64,
}

/// An object, with the number of operations that may still access it.
struct ObjectEntry<O> {
    object: StoredObject<O>,
    open: u32,
    is_retired: bool,
}

impl<O: Object> ObjectEntry<O> {
    fn new(recipe: &Recipe) -> ObjectEntry<O> {
        ObjectEntry { object: StoredObject::new(recipe), open: 0, is_retired: false }
    }
}

impl<O: Object> Single<O> {
    pub(super) fn new(recipe: Recipe) -> Single<O> {
        let mut times = recipe.seed.stream("simulate times");
        let mut queue = EventQueue::new();
        for worker in 0..recipe.processes {
            queue.schedule_after(delay(&mut times, recipe.pause.0), Task::Invoke(worker));
        }
        let idle =
            |process| Worker { process, pending: None, outcome: Outcome::Completed, tries: 0, reply: Reply::Done, follow_ups: Vec::new() };
        Single {
            queue,
            workers: (0..recipe.processes).map(idle).collect(),
            keys: Keys::new(&recipe),
            hints: vec![KeyHints::default(); recipe.keys as usize],
            objects: FxHashMap::default(),
            late: FxHashMap::default(),
            outcomes: Outcomes::new(&recipe),
            defects: Defects::new(&recipe),
            truth: Truth::default(),
            times,
            requests: recipe.seed.stream("simulate requests"),
            store: recipe.seed.stream("simulate store"),
            written: 1,
            invoked: 0,
            events: 0,
            recipe,
        }
    }

    /// Generates the next operation of a worker.
    fn request(&mut self, at: usize) -> Pending {
        let follow_ups = &mut self.workers[at].follow_ups;
        let slot = follow_ups.last().map_or_else(|| self.keys.choose(), |follow_up| follow_up.slot);
        let mut context =
            RequestContext { recipe: &self.recipe, rng: &mut self.requests, hints: &mut self.hints[slot], written: &mut self.written };
        let (request, key) = match follow_ups.last() {
            None => (O::next_request(&mut context), self.keys.key(slot)),
            Some(follow_up) => match O::request_before_follow_up(&mut context, follow_ups.len()) {
                Some(request) => (request, follow_up.key),
                None => (follow_up.request.clone(), follow_up.key),
            },
        };
        let is_follow_up = follow_ups.last().is_some_and(|follow_up| follow_up.request.f == request.f);
        if is_follow_up {
            follow_ups.pop();
        } else {
            self.objects.entry(key).or_insert_with(|| ObjectEntry::new(&self.recipe)).open += 1;
        }
        Pending { request, slot, key, event: self.events }
    }

    fn invoke(&mut self, worker: u32) -> Option<Event> {
        let at = worker as usize;
        if self.invoked == self.recipe.operations {
            return None;
        }
        self.invoked += 1;
        let pending = self.request(at);
        let outcome = self.outcomes.draw();
        let entry = self.objects.get_mut(&pending.key)?;
        let outcome = match (outcome, entry.object.crash_effect(&pending.request)) {
            (Outcome::Crashed(Effect::Never), Some(true)) => Outcome::Crashed(Effect::Now),
            (Outcome::Crashed(_), Some(false)) => Outcome::Crashed(Effect::Never),
            // A process whose release is rejected would hold the lock forever.
            (Outcome::Failed, Some(true)) => Outcome::Completed,
            (outcome, _) => outcome,
        };
        if !pending.request.is_read_only() && self.keys.key(pending.slot) == pending.key && self.keys.update(pending.slot) {
            entry.is_retired = true;
            self.hints[pending.slot] = KeyHints::default();
        }
        let half = self.recipe.latency.0 / 2;
        self.queue.schedule_after(delay(&mut self.times, half), Task::Apply(worker));
        let event = self.event(at, Kind::Invoke, &pending, pending.request.value.clone());
        let state = &mut self.workers[at];
        (state.outcome, state.tries, state.pending) = (outcome, TRIES, Some(pending));
        Some(event)
    }

    fn apply(&mut self, worker: u32) {
        let at = worker as usize;
        let half = self.recipe.latency.0 / 2;
        let Worker { process, outcome, .. } = self.workers[at];
        let Some(pending) = self.workers[at].pending.take() else { return };
        let reply = match outcome {
            Outcome::Failed | Outcome::Crashed(Effect::Never) => Reply::Failed,
            Outcome::Crashed(Effect::Later) => {
                self.late.insert(pending.event, (pending.clone(), process));
                let wait = 1 + self.times.below(LATE.saturating_mul(self.recipe.latency.0));
                self.queue.schedule_after(wait, Task::ApplyLate(pending.event));
                Reply::Failed
            }
            Outcome::Completed | Outcome::Crashed(Effect::Now) => self.execute(&pending, at, process),
        };
        let state = &mut self.workers[at];
        state.pending = Some(pending);
        if reply == Reply::Busy && state.tries > 0 {
            state.tries -= 1;
            self.queue.schedule_after(1 + delay(&mut self.times, half), Task::Apply(worker));
            return;
        }
        state.reply = reply;
        self.queue.schedule_after(delay(&mut self.times, half), Task::Complete(worker));
    }

    /// Executes an operation on the store.
    fn execute(&mut self, pending: &Pending, worker: usize, process: u32) -> Reply {
        let Some(entry) = self.objects.get_mut(&pending.key) else { return Reply::Failed };
        let defect_due = self.defects.triggers(self.invoked);
        let (reply, is_defect) = entry.object.serve(worker, process, &pending.request, defect_due, &mut self.store);
        if is_defect {
            self.defects.triggered();
            self.truth.defects.push(pending.event);
        }
        reply
    }

    fn complete(&mut self, worker: u32) -> Option<Event> {
        let at = worker as usize;
        self.queue.schedule_after(delay(&mut self.times, self.recipe.pause.0), Task::Invoke(worker));
        let pending = self.workers[at].pending.take()?;
        let reply = std::mem::replace(&mut self.workers[at].reply, Reply::Done);
        let outcome = self.workers[at].outcome;
        let (kind, value) = match (outcome, reply) {
            (Outcome::Crashed(_), _) => (Kind::Info, pending.request.value.clone()),
            (_, Reply::Value(value)) => (Kind::Ok, value),
            (_, Reply::Done) => (Kind::Ok, pending.request.value.clone()),
            (_, Reply::Failed | Reply::Busy) => (Kind::Fail, pending.request.value.clone()),
        };
        let event = self.event(at, kind, &pending, value);
        let follow_up = if kind == Kind::Ok { O::follow_up(&pending.request) } else { None };
        if kind == Kind::Info {
            self.workers[at].process += self.recipe.processes;
            for follow_up in std::mem::take(&mut self.workers[at].follow_ups) {
                self.release(follow_up.key);
            }
        }
        match follow_up {
            Some(request) => self.workers[at].follow_ups.push(Pending { request, ..pending }),
            None if outcome == Outcome::Crashed(Effect::Later) => {}
            None => self.release(pending.key),
        }
        Some(event)
    }

    /// Ends an operation; the last one on a retired object removes it.
    fn release(&mut self, key: u32) {
        if let Some(entry) = self.objects.get_mut(&key) {
            entry.open -= 1;
            if entry.is_retired && entry.open == 0 {
                self.objects.remove(&key);
            }
        }
    }

    fn event(&mut self, worker: usize, kind: Kind, pending: &Pending, value: Value) -> Event {
        self.events += 1;
        let has_keys = self.recipe.keys > 1 || self.recipe.updates_per_key.is_some();
        Event {
            time: Nanos(self.queue.now()),
            process: Process::Client(self.workers[worker].process),
            kind,
            f: pending.request.f,
            key: has_keys.then_some(Value::Int(pending.key.into())),
            value,
            error: None,
            node: None,
        }
    }
}

impl<O: Object> Iterator for Single<O> {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        loop {
            let event = match self.queue.next()? {
                Task::Invoke(worker) => self.invoke(worker),
                Task::Apply(worker) => {
                    self.apply(worker);
                    None
                }
                Task::Complete(worker) => self.complete(worker),
                Task::ApplyLate(event) => {
                    if let Some((pending, process)) = self.late.remove(&event) {
                        self.execute(&pending, process as usize % self.workers.len(), process);
                        self.release(pending.key);
                    }
                    None
                }
            };
            if event.is_some() {
                return event;
            }
        }
    }
}

impl<O: Object> Source for Single<O> {
    fn truth(&self) -> &Truth {
        &self.truth
    }
}
