//! From what the YAML reader says to what a person understands.

use std::ops::Range;

use serde::de::DeserializeOwned;
use serde_path_to_error::{Path, Segment, Track};
use serde_yaml::{Error, Location};

use super::named::{did_you_mean, list};
use super::origin::{Found, Origin};
use super::outline::{self, Shape};
use super::{PlanError, schema};

/// Reads a value from a text whose origin is known.
///
/// # Errors
/// When it says what no such value says, shown at its place in the origin.
pub(super) fn read<T: DeserializeOwned>(origin: &Origin, text: &str) -> Result<T, PlanError> {
    let mut track = Track::new();
    let read = serde_yaml::with_deserializer_from_str_with_options(text, yaml(), |yaml| {
        T::deserialize(serde_path_to_error::Deserializer::new(yaml, &mut track))
    });
    read.map_err(|error| explain(origin, &dotted(&track.path()), error.without_snippet()))
}

/// How YAML is read: as of version 1.2, in which `off` is a word and no truth value.
pub(super) fn yaml() -> serde_yaml::Options {
    serde_yaml::options! { strict_booleans: true }
}

fn dotted(path: &Path) -> String {
    let steps = path.iter().filter_map(|segment| match segment {
        Segment::Seq { index } => Some(index.to_string()),
        Segment::Map { key } => Some(key.clone()),
        Segment::Enum { variant } => Some(variant.clone()),
        Segment::Unknown => None,
    });
    steps.collect::<Vec<_>>().join(".")
}

/// The reader's own words, without the place.
pub(super) fn words(error: &Error) -> String {
    let rendered = error.without_snippet().to_string();
    rendered.rsplit_once(" at line ").map_or(rendered.as_str(), |(what, _)| what).trim_end_matches([',', ':', ' ']).to_owned()
}

fn explain(origin: &Origin, path: &str, error: &Error) -> PlanError {
    match error {
        Error::SerdeUnknownField { field, expected, .. } => unknown_field(origin, path, field, expected),
        Error::SerdeUnknownVariant { variant, expected, .. } => {
            let path = path.strip_suffix(variant.as_str()).map_or(path, |path| path.trim_end_matches('.'));
            let error = match origin.found(&format!("{path}.{variant}")) {
                // `{word: …}` rather than `word`.
                Found::Node(node) if node.key.is_some() => origin.error_at_key(&format!("{path}.{variant}"), told(path, variant)),
                _ => origin.error(path, told(path, variant)),
            };
            error.label(did_you_mean(variant, expected.iter().copied())).help(choices(expected))
        }
        Error::SerdeMissingField { field, .. } => missing_field(origin, path, field),
        Error::ExpectedMappingEndAfterEnumVariantValue { location } => {
            let path = path.rsplit_once('.').map_or(path, |(parent, _)| parent);
            at(origin, path, *location, format!("{} names more than one; leave one", subject(origin, path)))
        }
        Error::Message { msg, .. } => origin.error(path, msg.as_str()),
        other => wrong_type(origin, path, other),
    }
}

