//! The events of a run, and their delivery to listeners.
//!
//! The run calls [`Events::emit`]; terminal progress, `--events`, tests and anything else that follows a run implement [`Listener`]. Each listener has a
//! thread and a bounded queue of its own, so that a slow one delays neither the run nor the others: events that find its queue full are dropped for that
//! listener only, and it learns how many.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::time::{Duration, Instant};

use elenchus_core::{FaultEvent, FaultPhase, Finding, Kind, Nanos, Symbol, Verdict};
use parking_lot::Mutex;
use serde::Serialize;

use crate::clock_sample::ClockSample;
use crate::judge::Outcomes;

/// The capacity of each listener's queue, in events.
const QUEUE: usize = 4096;

/// How long [`Events::close`] waits for a listener to handle what is queued.
const CLOSE_LIMIT: Duration = Duration::from_secs(5);

/// Something that happened during a run.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum RunEvent {
    /// The run has a directory and begins.
    RunStarted {
        /// The plan's name.
        name: String,
        /// The seed.
        seed: u64,
        /// The run's directory.
        directory: String,
    },
    /// A phase began.
    PhaseStarted {
        /// The phase.
        phase: Phase,
    },
    /// A lab node is up.
    NodeStarted {
        /// The node.
        node: String,
        /// The address by which clients reach it.
        address: String,
    },
    /// The system is installed and configured on a node.
    SystemInstalled {
        /// The node.
        node: String,
    },
    /// The system's ready check succeeded on a node.
    SystemReady {
        /// The node.
        node: String,
    },
    /// Operations so far; emitted several times a second while clients run.
    Progress {
        /// Operations by outcome.
        operations: Outcomes,
        /// Time since clients started, in milliseconds.
        elapsed_ms: u64,
        /// For how long clients run in all, in milliseconds.
        duration_ms: u64,
        /// The faults in force, in words.
        faults: Vec<String>,
    },
    /// A step of an injection.
    Fault(FaultStep),
    /// A node's clocks were read.
    ClockRead(ClockSample),
    /// A violation was found while the run was in progress.
    ViolationFound {
        /// Time since the history's zero.
        time: Nanos,
    },
    /// A node's logs were fetched.
    LogsFetched {
        /// The node.
        node: String,
        /// How many files.
        files: usize,
    },
    /// A checker, or the run itself, reports a finding.
    FindingReported {
        /// The finding.
        finding: Finding,
    },
    /// The run ended with a verdict.
    RunFinished {
        /// The worst verdict of all findings.
        verdict: Verdict,
    },
    /// The run ended without a verdict.
    RunFailed {
        /// The reason.
        error: String,
    },
    /// The user should know this; it changes nothing.
    Warning {
        /// The warning.
        message: String,
    },
}

/// A phase of a run, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Starting the lab, connecting, checking requirements, healing what an earlier run left.
    ReachingNodes,
    /// Installing, configuring and starting the system.
    StartingSystem,
    /// Tables, topics, initial values.
    PreparingData,
    /// Clients and faults.
    DrivingClients,
    /// Undoing the faults that are still in force.
    Healing,
    /// The workload's final operations, after healing.
    FinalOperations,
    /// Fetching logs, stopping the system, removing its data.
    CleaningUp,
    /// Running the checkers.
    Checking,
}

impl Phase {
    /// The phase in words, for people.
    pub fn as_str(self) -> &'static str {
        match self {
            Phase::ReachingNodes => "reaching the nodes",
            Phase::StartingSystem => "starting the system",
            Phase::PreparingData => "preparing data",
            Phase::DrivingClients => "driving clients",
            Phase::Healing => "healing",
            Phase::FinalOperations => "final operations",
            Phase::CleaningUp => "fetching logs and cleaning up",
            Phase::Checking => "checking the history",
        }
    }
}

