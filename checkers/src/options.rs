//! Options of checkers: as data for documentation, and their values as plans set them.

use std::time::Duration;

use elenchus_core::Value;
use elenchus_core::suggest::nearest;
use serde_json::{Map, Value as Json};
use thiserror::Error;

/// An option of a checker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OptionEntry {
    /// Its name.
    pub name: &'static str,
    /// The values it takes, like `a number of seconds`.
    pub takes: &'static str,
    /// The default, in words or as a value.
    pub default: &'static str,
    /// A value that it may have, as JSON.
    pub example: &'static str,
    /// Its meaning, in one sentence.
    pub about: &'static str,
}

impl OptionEntry {
    /// An option that takes such values.
    pub const fn new(name: &'static str, takes: &'static str) -> OptionEntry {
        OptionEntry { name, takes, default: "none", example: "", about: "" }
    }

    /// An option that is `true` or `false`.
    pub const fn flag(name: &'static str, default: &'static str) -> OptionEntry {
        OptionEntry { default, example: "true", ..OptionEntry::new(name, "true or false") }
    }

    /// Sets the default.
    pub const fn default(self, default: &'static str) -> OptionEntry {
        OptionEntry { default, ..self }
    }

    /// Sets the example.
    pub const fn example(self, example: &'static str) -> OptionEntry {
        OptionEntry { example, ..self }
    }

    /// Sets the explanation.
    pub const fn about(self, about: &'static str) -> OptionEntry {
        OptionEntry { about, ..self }
    }
}

/// The options that a plan sets for a checker. Their names are known to be the checker's; their values were not looked at.
#[derive(Clone, Copy, Debug)]
pub struct OptionValues<'o> {
    entries: &'static [OptionEntry],
    values: &'o Map<String, Json>,
}

impl<'o> OptionValues<'o> {
    /// The values of a checker's options.
    ///
    /// # Errors
    /// When the checker has no option of such a name.
    pub fn new(
        checker: &'static str,
        entries: &'static [OptionEntry],
        values: &'o Map<String, Json>,
    ) -> Result<OptionValues<'o>, BuildError> {
        let names = || entries.iter().map(|entry| entry.name);
        match values.keys().find(|name| !names().any(|known| known == name.as_str())) {
            Some(option) => Err(BuildError::UnknownOption { checker, option: option.clone(), nearest: nearest(option, names()) }),
            None => Ok(OptionValues { entries, values }),
        }
    }

    /// An option's value as `read` understands it; none where it was not set.
    ///
    /// # Errors
    /// When `read` does not understand it.
    pub fn get<T>(&self, name: &'static str, read: impl Fn(&Json) -> Option<T>) -> Result<Option<T>, BuildError> {
        let Some(value) = self.values.get(name) else { return Ok(None) };
        let takes = || self.entries.iter().find(|entry| entry.name == name).map_or("another value", |entry| entry.takes);
        match read(value) {
            Some(read) => Ok(Some(read)),
            None => Err(BuildError::BadValue { option: name, found: value.to_string(), expected: takes() }),
        }
    }

    /// `true` or `false`.
    ///
    /// # Errors
    /// When it is neither.
    pub fn flag(&self, name: &'static str) -> Result<Option<bool>, BuildError> {
        self.get(name, Json::as_bool)
    }

    /// A text.
    ///
    /// # Errors
    /// When it is another value.
    pub fn text(&self, name: &'static str) -> Result<Option<String>, BuildError> {
        self.get(name, |value| value.as_str().map(str::to_owned))
    }

    /// A whole number of a type that has no negative ones.
    ///
    /// # Errors
    /// When it is another value, or out of range.
    pub fn count<T: TryFrom<u64>>(&self, name: &'static str) -> Result<Option<T>, BuildError> {
        self.get(name, |value| value.as_u64().and_then(|number| T::try_from(number).ok()))
    }

    /// A length of time in seconds.
    ///
    /// # Errors
    /// When it is another value, or out of range.
    pub fn seconds(&self, name: &'static str) -> Result<Option<Duration>, BuildError> {
        self.get(name, |value| value.as_f64().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()))
    }

    /// Any value that operations can carry.
    ///
    /// # Errors
    /// When it is a number that does not fit.
    pub fn value(&self, name: &'static str) -> Result<Option<Value>, BuildError> {
        self.get(name, |value| serde_json::from_value::<Value>(value.clone()).ok())
    }
}

/// Why a checker cannot be built from a [`CheckSpec`](elenchus_core::CheckSpec).
#[derive(Debug, Error, PartialEq, Eq)]
pub enum BuildError {
    /// No checker has this name.
    #[error("unknown checker `{name}`{}", suggestion(.nearest))]
    UnknownChecker {
        /// The name.
        name: String,
        /// The known name nearest to it.
        nearest: Option<&'static str>,
    },
    /// The checker has no such option.
    #[error("checker `{checker}` has no option `{option}`{}", suggestion(.nearest))]
    UnknownOption {
        /// The checker.
        checker: &'static str,
        /// The option.
        option: String,
        /// The checker's option nearest to it.
        nearest: Option<&'static str>,
    },
    /// No model has this name.
    #[error("unknown model `{name}`{}", .nearest.map_or_else(|| format!("; models: {}", .known.join(", ")), |_| suggestion(.nearest)))]
    UnknownModel {
        /// The name.
        name: String,
        /// The known name nearest to it.
        nearest: Option<&'static str>,
        /// All known names.
        known: Vec<&'static str>,
    },
    /// No isolation level has this name.
    #[error("unknown isolation level `{name}`{}; levels: strongest, {}", suggestion(.nearest), .known.join(", "))]
    UnknownLevel {
        /// The name.
        name: String,
        /// The known name nearest to it.
        nearest: Option<&'static str>,
        /// All known names.
        known: Vec<&'static str>,
    },
    /// An option has a value that it cannot have.
    #[error("option `{option}` is {found}; expected {expected}")]
    BadValue {
        /// The option.
        option: &'static str,
        /// Its value.
        found: String,
        /// The values it takes.
        expected: &'static str,
    },
}

fn suggestion(nearest: &Option<&'static str>) -> String {
    nearest.map_or(String::new(), |word| format!("; did you mean `{word}`?"))
}
