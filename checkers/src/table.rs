//! The table of checkers, and how plans name them.

use std::time::Duration;

use elenchus_core::words::nearest;
use elenchus_core::{CheckSpec, Checker, Nanos, Value};
use serde_json::Map;
use thiserror::Error;

use crate::consistency::{self, CONSISTENCY_MODELS, Consistency, ConsistencyModel, Strongest};
use crate::invariants::*;
use crate::linearizable::Options;
use crate::models::MODELS;
use crate::transactional::{self, Assumptions, Datatype, Level, Transactional};

/// A checker that plans can name.
pub struct CheckerEntry {
    /// Its name.
    pub name: &'static str,
    /// What it decides, in one sentence.
    pub about: &'static str,
    /// The options it knows.
    pub options: &'static [&'static str],
    /// Makes it. The options were seen to be known; their values were not.
    build: fn(&CheckSpec) -> Result<Box<dyn Checker>, BuildError>,
}

/// Every checker by name.
pub const ALL: &[CheckerEntry] = &[
    CheckerEntry {
        name: "linearizable",
        about: "whether every object behaves as its model, in an order true to real time",
        options: &["model", "initial", "time-limit", "memory", "minimise", "witness"],
        build: linearizable,
    },
    CheckerEntry {
        name: "sequential",
        about: "whether registers have one order of all operations that is true to every session",
        options: &["initial", "time-limit"],
        build: |spec| consistency(spec, ConsistencyModel::Sequential),
    },
    CheckerEntry {
        name: "causal-memory",
        about: "whether every session sees the writes to all registers in an order of its own that is true to causality (CM)",
        options: &["initial"],
        build: |spec| consistency(spec, ConsistencyModel::CausalMemory),
    },
    CheckerEntry {
        name: "causal-convergence",
        about: "whether all sessions settle conflicting writes to registers in one order that is true to causality (CCv)",
        options: &["initial"],
        build: |spec| consistency(spec, ConsistencyModel::CausalConvergence),
    },
    CheckerEntry {
        name: "causal",
        about: "whether no session reads a register's value that is causally overwritten (CC)",
        options: &["initial"],
        build: |spec| consistency(spec, ConsistencyModel::Causal),
    },
    CheckerEntry {
        name: "pram",
        about: "whether every session sees the writes of every other to all registers in their order",
        options: &["initial"],
        build: |spec| consistency(spec, ConsistencyModel::Pram),
    },
    CheckerEntry {
        name: "read-your-writes",
        about: "whether no session reads a register's value older than what it wrote itself",
        options: &["initial"],
        build: |spec| consistency(spec, ConsistencyModel::ReadYourWrites),
    },
    CheckerEntry {
        name: "monotonic-reads",
        about: "whether no session reads a register's value older than what it read before",
        options: &["initial"],
        build: |spec| consistency(spec, ConsistencyModel::MonotonicReads),
    },
    CheckerEntry {
        name: "monotonic-writes",
        about: "whether a session that saw a write to a register sees what its writer wrote before",
        options: &["initial"],
        build: |spec| consistency(spec, ConsistencyModel::MonotonicWrites),
    },
    CheckerEntry {
        name: "writes-follow-reads",
        about: "whether a session that saw a write to a register sees what its writer had read before",
        options: &["initial"],
        build: |spec| consistency(spec, ConsistencyModel::WritesFollowReads),
    },
    CheckerEntry {
        name: "regular-register",
        about: "whether every read of a register found the last write before it or one that it overlapped",
        options: &["initial"],
        build: |spec| consistency(spec, ConsistencyModel::Regular),
    },
    CheckerEntry {
        name: "safe-register",
        about: "whether every read of a register that overlapped no write found the last one",
        options: &["initial"],
        build: |spec| consistency(spec, ConsistencyModel::Safe),
    },
    CheckerEntry {
        name: "k-atomic",
        about: "whether every read of a register found one of the last k versions, in an order true to real time",
        options: &["initial", "time-limit", "k"],
        build: |spec| consistency(spec, ConsistencyModel::KAtomic),
    },
    CheckerEntry {
        name: "bounded-staleness",
        about: "by how many versions and for how long reads of registers were stale, and whether that is within bounds",
        options: &["initial", "time-limit", "versions", "age"],
        build: |spec| consistency(spec, ConsistencyModel::BoundedStaleness),
    },
    CheckerEntry {
        name: "eventual",
        about: "whether all readers of a register came to agree after the last write",
        options: &["initial", "within"],
        build: |spec| consistency(spec, ConsistencyModel::Eventual),
    },
    CheckerEntry {
        name: "strongest",
        about: "the strongest consistency models of registers that hold, and what rules out the next stronger ones",
        options: &["initial", "time-limit", "k", "within", "at-least"],
        build: strongest,
    },
    CheckerEntry {
        name: "list-append",
        about: "which isolation levels transactions that append to lists and read them refute",
        options: &["isolation", "examples"],
        build: |spec| transactional("list-append", Datatype::ListAppend, spec),
    },
    CheckerEntry {
        name: "rw-register",
        about: "which isolation levels transactions that write and read registers refute",
        options: &[
            "isolation",
            "examples",
            "initial",
            "wfr-keys",
            "sequential-keys",
            "linearizable-keys",
            "commit-order",
            "time-limit",
            "memory",
        ],
        build: |spec| transactional("rw-register", Datatype::RwRegister, spec),
    },
    CheckerEntry {
        name: "set-add",
        about: "which isolation levels transactions that add to grow-only sets and read them refute",
        options: &["isolation", "examples"],
        build: |spec| transactional("set-add", Datatype::SetAdd, spec),
    },
    CheckerEntry {
        name: "counter-inc",
        about: "which isolation levels transactions that add to counters and read them refute",
        options: &["isolation", "examples"],
        build: |spec| transactional("counter-inc", Datatype::CounterInc, spec),
    },
    invariant::<Bank>(),
    invariant::<CausalReverse>(),
    invariant::<Convergence>(),
    invariant::<Counter>(),
    invariant::<Fifo>(),
    invariant::<Kafka>(),
    invariant::<Lock>(),
    invariant::<LongFork>(),
    invariant::<Monotonic>(),
    invariant::<Saga>(),
    invariant::<SnapshotTimestamps>(),
    invariant::<Set>(),
    invariant::<SetFull>(),
    invariant::<Tombstones>(),
    invariant::<TotalQueue>(),
    invariant::<TwoStores>(),
    invariant::<UniqueIds>(),
];

