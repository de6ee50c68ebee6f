//! Linearizations, and a verifier that shares no code with the searches that find them.

use std::collections::HashMap;

use elenchus_core::{EventIndex, History, HistoryError, Kind, Model, Operation, Step, Value};
use thiserror::Error;

/// A linearization of a history: for each object, the order in which its operations took effect.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Witness {
    /// One per object, in order of first appearance.
    pub objects: Vec<Linearization>,
}

/// An order of the operations on one object: all that completed, and the crashed ones that took effect.
#[derive(Clone, Debug, PartialEq)]
pub struct Linearization {
    /// The object's key, if the history has several objects.
    pub key: Option<Value>,
    /// The invocations of the operations.
    pub order: Vec<EventIndex>,
}

/// Why an order is not a linearization.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum WitnessError {
    /// The events do not form a history.
    #[error(transparent)]
    Malformed(#[from] HistoryError),
    /// The order names an event that does not invoke an operation on this object that may have happened, or names one twice.
    #[error("{0} does not invoke an operation on this object, or is listed twice")]
    NotAnOperation(EventIndex),
    /// An operation that completed is missing.
    #[error("{0} completed but is missing from the linearization")]
    Missing(EventIndex),
    /// The order contradicts real-time order.
    #[error("{later} is ordered before {earlier}, which completed before {later} was invoked")]
    RealTimeOrder {
        /// The operation that completed first.
        earlier: EventIndex,
        /// The operation that is ordered before it.
        later: EventIndex,
    },
    /// The model does not allow the operation there.
    #[error("{operation} cannot happen in state {state}")]
    Impossible {
        /// The operation.
        operation: EventIndex,
        /// The state before it.
        state: String,
    },
}

/// Verifies a linearization against the definition: for each object, every operation that completed is listed once, and no other but
/// crashed ones, each at most once; the order respects real-time order; and the model allows each step. O(n).
///
/// # Errors
/// The first violation found.
pub fn verify_witness<M: Model>(model: &M, history: &History, witness: &Witness) -> Result<(), WitnessError> {
    let mut left: HashMap<EventIndex, Operation<'_>> = history
        .operations()?
        .into_iter()
        .filter(|operation| operation.kind != Kind::Fail)
        .map(|operation| (operation.invoked, operation))
        .collect();
    for object in &witness.objects {
        let mut order = Vec::with_capacity(object.order.len());
        for invoked in &object.order {
            let operation = left.remove(invoked).filter(|operation| !model.splits_by_key() || operation.key == object.key.as_ref());
            order.push(operation.ok_or(WitnessError::NotAnOperation(*invoked))?);
        }
        respects_time(&order)?;
        replay(model, &order, |_| {})?;
    }
    match left.into_values().filter(|operation| operation.kind == Kind::Ok).map(|operation| operation.invoked).min() {
        Some(missing) => Err(WitnessError::Missing(missing)),
        None => Ok(()),
    }
}

/// The object's state after each operation of a linearization, in words.
///
/// # Errors
/// When the order names an event that does not invoke an operation, or the model does not allow a step.
pub fn states<M: Model>(model: &M, history: &History, linearization: &Linearization) -> Result<Vec<String>, WitnessError> {
    let operations: HashMap<EventIndex, Operation<'_>> =
        history.operations()?.into_iter().map(|operation| (operation.invoked, operation)).collect();
    let named = linearization.order.iter().map(|invoked| operations.get(invoked).copied().ok_or(WitnessError::NotAnOperation(*invoked)));
    let mut states = Vec::with_capacity(linearization.order.len());
    replay(model, &named.collect::<Result<Vec<_>, _>>()?, |state| states.push(model.describe(state)))?;
    Ok(states)
}

/// Checks real-time order. Scans from the end for an operation that is ordered before one that completed before its invocation.
fn respects_time(order: &[Operation<'_>]) -> Result<(), WitnessError> {
    let mut first_over: Option<(EventIndex, EventIndex)> = None;
    for operation in order.iter().rev() {
        if let Some((over, earlier)) = first_over
            && over < operation.invoked
        {
            return Err(WitnessError::RealTimeOrder { earlier, later: operation.invoked });
        }
        if let (Kind::Ok, Some(completed)) = (operation.kind, operation.completed)
            && first_over.is_none_or(|(over, _)| completed < over)
        {
            first_over = Some((completed, operation.invoked));
        }
    }
    Ok(())
}

fn replay<M: Model>(model: &M, order: &[Operation<'_>], mut after: impl FnMut(&M::State)) -> Result<(), WitnessError> {
    let mut state = model.initial();
    for operation in order {
        match model.step(&state, operation) {
            Step::Same => {}
            Step::To(next) => state = next,
            Step::Impossible => return Err(WitnessError::Impossible { operation: operation.invoked, state: model.describe(&state) }),
        }
        after(&state);
    }
    Ok(())
}