/// A step of an injection, as the nemesis reports it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FaultStep {
    /// The injection's number in the run.
    pub id: u32,
    /// The fault's name.
    pub fault: String,
    /// The step.
    pub step: FaultStepKind,
    /// The nodes concerned.
    pub nodes: Vec<String>,
    /// The injection in words.
    pub what: String,
    /// Why it failed or could not be verified.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// A step in the life of an injection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultStepKind {
    /// The injection begins.
    Injecting,
    /// It was injected and verified on the nodes.
    Injected,
    /// It was injected, or may have been; verification failed.
    InjectionUnverified,
    /// It was not injected.
    InjectionFailed,
    /// The heal begins.
    Healing,
    /// It was undone, and that was verified.
    Healed,
    /// It was undone, or may have been; verification failed.
    HealUnverified,
    /// It was not undone.
    HealFailed,
}

impl FaultStep {
    /// From what the nemesis reports.
    pub fn new(kind: Kind, fault: Symbol, reported: &FaultEvent, error: Option<&str>) -> FaultStep {
        let step = match (reported.phase, kind) {
            (FaultPhase::Inject, Kind::Invoke) => FaultStepKind::Injecting,
            (FaultPhase::Inject, Kind::Ok) => FaultStepKind::Injected,
            (FaultPhase::Inject, Kind::Info) => FaultStepKind::InjectionUnverified,
            (FaultPhase::Inject, Kind::Fail) => FaultStepKind::InjectionFailed,
            (FaultPhase::Heal, Kind::Invoke) => FaultStepKind::Healing,
            (FaultPhase::Heal, Kind::Ok) => FaultStepKind::Healed,
            (FaultPhase::Heal, Kind::Info) => FaultStepKind::HealUnverified,
            (FaultPhase::Heal, Kind::Fail) => FaultStepKind::HealFailed,
        };
        FaultStep {
            id: reported.id,
            fault: fault.as_str().to_owned(),
            step,
            nodes: reported.nodes.clone(),
            what: reported.description.clone(),
            error: error.map(str::to_owned),
        }
    }
}

/// An event and when it was emitted.
#[derive(Clone, Debug, Serialize)]
pub struct TimedEvent {
    /// Time since the run's [`Events`] were made, in milliseconds.
    pub at_ms: u64,
    /// The event.
    #[serde(flatten)]
    pub event: RunEvent,
}

/// Receives the events of a run, in order, on a thread of its own.
pub trait Listener: Send + 'static {
    /// Handles an event.
    fn receive(&mut self, event: &TimedEvent);

    /// Called before the next event when `count` events were dropped, because this listener was slow.
    fn missed(&mut self, count: u64) {
        tracing::warn!(count, "a listener was too slow and missed events of the run");
    }
}

impl<F: FnMut(&TimedEvent) + Send + 'static> Listener for F {
    fn receive(&mut self, event: &TimedEvent) {
        self(event);
    }
}

/// The outlet for a run's events. Clones share the listeners.
#[derive(Clone)]
pub struct Events {
    began: Instant,
    queues: Arc<Mutex<Vec<Queue>>>,
}

struct Queue {
    sender: SyncSender<Arc<TimedEvent>>,
    missed: Arc<AtomicU64>,
    /// Receives when the listener's thread has ended.
    ended: Receiver<()>,
}

impl Default for Events {
    fn default() -> Events {
        Events::new()
    }
}

impl Events {
    /// No listeners yet.
    pub fn new() -> Events {
        Events { began: Instant::now(), queues: Arc::default() }
    }

