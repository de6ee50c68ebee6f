//! Plays the generator's operations on the workers, and writes down what they were told.
//!
//! There is no dispatcher task between the generator and the workers. All share one small state behind a lock; a worker that completes an operation
//! records it, asks the generator for the next in the same critical section, and goes on with it at once when it is its own. Only an operation for an
//! idle worker costs a wake-up. That is what lets one machine record several hundred thousand operations a second.
//!
//! Events are stamped and recorded under the lock, so their order in the history is the order of their times, and an operation's interval in the
//! history always contains the interval in which it really ran: the only direction in which an error is sound.

mod recorder;
mod seat;
mod watcher;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use elenchus_core::{
    Client, Context, Event, Failure, FaultEvent, Generator, Invocation, Kind, Nanos, NodeIndex, Poll, Process, Symbol, Target, Value,
    Worker, WorkerSet, Workload,
};
use parking_lot::Mutex;
use tokio::sync::Notify;

pub use recorder::{Recorder, RecorderError};
pub use watcher::{Sighting, Watcher};

/// How long a worker that was not served waits before it takes another operation, so that a dead node does not fill the history.
const UNSERVED_PAUSE: Duration = Duration::from_millis(100);

/// Who plays, against what.
pub struct Cast {
    /// What is asked.
    pub workload: Arc<dyn Workload>,
    /// How it is asked.
    pub client: Arc<dyn Client>,
    /// The nodes; worker `w` speaks to `targets[w mod targets.len()]`.
    pub targets: Vec<Target>,
    /// How many workers play at once, from 1 to [`elenchus_core::generator::MAX_WORKERS`].
    pub concurrency: usize,
    /// How long an operation may take before it is recorded as `info`.
    pub timeout: Duration,
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
    cast: Cast,
    began: Instant,
    state: Mutex<State>,
    /// Tells the timekeeper that the next wake-up may have moved.
    moved: Notify,
    /// Tells whoever waits for the phase that it may be over.
    quiet: Notify,
}

struct State {
    generator: Option<Box<dyn Generator>>,
    all: WorkerSet,
    free: WorkerSet,
    processes: Vec<u32>,
    /// Operations handed to workers that were idle.
    seats: Vec<Arc<seat::Seat>>,
    recorder: Recorder,
    tally: Tally,
    /// Injected faults by number: what is in force now.
    faults: BTreeMap<u32, String>,
    wake_at: Option<Nanos>,
}

impl Conductor {
    /// Seats the workers. Time zero of the history is now.
    pub fn new(cast: Cast, recorder: Recorder) -> Conductor {
        let count = cast.concurrency;
        let state = State {
            generator: None,
            all: WorkerSet::first_n(count),
            free: WorkerSet::first_n(count),
            processes: (0..count as u32).collect(),
            seats: (0..count).map(|_| Arc::default()).collect(),
            recorder,
            tally: Tally::default(),
            faults: BTreeMap::new(),
            wake_at: None,
        };
        let shared = Arc::new(Shared { cast, began: Instant::now(), state: Mutex::new(state), moved: Notify::new(), quiet: Notify::new() });
        for worker in 0..count {
            tokio::spawn(work(shared.clone(), Worker(worker as u16)));
        }
        tokio::spawn(keep_time(Arc::downgrade(&shared)));
        Conductor { shared }
    }

