//! Text fragments for arguments and summaries.

use elenchus_core::{Kind, Operation, Value};

/// Describes an operation: `#12 (process 3: read → 5 on "x")`.
pub(crate) fn describe(operation: &Operation<'_>) -> String {
    let key = operation.key.map_or(String::new(), |key| format!(" on {key}"));
    let doubt = if operation.kind == Kind::Ok { "" } else { ", outcome unknown" };
    format!("{} (process {}: {operation}{key}{doubt})", operation.invoked, operation.process)
}

/// Returns ` on key "x"`, or nothing where there is only one register.
pub(crate) fn on_key(key: Option<&Value>) -> String {
    key.map_or(String::new(), |key| format!(" on key {key}"))
}

/// Capitalises the first letter of a sentence.
pub(crate) fn capitalised(sentence: &str) -> String {
    let mut letters = sentence.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}

/// Returns a number with its noun: `1 version`, `2 versions`.
pub(crate) fn count(number: u64, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}