    /// Adds a listener; it receives events emitted from now on.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn listen(&self, mut listener: impl Listener) -> std::io::Result<()> {
        let (sender, received) = mpsc::sync_channel::<Arc<TimedEvent>>(QUEUE);
        let (end, ended) = mpsc::sync_channel(1);
        let missed = Arc::new(AtomicU64::new(0));
        let missed_here = missed.clone();
        std::thread::Builder::new().name("listener".into()).spawn(move || {
            let tell_missed = |listener: &mut dyn Listener| match missed_here.swap(0, Ordering::Relaxed) {
                0 => {}
                count => listener.missed(count),
            };
            for event in received {
                tell_missed(&mut listener);
                listener.receive(&event);
            }
            tell_missed(&mut listener);
            drop(listener);
            let _ = end.send(());
        })?;
        self.queues.lock().push(Queue { sender, missed, ended });
        Ok(())
    }

    /// Queues an event for every listener. Never waits for one.
    pub fn emit(&self, event: RunEvent) {
        let event = Arc::new(TimedEvent { at_ms: self.began.elapsed().as_millis() as u64, event });
        for queue in self.queues.lock().iter() {
            if queue.sender.try_send(event.clone()).is_err() {
                queue.missed.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// Emits that a phase began.
    pub fn phase(&self, phase: Phase) {
        self.emit(RunEvent::PhaseStarted { phase });
    }

    /// Ends delivery: waits until the listeners have handled what is queued, each at most some seconds. Later events go nowhere.
    pub fn close(&self) {
        let queues = std::mem::take(&mut *self.queues.lock());
        let ends: Vec<Receiver<()>> = queues.into_iter().map(|queue| queue.ended).collect();
        let deadline = Instant::now() + CLOSE_LIMIT;
        for ended in ends {
            let _ = ended.recv_timeout(deadline.saturating_duration_since(Instant::now()));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn warning(number: usize) -> RunEvent {
        RunEvent::Warning { message: number.to_string() }
    }

    /// Keeps what it received, as numbers, and how many events it missed.
    #[derive(Clone, Default)]
    struct Kept {
        numbers: Arc<Mutex<Vec<usize>>>,
        missed: Arc<AtomicU64>,
    }

    impl Listener for Kept {
        fn receive(&mut self, event: &TimedEvent) {
            if let RunEvent::Warning { message } = &event.event {
                self.numbers.lock().push(message.parse().unwrap());
            }
        }

        fn missed(&mut self, count: u64) {
            self.missed.fetch_add(count, Ordering::Relaxed);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]

        /// A listener that is blocked delays neither `emit` nor the other listeners, and misses only what its queue cannot hold.
        #[test]
        fn a_blocked_listener_delays_nothing(count in 1..3 * QUEUE) {
            let events = Events::new();
            let (quick, blocked) = (Kept::default(), Kept::default());
            let (release, gate) = mpsc::channel::<()>();
            let behind = blocked.clone();
            struct Gated(Option<Receiver<()>>, Kept);
            impl Listener for Gated {
                fn receive(&mut self, event: &TimedEvent) {
                    if let Some(gate) = self.0.take() {
                        let _ = gate.recv();
                    }
                    self.1.receive(event);
                }
                fn missed(&mut self, count: u64) {
                    self.1.missed(count);
                }
            }
            events.listen(Gated(Some(gate), behind)).unwrap();
            events.listen(quick.clone()).unwrap();
            for number in 0..count {
                events.emit(warning(number));
                if number % (QUEUE / 2) == 0 {
                    // The quick listener is given time, so that its queue does not overflow as well.
                    while quick.numbers.lock().len() <= number {
                        std::thread::yield_now();
                    }
                }
            }
            while quick.numbers.lock().len() < count {
                std::thread::yield_now();
            }
            prop_assert!(blocked.numbers.lock().is_empty(), "the blocked listener has received nothing");
            drop(release);
            events.close();
            prop_assert_eq!(quick.numbers.lock().clone(), (0..count).collect::<Vec<_>>());
            let received = blocked.numbers.lock().clone();
            prop_assert!(received.windows(2).all(|pair| pair[0] < pair[1]), "in order");
            prop_assert_eq!(received.len() as u64 + blocked.missed.load(Ordering::Relaxed), count as u64);
            prop_assert!(received.len() >= count.min(QUEUE), "only what the queue cannot hold is dropped");
        }
    }

    #[test]
    fn an_event_is_one_flat_object() {
        let event = TimedEvent { at_ms: 7, event: RunEvent::PhaseStarted { phase: Phase::DrivingClients } };
        assert_eq!(serde_json::to_string(&event).unwrap(), r#"{"at_ms":7,"event":"phase_started","phase":"driving_clients"}"#);
    }

    #[test]
    fn after_close_events_go_nowhere() {
        let events = Events::new();
        let kept = Kept::default();
        events.listen(kept.clone()).unwrap();
        events.emit(warning(1));
        events.close();
        events.emit(warning(2));
        assert_eq!(*kept.numbers.lock(), [1]);
    }
}
