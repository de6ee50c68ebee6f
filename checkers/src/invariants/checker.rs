//! An [`Invariant`] as a [`Checker`].

use elenchus_core::{Checker, EventIndex, Finding, History, Operation, Value, Verdict};
use rayon::prelude::*;
use rustc_hash::FxHashMap;
use serde_json::json;

use super::{Description, Report};
use crate::options::{BuildError, OptionValues};

/// The operations on one object.
pub struct Part<'h> {
    /// The whole history.
    pub history: &'h History,
    /// The object's key, where the history has several.
    pub key: Option<&'h Value>,
    /// Its operations in order of invocation, including failed ones.
    pub operations: Vec<Operation<'h>>,
}

impl Part<'_> {
    /// Returns the time of an event in nanoseconds.
    pub fn time(&self, event: EventIndex) -> u64 {
        self.history.events.get(event.0 as usize).map_or(0, |event| event.time.0)
    }
}

/// An invariant over the operations on one object.
pub trait Invariant: Send + Sync + Sized {
    /// Its name, operations and anomalies.
    const DESCRIPTION: Description;

    /// Builds it from the options that a plan sets.
    ///
    /// # Errors
    /// When an option has a value that it cannot have.
    fn from_options(options: &OptionValues<'_>) -> Result<Self, BuildError>;

    /// Checks the operations on one object; all of them fit the vocabulary.
    fn judge(&self, part: &Part<'_>, report: &mut Report);
}

/// Checks one invariant for every object of a history.
pub struct Checked<I>(pub I);

impl<I: Invariant> Checker for Checked<I> {
    fn name(&self) -> &'static str {
        I::DESCRIPTION.name
    }

    fn check(&self, history: &History) -> Finding {
        check_invariant(&self.0, history)
    }
}

/// Checks one invariant for every object of a history.
pub(crate) fn check_invariant<I: Invariant>(invariant: &I, history: &History) -> Finding {
    let description = I::DESCRIPTION;
    let operations = match history.operations() {
        Ok(operations) => operations,
        Err(error) => return unknown(&description, format!("the history cannot be checked: {error}")),
    };
    if let Some(foreign) = operations.iter().find(|operation| !description.admits(operation)) {
        return unknown(
            &description,
            format!(
                "event {}: unsupported operation `{}`; supported: {}",
                foreign.completed.filter(|_| foreign.output.is_some()).unwrap_or(foreign.invoked),
                super::report::short(foreign),
                description.words()
            ),
        );
    }
    let count = operations.len();
    let parts = parts(history, operations, description.splits_by_key);
    let keys = parts.len();
    let reports: Vec<Report> = parts
        .into_par_iter()
        .map(|part| {
            let mut report = Report::new(part.key.cloned());
            invariant.judge(&part, &mut report);
            report
        })
        .collect();
    let mut whole = Report::new(None);
    reports.into_iter().for_each(|report| whole.absorb(report));
    if count == 0 {
        whole.doubt("the history has no operations");
    }
    whole.finding(&description, count, keys)
}

fn unknown(description: &Description, summary: String) -> Finding {
    Finding { checker: description.name.to_owned(), verdict: Verdict::Unknown, summary, anomalies: Vec::new(), details: json!({}) }
}

/// Partitions operations by key, in order of first appearance, if keys are independent.
fn parts<'h>(history: &'h History, operations: Vec<Operation<'h>>, by_key: bool) -> Vec<Part<'h>> {
    if !by_key || operations.iter().all(|operation| operation.key.is_none()) {
        return vec![Part { history, key: None, operations }];
    }
    let mut parts: Vec<Part<'h>> = Vec::new();
    let mut known: FxHashMap<Option<&'h Value>, usize> = FxHashMap::default();
    for operation in operations {
        let at = *known.entry(operation.key).or_insert_with(|| {
            parts.push(Part { history, key: operation.key, operations: Vec::new() });
            parts.len() - 1
        });
        parts[at].operations.push(operation);
    }
    parts
}
