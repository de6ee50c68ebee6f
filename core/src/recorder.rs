//! Recording a history while threads call a store.

use std::fmt;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::{Event, Failure, History, Kind, Nanos, NodeIndex, Process, Symbol, Value};

/// Records what concurrent clients ask of a store and what it returns, in real time.
///
/// Every operation is an invocation, recorded before the store is called, and a completion, recorded after the call returned:
///
/// | completion | means |
/// | --- | --- |
/// | [`ok`](PendingOperation::ok) | it happened, with this result |
/// | [`fail`](PendingOperation::fail) | it certainly did not happen, and never will |
/// | [`info`](PendingOperation::info) | it may have happened, or may happen later: a time-out, a lost connection |
///
/// ```
/// use std::sync::Mutex;
/// use elenchus_core::Recorder;
///
/// let store = Mutex::new(None);
/// let recorder = Recorder::new();
/// std::thread::scope(|threads| {
///     for value in 1..=2 {
///         let mut client = recorder.client();
///         let store = &store;
///         threads.spawn(move || {
///             let write = client.invoke("write", "x", value);
///             *store.lock().unwrap() = Some(value);
///             write.ok(value);
///             let read = client.invoke("read", "x", ());
///             let found = *store.lock().unwrap();
///             read.ok(found);
///         });
///     }
/// });
/// assert_eq!(recorder.history().operations()?.len(), 4);
/// # Ok::<(), elenchus_core::HistoryError>(())
/// ```
///
/// A recorder is a handle: clones record into the same history. An event takes its place and its time under one lock, so the order of
/// events is the order of their times, and an operation's interval contains the moment at which it took effect.
#[derive(Clone, Debug)]
pub struct Recorder {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    started: Instant,
    recorded: Mutex<Recorded>,
}

#[derive(Debug, Default)]
struct Recorded {
    history: History,
    /// The process that each caller is now.
    processes: FxHashMap<Caller, u32>,
    /// Callers with a pending operation.
    pending: FxHashSet<Caller>,
    /// Processes that are or were in use.
    used: FxHashSet<u32>,
    next_process: u32,
    clients: u32,
}

/// Whose operations are recorded, whichever process it is now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Caller {
    /// A [`RecordedClient`].
    Client(u32),
    /// A number of the user's own.
    Numbered(u32),
}

impl fmt::Display for Caller {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Caller::Client(number) => write!(out, "client {number}"),
            Caller::Numbered(number) => write!(out, "process {number}"),
        }
    }
}

impl Default for Recorder {
    fn default() -> Recorder {
        Recorder::new()
    }
}

impl Recorder {
    /// Starts an empty history. Its clock starts now.
    pub fn new() -> Recorder {
        Recorder { shared: Arc::new(Shared { started: Instant::now(), recorded: Mutex::default() }) }
    }

    /// A new client: a process that invokes one operation at a time. Use one per thread or connection.
    pub fn client(&self) -> RecordedClient {
        let caller = self.with(|recorded| {
            let caller = Caller::Client(recorded.clients);
            recorded.clients += 1;
            let process = recorded.fresh();
            recorded.processes.insert(caller, process);
            caller
        });
        RecordedClient { recorder: self.clone(), caller, node: None }
    }

    /// Records an invocation by a process that the caller numbers, where a [`client`](Recorder::client) per thread is inconvenient. Call the
    /// store after this returned. `key` is the object that the operation is about; `()` if there is only one object.
    ///
    /// After an operation whose outcome is unknown, the number stands for a new process, as with [`RecordedClient`].
    ///
    /// # Panics
    /// When the process' previous operation is still pending: a process does one thing at a time.
    pub fn invoke(&self, process: u32, f: &str, key: impl Into<Value>, value: impl Into<Value>) -> PendingOperation<'static> {
        self.begin(Caller::Numbered(process), None, f, key.into(), value.into())
    }

    fn begin<'c>(&self, caller: Caller, node: Option<NodeIndex>, f: &str, key: Value, value: Value) -> PendingOperation<'c> {
        let mut invocation = Event {
            time: Nanos::ZERO,
            process: Process::Nemesis,
            kind: Kind::Invoke,
            f: Symbol::intern(f),
            key: Some(key).filter(|key| !key.is_nil()),
            value,
            error: None,
            node,
        };
        let is_begun = self.with(|recorded| match recorded.begin(caller) {
            Some(process) => {
                invocation.process = Process::Client(process);
                self.push(recorded, invocation.clone());
                true
            }
            None => false,
        });
        // Not under the lock, so that other threads can go on.
        assert!(is_begun, "{caller} invokes `{f}` while its previous operation is pending; a process does one thing at a time");
        PendingOperation { recorder: self.clone(), caller, invocation: Some(invocation), client: PhantomData }
    }

    /// The history so far. An operation that is still pending has no completion, which checkers treat like `info`. O(n).
    pub fn history(&self) -> History {
        self.with(|recorded| recorded.history.clone())
    }

    /// The history so far, without copying it. Pending operations can no longer complete in it.
    pub fn into_history(self) -> History {
        self.with(|recorded| std::mem::take(&mut recorded.history))
    }

    fn push(&self, recorded: &mut Recorded, mut event: Event) {
        // Under the lock, so that the order of events is that of their times.
        event.time = self.shared.started.elapsed().into();
        recorded.history.events.push(event);
    }

    fn with<T>(&self, act: impl FnOnce(&mut Recorded) -> T) -> T {
        // A thread that panicked here left a history whose events are all whole.
        act(&mut self.shared.recorded.lock().unwrap_or_else(|poisoned| poisoned.into_inner()))
    }
}

