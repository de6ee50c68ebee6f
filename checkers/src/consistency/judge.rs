//! One history against one model.

use elenchus_core::{Anomaly, History, Kind, Verdict};
use serde_json::json;

use super::causal::{causal, convergence as causal_convergence};
use super::contradiction::Contradiction;
use super::eventual::convergence;
use super::k_atomic::{delta_atomic, k_atomic};
use super::minimal::minimal;
use super::model::ConsistencyModel;
use super::options::{Limits, Options};
use super::outcome::Outcome;
use super::registers::{AccessId, Act, Ambiguous, Attribution, Registers};
use super::regular::{irregular, unsafe_reads};
use super::sequential::sequential;
use super::sessions::{Guarantee, session_guarantee};
use super::staleness::Staleness;
use super::testimony::Testimony;
use super::views::{causal_memory, pram};
use super::words::{count, describe};

/// How many anomalies of one kind are told.
const MOST: usize = 16;

/// What was decided about one model.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelJudgement {
    /// Whether the model allows the history.
    pub verdict: Verdict,
    /// What proves that it does not.
    pub anomalies: Vec<Anomaly>,
    /// Why it could not be decided.
    pub doubt: Option<String>,
    /// Figures particular to the model.
    pub details: serde_json::Value,
}

impl ModelJudgement {
    fn new(outcome: Outcome, details: serde_json::Value) -> ModelJudgement {
        let (verdict, anomalies, doubt) = match outcome {
            Outcome::Holds => (Verdict::Valid, Vec::new(), None),
            Outcome::Anomalies(anomalies) => (Verdict::Invalid, anomalies, None),
            Outcome::Undecided(why) => (Verdict::Unknown, Vec::new(), Some(why)),
            // Contradictions were made into anomalies.
            Outcome::Broken(contradiction) => (Verdict::Unknown, Vec::new(), Some(contradiction.argument.join(" "))),
        };
        ModelJudgement { verdict, anomalies, doubt, details }
    }
}

/// Judges a history, of which `testimony` was taken, against a model.
pub(crate) fn judge(history: &History, testimony: &Testimony<'_>, model: ConsistencyModel, options: &Options) -> ModelJudgement {
    match model {
        ConsistencyModel::Linearizable => ModelJudgement::new(k_atomic(history, 1, options), json!({})),
        ConsistencyModel::Regular => by_read(testimony, irregular(testimony)),
        ConsistencyModel::Safe => by_read(testimony, unsafe_reads(testimony)),
        ConsistencyModel::KAtomic => stale_by_versions(history, testimony, options.k, options),
        ConsistencyModel::BoundedStaleness => stale_within_bounds(history, testimony, options),
        ConsistencyModel::Eventual => eventual(history, testimony, options),
        _ => ModelJudgement::new(by_order(testimony, model, options), json!({})),
    }
}

/// Models that ask for orders of reads and writes.
fn by_order(testimony: &Testimony<'_>, model: ConsistencyModel, options: &Options) -> Outcome {
    let (registers, attribution) = Registers::new(testimony, Ambiguous::LeaveOut);
    if !attribution.thin_air.is_empty() {
        return Outcome::Anomalies(thin_air(testimony, &attribution));
    }
    let limits = Limits::new(options);
    match order(&registers, model, &limits) {
        Outcome::Broken(contradiction) => {
            let smallest = minimal(&registers, contradiction, |registers| order(registers, model, &Limits::small()));
            Outcome::Anomalies(vec![vouched(&registers, anomaly(testimony, model, smallest))])
        }
        Outcome::Anomalies(anomalies) => Outcome::Anomalies(anomalies.into_iter().map(|anomaly| vouched(&registers, anomaly)).collect()),
        Outcome::Holds if attribution.ambiguous > 0 => {
            let (guessed, attribution) = Registers::new(testimony, Ambiguous::Guess);
            match order(&guessed, model, &limits) {
                Outcome::Holds if attribution.thin_air.is_empty() => Outcome::Holds,
                _ => Outcome::Undecided(format!(
                    "{} found a value that several operations had put, and which of them cannot be told; let every write put another value",
                    count(attribution.ambiguous as u64, "operation")
                )),
            }
        }
        other => other,
    }
    .unless_in_doubt(testimony, &attribution)
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
        _ => Outcome::Undecided("this model does not order reads and writes".to_owned()),
    }
}

