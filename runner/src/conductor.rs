//! Runs the generator's operations on worker slots, and records what the clients returned.
//!
//! There is no dispatcher task between the generator and the workers. All share one small state behind a lock; a worker that completes an operation
//! records it, polls the generator for the next in the same critical section, and executes it at once if it is its own. Only an operation for an
//! idle worker costs a wake-up. That is what lets one machine record several hundred thousand operations a second.
//!
//! Events are stamped and recorded under the lock, so their order in the history is the order of their times, and an operation's interval in the
//! history always contains the interval in which it really ran: the only direction in which an error is sound.

mod placement;
mod recorder;
mod slot;
mod watcher;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use elenchus_core::{
    Client, Context, Deployment, Encoded, Event, Failure, FaultEvent, Generator, Invocation, Kind, Nanos, NodeIndex, Poll, Process, Symbol,
    Value, Worker, WorkerSet,
};
use futures_util::FutureExt as _;
use parking_lot::Mutex;
use tokio::sync::Notify;

pub use placement::{Placement, Primaries};
pub use recorder::{Recorder, RecorderError};
pub use watcher::{ViolationSignal, Watcher};

/// How long a worker whose operation was not served waits before it takes another, so that a dead node does not fill the history.
const UNSERVED_PAUSE: Duration = Duration::from_millis(100);

/// The settings with which the conductor runs operations.
pub struct RunSetup {
    /// The clients by which invocations are carried out.
    pub clients: Vec<PlacedClient>,
    /// For each client that the workload [needs](elenchus_core::Workload::needs), which of `clients` carries its requests out.
    pub routes: Vec<Route>,
    /// How many operations may be under way at once, from 1 to [`elenchus_core::generator::MAX_WORKERS`].
    pub concurrency: usize,
    /// How long an operation may take before it is recorded as `info`.
    pub timeout: Duration,
}

/// A client, the system that it calls, and the nodes that its processes connect to.
pub struct PlacedClient {
    /// The client.
    pub client: Arc<dyn Client>,
    /// How it reaches the system.
    pub deployment: Arc<Deployment>,
    /// Where processes connect.
    pub placement: Placement,
}

/// The clients, by position in [`RunSetup::clients`], that carry out the requests to one client of the workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// For requests that only read.
    pub reads: usize,
    /// For all others.
    pub writes: usize,
}

impl RunSetup {
    /// One client for everything, with processes spread over all nodes in turn.
    pub fn single(client: Arc<dyn Client>, deployment: Deployment, concurrency: usize) -> RunSetup {
        let timeout = deployment.timeout;
        let placed = PlacedClient { client, deployment: Arc::new(deployment), placement: Placement::RoundRobin };
        RunSetup { clients: vec![placed], routes: vec![Route { reads: 0, writes: 0 }], concurrency, timeout }
    }

    fn nodes(&self) -> usize {
        self.clients.first().map_or(0, |placed| placed.deployment.endpoints.len())
    }
}

/// How many operations ended how, so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Invoked and not yet completed.
    pub open: u64,
    /// Ended in `ok`.
    pub ok: u64,
    /// Ended in `fail`.
    pub fail: u64,
    /// Ended in `info`.
    pub info: u64,
}

impl Tally {
    /// All that completed.
    pub fn completed(&self) -> u64 {
        self.ok + self.fail + self.info
    }

    fn count(&mut self, kind: Kind) {
        match kind {
            Kind::Invoke => self.open += 1,
            Kind::Ok => self.ok += 1,
            Kind::Fail => self.fail += 1,
            Kind::Info => self.info += 1,
        }
        if kind != Kind::Invoke {
            self.open -= 1;
        }
    }
}

/// A run in progress. Cheap to clone; all clones are the same run.
#[derive(Clone)]
pub struct Conductor {
    shared: Arc<Shared>,
}

struct Shared {
    setup: RunSetup,
    began: Instant,
    state: Mutex<State>,
    /// Tells the timekeeper that the next wake-up may have moved.
    moved: Notify,
    /// Tells those who wait for the end of a phase that it may have come.
    quiet: Notify,
}

struct State {
    generator: Option<Box<dyn Generator>>,
    all: WorkerSet,
    free: WorkerSet,
    processes: Vec<u32>,
    /// Operations handed to workers that were idle.
    slots: Vec<Arc<slot::Slot>>,
    recorder: Recorder,
    tally: Tally,
    /// Injected faults by number: what is in force now.
    faults: BTreeMap<u32, String>,
    wake_at: Option<Nanos>,
}

