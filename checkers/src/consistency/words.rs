//! Operations in sentences.

use elenchus_core::{Kind, Operation, Value};

/// An operation in words: `#12 (process 3: read → 5 of "x")`.
pub(crate) fn describe(operation: &Operation<'_>) -> String {
    let key = operation.key.map_or(String::new(), |key| format!(" of {key}"));
    let doubt = if operation.kind == Kind::Ok { "" } else { ", outcome unknown" };
    format!("{} (process {}: {operation}{key}{doubt})", operation.invoked, operation.process)
}

/// ` of key "x"`, or nothing where there is only one register.
pub(crate) fn of_key(key: Option<&Value>) -> String {
    key.map_or(String::new(), |key| format!(" of key {key}"))
}

/// The same sentence with a capital at its head.
pub(crate) fn capitalised(sentence: &str) -> String {
    let mut letters = sentence.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}

/// `1 version`, `2 versions`.
pub(crate) fn count(number: u64, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}
