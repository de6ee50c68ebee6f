//! Linearizations, and a check of them that shares nothing with the searches that found them.

use std::collections::HashMap;

use elenchus_core::{EventIndex, History, HistoryError, Kind, Model, Operation, Step, Value};
use thiserror::Error;

/// A linearization of a history: for each of its objects the order in which its operations took effect.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Witness {
    /// One for each object, in order of first appearance.
    pub objects: Vec<Linearization>,
}

/// An order of the operations on one object: all that returned, and those of the crashed ones that took effect.
#[derive(Clone, Debug, PartialEq)]
pub struct Linearization {
    /// The object's key, where there are several.
    pub key: Option<Value>,
    /// The invocations of the operations.
    pub order: Vec<EventIndex>,
}

/// Why an order is no linearization.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum WitnessError {
    /// The history is none.
    #[error(transparent)]
    Malformed(#[from] HistoryError),
    /// It names an event where no operation begins that may have happened, or one of another object, or one twice.
    #[error("{0} does not begin an operation that belongs here, or stands here twice")]
    Stranger(EventIndex),
    /// An operation that returned is left out.
    #[error("{0} returned and is left out")]
    Missing(EventIndex),
    /// One operation was over before the other began.
    #[error("{later} stands before {earlier}, which was over before it began")]
    OutOfTime {
        /// The one that was over.
        earlier: EventIndex,
        /// The one that stands before it.
        later: EventIndex,
    },
    /// The model does not allow it there.
    #[error("{operation} cannot happen in state {state}")]
    Impossible {
        /// The operation.
        operation: EventIndex,
        /// The state that it would have to follow.
        state: String,
    },
}

/// Verifies a linearization against the definition: of each object every operation that returned stands in it once, none that failed and
/// none twice; whatever was over before another began stands before it; and the model accepts each step. O(n).
///
/// # Errors
/// The first rule that is broken.
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
            order.push(operation.ok_or(WitnessError::Stranger(*invoked))?);
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
/// Where the order names what is no operation of the history, or the model does not accept it.
pub fn states<M: Model>(model: &M, history: &History, linearization: &Linearization) -> Result<Vec<String>, WitnessError> {
    let operations: HashMap<EventIndex, Operation<'_>> =
        history.operations()?.into_iter().map(|operation| (operation.invoked, operation)).collect();
    let named = linearization.order.iter().map(|invoked| operations.get(invoked).copied().ok_or(WitnessError::Stranger(*invoked)));
    let mut states = Vec::with_capacity(linearization.order.len());
    replay(model, &named.collect::<Result<Vec<_>, _>>()?, |state| states.push(model.describe(state)))?;
    Ok(states)
}

/// From the end: nothing may stand before what was over before it began.
fn respects_time(order: &[Operation<'_>]) -> Result<(), WitnessError> {
    let mut first_over: Option<(EventIndex, EventIndex)> = None;
    for operation in order.iter().rev() {
        if let Some((over, earlier)) = first_over
            && over < operation.invoked
        {
            return Err(WitnessError::OutOfTime { earlier, later: operation.invoked });
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