impl Conductor {
    /// Starts the workers. Time zero of the history is now.
    pub fn new(setup: RunSetup, recorder: Recorder) -> Conductor {
        let count = setup.concurrency;
        let state = State {
            generator: None,
            all: WorkerSet::first_n(count),
            free: WorkerSet::first_n(count),
            processes: (0..count as u32).collect(),
            slots: (0..count).map(|_| Arc::default()).collect(),
            recorder,
            tally: Tally::default(),
            faults: BTreeMap::new(),
            wake_at: None,
        };
        let shared =
            Arc::new(Shared { setup, began: Instant::now(), state: Mutex::new(state), moved: Notify::new(), quiet: Notify::new() });
        for worker in 0..count {
            tokio::spawn(work(shared.clone(), Worker(worker as u16)));
        }
        tokio::spawn(keep_time(Arc::downgrade(&shared)));
        Conductor { shared }
    }

    /// Runs a generator until it is done, or [`Conductor::stop`] is called, and every operation it gave has completed.
    pub async fn run(&self, generator: Box<dyn Generator>) {
        {
            let mut state = self.shared.state.lock();
            state.generator = Some(generator);
            self.shared.pump(&mut state, None);
        }
        loop {
            let quiet = self.shared.quiet.notified();
            {
                let state = self.shared.state.lock();
                if state.generator.is_none() && state.free == state.all {
                    return;
                }
            }
            quiet.await;
        }
    }

    /// Takes no more operations from the generator; those in flight still complete or time out.
    pub fn stop(&self) {
        self.shared.state.lock().generator = None;
        self.shared.quiet.notify_waiters();
    }

    /// Time since the history's zero.
    pub fn now(&self) -> Nanos {
        self.shared.now()
    }

    /// The outcomes of the operations so far.
    pub fn tally(&self) -> Tally {
        self.shared.state.lock().tally
    }

    /// The faults in force, in words.
    pub fn faults_in_force(&self) -> Vec<String> {
        self.shared.state.lock().faults.values().cloned().collect()
    }

    /// Whether events are still recorded: false once the history cannot be written, which [`Conductor::finish`] explains.
    pub fn is_recording(&self) -> bool {
        self.shared.state.lock().recorder.is_writing()
    }

    /// Records an event of the nemesis.
    pub fn record_fault(&self, kind: Kind, fault: Symbol, said: &FaultEvent, error: Option<String>) {
        let mut state = self.shared.state.lock();
        match (said.phase, kind) {
            (elenchus_core::FaultPhase::Inject, Kind::Ok | Kind::Info) => {
                state.faults.insert(said.id, format!("{fault}: {}", said.description));
            }
            (elenchus_core::FaultPhase::Heal, Kind::Ok | Kind::Info) => {
                state.faults.remove(&said.id);
            }
            _ => {}
        }
        let time = self.shared.now();
        state.recorder.record(Event {
            time,
            process: Process::Nemesis,
            kind,
            f: fault,
            key: None,
            value: said.to_value(),
            error: error.map(Into::into),
            node: None,
        });
    }

    /// Hands all recorded events to the operating system and ends the recording. The conductor must not run anything after that.
    ///
    /// # Errors
    /// When the history could not be written.
    pub async fn finish(&self) -> Result<(), RecorderError> {
        let writing = self.shared.state.lock().recorder.close();
        match writing {
            Some(handle) => tokio::task::spawn_blocking(move || handle.join())
                .await
                .map_err(|_| RecorderError::Lost)?
                .map_err(|_| RecorderError::Lost)?,
            None => Ok(()),
        }
    }
}

impl Shared {
    fn now(&self) -> Nanos {
        Nanos::from(self.began.elapsed())
    }

    fn context(&self, state: &State) -> Context {
        Context { now: self.now(), free: state.free, workers: state.all, nodes: self.setup.nodes() }
    }

    /// Takes operations from the generator for as long as it has any for a free worker. One for `me` is recorded as invoked and returned;
    /// others are handed to their workers, which record the invocation when they wake.
    fn pump(&self, state: &mut State, me: Option<Worker>) -> Option<Task> {
        let mut mine = None;
        state.wake_at = None;
        loop {
            let context = self.context(state);
            let Some(generator) = state.generator.as_mut() else { break };
            match generator.poll(&context) {
                Poll::Ready => {
                    let invocation = generator.take(&context);
                    debug_assert!(state.free.contains(invocation.worker), "a generator may use free workers only");
                    state.free.remove(invocation.worker);
                    if Some(invocation.worker) == me {
                        mine = Some(self.invoke(state, invocation));
                    } else {
                        state.slots[usize::from(invocation.worker.0)].hand(invocation);
                    }
                }
                Poll::At(moment) => {
                    state.wake_at = Some(moment);
                    self.moved.notify_one();
                    break;
                }
                Poll::Pending => break,
                Poll::Done => state.generator = None,
            }
        }
        if state.generator.is_none() && state.free == state.all {
            self.quiet.notify_waiters();
        }
        mine
    }