    /// Plays a generator until it is done, or [`Conductor::stop`] is called, and every operation it gave has completed.
    pub async fn play(&self, generator: Box<dyn Generator>) {
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

    /// What became of the operations so far.
    pub fn tally(&self) -> Tally {
        self.shared.state.lock().tally
    }

    /// The faults in force, in words.
    pub fn faults_in_force(&self) -> Vec<String> {
        self.shared.state.lock().faults.values().cloned().collect()
    }

    /// Whether what happens is still written down: false once the history cannot be written, which [`Conductor::finish`] explains.
    pub fn is_recording(&self) -> bool {
        self.shared.state.lock().recorder.is_writing()
    }

    /// Records what the nemesis says.
    pub fn testify(&self, kind: Kind, fault: Symbol, said: &FaultEvent, error: Option<String>) {
        let mut state = self.shared.state.lock();
        match (said.phase, kind) {
            (elenchus_core::FaultPhase::Inject, Kind::Ok | Kind::Info) => {
                state.faults.insert(said.id, format!("{fault}: {}", said.what));
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

    /// Hands all recorded events to the operating system and ends the recording. The conductor must not play after that.
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
        Context { now: self.now(), free: state.free, workers: state.all, nodes: self.cast.targets.len() }
    }

    /// Takes operations from the generator for as long as it has any for a free worker. One for `me` is recorded as invoked and returned;
    /// others are handed to their workers, who record the invocation when they wake.
    fn pump(&self, state: &mut State, me: Option<Worker>) -> Option<Invocation> {
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
                        self.invoke(state, &invocation);
                        mine = Some(invocation);
                    } else {
                        state.seats[usize::from(invocation.worker.0)].hand(invocation);
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

    /// Records an invocation, and tells the generator.
    fn invoke(&self, state: &mut State, invocation: &Invocation) {
        self.note(state, invocation, Kind::Invoke, invocation.value.clone(), None);
    }

    fn note(&self, state: &mut State, invocation: &Invocation, kind: Kind, value: Value, error: Option<String>) {
        let worker = invocation.worker;
        let at = usize::from(worker.0);
        let event = Event {
            time: self.now(),
            process: Process::Client(state.processes[at]),
            kind,
            f: invocation.f,
            key: invocation.key.clone(),
            value,
            error: error.map(Into::into),
            node: Some(NodeIndex((at % self.cast.targets.len()) as u16)),
        };
        state.tally.count(kind);
        let context = self.context(state);
        if let Some(generator) = state.generator.as_mut() {
            generator.update(&context, worker, &event);
        }
        state.recorder.record(event);
    }

    /// Records how an operation ended. A process that does not know what happened never speaks again.
    fn complete(&self, state: &mut State, invocation: Invocation, outcome: Result<Value, Failure>) {
        match outcome {
            Ok(value) => self.note(state, &invocation, Kind::Ok, value, None),
            Err(Failure::No) => self.note(state, &invocation, Kind::Fail, invocation.value.clone(), None),
            Err(Failure::Fail(why)) => self.note(state, &invocation, Kind::Fail, invocation.value.clone(), Some(why)),
            Err(Failure::Info(why)) => {
                self.note(state, &invocation, Kind::Info, invocation.value.clone(), Some(why));
                state.processes[usize::from(invocation.worker.0)] += self.cast.concurrency as u32;
            }
        }
    }
}

/// Wakes the generator when the moment comes that it named.
async fn keep_time(shared: std::sync::Weak<Shared>) {
    loop {
        let Some(run) = shared.upgrade() else { return };
        let wake_at = run.state.lock().wake_at;
        let until = wake_at.map_or(Duration::from_millis(100), |moment| Duration::from(moment.since(run.now())));
        let moved = run.moved.notified();
        // Never asleep for long: a run that ended is let go.
        let slept = tokio::time::timeout(until.min(Duration::from_millis(100)), moved).await.is_err();
        if slept && wake_at.is_some_and(|moment| moment <= run.now()) {
            let mut state = run.state.lock();
            run.pump(&mut state, None);
        }
    }
}

/// One worker: plays process after process, one operation at a time.
async fn work(shared: Arc<Shared>, worker: Worker) {
    let seat = shared.state.lock().seats[usize::from(worker.0)].clone();
    let mut player = seat::Player::new(worker, &shared.cast);
    let mut played: u32 = 0;
    let mut next = None;
    loop {
        let invocation = match next.take() {
            Some(invocation) => invocation,
            None => {
                let handed = seat.wait().await;
                shared.invoke(&mut shared.state.lock(), &handed);
                handed
            }
        };
        let outcome = player.perform(&shared.cast, &invocation).await;
        if let Err(failure) = &outcome {
            let unserved = !matches!(failure, Failure::No);
            tracing::debug!(worker = worker.0, f = %invocation.f, %failure, "operation did not end well");
            shared.complete(&mut shared.state.lock(), invocation, outcome);
            if unserved {
                tokio::time::sleep(UNSERVED_PAUSE).await;
            }
            let mut state = shared.state.lock();
            state.free.insert(worker);
            next = shared.pump(&mut state, Some(worker));
        } else {
            let mut state = shared.state.lock();
            shared.complete(&mut state, invocation, outcome);
            state.free.insert(worker);
            next = shared.pump(&mut state, Some(worker));
        }
        played = played.wrapping_add(1);
        if played.is_multiple_of(64) {
            // A client that always answers at once would never let the others play.
            tokio::task::yield_now().await;
        }
    }
}
