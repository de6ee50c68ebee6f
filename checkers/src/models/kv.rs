//! A key-value store with append.

use elenchus_core::{Change, Growth, Model, Operation, Step};

/// One key of a store: `get → text`, `put text`, `append text`. A key that was never written holds the empty text.
#[derive(Clone, Copy, Debug, Default)]
pub struct AppendStore;

impl Model for AppendStore {
    type State = Box<str>;

    fn initial(&self) -> Box<str> {
        "".into()
    }

    fn step(&self, text: &Box<str>, operation: &Operation<'_>) -> Step<Box<str>> {
        let given = operation.input.as_text().unwrap_or_default();
        match (operation.f.as_str(), operation.output) {
            ("put", _) if given == &**text => Step::Same,
            ("put", _) => Step::To(given.into()),
            ("append", _) if given.is_empty() => Step::Same,
            ("append", _) => Step::To(format!("{text}{given}").into()),
            (_, None) => Step::Same,
            (_, Some(output)) if output.as_text().unwrap_or_default() == &**text => Step::Same,
            _ => Step::Impossible,
        }
    }

    fn describe(&self, text: &Box<str>) -> String {
        format!("{text:?}")
    }

    fn admits(&self, operation: &Operation<'_>) -> bool {
        match operation.f.as_str() {
            "put" | "append" => operation.input.as_text().is_some(),
            "get" => operation.output.is_none_or(|output| output.is_nil() || output.as_text().is_some()),
            _ => false,
        }
    }

    fn observes(&self, operation: &Operation<'_>) -> bool {
        operation.f == "get"
    }

    fn growth(&self) -> Option<&dyn Growth<Box<str>>> {
        Some(self)
    }
}

impl Growth<Box<str>> for AppendStore {
    fn change(&self, operation: &Operation<'_>) -> Change<Box<str>> {
        match operation.f.as_str() {
            "put" => Change::Replaces(operation.input.as_text().unwrap_or_default().into()),
            _ => Change::Grows,
        }
    }

    fn leads_to(&self, text: &Box<str>, observation: &Operation<'_>) -> bool {
        observation.output.is_none_or(|output| output.as_text().unwrap_or_default().starts_with(&**text))
    }
}