impl Outcome {
    /// What holds only if nothing was left out is not decided where something was.
    fn unless_in_doubt(self, testimony: &Testimony<'_>, attribution: &Attribution) -> Outcome {
        match self {
            Outcome::Holds if attribution.reused > 0 => Outcome::Undecided(
                "a process spoke again after an operation of unknown outcome that had an effect, and how the two are ordered is not known; let a \
                 process end there"
                    .to_owned(),
            ),
            other => other.unless_refused(testimony),
        }
    }

    fn unless_refused(self, testimony: &Testimony<'_>) -> Outcome {
        match self {
            Outcome::Holds if testimony.refused > 0 => Outcome::Undecided(
                "a compare-and-set was told `false`, and which value stood in its way is not known; let such operations fail".to_owned(),
            ),
            other => other,
        }
    }
}

fn anomaly(testimony: &Testimony<'_>, model: ConsistencyModel, contradiction: Contradiction) -> Anomaly {
    let mut keys: Vec<_> = contradiction.operations.iter().map(|&position| testimony.operations[position as usize].key).collect();
    keys.sort_unstable();
    keys.dedup();
    Anomaly {
        name: model.entry().anomaly.to_owned(),
        key: if let [one] = keys[..] { one.cloned() } else { None },
        description: model.entry().description.to_owned(),
        operations: contradiction.operations.iter().map(|&position| testimony.operations[position as usize].invoked).collect(),
        argument: contradiction.argument,
        ..Anomaly::default()
    }
}

/// The same anomaly with whoever proves that its crashed operations happened: they found what those put.
fn vouched(registers: &Registers<'_, '_>, mut anomaly: Anomaly) -> Anomaly {
    let invoked = |id: AccessId| registers.operation(id).invoked;
    let mut looked_at = 0;
    while let Some(&event) = anomaly.operations.get(looked_at) {
        looked_at += 1;
        let write = registers.numbered().find(|&(id, access)| access.act == Act::Write && invoked(id) == event).map(|(id, _)| id);
        let Some(write) = write.filter(|&write| registers.operation(write).kind != Kind::Ok) else { continue };
        let readers = registers.readers.of_write(write);
        if let (Some(&reader), false) = (readers.first(), readers.iter().any(|&reader| anomaly.operations.contains(&invoked(reader)))) {
            let sentence =
                format!("{} happened: {} found its value.", describe(registers.operation(write)), describe(registers.operation(reader)));
            anomaly.argument.insert(0, sentence);
            anomaly.operations.push(invoked(reader));
        }
    }
    anomaly.operations.sort_unstable();
    anomaly
}

fn thin_air(testimony: &Testimony<'_>, attribution: &Attribution) -> Vec<Anomaly> {
    let told = attribution.thin_air.iter().take(MOST);
    told.map(|chain| {
        let operation = |position: u32| &testimony.operations[position as usize];
        let mut argument: Vec<String> = chain[1..]
            .iter()
            .zip(chain)
            .map(|(&by, &of)| format!("{} happened: {} found its value.", describe(operation(of)), describe(operation(by))))
            .collect();
        argument.push(format!("No operation that may have happened puts what {} found.", describe(operation(chain[0]))));
        let mut operations: Vec<_> = chain.iter().map(|&position| operation(position).invoked).collect();
        operations.sort_unstable();
        Anomaly {
            name: "thin-air-read".to_owned(),
            key: operation(chain[0]).key.cloned(),
            description: "An operation found a value that nobody wrote.".to_owned(),
            operations,
            argument,
            ..Anomaly::default()
        }
    })
    .collect()
}