/// The entry of an invariant, from its description.
const fn invariant<I: Invariant + 'static>() -> CheckerEntry {
    let Description { name, about, options, .. } = I::DESCRIPTION;
    CheckerEntry { name, about, options, build: |spec| Ok(Box::new(Checked(I::from_options(&spec.options)?))) }
}

/// Why a check cannot be made as it was asked for.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum BuildError {
    /// No checker has this name.
    #[error("there is no checker `{name}`{}", suggestion(.nearest))]
    UnknownChecker {
        /// What was asked for.
        name: String,
        /// What may have been meant.
        nearest: Option<&'static str>,
    },
    /// The checker has no such option.
    #[error("checker `{checker}` has no option `{option}`{}", suggestion(.nearest))]
    UnknownOption {
        /// The checker.
        checker: &'static str,
        /// What was asked for.
        option: String,
        /// What may have been meant.
        nearest: Option<&'static str>,
    },
    /// No model has this name.
    #[error("there is no model `{name}`{}", .nearest.map_or_else(models, |_| suggestion(.nearest)))]
    UnknownModel {
        /// What was asked for.
        name: String,
        /// What may have been meant.
        nearest: Option<&'static str>,
    },
    /// No isolation level has this name.
    #[error("there is no isolation level `{name}`{}; levels: strongest, {}", suggestion(.nearest), levels())]
    UnknownLevel {
        /// What was asked for.
        name: String,
        /// What may have been meant.
        nearest: Option<&'static str>,
    },
    /// An option has a value that it cannot have.
    #[error("option `{option}` is {found}; expected {expected}")]
    BadValue {
        /// The option.
        option: &'static str,
        /// Its value.
        found: String,
        /// What it may be.
        expected: &'static str,
    },
}

