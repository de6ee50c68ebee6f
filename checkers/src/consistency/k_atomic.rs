//! Registers that may be stale within bounds.
//!
//! *k-atomic* (Aiyer, Alvisi & Bazzi, On the Availability of Non-strict Quorum Systems, 2005; Golab, Li & Shah, 2011): all operations on a key
//! have an order true to real time in which every read finds one of the last k versions; 1-atomic is linearizable. *Δ-atomic* (Golab, Li &
//! Shah): they have an order true to real time in which every read finds the last version, if reads began Δ earlier than they did.
//!
//! Both are decided exactly, by the search for linearizations: the first with a model that remembers k versions, the second on a history
//! in which reads begin earlier. What certain [staleness](super::staleness) refutes never gets there.

use elenchus_core::{Anomaly, Event, EventIndex, History, Model, Nanos, Operation, Process, Step, Value};

use super::options::Options;
use super::outcome::Outcome;
use crate::linearizable;
use crate::models::CasRegister;

/// What a search for linearizations may hold.
const BYTES: usize = 1 << 30;

/// A register whose reads may find any of its last versions.
struct StaleRegister {
    initial: Value,
    /// How many versions it remembers; at least 1.
    versions: usize,
}

impl StaleRegister {
    fn put(&self, state: &[Value], new: &Value) -> Step<Vec<Value>> {
        let forgotten = (state.len() + 1).saturating_sub(self.versions);
        Step::To(state[forgotten.min(state.len())..].iter().chain([new]).cloned().collect())
    }
}

fn is_refused(operation: &Operation<'_>) -> bool {
    operation.f == "cas" && operation.output == Some(&Value::Bool(false))
}

impl Model for StaleRegister {
    /// The last versions, the newest last.
    type State = Vec<Value>;

    fn initial(&self) -> Vec<Value> {
        vec![self.initial.clone()]
    }

    fn step(&self, state: &Vec<Value>, operation: &Operation<'_>) -> Step<Vec<Value>> {
        match (operation.f.as_str(), operation.input.as_pair(), operation.output) {
            ("write", ..) => self.put(state, operation.input),
            ("read", _, None) => Step::Same,
            ("read", _, Some(told)) if state.contains(told) => Step::Same,
            ("cas", Some((old, _)), _) if is_refused(operation) && state.iter().any(|version| version != old) => Step::Same,
            ("cas", Some((old, new)), _) if !is_refused(operation) && state.contains(old) => {
                if old == new {
                    Step::Same
                } else {
                    self.put(state, new)
                }
            }
            _ => Step::Impossible,
        }
    }

    fn observes(&self, operation: &Operation<'_>) -> bool {
        operation.f == "read"
            || is_refused(operation)
            || operation.input.as_pair().is_some_and(|(old, new)| operation.f == "cas" && old == new)
    }
}

/// Decides whether every read finds one of the last `versions`.
pub(crate) fn k_atomic(history: &History, versions: usize, options: &Options) -> Outcome {
    // There is a faster search for registers that are never stale; most are not.
    let atomic = decide(&CasRegister::new(options.initial.clone()), history, options, versions <= 1);
    if versions <= 1 || matches!(atomic, Outcome::Holds) {
        return atomic;
    }
    decide(&StaleRegister { initial: options.initial.clone(), versions }, history, options, true)
}

/// Decides whether every read finds what was the last version at most `age` before it began. Reads times.
pub(crate) fn delta_atomic(history: &History, age: Nanos, options: &Options) -> Outcome {
    let Ok(operations) = history.operations() else { return Outcome::Undecided("the history is malformed".to_owned()) };
    // A time, what comes first at one time, and the event it was.
    let mut moments: Vec<((Nanos, bool, EventIndex), Event)> = Vec::with_capacity(history.events.len());
    for (process, operation) in operations.iter().enumerate() {
        // Each is a process of its own, as reads that begin earlier may overlap.
        let alone = |event: EventIndex| Event { process: Process::Client(process as u32), ..history.event(event).clone() };
        let invoked = alone(operation.invoked);
        let is_read = operation.f == "read";
        let begins = if is_read { invoked.time.since(age) } else { invoked.time };
        moments.push(((begins, !is_read, operation.invoked), invoked));
        if let Some(completed) = operation.completed {
            moments.push(((history.event(completed).time, true, completed), alone(completed)));
        }
    }
    moments.sort_unstable_by_key(|(at, _)| *at);
    let original: Vec<EventIndex> = moments.iter().map(|((.., event), _)| *event).collect();
    let earlier = History::new(moments.into_iter().map(|(_, event)| event).collect());
    match decide(&CasRegister::new(options.initial.clone()), &earlier, options, true) {
        Outcome::Anomalies(mut anomalies) => {
            for anomaly in &mut anomalies {
                anomaly.operations.iter_mut().for_each(|operation| *operation = original[operation.0 as usize]);
                anomaly.operations.sort_unstable();
                // The sentences count events of the other history.
                anomaly.argument = vec![format!(
                    "Even if each read of these operations had begun {:.3} ms earlier, they would have no order true to real time in which every \
                     read finds the last value.",
                    age.as_millis_f64()
                )];
            }
            Outcome::Anomalies(anomalies)
        }
        other => other,
    }
}

fn decide<M: Model>(model: &M, history: &History, options: &Options, minimise: bool) -> Outcome {
    let limits = linearizable::Options { time: options.time, memory: BYTES, minimise, ..linearizable::Options::default() };
    match linearizable::check(model, history, &limits) {
        Err(error) => Outcome::Undecided(error.to_string()),
        Ok(judgement) if !judgement.failures.is_empty() => Outcome::Anomalies(judgement.failures.into_iter().map(anomaly).collect()),
        Ok(judgement) => match judgement.undecided.first() {
            Some(undecided) => Outcome::Undecided(undecided.why.to_owned()),
            None => Outcome::Holds,
        },
    }
}

fn anomaly(failure: linearizable::Failure) -> Anomaly {
    Anomaly {
        name: "stale-read".to_owned(),
        description: format!(
            "These operations have no order true to real time in which every read finds a value that is fresh enough; it breaks where operation {} returns.",
            failure.operation
        ),
        key: failure.key,
        operations: failure.operations,
        argument: failure.argument,
        ..Anomaly::default()
    }
}