/// Models that judge every read by itself.
fn by_read(testimony: &Testimony<'_>, anomalies: Vec<Anomaly>) -> ModelJudgement {
    let outcome = if anomalies.is_empty() { Outcome::Holds } else { Outcome::Anomalies(anomalies) };
    ModelJudgement::new(outcome.unless_refused(testimony), json!({}))
}

fn stale_by_versions(history: &History, testimony: &Testimony<'_>, versions: u32, options: &Options) -> ModelJudgement {
    let (registers, attribution) = Registers::new(testimony, Ambiguous::LeaveOut);
    let staleness = Staleness::new(history, &registers);
    let outcome = too_stale(testimony, &attribution, &staleness, versions)
        .unwrap_or_else(|| k_atomic(history, usize::try_from(versions).unwrap_or(usize::MAX), options));
    ModelJudgement::new(outcome, staleness.details())
}

/// What needs no search: values out of thin air, and reads that certainly found none of the last versions.
fn too_stale(testimony: &Testimony<'_>, attribution: &Attribution, staleness: &Staleness<'_, '_, '_>, versions: u32) -> Option<Outcome> {
    if !attribution.thin_air.is_empty() {
        return Some(Outcome::Anomalies(thin_air(testimony, attribution)));
    }
    let (worst, _) = staleness.worst();
    let worst = worst.filter(|worst| worst.versions >= versions)?;
    let mut told = vec![worst];
    told.extend(staleness.reads.iter().filter(|stale| stale.versions >= versions && stale.read != worst.read).take(MOST - 1));
    let most = usize::try_from(versions).unwrap_or(usize::MAX).max(1);
    Some(Outcome::Anomalies(told.into_iter().map(|stale| vouched(staleness.registers, staleness.explain(stale, most))).collect()))
}

fn stale_within_bounds(history: &History, testimony: &Testimony<'_>, options: &Options) -> ModelJudgement {
    let (registers, attribution) = Registers::new(testimony, Ambiguous::LeaveOut);
    let staleness = Staleness::new(history, &registers);
    let by_versions = options.versions.map(|versions| versions.saturating_add(1));
    let mut outcome = match too_stale(testimony, &attribution, &staleness, by_versions.unwrap_or(u32::MAX)) {
        Some(broken) => broken,
        None => by_versions.map_or(Outcome::Holds, |versions| k_atomic(history, usize::try_from(versions).unwrap_or(usize::MAX), options)),
    };
    if let (Some(age), false) = (options.age, outcome.is_broken()) {
        let worst = staleness.worst().1.filter(|stale| stale.age > age);
        let by_age = match worst {
            Some(stale) => Outcome::Anomalies(vec![vouched(&registers, staleness.explain(stale, 1))]),
            None => delta_atomic(history, age, options),
        };
        if !matches!(by_age, Outcome::Holds) {
            outcome = by_age;
        }
    }
    ModelJudgement::new(outcome, staleness.details())
}

fn eventual(history: &History, testimony: &Testimony<'_>, options: &Options) -> ModelJudgement {
    let (_, attribution) = Registers::new(testimony, Ambiguous::LeaveOut);
    let convergence = convergence(history, testimony, options.within);
    let details = convergence.details();
    let outcome = if !attribution.thin_air.is_empty() {
        Outcome::Anomalies(thin_air(testimony, &attribution))
    } else if !convergence.anomalies.is_empty() {
        Outcome::Anomalies(convergence.anomalies)
    } else if let Some(first) = convergence.apart.first() {
        let more = convergence.apart.len() - 1;
        let more = if more == 0 { String::new() } else { format!(", and so on {more} other keys") };
        Outcome::Undecided(format!("{first}{more}; they may yet come to agree"))
    } else if convergence.converged == 0 {
        Outcome::Undecided("nobody read after the last write".to_owned())
    } else {
        Outcome::Holds
    };
    ModelJudgement::new(outcome, details)
}
