//! The YAML parser: its options, its messages, and the errors of texts that are not YAML.

use std::ops::Range;

use serde_yaml::{Error, Location};

use super::{PlanError, spans};

/// YAML 1.2, in which `off` is a string, not a boolean.
pub(super) fn yaml() -> serde_yaml::Options {
    serde_yaml::options! { strict_booleans: true }
}

/// The parser's message, without the place.
pub(super) fn reported(error: &Error) -> String {
    let rendered = error.without_snippet().to_string();
    rendered.rsplit_once(" at line ").map_or(rendered.as_str(), |(what, _)| what).trim_end_matches([',', ':', ' ']).to_owned()
}

/// The error for a text that is not YAML.
pub(super) fn syntax(text: &str, name: &str, what: &str, error: &Error) -> PlanError {
    let error = match error.without_snippet() {
        Error::AliasError { error, .. } => error.without_snippet(),
        other => other,
    };
    let place = error.location().map_or(0..0, |location| place(text, location));
    let at = |message: String| PlanError::at(text, name, place.clone(), message);
    let report = reported(error);
    match error {
        Error::Eof { .. } => at(format!("{what} is empty")).help("write lines like `name: value`"),
        Error::MultipleDocuments { .. } => {
            at(format!("{what} must be one YAML document; a second one begins here")).help("remove the line `---`")
        }
        Error::DuplicateMappingKey { key, .. } => {
            let key = key.clone().unwrap_or_default();
            at(format!("`{key}` is given twice")).label(Some("again here".to_owned())).help("keep one of them")
        }
        Error::UnknownAnchor { .. } => at("no anchor of this name precedes the alias".to_owned())
            .help("`&name` before a value defines an anchor; a string that begins with `*` needs quotes"),
        Error::NonFiniteFloat { value, .. } => {
            at(format!("`{value}` is not a finite number")).help("write a finite number, such as `100` or `0.5`")
        }
        Error::Budget { .. } | Error::AliasReplayLimitExceeded { .. } | Error::AliasExpansionLimitExceeded { .. } => {
            at(format!("{what} is too large when its aliases are expanded")).help("do not nest aliases; write the values out")
        }
        _ if report.contains("recursion limit") => at(format!("{what} is nested too deeply here")).help("flatten the lists and maps"),
        _ if report.contains("tabs") => {
            at("a tab is used for indentation".to_owned()).help("indent with spaces; YAML does not allow tabs there")
        }
        _ if report.contains("mapping values are not allowed") => at("a key is not allowed here".to_owned())
            .help("a key needs a line of its own and a space after its colon; a string that contains `: ` needs quotes"),
        _ => at(format!("this is not YAML: {report}"))
            .help("check brackets and quotes, and that the lines of a map begin in the same column"),
    }
}

/// A place, widened to the word there where the parser reported only its beginning.
pub(super) fn place(text: &str, location: Location) -> Range<usize> {
    let exact = spans::range(text, location);
    if exact.len() > 1 {
        return exact;
    }
    let rest = &text[exact.start..];
    let length = rest.find(|c: char| c.is_whitespace() || ",]}:".contains(c)).unwrap_or(rest.len());
    exact.start..exact.start + length
}
