//! The consistency models as checkers.

use elenchus_core::{Checker, Finding, History, Verdict};
use serde_json::json;

use super::judge::{ModelJudgement, judge};
use super::model::{CONSISTENCY_MODELS, ConsistencyModel};
use super::observations::{Observations, RegisterHistoryError};
use super::options::ConsistencyOptions;
use super::wording::count;

/// Checks a history of registers against one model.
pub struct Consistency {
    model: ConsistencyModel,
    options: ConsistencyOptions,
}

impl Consistency {
    /// Returns a checker for a model.
    pub fn new(model: ConsistencyModel, options: ConsistencyOptions) -> Consistency {
        Consistency { model, options }
    }
}

/// Checks a history of registers against one model.
///
/// # Errors
/// When the history is malformed, or has an operation that registers do not have.
pub fn check(model: ConsistencyModel, history: &History, options: &ConsistencyOptions) -> Result<ModelJudgement, RegisterHistoryError> {
    let observations = Observations::new(history, &options.initial)?;
    Ok(judge(history, &observations, model, options))
}

impl Checker for Consistency {
    fn name(&self) -> &'static str {
        self.model.name()
    }

    fn check(&self, history: &History) -> Finding {
        let observations = match Observations::new(history, &self.options.initial) {
            Ok(observations) => observations,
            Err(error) => return unreadable(self.name(), &error),
        };
        let ModelJudgement { verdict, anomalies, doubt, mut details } = judge(history, &observations, self.model, &self.options);
        let (operations, keys) = (observations.operations.len(), observations.keys.len());
        let checked = format!("{} on {}", count(operations as u64, "operation"), count(keys as u64, "key"));
        let summary = match (verdict, doubt) {
            (Verdict::Unknown, Some(doubt)) => format!("undecided: {doubt}"),
            (Verdict::Valid, _) => format!("{}: {checked}", self.name()),
            _ => match &anomalies[..] {
                [one] => format!("not {}: {checked}; {}-operation counterexample", self.name(), one.operations.len()),
                several => format!("not {}: {checked}; {} counterexamples", self.name(), several.len()),
            },
        };
        if let Some(details) = details.as_object_mut() {
            details.insert("operations".to_owned(), operations.into());
            details.insert("keys".to_owned(), keys.into());
        }
        Finding { checker: self.name().to_owned(), verdict, summary, anomalies, details }
    }
}

fn unreadable(checker: &str, error: &RegisterHistoryError) -> Finding {
    Finding {
        checker: checker.to_owned(),
        verdict: Verdict::Unknown,
        summary: format!("the history cannot be checked: {error}"),
        anomalies: Vec::new(),
        details: serde_json::Value::Null,
    }
}

/// Finds the strongest models that allow a history of registers, and counterexamples to the next stronger ones.
///
/// The finding is `valid` when the required model allows the history or, if none is required, when at least one model does. The anomalies
/// are counterexamples to the weakest violated models; `details` gives the verdict on each model.
pub struct Strongest {
    at_least: Option<ConsistencyModel>,
    options: ConsistencyOptions,
}

impl Strongest {
    /// Returns a checker that requires a model, or any.
    pub fn new(at_least: Option<ConsistencyModel>, options: ConsistencyOptions) -> Strongest {
        Strongest { at_least, options }
    }
}

/// The judgement of one model.
struct Known {
    model: ConsistencyModel,
    judgement: ModelJudgement,
    /// The stronger model from which it follows.
    follows_from: Option<ConsistencyModel>,
}

impl Checker for Strongest {
    fn name(&self) -> &'static str {
        "strongest"
    }

    fn check(&self, history: &History) -> Finding {
        let observations = match Observations::new(history, &self.options.initial) {
            Ok(observations) => observations,
            Err(error) => return unreadable(self.name(), &error),
        };
        let mut known: Vec<Known> = Vec::new();
        for entry in CONSISTENCY_MODELS.iter().filter(|entry| entry.model != ConsistencyModel::BoundedStaleness) {
            let holds = |stronger: &&Known| stronger.judgement.verdict == Verdict::Valid && stronger.model.implies(entry.model);
            let judged = match known.iter().find(holds) {
                Some(stronger) => Known { model: entry.model, judgement: stronger.judgement.clone(), follows_from: Some(stronger.model) },
                None => {
                    let judgement = judge(history, &observations, entry.model, &self.options);
                    Known { model: entry.model, judgement, follows_from: None }
                }
            };
            known.push(judged);
        }
        self.finding(&known)
    }
}

impl Strongest {
    fn finding(&self, known: &[Known]) -> Finding {
        let with = |verdict| known.iter().filter(move |known| known.judgement.verdict == verdict);
        let is_strongest =
            |known: &&Known| !with(Verdict::Valid).any(|other| other.model != known.model && other.model.implies(known.model));
        let strongest: Vec<&Known> = with(Verdict::Valid).filter(is_strongest).collect();
        // Violated, while no weaker model is.
        let is_next = |known: &&Known| !with(Verdict::Invalid).any(|other| other.model != known.model && known.model.implies(other.model));
        let next: Vec<&Known> = with(Verdict::Invalid).filter(is_next).collect();
        let open: Vec<&Known> = with(Verdict::Unknown).collect();
        let verdict = match self.at_least {
            Some(required) => known.iter().find(|known| known.model == required).map_or(Verdict::Unknown, |known| known.judgement.verdict),
            None if !strongest.is_empty() => Verdict::Valid,
            None if !open.is_empty() => Verdict::Unknown,
            None => Verdict::Invalid,
        };
        let names = |known: &[&Known]| known.iter().map(|known| known.model.name()).collect::<Vec<_>>().join(", ");
        let mut summary = match strongest.len() {
            0 => "holds: none".to_owned(),
            _ => format!("holds: {}", names(&strongest)),
        };
        if !next.is_empty() {
            summary.push_str(&format!("; violated: {}", names(&next)));
        }
        if !open.is_empty() {
            summary.push_str(&format!("; undecided: {}", names(&open)));
        }
        if let Some(required) = self.at_least {
            summary.push_str(&format!("; required: {}", required.name()));
        }
        let models: Vec<_> = known
            .iter()
            .map(|known| {
                json!({
                    "model": known.model.name(),
                    "verdict": known.judgement.verdict,
                    "follows_from": known.follows_from.map(ConsistencyModel::name),
                    "doubt": known.judgement.doubt,
                    "anomalies": known.judgement.anomalies.len(),
                })
            })
            .collect();
        let list = |known: &[&Known]| known.iter().map(|known| known.model.name()).collect::<Vec<_>>();
        let anomalies = next.iter().filter_map(|known| known.judgement.anomalies.first()).cloned().collect();
        let details = json!({ "strongest": list(&strongest), "ruled_out": list(&next), "undecided": list(&open), "models": models });
        Finding { checker: self.name().to_owned(), verdict, summary, anomalies, details }
    }
}