impl Recorded {
    fn fresh(&mut self) -> u32 {
        while !self.used.insert(self.next_process) {
            self.next_process += 1;
        }
        self.next_process
    }

    /// The process that a caller is for its next operation; none while an operation is pending.
    fn begin(&mut self, caller: Caller) -> Option<u32> {
        if !self.pending.insert(caller) {
            return None;
        }
        if let Some(&process) = self.processes.get(&caller) {
            return Some(process);
        }
        let process = match caller {
            Caller::Numbered(number) if self.used.insert(number) => number,
            _ => self.fresh(),
        };
        self.processes.insert(caller, process);
        Some(process)
    }

    /// Ends a caller's operation. After an unknown outcome the process may still be busy, so the caller goes on as another.
    fn end(&mut self, caller: Caller, kind: Kind) {
        self.pending.remove(&caller);
        if kind == Kind::Info {
            let process = self.fresh();
            self.processes.insert(caller, process);
        }
    }
}

/// A client whose operations a [`Recorder`] records: one at a time, which the borrow checker enforces.
///
/// After an operation whose outcome is unknown, the client goes on as a new process: the old one may still be busy.
#[derive(Debug)]
pub struct RecordedClient {
    recorder: Recorder,
    caller: Caller,
    node: Option<NodeIndex>,
}

impl RecordedClient {
    /// Names the node that the client is connected to, for checkers and reports that compare nodes.
    pub fn on_node(mut self, name: &str) -> RecordedClient {
        let position = self.recorder.with(|recorded| {
            let nodes = &mut recorded.history.nodes;
            nodes.iter().position(|node| node == name).unwrap_or_else(|| {
                nodes.push(name.to_owned());
                nodes.len() - 1
            })
        });
        self.node = u16::try_from(position).ok().map(NodeIndex);
        self
    }

    /// Records an invocation. Call the store after this returned. `key` is the object that the operation is about; `()` if there is only one
    /// object.
    pub fn invoke(&mut self, f: &str, key: impl Into<Value>, value: impl Into<Value>) -> PendingOperation<'_> {
        self.recorder.begin(self.caller, self.node, f, key.into(), value.into())
    }

    /// Records a whole operation: an invocation, the call, and a completion that is `ok` with the value returned, or what the [`Failure`]
    /// says.
    ///
    /// ```
    /// use elenchus_core::{Failure, Recorder};
    ///
    /// let mut client = Recorder::new().client();
    /// let found = client.call("read", "x", (), || Ok::<_, Failure>(3));
    /// assert_eq!(found, Ok(3));
    /// ```
    ///
    /// # Errors
    /// Those of the call.
    pub fn call<T: Clone + Into<Value>>(
        &mut self,
        f: &str,
        key: impl Into<Value>,
        value: impl Into<Value>,
        call: impl FnOnce() -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let operation = self.invoke(f, key, value);
        let result = call();
        match &result {
            Ok(output) => operation.ok(output.clone()),
            Err(Failure::No) => operation.complete(Kind::Fail, None, None),
            Err(Failure::Fail(error)) => operation.fail(error),
            Err(Failure::Info(error)) => operation.info(error),
        }
        result
    }
}

