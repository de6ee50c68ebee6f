//! The models as checkers.

use elenchus_core::{Checker, Finding, History, Verdict};
use serde_json::json;

use super::judge::{ModelJudgement, judge};
use super::model::{CONSISTENCY_MODELS, ConsistencyModel};
use super::options::Options;
use super::testimony::{Testimony, TestimonyError};

/// Decides whether one model allows a history of registers.
pub struct Consistency {
    model: ConsistencyModel,
    options: Options,
}

impl Consistency {
    /// A checker for a model.
    pub fn new(model: ConsistencyModel, options: Options) -> Consistency {
        Consistency { model, options }
    }
}

/// Judges a history of registers against one model.
///
/// # Errors
/// When no run could have recorded the history, or it has operations that are none of registers.
pub fn check(model: ConsistencyModel, history: &History, options: &Options) -> Result<ModelJudgement, TestimonyError> {
    let testimony = Testimony::new(history, &options.initial)?;
    Ok(judge(history, &testimony, model, options))
}

impl Checker for Consistency {
    fn name(&self) -> &'static str {
        self.model.name()
    }

    fn check(&self, history: &History) -> Finding {
        let testimony = match Testimony::new(history, &self.options.initial) {
            Ok(testimony) => testimony,
            Err(error) => return unreadable(self.name(), &error),
        };
        let ModelJudgement { verdict, anomalies, doubt, mut details } = judge(history, &testimony, self.model, &self.options);
        let (operations, promise) = (testimony.operations.len(), self.model.entry().promise);
        let summary = match (verdict, doubt) {
            (Verdict::Unknown, Some(doubt)) => format!("undecided: {doubt}"),
            (Verdict::Valid, _) => format!("the {operations} operations {promise}"),
            _ => format!("it is not so that the {operations} operations {promise}"),
        };
        if let Some(details) = details.as_object_mut() {
            details.insert("operations".to_owned(), operations.into());
            details.insert("keys".to_owned(), testimony.keys.len().into());
        }
        Finding { checker: self.name().to_owned(), verdict, summary, anomalies, details }
    }
}

fn unreadable(checker: &str, error: &TestimonyError) -> Finding {
    Finding {
        checker: checker.to_owned(),
        verdict: Verdict::Unknown,
        summary: format!("the history cannot be judged: {error}"),
        anomalies: Vec::new(),
        details: serde_json::Value::Null,
    }
}

/// Finds the strongest models that allow a history of registers, and what rules out the next stronger ones.
///
/// Its finding is `valid` when at least one model allows the history, or, where a model was asked for, that one does. The anomalies are
/// those that rule out the models just above the strongest; `details` says of each model whether it was proved, refuted or left open.
pub struct Strongest {
    at_least: Option<ConsistencyModel>,
    options: Options,
}

impl Strongest {
    /// A checker that asks for a model, or is content with any.
    pub fn new(at_least: Option<ConsistencyModel>, options: Options) -> Strongest {
        Strongest { at_least, options }
    }
}

/// What is known of one model.
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
        let testimony = match Testimony::new(history, &self.options.initial) {
            Ok(testimony) => testimony,
            Err(error) => return unreadable(self.name(), &error),
        };
        let mut known: Vec<Known> = Vec::new();
        for entry in CONSISTENCY_MODELS.iter().filter(|entry| entry.model != ConsistencyModel::BoundedStaleness) {
            let holds = |stronger: &&Known| stronger.judgement.verdict == Verdict::Valid && stronger.model.implies(entry.model);
            let judged = match known.iter().find(holds) {
                Some(stronger) => Known { model: entry.model, judgement: stronger.judgement.clone(), follows_from: Some(stronger.model) },
                None => {
                    let judgement = judge(history, &testimony, entry.model, &self.options);
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
        // Refuted, and nothing weaker that was refuted lies between it and what holds.
        let is_next = |known: &&Known| !with(Verdict::Invalid).any(|other| other.model != known.model && known.model.implies(other.model));
        let next: Vec<&Known> = with(Verdict::Invalid).filter(is_next).collect();
        let open: Vec<&Known> = with(Verdict::Unknown).collect();
        let verdict = match self.at_least {
            Some(asked) => known.iter().find(|known| known.model == asked).map_or(Verdict::Unknown, |known| known.judgement.verdict),
            None if !strongest.is_empty() => Verdict::Valid,
            None if !open.is_empty() => Verdict::Unknown,
            None => Verdict::Invalid,
        };
        let names = |known: &[&Known]| known.iter().map(|known| known.model.name()).collect::<Vec<_>>().join(", ");
        let mut summary = match strongest.len() {
            0 => "no model is known to allow the history".to_owned(),
            _ => format!("the history is {}", names(&strongest)),
        };
        if !next.is_empty() {
            summary.push_str(&format!("; it is not {}", names(&next)));
        }
        if !open.is_empty() {
            summary.push_str(&format!("; undecided: {}", names(&open)));
        }
        if let Some(asked) = self.at_least {
            summary.push_str(&format!("; asked for: {}", asked.name()));
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
