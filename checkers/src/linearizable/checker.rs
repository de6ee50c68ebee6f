//! [`check`] as a [`Checker`].

use elenchus_core::{Anomaly, Checker, Event, EventIndex, Finding, History, Model, Operation, Verdict, Watch};
use serde_json::{Value as Json, json};

use super::{
    CheckError, Failure, Judgement, LinearizableOptions, Linearization, Online, Witness, WitnessError, check, states, verify_witness,
};
use crate::picture::Lanes;

/// The number of failures that are drawn, and the most operations that a drawn failure may have.
const DRAWN: usize = 16;
const DRAWN_OPERATIONS: usize = 60;

type Judge = dyn Fn(&History, &LinearizableOptions) -> Result<(Judgement, Option<Json>), CheckError> + Send + Sync;
type Begin = dyn Fn(&LinearizableOptions) -> Box<dyn Watch> + Send + Sync;

/// A [`Checker`] for linearizability with respect to one model.
pub struct Linearizable {
    model: &'static str,
    judge: Box<Judge>,
    begin: Box<Begin>,
    options: LinearizableOptions,
}

impl Linearizable {
    /// Creates a checker for a model. Findings call the model `name`.
    pub fn new<M: Model + Clone + 'static>(name: &'static str, model: M, options: LinearizableOptions) -> Linearizable {
        let watched = model.clone();
        Linearizable {
            model: name,
            judge: Box::new(move |history, options| {
                let judgement = check(&model, history, options)?;
                let witness =
                    judgement.witness.as_ref().map(|witness| witness_json(&model, history, witness, judgement.verdict)).transpose();
                Ok((judgement, witness.map_err(CheckError::Unverified)?))
            }),
            begin: Box::new(move |options| Box::new(Online::new(watched.clone(), options))),
            options,
        }
    }
}

impl<M: Model> Watch for Online<M> {
    fn violates(&mut self, event: &Event) -> bool {
        matches!(self.push(event), Ok(Some(_)))
    }
}

impl Checker for Linearizable {
    fn name(&self) -> &'static str {
        "linearizable"
    }

    fn check(&self, history: &History) -> Finding {
        match (self.judge)(history, &self.options) {
            Ok((judgement, witness)) => {
                let mut finding = self.finding(judgement, history);
                if let Some(witness) = witness {
                    finding.details["witness"] = witness;
                }
                finding
            }
            Err(error) => Finding {
                checker: self.name().to_owned(),
                verdict: Verdict::Unknown,
                summary: format!("the history cannot be checked: {error}"),
                anomalies: Vec::new(),
                details: json!({ "model": self.model }),
            },
        }
    }

    fn watch(&self) -> Option<Box<dyn Watch>> {
        Some((self.begin)(&self.options))
    }
}

impl Linearizable {
    fn finding(&self, judgement: Judgement, history: &History) -> Finding {
        let operations = if judgement.failures.is_empty() { Vec::new() } else { history.operations().unwrap_or_default() };
        Finding {
            checker: self.name().to_owned(),
            verdict: judgement.verdict,
            summary: self.summary(&judgement),
            details: self.details(&judgement),
            anomalies: {
                let mut failures = judgement.failures;
                // The smallest counterexample is the easiest to understand.
                failures.sort_by_key(|failure| failure.operations.len());
                let draw = |(at, failure)| {
                    let (picture, sketch) = if at < DRAWN { draw(&failure, &operations) } else { (None, None) };
                    Anomaly { picture, sketch, ..self.anomaly(failure) }
                };
                failures.into_iter().enumerate().map(draw).collect()
            },
        }
    }

