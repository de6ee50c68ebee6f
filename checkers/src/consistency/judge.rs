//! Judges a history against one model.

use elenchus_core::{Anomaly, History, Kind, Verdict};
use serde_json::json;

use super::causal::{causal, convergence as causal_convergence};
use super::contradiction::Contradiction;
use super::eventual::convergence;
use super::k_atomic::{delta_atomic, k_atomic};
use super::minimal::minimal;
use super::model::ConsistencyModel;
use super::observations::Observations;
use super::options::{ConsistencyOptions, Limits};
use super::outcome::Outcome;
use super::registers::{AccessId, AccessKind, Ambiguous, Attribution, Registers};
use super::regular::{irregular, unsafe_reads};
use super::sequential::sequential;
use super::sessions::{Guarantee, session_guarantee};
use super::staleness::Staleness;
use super::views::{causal_memory, pram};
use super::wording::{count, describe};

/// The maximum number of anomalies of one kind in a finding.
const MAX_ANOMALIES: usize = 16;

/// The judgement of one model.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelJudgement {
    /// Whether the model allows the history.
    pub verdict: Verdict,
    /// The counterexamples, if it does not.
    pub anomalies: Vec<Anomaly>,
    /// Why the verdict is unknown.
    pub doubt: Option<String>,
    /// Statistics specific to the model.
    pub details: serde_json::Value,
}

impl ModelJudgement {
    fn new(outcome: Outcome, details: serde_json::Value) -> ModelJudgement {
        let (verdict, anomalies, doubt) = match outcome {
            Outcome::Holds => (Verdict::Valid, Vec::new(), None),
            Outcome::Anomalies(anomalies) => (Verdict::Invalid, anomalies, None),
            Outcome::Undecided(why) => (Verdict::Unknown, Vec::new(), Some(why)),
            // Unreachable: contradictions have been turned into anomalies.
            Outcome::Broken(contradiction) => (Verdict::Unknown, Vec::new(), Some(contradiction.argument.join(" "))),
        };
        ModelJudgement { verdict, anomalies, doubt, details }
    }
}

/// Judges a history, from which `observations` was extracted, against a model.
pub(crate) fn judge(
    history: &History,
    observations: &Observations<'_>,
    model: ConsistencyModel,
    options: &ConsistencyOptions,
) -> ModelJudgement {
    match model {
        ConsistencyModel::Linearizable => ModelJudgement::new(k_atomic(history, 1, options), json!({})),
        ConsistencyModel::Regular => by_read(observations, irregular(observations)),
        ConsistencyModel::Safe => by_read(observations, unsafe_reads(observations)),
        ConsistencyModel::KAtomic => stale_by_versions(history, observations, options.k, options),
        ConsistencyModel::BoundedStaleness => stale_within_bounds(history, observations, options),
        ConsistencyModel::Eventual => eventual(history, observations, options),
        _ => ModelJudgement::new(by_order(observations, model, options), json!({})),
    }
}

/// Judges the models that require orders of reads and writes.
fn by_order(observations: &Observations<'_>, model: ConsistencyModel, options: &ConsistencyOptions) -> Outcome {
    let (registers, attribution) = Registers::new(observations, Ambiguous::Exclude);
    if !attribution.thin_air.is_empty() {
        return Outcome::Anomalies(thin_air(observations, &attribution));
    }
    let limits = Limits::new(options);
    match order(&registers, model, &limits) {
        Outcome::Broken(contradiction) => {
            let smallest = minimal(&registers, contradiction, |registers| order(registers, model, &Limits::small()));
            Outcome::Anomalies(vec![with_crash_readers(&registers, anomaly(observations, model, smallest))])
        }
        Outcome::Anomalies(anomalies) => {
            Outcome::Anomalies(anomalies.into_iter().map(|anomaly| with_crash_readers(&registers, anomaly)).collect())
        }
        Outcome::Holds if attribution.ambiguous > 0 => {
            let (guessed, attribution) = Registers::new(observations, Ambiguous::Guess);
            match order(&guessed, model, &limits) {
                Outcome::Holds if attribution.thin_air.is_empty() => Outcome::Holds,
                _ => Outcome::Undecided(format!(
                    "{} read a value that several operations wrote, so its source is ambiguous; use a unique value for every write",
                    count(attribution.ambiguous as u64, "operation")
                )),
            }
        }
        other => other,
    }
    .unless_uncertain(observations, &attribution)
}