fn choices(words: &[&'static str]) -> String {
    match words {
        [one] => format!("write `{one}`"),
        many => format!("write one of {}", list(many.iter().copied())),
    }
}

fn told(path: &str, variant: &str) -> String {
    format!("`{path}` cannot be `{variant}`")
}

fn unknown_field(origin: &Origin, path: &str, field: &str, expected: &[&'static str]) -> PlanError {
    let parent = match path.strip_suffix(field) {
        Some("") => "",
        Some(parent) if parent.ends_with('.') => parent.trim_end_matches('.'),
        _ => path,
    };
    let full = if parent.is_empty() { field.to_owned() } else { format!("{parent}.{field}") };
    let message = format!("{} has no field `{field}`", subject(origin, parent));
    let error = origin.error_at_key(&full, message).label(did_you_mean(field, expected.iter().copied()));
    error.help(format!("its fields are {}", list(expected.iter().copied())))
}

fn missing_field(origin: &Origin, path: &str, field: &str) -> PlanError {
    let message = format!("{} has no `{field}`, which it needs", subject(origin, path));
    let full = if path.is_empty() { field.to_owned() } else { format!("{path}.{field}") };
    let error = match path {
        "" => origin.error(&full, message),
        _ => origin.error(path, message).label(Some(format!("without `{field}`"))),
    };
    match schema::purpose(&full).filter(|_| origin.is_plan()) {
        Some(purpose) => error.help(format!("`{field}`: {purpose}")),
        None => error,
    }
}

const NOTHING: &str = ", not nothing";

fn wrong_type(origin: &Origin, path: &str, error: &Error) -> PlanError {
    let expected = schema::expected(path).filter(|_| origin.is_plan()).or_else(|| match error {
        Error::SerdeInvalidType { expected, .. } | Error::SerdeInvalidValue { expected, .. } => Some(expected.clone()),
        _ => None,
    });
    let Some(expected) = expected else { return origin.error(path, format!("{}: {}", subject(origin, path), words(error))) };
    let found = match origin.found(path) {
        Found::Node(node) => match &node.shape {
            Shape::Nothing => NOTHING.to_owned(),
            Shape::Scalar(text) if text.chars().count() <= 40 && !text.contains('\n') => format!(", not `{text}`"),
            Shape::Scalar(_) => ", not text".to_owned(),
            Shape::List(_) => ", not a list".to_owned(),
            Shape::Map(entries) if entries.is_empty() => ", not an empty map".to_owned(),
            // As where one of several names is asked for.
            Shape::Map(entries) if expected.contains("a map") => {
                format!(", not a map of {}", list(entries.iter().map(|(key, _)| key.as_str())))
            }
            Shape::Map(_) => ", not a map".to_owned(),
        },
        Found::Changed | Found::Nothing => String::new(),
    };
    if path.is_empty() {
        let message = if found == NOTHING { format!("{} is empty", origin.what) } else { format!("{} must be a map{found}", origin.what) };
        return origin.error(path, message).help("write lines like `name: value`, with a space after the colon");
    }
    let error = origin.error(path, format!("{} must be {expected}{found}", subject(origin, path)));
    match schema::purpose(path).filter(|_| origin.is_plan()) {
        Some(purpose) => error.help(format!("`{}`: {purpose}", path.rsplit('.').next().unwrap_or(path))),
        None => error,
    }
}

/// An error where the reader saw it, unless the command line had changed what it read.
fn at(origin: &Origin, path: &str, location: Location, message: String) -> PlanError {
    if origin.changes.is_empty() && location != Location::UNKNOWN {
        return origin.error_in(outline::range(&origin.shown, location), message);
    }
    origin.error(path, message)
}

/// What a message is about.
fn subject(origin: &Origin, path: &str) -> String {
    if path.is_empty() { origin.what.to_owned() } else { format!("`{path}`") }
}

/// An error of a text that is no YAML.
pub(super) fn syntax(text: &str, name: &str, what: &str, error: &Error) -> PlanError {
    let error = match error.without_snippet() {
        Error::AliasError { error, .. } => error.without_snippet(),
        other => other,
    };
    let place = error.location().map_or(0..0, |location| place(text, location));
    let at = |message: String| PlanError::at(text, name, place.clone(), message);
    let said = words(error);
    match error {
        Error::Eof { .. } => at(format!("{what} is empty")).help("write lines like `name: value`"),
        Error::MultipleDocuments { .. } => at(format!("{what} is one document; a second one begins here")).help("remove the line `---`"),
        Error::DuplicateMappingKey { key, .. } => {
            let key = key.clone().unwrap_or_default();
            at(format!("`{key}` is given twice")).label(Some("again here".to_owned())).help("leave one of them")
        }
        Error::UnknownAnchor { .. } => at("there is no anchor of this name before it".to_owned())
            .help("an anchor is made by `&name` before a value; a text that begins with `*` needs quotes"),
        Error::NonFiniteFloat { value, .. } => at(format!("`{value}` is no number that {what} can hold")),
        Error::Budget { .. } | Error::AliasReplayLimitExceeded { .. } | Error::AliasExpansionLimitExceeded { .. } => {
            at(format!("{what} is too large when its aliases are expanded")).help("write out what is needed, without aliases of aliases")
        }
        _ if said.contains("recursion limit") => at(format!("{what} is too deeply nested here")),
        _ if said.contains("tabs") => at("a tab stands where only spaces may".to_owned()).help("indent by spaces; YAML forbids tabs there"),
        _ if said.contains("mapping values are not allowed") => at("a key stands where none can".to_owned())
            .help("a key needs a space after its colon, and a line of its own; a text with `: ` in it needs quotes"),
        _ => at(format!("this is not YAML: {said}")).help("check brackets, quotes, and that lines of one map begin in the same column"),
    }
}

/// A place, widened to the word there where the reader named only its beginning.
fn place(text: &str, location: Location) -> Range<usize> {
    let exact = outline::range(text, location);
    if exact.len() > 1 {
        return exact;
    }
    let rest = &text[exact.start..];
    let length = rest.find(|c: char| c.is_whitespace() || ",]}:".contains(c)).unwrap_or(rest.len());
    exact.start..exact.start + length
}