/// An operation that was invoked and has not completed.
///
/// Dropping it records `info`: the call was cut short by a panic or an early return, so whether it took effect is unknown. Recording
/// `fail` would claim that it did not, and a checker that trusts a wrong `fail` reports anomalies that never happened.
#[derive(Debug)]
#[must_use = "complete it with `ok`, `fail` or `info` after the call; dropping it records `info`"]
pub struct PendingOperation<'c> {
    recorder: Recorder,
    caller: Caller,
    /// None once it is completed.
    invocation: Option<Event>,
    /// Keeps the client from invoking anything else meanwhile.
    client: PhantomData<&'c mut RecordedClient>,
}

impl PendingOperation<'_> {
    /// It happened and returned this: the value read; for a write `()` or the value written.
    pub fn ok(self, output: impl Into<Value>) {
        self.complete(Kind::Ok, Some(output.into()), None);
    }

    /// It certainly did not happen, and never will: the store refused it, or it was never sent. If in doubt, use
    /// [`info`](PendingOperation::info).
    pub fn fail(self, error: &str) {
        self.complete(Kind::Fail, None, Some(error));
    }

    /// Its outcome is unknown: a time-out, a lost connection. It may take effect now, later or never.
    pub fn info(self, error: &str) {
        self.complete(Kind::Info, None, Some(error));
    }

    fn complete(mut self, kind: Kind, output: Option<Value>, error: Option<&str>) {
        self.record(kind, output, error);
    }

    fn record(&mut self, kind: Kind, output: Option<Value>, error: Option<&str>) {
        let Some(mut event) = self.invocation.take() else { return };
        event.kind = kind;
        event.error = error.map(Into::into);
        if let Some(output) = output {
            event.value = output;
        }
        self.recorder.with(|recorded| {
            self.recorder.push(recorded, event);
            recorded.end(self.caller, kind);
        });
    }
}

impl Drop for PendingOperation<'_> {
    fn drop(&mut self) {
        self.record(Kind::Info, None, Some("dropped without a completion"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(recorder: Recorder) -> String {
        let mut history = recorder.into_history();
        assert!(history.events.is_sorted_by_key(|event| event.time));
        // As if a millisecond had passed between events, so that times are not displayed.
        (0..).zip(&mut history.events).for_each(|(at, event)| event.time = Nanos(at * 1_000_000));
        history.to_string()
    }

    #[test]
    fn an_unknown_outcome_retires_the_process() {
        let recorder = Recorder::new();
        let (mut a, mut b) = (recorder.client(), recorder.client().on_node("n1"));
        let write = a.invoke("write", "x", 1);
        b.invoke("read", "x", ()).ok(1);
        write.info("time-out");
        a.invoke("write", "x", 2).fail("read-only");
        drop(b.invoke("cas", "x", Value::pair(1, 2)));
        b.invoke("read", (), ()).ok(());
        assert_eq!(
            shown(recorder),
            "0/x invoke write 1\n1@n1/x invoke read nil\n1@n1/x ok read 1\n0/x info write 1 ! \"time-out\"\n\
             2/x invoke write 2\n2/x fail write 2 ! \"read-only\"\n\
             1@n1/x invoke cas [1 2]\n1@n1/x info cas [1 2] ! \"dropped without a completion\"\n3@n1 invoke read nil\n3@n1 ok read nil\n"
        );
    }

    #[test]
    fn numbered_processes_and_clients_are_distinct() {
        let recorder = Recorder::new();
        let mut client = recorder.client();
        recorder.invoke(7, "write", (), 1).info("");
        recorder.invoke(7, "write", (), 2).ok(());
        recorder.invoke(0, "write", (), 3).ok(());
        client.invoke("write", (), 4).ok(());
        let processes: Vec<_> = recorder.history().operations().unwrap().iter().map(|operation| operation.process).collect();
        let distinct: FxHashSet<_> = processes.iter().collect();
        assert_eq!(distinct.len(), 4, "{processes:?}");
        assert_eq!(processes[0], Process::Client(7));
    }

    #[test]
    #[should_panic(expected = "process 3 invokes `read` while its previous operation is pending")]
    fn a_process_with_a_pending_operation_cannot_invoke() {
        let recorder = Recorder::new();
        let _pending = recorder.invoke(3, "read", (), ());
        let _second = recorder.invoke(3, "read", (), ());
    }

    #[test]
    fn threads_record_a_well_formed_history() {
        let recorder = Recorder::new();
        std::thread::scope(|threads| {
            for _ in 0..4 {
                let mut client = recorder.client();
                threads.spawn(move || (0..250).for_each(|value| client.invoke("write", "x", value).ok(value)));
            }
        });
        let history = recorder.into_history();
        assert_eq!(history.operations().unwrap().len(), 1000);
        assert!(history.events.is_sorted_by_key(|event| event.time));
    }
}