fn order(registers: &Registers<'_, '_>, model: ConsistencyModel, limits: &Limits) -> Outcome {
    match model {
        ConsistencyModel::Sequential => sequential(registers, limits),
        ConsistencyModel::CausalMemory => causal_memory(registers),
        ConsistencyModel::CausalConvergence => causal_convergence(registers),
        ConsistencyModel::Causal => causal(registers),
        ConsistencyModel::Pram => pram(registers),
        ConsistencyModel::ReadYourWrites => session_guarantee(registers, Guarantee::ReadYourWrites),
        ConsistencyModel::MonotonicReads => session_guarantee(registers, Guarantee::MonotonicReads),
        ConsistencyModel::MonotonicWrites => session_guarantee(registers, Guarantee::MonotonicWrites),
        ConsistencyModel::WritesFollowReads => session_guarantee(registers, Guarantee::WritesFollowReads),
        _ => Outcome::Undecided("this model has no order of reads and writes".to_owned()),
    }
}

impl Outcome {
    /// Turns `Holds` into `Undecided` if operations had to be left out.
    fn unless_uncertain(self, observations: &Observations<'_>, attribution: &Attribution) -> Outcome {
        match self {
            Outcome::Holds if attribution.reused > 0 => Outcome::Undecided(
                "a process was reused after a crashed operation that took effect, so the order of the two is unknown; use a new process after \
                 `info`"
                    .to_owned(),
            ),
            other => other.unless_cas_unknown(observations),
        }
    }

    fn unless_cas_unknown(self, observations: &Observations<'_>) -> Outcome {
        match self {
            Outcome::Holds if observations.unknown_cas > 0 => Outcome::Undecided(
                "a compare-and-set completed with `false`, so the value that it read is unknown; record such operations as `fail`"
                    .to_owned(),
            ),
            other => other,
        }
    }
}

fn anomaly(observations: &Observations<'_>, model: ConsistencyModel, contradiction: Contradiction) -> Anomaly {
    let mut keys: Vec<_> = contradiction.operations.iter().map(|&position| observations.operations[position as usize].key).collect();
    keys.sort_unstable();
    keys.dedup();
    Anomaly {
        name: model.entry().anomaly.to_owned(),
        key: if let [one] = keys[..] { one.cloned() } else { None },
        description: model.entry().description.to_owned(),
        operations: contradiction.operations.iter().map(|&position| observations.operations[position as usize].invoked).collect(),
        argument: contradiction.argument,
        ..Anomaly::default()
    }
}

/// Adds to an anomaly the reads which prove that its crashed writes took effect.
fn with_crash_readers(registers: &Registers<'_, '_>, mut anomaly: Anomaly) -> Anomaly {
    let invoked = |id: AccessId| registers.operation(id).invoked;
    let mut looked_at = 0;
    while let Some(&event) = anomaly.operations.get(looked_at) {
        looked_at += 1;
        let write = registers.numbered().find(|&(id, access)| access.kind == AccessKind::Write && invoked(id) == event).map(|(id, _)| id);
        let Some(write) = write.filter(|&write| registers.operation(write).kind != Kind::Ok) else { continue };
        let readers = registers.readers.of_write(write);
        if let (Some(&reader), false) = (readers.first(), readers.iter().any(|&reader| anomaly.operations.contains(&invoked(reader)))) {
            let sentence =
                format!("{} took effect: {} read its value.", describe(registers.operation(write)), describe(registers.operation(reader)));
            anomaly.argument.insert(0, sentence);
            anomaly.operations.push(invoked(reader));
        }
    }
    anomaly.operations.sort_unstable();
    anomaly
}

fn thin_air(observations: &Observations<'_>, attribution: &Attribution) -> Vec<Anomaly> {
    let shown = attribution.thin_air.iter().take(MAX_ANOMALIES);
    shown
        .map(|chain| {
            let operation = |position: u32| &observations.operations[position as usize];
            let mut argument: Vec<String> = chain[1..]
                .iter()
                .zip(chain)
                .map(|(&by, &of)| format!("{} took effect: {} read its value.", describe(operation(of)), describe(operation(by))))
                .collect();
            argument.push(format!("No operation that may have taken effect wrote the value that {} read.", describe(operation(chain[0]))));
            let mut operations: Vec<_> = chain.iter().map(|&position| operation(position).invoked).collect();
            operations.sort_unstable();
            Anomaly {
                name: "thin-air-read".to_owned(),
                key: operation(chain[0]).key.cloned(),
                description: "An operation read a value that no operation wrote.".to_owned(),
                operations,
                argument,
                ..Anomaly::default()
            }
        })
        .collect()
}

