//! Registers with bounded staleness: k-atomicity and Δ-atomicity.
//!
//! *k-atomic* (Aiyer, Alvisi & Bazzi, On the Availability of Non-strict Quorum Systems, 2005; Golab, Li & Shah, 2011): the operations on each key
//! have a total order that respects real time and in which every read returns one of the last k versions; 1-atomic is linearizable. *Δ-atomic*
//! (Golab, Li & Shah): the history would be linearizable if every read had begun Δ earlier.
//!
//! Both are decided exactly by the search for linearizations: the first with a model that remembers k versions, the second on a history whose
//! reads begin earlier. Histories refuted by certain [staleness](super::staleness) are never searched.

use elenchus_core::{Anomaly, Event, EventIndex, History, Model, Nanos, Operation, Process, Step, Value};

use super::options::ConsistencyOptions;
use super::outcome::Outcome;
use crate::linearizable;
use crate::models::CasRegister;

/// The memory budget of a search for linearizations, in bytes.
const BYTES: usize = 1 << 30;

/// A register whose reads may return any of its last versions.
struct StaleRegister {
    initial: Value,
    /// The number of versions that it remembers; at least 1.
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
    /// The last versions, newest last.
    type State = Vec<Value>;

    fn initial(&self) -> Vec<Value> {
        vec![self.initial.clone()]
    }

    fn step(&self, state: &Vec<Value>, operation: &Operation<'_>) -> Step<Vec<Value>> {
        match (operation.f.as_str(), operation.input.as_pair(), operation.output) {
            ("write", ..) => self.put(state, operation.input),
            ("read", _, None) => Step::Same,
            ("read", _, Some(result)) if state.contains(result) => Step::Same,
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

/// Decides whether every read returns one of the last `versions` versions.
pub(crate) fn k_atomic(history: &History, versions: usize, options: &ConsistencyOptions) -> Outcome {
    // Most registers are never stale, and the search for those is faster.
    let atomic = decide(&CasRegister::new(options.initial.clone()), history, options, versions <= 1);
    if versions <= 1 || matches!(atomic, Outcome::Holds) {
        return atomic;
    }
    decide(&StaleRegister { initial: options.initial.clone(), versions }, history, options, true)
}

/// Decides Δ-atomicity, using the times of events: whether every read returns a version that was the last one at most `age` before it began.
pub(crate) fn delta_atomic(history: &History, age: Nanos, options: &ConsistencyOptions) -> Outcome {
    let Ok(operations) = history.operations() else { return Outcome::Undecided("the history is malformed".to_owned()) };
    // The time, the tie-break (earlier reads first), and the original event.
    let mut moments: Vec<((Nanos, bool, EventIndex), Event)> = Vec::with_capacity(history.events.len());
    for (process, operation) in operations.iter().enumerate() {
        // Each operation gets a process of its own, because reads that begin earlier may overlap others of their process.
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
                // The original sentences refer to events of the shifted history.
                anomaly.argument = vec![format!(
                    "Even if each of these reads had begun {:.3} ms earlier, no order of the operations would respect real time and have every \
                     read return the latest value.",
                    age.as_millis_f64()
                )];
            }
            Outcome::Anomalies(anomalies)
        }
        other => other,
    }
}

fn decide<M: Model>(model: &M, history: &History, options: &ConsistencyOptions, minimise: bool) -> Outcome {
    let limits =
        linearizable::LinearizableOptions { time: options.time, memory: BYTES, minimise, ..linearizable::LinearizableOptions::default() };
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
            "No order of these operations respects real time and has every read return a recent enough value; the first violation is at the return of operation {}.",
            failure.operation
        ),
        key: failure.key,
        operations: failure.operations,
        argument: failure.argument,
        ..Anomaly::default()
    }
}
