//! An append-only list.

use elenchus_core::{Change, Growth, Model, Operation, Step, Value};

/// A log: `append v`, `read → all in order`, where nil means that it was empty.
#[derive(Clone, Copy, Debug, Default)]
pub struct Log;

impl Model for Log {
    type State = Vec<Value>;

    fn initial(&self) -> Self::State {
        Vec::new()
    }

    fn step(&self, log: &Self::State, operation: &Operation<'_>) -> Step<Self::State> {
        match (operation.f.as_str(), operation.output) {
            ("append", _) => Step::To(log.iter().chain([operation.input]).cloned().collect()),
            (_, None) => Step::Same,
            (_, Some(Value::List(all))) if all == log => Step::Same,
            (_, Some(Value::Nil)) if log.is_empty() => Step::Same,
            _ => Step::Impossible,
        }
    }

    fn admits(&self, operation: &Operation<'_>) -> bool {
        match operation.f.as_str() {
            "append" => true,
            "read" => operation.output.is_none_or(|output| matches!(output, Value::List(_) | Value::Nil)),
            _ => false,
        }
    }

    fn observes(&self, operation: &Operation<'_>) -> bool {
        operation.f == "read"
    }

    fn growth(&self) -> Option<&dyn Growth<Self::State>> {
        Some(self)
    }
}

impl Growth<Vec<Value>> for Log {
    fn change(&self, _: &Operation<'_>) -> Change<Vec<Value>> {
        Change::Grows
    }

    fn leads_to(&self, log: &Vec<Value>, observation: &Operation<'_>) -> bool {
        match observation.output {
            None => true,
            Some(Value::List(all)) => all.starts_with(log),
            Some(_) => log.is_empty(),
        }
    }
}