/// Judges the models with a condition on each read.
fn by_read(observations: &Observations<'_>, anomalies: Vec<Anomaly>) -> ModelJudgement {
    let outcome = if anomalies.is_empty() { Outcome::Holds } else { Outcome::Anomalies(anomalies) };
    ModelJudgement::new(outcome.unless_cas_unknown(observations), json!({}))
}

fn stale_by_versions(history: &History, observations: &Observations<'_>, versions: u32, options: &ConsistencyOptions) -> ModelJudgement {
    let (registers, attribution) = Registers::new(observations, Ambiguous::Exclude);
    let staleness = Staleness::new(history, &registers);
    let outcome = too_stale(observations, &attribution, &staleness, versions)
        .unwrap_or_else(|| k_atomic(history, usize::try_from(versions).unwrap_or(usize::MAX), options));
    ModelJudgement::new(outcome, staleness.details())
}

/// Finds the violations that need no search: values out of thin air, and reads that certainly returned none of the last versions.
fn too_stale(
    observations: &Observations<'_>,
    attribution: &Attribution,
    staleness: &Staleness<'_, '_, '_>,
    versions: u32,
) -> Option<Outcome> {
    if !attribution.thin_air.is_empty() {
        return Some(Outcome::Anomalies(thin_air(observations, attribution)));
    }
    let (worst, _) = staleness.worst();
    let worst = worst.filter(|worst| worst.versions >= versions)?;
    let mut shown = vec![worst];
    shown.extend(staleness.reads.iter().filter(|stale| stale.versions >= versions && stale.read != worst.read).take(MAX_ANOMALIES - 1));
    let most = usize::try_from(versions).unwrap_or(usize::MAX).max(1);
    Some(Outcome::Anomalies(
        shown.into_iter().map(|stale| with_crash_readers(staleness.registers, staleness.explain(stale, most))).collect(),
    ))
}

fn stale_within_bounds(history: &History, observations: &Observations<'_>, options: &ConsistencyOptions) -> ModelJudgement {
    let (registers, attribution) = Registers::new(observations, Ambiguous::Exclude);
    let staleness = Staleness::new(history, &registers);
    let by_versions = options.versions.map(|versions| versions.saturating_add(1));
    let mut outcome = match too_stale(observations, &attribution, &staleness, by_versions.unwrap_or(u32::MAX)) {
        Some(broken) => broken,
        None => by_versions.map_or(Outcome::Holds, |versions| k_atomic(history, usize::try_from(versions).unwrap_or(usize::MAX), options)),
    };
    if let (Some(age), false) = (options.age, outcome.is_broken()) {
        let worst = staleness.worst().1.filter(|stale| stale.age > age);
        let by_age = match worst {
            Some(stale) => Outcome::Anomalies(vec![with_crash_readers(&registers, staleness.explain(stale, 1))]),
            None => delta_atomic(history, age, options),
        };
        if !matches!(by_age, Outcome::Holds) {
            outcome = by_age;
        }
    }
    ModelJudgement::new(outcome, staleness.details())
}

fn eventual(history: &History, observations: &Observations<'_>, options: &ConsistencyOptions) -> ModelJudgement {
    let (_, attribution) = Registers::new(observations, Ambiguous::Exclude);
    let convergence = convergence(history, observations, options.within);
    let details = convergence.details();
    let outcome = if !attribution.thin_air.is_empty() {
        Outcome::Anomalies(thin_air(observations, &attribution))
    } else if !convergence.anomalies.is_empty() {
        Outcome::Anomalies(convergence.anomalies)
    } else if let Some(first) = convergence.differing.first() {
        let more = convergence.differing.len() - 1;
        let more = if more == 0 { String::new() } else { format!(" ({} more likewise)", count(more as u64, "key")) };
        Outcome::Undecided(format!("{first}{more}; they may still converge"))
    } else if convergence.converged == 0 {
        Outcome::Undecided("no key was read after its last write".to_owned())
    } else {
        Outcome::Holds
    };
    ModelJudgement::new(outcome, details)
}
