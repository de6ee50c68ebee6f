//! The table of checkers, and how plans name them.

use std::time::Duration;

use elenchus_core::words::nearest;
use elenchus_core::{CheckSpec, Checker, Value};
use serde_json::Map;
use thiserror::Error;

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
        options: &["model", "initial", "time-limit", "memory", "minimise"],
        build: linearizable,
    },
    CheckerEntry {
        name: "list-append",
        about: "which isolation levels transactions that append to lists and read them refute",
        options: &["isolation", "examples"],
        build: list_append,
    },
    CheckerEntry {
        name: "rw-register",
        about: "which isolation levels transactions that write and read registers refute",
        options: &["isolation", "examples", "initial", "wfr-keys", "sequential-keys", "linearizable-keys"],
        build: rw_register,
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
    #[error("there is no model `{name}`{}; models: {}", suggestion(.nearest), models())]
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

fn models() -> String {
    MODELS.iter().map(|model| model.name).collect::<Vec<_>>().join(", ")
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
    };
    Ok(Box::new((model.linearizable)(initial, limits)))
}

fn list_append(spec: &CheckSpec) -> Result<Box<dyn Checker>, BuildError> {
    transactional("list-append", Datatype::ListAppend, spec)
}

fn rw_register(spec: &CheckSpec) -> Result<Box<dyn Checker>, BuildError> {
    transactional("rw-register", Datatype::RwRegister, spec)
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
    let truth = |name, otherwise: bool| Ok(option(options, name, "true or false", serde_json::Value::as_bool)?.unwrap_or(otherwise));
    let assumed = defaults.assumptions;
    let initial = option(options, "initial", "a value", |value| serde_json::from_value::<Value>(value.clone()).ok())?;
    let chosen = transactional::Options {
        examples: option(options, "examples", "a number", number)?.unwrap_or(defaults.examples),
        assumptions: Assumptions {
            writes_follow_reads: truth("wfr-keys", assumed.writes_follow_reads)?,
            sequential_keys: truth("sequential-keys", assumed.sequential_keys)?,
            linearizable_keys: truth("linearizable-keys", assumed.linearizable_keys)?,
        },
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