    /// Decides which client and node an invocation goes to, records it, and tells the generator.
    fn invoke(&self, state: &mut State, invocation: Invocation) -> Task {
        let Invocation { worker, request, client, node } = invocation;
        let process = state.processes[usize::from(worker.0)];
        let route = self.setup.routes[usize::from(client).min(self.setup.routes.len() - 1)];
        let client = if request.is_read_only() { route.reads } else { route.writes };
        let placed = &self.setup.clients[client];
        let node = node.unwrap_or_else(|| placed.placement.node(worker, process, placed.deployment.endpoints.len()));
        let task = Task { worker, process, client, node, encoded: request.encode(), request };
        self.note(state, &task, Kind::Invoke, task.encoded.value.clone(), None);
        task
    }

    fn note(&self, state: &mut State, task: &Task, kind: Kind, value: Value, error: Option<String>) {
        let event = Event {
            time: self.now(),
            process: Process::Client(task.process),
            kind,
            f: task.encoded.f,
            key: task.encoded.key.clone(),
            value,
            error: error.map(Into::into),
            node: Some(task.node),
        };
        state.tally.count(kind);
        let context = self.context(state);
        if let Some(generator) = state.generator.as_mut() {
            generator.update(&context, task.worker, &event);
        }
        state.recorder.record(event);
    }

    /// Records how an operation ended. A process whose operation ended in `info` is retired; a fresh process takes its slot.
    fn complete(&self, state: &mut State, task: Task, outcome: Result<Value, Failure>) {
        let argument = || task.encoded.value.clone();
        match outcome {
            Ok(value) => self.note(state, &task, Kind::Ok, value, None),
            Err(Failure::No) => self.note(state, &task, Kind::Fail, argument(), None),
            Err(Failure::Fail(why)) => self.note(state, &task, Kind::Fail, argument(), Some(why)),
            Err(Failure::Info(why)) => {
                self.note(state, &task, Kind::Info, argument(), Some(why));
                state.processes[usize::from(task.worker.0)] += self.setup.concurrency as u32;
            }
        }
    }
}

/// An invocation under way.
struct Task {
    worker: Worker,
    process: u32,
    /// The client that carries it out, by position in [`RunSetup::clients`].
    client: usize,
    node: NodeIndex,
    request: elenchus_core::Request,
    encoded: Encoded,
}

/// Polls the generator again at the time that it named.
async fn keep_time(shared: std::sync::Weak<Shared>) {
    loop {
        let Some(run) = shared.upgrade() else { return };
        let wake_at = run.state.lock().wake_at;
        let until = wake_at.map_or(Duration::from_millis(100), |moment| Duration::from(moment.since(run.now())));
        let moved = run.moved.notified();
        // Short sleeps: the `Weak` above ends this task soon after the run.
        let slept = tokio::time::timeout(until.min(Duration::from_millis(100)), moved).await.is_err();
        if slept && wake_at.is_some_and(|moment| moment <= run.now()) {
            let mut state = run.state.lock();
            run.pump(&mut state, None);
        }
    }
}

/// One worker: runs one process after another, one operation at a time.
async fn work(shared: Arc<Shared>, worker: Worker) {
    let slot = shared.state.lock().slots[usize::from(worker.0)].clone();
    let mut connections = slot::Connections::default();
    let mut done: u32 = 0;
    let mut next = None;
    loop {
        let task = match next.take() {
            Some(task) => task,
            None => {
                let handed = slot.wait().await;
                shared.invoke(&mut shared.state.lock(), handed)
            }
        };
        let performed = std::panic::AssertUnwindSafe(connections.perform(&shared.setup, &task)).catch_unwind().await;
        let outcome = performed.unwrap_or_else(|_| {
            connections = slot::Connections::default();
            let failure = Failure::Info("the client panicked; this is a bug in the client".into());
            Err(if task.request.is_read_only() { failure.of_read() } else { failure })
        });
        if let Err(failure) = &outcome {
            let is_unserved = !matches!(failure, Failure::No);
            tracing::debug!(worker = worker.0, request = %task.request, %failure, "operation did not succeed");
            shared.complete(&mut shared.state.lock(), task, outcome);
            if is_unserved {
                tokio::time::sleep(UNSERVED_PAUSE).await;
            }
            let mut state = shared.state.lock();
            state.free.insert(worker);
            next = shared.pump(&mut state, Some(worker));
        } else {
            let mut state = shared.state.lock();
            shared.complete(&mut state, task, outcome);
            state.free.insert(worker);
            next = shared.pump(&mut state, Some(worker));
        }
        done = done.wrapping_add(1);
        if done.is_multiple_of(64) {
            // A client that always answers at once would never yield to the others.
            tokio::task::yield_now().await;
        }
    }
}