fn suggestion(nearest: &Option<&'static str>) -> String {
    nearest.map_or(String::new(), |word| format!("; did you mean `{word}`?"))
}

/// All of them, for a word that is near to none.
fn models() -> String {
    format!("; models: {}", MODELS.iter().map(|model| model.name).collect::<Vec<_>>().join(", "))
}

fn levels() -> String {
    Level::all().filter(|level| level.is_judged()).map(Level::name).collect::<Vec<_>>().join(", ")
}

/// Makes the checker that a workload or plan asks for.
///
/// # Errors
/// When the checker, one of its options or an option's value is not known; the nearest known word is suggested.
pub fn build(spec: &CheckSpec) -> Result<Box<dyn Checker>, BuildError> {
    let entry = ALL.iter().find(|entry| entry.name == spec.checker).ok_or_else(|| BuildError::UnknownChecker {
        name: spec.checker.clone(),
        nearest: nearest(&spec.checker, ALL.iter().map(|entry| entry.name)),
    })?;
    if let Some(option) = spec.options.keys().find(|option| !entry.options.contains(&option.as_str())) {
        return Err(BuildError::UnknownOption {
            checker: entry.name,
            option: option.clone(),
            nearest: nearest(option, entry.options.iter().copied()),
        });
    }
    (entry.build)(spec)
}

fn linearizable(spec: &CheckSpec) -> Result<Box<dyn Checker>, BuildError> {
    let options = &spec.options;
    let name = option(options, "model", "the name of a model", |value| value.as_str().map(str::to_owned))?;
    let name = name.unwrap_or_else(|| "cas-register".to_owned());
    let model = MODELS
        .iter()
        .find(|model| model.name == name)
        .ok_or_else(|| BuildError::UnknownModel { nearest: nearest(&name, MODELS.iter().map(|model| model.name)), name: name.clone() })?;
    let initial = option(options, "initial", "a value", |value| serde_json::from_value::<Value>(value.clone()).ok())?;
    let defaults = Options::default();
    let seconds = |value: &serde_json::Value| value.as_f64().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let bytes = |value: &serde_json::Value| value.as_u64().and_then(|bytes| usize::try_from(bytes).ok());
    let limits = Options {
        time: option(options, "time-limit", "a number of seconds", seconds)?,
        memory: option(options, "memory", "a number of bytes", bytes)?.unwrap_or(defaults.memory),
        minimise: option(options, "minimise", "true or false", serde_json::Value::as_bool)?.unwrap_or(defaults.minimise),
        witness: option(options, "witness", "true or false", serde_json::Value::as_bool)?.unwrap_or(defaults.witness),
    };
    Ok(Box::new((model.linearizable)(initial, limits)))
}

fn consistency(spec: &CheckSpec, model: ConsistencyModel) -> Result<Box<dyn Checker>, BuildError> {
    Ok(Box::new(Consistency::new(model, consistency_options(spec)?)))
}

fn strongest(spec: &CheckSpec) -> Result<Box<dyn Checker>, BuildError> {
    let named =
        |value: &serde_json::Value| CONSISTENCY_MODELS.iter().find(|entry| Some(entry.name) == value.as_str()).map(|entry| entry.model);
    let at_least = option(&spec.options, "at-least", "the name of a consistency model, like `causal`", named)?;
    Ok(Box::new(Strongest::new(at_least, consistency_options(spec)?)))
}

