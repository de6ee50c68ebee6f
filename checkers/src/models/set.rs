//! A set.

use std::collections::BTreeSet;

use elenchus_core::{Change, Growth, Membership, Model, Operation, SetModel, Step, Value};

/// A set: `add v`, `remove v`, `contains v → true or false`, `read → all`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Set;

impl Model for Set {
    type State = BTreeSet<Value>;

    fn initial(&self) -> Self::State {
        BTreeSet::new()
    }

    fn step(&self, set: &Self::State, operation: &Operation<'_>) -> Step<Self::State> {
        let element = operation.input;
        let observe = |fits: bool| if fits { Step::Same } else { Step::Impossible };
        match (operation.f.as_str(), operation.output) {
            ("add", _) if set.contains(element) => Step::Same,
            ("add", _) => Step::To(set.iter().chain([element]).cloned().collect()),
            ("remove", _) if !set.contains(element) => Step::Same,
            ("remove", _) => Step::To(set.iter().filter(|other| *other != element).cloned().collect()),
            (_, None) => Step::Same,
            ("contains", Some(Value::Bool(is_in))) => observe(set.contains(element) == *is_in),
            ("read", Some(Value::List(all))) => observe(all.iter().collect::<BTreeSet<_>>().into_iter().eq(set)),
            ("read", Some(Value::Nil)) => observe(set.is_empty()),
            _ => Step::Impossible,
        }
    }

    fn admits(&self, operation: &Operation<'_>) -> bool {
        match (operation.f.as_str(), operation.output) {
            ("add" | "remove", _) | ("contains" | "read", None) => true,
            ("contains", Some(output)) => matches!(output, Value::Bool(_)),
            ("read", Some(output)) => matches!(output, Value::List(_) | Value::Nil),
            _ => false,
        }
    }

    fn observes(&self, operation: &Operation<'_>) -> bool {
        matches!(operation.f.as_str(), "contains" | "read")
    }

    fn affected_values(&self, operation: &Operation<'_>) -> Option<Vec<Value>> {
        (operation.f != "read").then(|| vec![operation.input.clone()])
    }

    fn growth(&self) -> Option<&dyn Growth<Self::State>> {
        Some(self)
    }

    fn as_set(&self) -> Option<&dyn SetModel> {
        Some(self)
    }
}

impl SetModel for Set {
    fn membership<'v>(&self, operation: &Operation<'v>) -> Option<Membership<'v>> {
        match (operation.f.as_str(), operation.output) {
            ("add", _) => Some(Membership::Add(operation.input)),
            ("remove", _) => Some(Membership::Remove(operation.input)),
            ("contains", Some(Value::Bool(is_in))) => Some(Membership::Contains(operation.input, *is_in)),
            _ => None,
        }
    }
}

impl Growth<BTreeSet<Value>> for Set {
    fn change(&self, operation: &Operation<'_>) -> Change<BTreeSet<Value>> {
        if operation.f == "remove" { Change::Alters } else { Change::Grows }
    }

    fn leads_to(&self, set: &BTreeSet<Value>, observation: &Operation<'_>) -> bool {
        match (observation.f.as_str(), observation.output) {
            ("read", Some(Value::List(all))) => {
                all.len() >= set.len() && all.iter().filter(|element| set.contains(*element)).count() >= set.len()
            }
            ("read", Some(_)) => set.is_empty(),
            ("contains", Some(Value::Bool(false))) => !set.contains(observation.input),
            _ => true,
        }
    }
}