    fn summary(&self, judgement: &Judgement) -> String {
        let Judgement { operations, keys, failures, undecided, .. } = judgement;
        let model = self.model;
        match judgement.verdict {
            Verdict::Valid if *keys == 1 => format!("linearizable: {}", counted(*operations, "operation")),
            Verdict::Valid => format!("linearizable: {} on {}", counted(*operations, "operation"), counted(*keys, "key")),
            Verdict::Invalid => {
                let on = if *keys == 1 { String::new() } else { format!(" on {} of {keys} keys", failures.len()) };
                let smallest = failures.iter().map(|failure| failure.operations.len()).min().unwrap_or_default();
                format!("not linearizable{on} (model `{model}`); {smallest}-operation counterexample")
            }
            Verdict::Unknown => {
                let (first, more) = (&undecided[0], undecided.len() - 1);
                let object = first.key.as_ref().map_or(String::new(), |key| format!(" on key {key}"));
                let rest = if more == 0 { String::new() } else { format!("; {} undecided", counted(more, "more key")) };
                format!("undecided: {} after {} of {}{object}{rest}", first.why, first.completed, counted(first.operations, "operation"))
            }
        }
    }

    fn anomaly(&self, failure: Failure) -> Anomaly {
        Anomaly {
            name: "nonlinearizable".to_owned(),
            description: format!(
                "{} no linearization (model `{}`); the history stops being linearizable when operation {} completes, at event {}.",
                match failure.operations.len() {
                    1 => "This operation has".to_owned(),
                    count => format!("These {count} operations have"),
                },
                self.model,
                failure.operation,
                failure.completion
            ),
            key: failure.key,
            operations: failure.operations,
            argument: failure.argument,
            ..Anomaly::default()
        }
    }

    fn details(&self, judgement: &Judgement) -> serde_json::Value {
        let failures: Vec<_> = judgement
            .failures
            .iter()
            .map(|failure| {
                json!({
                    "key": failure.key,
                    "operation": failure.operation,
                    "completion": failure.completion,
                    "prefix": failure.prefix,
                    "counterexample": failure.operations,
                    "others": failure.others,
                    "minimal": failure.is_minimal,
                })
            })
            .collect();
        let undecided: Vec<_> = judgement
            .undecided
            .iter()
            .map(|key| json!({ "key": key.key, "why": key.why, "completed": key.completed, "operations": key.operations }))
            .collect();
        json!({
            "model": self.model,
            "algorithm": judgement.algorithms.join(", "),
            "operations": judgement.operations,
            "keys": judgement.keys,
            "visits": judgement.visits,
            "peak_bytes": judgement.peak_bytes,
            "peak_configurations": judgement.peak_configurations,
            "failures": failures,
            "undecided": undecided,
        })
    }
}

/// `1 key`, `2 keys`.
fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// A witness as JSON: for each object the linearization, with the state after each operation. Verified if the history is linearizable.
fn witness_json<M: Model>(model: &M, history: &History, witness: &Witness, verdict: Verdict) -> Result<Json, WitnessError> {
    if verdict == Verdict::Valid {
        verify_witness(model, history, witness)?;
    }
    let object = |object: &Linearization| {
        let order: Vec<Json> = object
            .order
            .iter()
            .zip(states(model, history, object)?)
            .map(|(operation, state)| json!({ "operation": operation, "state": state }))
            .collect();
        Ok(json!({ "key": object.key, "order": order }))
    };
    witness.objects.iter().map(object).collect::<Result<Vec<_>, _>>().map(Json::Array)
}

/// Draws a failure as SVG and as text. `operations` are those of the whole history.
fn draw(failure: &Failure, operations: &[Operation<'_>]) -> (Option<String>, Option<String>) {
    let find = |at: &EventIndex| operations.binary_search_by_key(at, |operation| operation.invoked).ok().map(|at| operations[at]);
    let of = |invocations: &[EventIndex]| -> Vec<Operation<'_>> { invocations.iter().filter_map(find).collect() };
    if failure.operations.len() > DRAWN_OPERATIONS {
        return (None, None);
    }
    let (operations, others) = (of(&failure.operations), of(&failure.others));
    let lanes = Lanes { operations: &operations, failing: Some(failure.operation), order: failure.furthest.first(), others: &others };
    (Some(lanes.svg()), lanes.text())
}