fn consistency_options(spec: &CheckSpec) -> Result<consistency::Options, BuildError> {
    let options = &spec.options;
    let defaults = consistency::Options::default();
    let duration = |value: &serde_json::Value| value.as_f64().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let nanos = |value: &serde_json::Value| duration(value).map(Nanos::from);
    let number = |value: &serde_json::Value| value.as_u64().and_then(|number| u32::try_from(number).ok());
    let positive = |value: &serde_json::Value| number(value).filter(|&number| number > 0);
    Ok(consistency::Options {
        initial: option(options, "initial", "a value", |value| serde_json::from_value::<Value>(value.clone()).ok())?.unwrap_or_default(),
        time: option(options, "time-limit", "a number of seconds", duration)?,
        k: option(options, "k", "a whole number from 1 on", positive)?.unwrap_or(defaults.k),
        versions: option(options, "versions", "a whole number from 0 on", number)?,
        age: option(options, "age", "a number of seconds", nanos)?,
        within: option(options, "within", "a number of seconds", nanos)?,
    })
}

fn transactional(name: &'static str, datatype: Datatype, spec: &CheckSpec) -> Result<Box<dyn Checker>, BuildError> {
    let options = &spec.options;
    let words = option(options, "isolation", "the name of an isolation level", |value| value.as_str().map(str::to_owned))?;
    let isolation = match words.as_deref() {
        None | Some("strongest") => Level::StrictSerializable,
        Some(words) => Level::named(words)
            .filter(|level| level.is_judged())
            .ok_or_else(|| BuildError::UnknownLevel { name: words.to_owned(), nearest: Level::nearest(words) })?,
    };
    let defaults = transactional::Options::default();
    let number = |value: &serde_json::Value| value.as_u64().and_then(|number| usize::try_from(number).ok());
    let seconds = |value: &serde_json::Value| value.as_f64().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let truth = |name, otherwise: bool| Ok(option(options, name, "true or false", serde_json::Value::as_bool)?.unwrap_or(otherwise));
    let assumed = defaults.assumptions;
    let initial = option(options, "initial", "a value", |value| serde_json::from_value::<Value>(value.clone()).ok())?;
    let chosen = transactional::Options {
        examples: option(options, "examples", "a number", number)?.unwrap_or(defaults.examples),
        assumptions: Assumptions {
            writes_follow_reads: truth("wfr-keys", assumed.writes_follow_reads)?,
            sequential_keys: truth("sequential-keys", assumed.sequential_keys)?,
            linearizable_keys: truth("linearizable-keys", assumed.linearizable_keys)?,
            commit_order: truth("commit-order", assumed.commit_order)?,
        },
        isolation,
        time: option(options, "time-limit", "a number of seconds", seconds)?.or(defaults.time),
        memory: option(options, "memory", "a number of bytes", number)?.unwrap_or(defaults.memory),
    };
    Ok(Box::new(Transactional::new(name, datatype, isolation, initial.unwrap_or_default(), chosen)))
}

/// The value of an option as what it should be; none where it was not given.
pub(crate) fn option<T>(
    options: &Map<String, serde_json::Value>,
    name: &'static str,
    expected: &'static str,
    read: impl Fn(&serde_json::Value) -> Option<T>,
) -> Result<Option<T>, BuildError> {
    match options.get(name) {
        None => Ok(None),
        Some(value) => match read(value) {
            Some(read) => Ok(Some(read)),
            None => Err(BuildError::BadValue { option: name, found: value.to_string(), expected }),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(spec: CheckSpec) -> String {
        build(&spec).err().expect("refused").to_string()
    }

    #[test]
    fn builds_every_checker_by_default() {
        for entry in ALL {
            assert_eq!(build(&CheckSpec::new(entry.name)).unwrap().name(), entry.name);
        }
    }

    #[test]
    fn suggests_what_was_meant() {
        assert_eq!(refusal(CheckSpec::new("linearisable")), "there is no checker `linearisable`; did you mean `linearizable`?");
        let check = CheckSpec::new("linearizable");
        assert_eq!(refusal(check.clone().with("modle", "x")), "checker `linearizable` has no option `modle`; did you mean `model`?");
        assert_eq!(refusal(check.clone().with("model", "cas-regster")), "there is no model `cas-regster`; did you mean `cas-register`?");
        assert_eq!(refusal(check.with("model", 3)), "option `model` is 3; expected the name of a model");
    }
}
