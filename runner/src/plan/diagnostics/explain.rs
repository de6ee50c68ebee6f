//! Typed reading of YAML, and messages for values that do not fit the schema.

use elenchus_core::suggest::nearest;
use serde::de::DeserializeOwned;
use serde_path_to_error::{Path, Segment, Track};
use serde_yaml::{Error, Location};

use super::PlanError;
use super::origin::{Found, Origin};
use super::spans::{self, Shape};
use super::syntax::{reported, yaml};
use crate::plan::schema;

/// Deserializes a text.
///
/// # Errors
/// When the text does not fit the type, shown at the place in its origin.
pub(crate) fn read<T: DeserializeOwned>(origin: &Origin, text: &str) -> Result<T, PlanError> {
    let mut track = Track::new();
    let read = serde_yaml::with_deserializer_from_str_with_options(text, yaml(), |yaml| {
        T::deserialize(serde_path_to_error::Deserializer::new(yaml, &mut track))
    });
    read.map_err(|error| explain(origin, &dotted(&track.path()), error.without_snippet()))
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

fn explain(origin: &Origin, path: &str, error: &Error) -> PlanError {
    match error {
        Error::SerdeUnknownField { field, expected, .. } => unknown_field(origin, path, field, expected),
        Error::SerdeUnknownVariant { variant, expected, .. } => {
            let path = path.strip_suffix(variant.as_str()).map_or(path, |path| path.trim_end_matches('.'));
            let error = match origin.found(&format!("{path}.{variant}")) {
                // Written `{word: …}`, not `word`.
                Found::Node(node) if node.key.is_some() => origin.error_at_key(&format!("{path}.{variant}"), not_allowed(path, variant)),
                _ => origin.error(path, not_allowed(path, variant)),
            };
            let expected = canonical(expected);
            let help = schema::list(path).map_or_else(|| choices(&expected), str::to_owned);
            error.label(did_you_mean(variant, expected.iter().copied())).help(help)
        }
        Error::SerdeMissingField { field, .. } => missing_field(origin, path, field),
        Error::ExpectedMappingEndAfterEnumVariantValue { location } => {
            let path = path.rsplit_once('.').map_or(path, |(parent, _)| parent);
            at(origin, path, *location, format!("{} names more than one; keep one", subject(origin, path)))
        }
        Error::Message { msg, .. } => origin.error(path, msg.as_str()),
        other => wrong_type(origin, path, other),
    }
}

/// The words without their aliases in the other spelling: of `one-node` and `one_node`, the latter.
fn canonical(words: &[&'static str]) -> Vec<&'static str> {
    let is_alias = |word: &str| word.contains('-') && words.contains(&word.replace('-', "_").as_str());
    words.iter().copied().filter(|word| !is_alias(word)).collect()
}

fn choices(words: &[&'static str]) -> String {
    match words {
        [one] => format!("write `{one}`"),
        many => format!("write one of {}", list(many.iter().copied())),
    }
}

fn not_allowed(path: &str, variant: &str) -> String {
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
    error.help(format!("fields: {}", list(expected.iter().copied())))
}

fn missing_field(origin: &Origin, path: &str, field: &str) -> PlanError {
    let message = format!("{} needs the field `{field}`", subject(origin, path));
    let full = if path.is_empty() { field.to_owned() } else { format!("{path}.{field}") };
    let error = match path {
        "" => origin.error(&full, message),
        _ => origin.error(path, message).label(Some(format!("`{field}` is missing"))),
    };
    match schema::purpose(&full).filter(|_| origin.is_plan()) {
        Some(purpose) => error.help(format!("`{field}`: {purpose}")),
        None => error,
    }
}

const NOTHING: &str = ", not empty";

fn wrong_type(origin: &Origin, path: &str, error: &Error) -> PlanError {
    let expected = schema::expected(path).filter(|_| origin.is_plan()).or_else(|| match error {
        Error::SerdeInvalidType { expected, .. } | Error::SerdeInvalidValue { expected, .. } => Some(expected.clone()),
        _ => None,
    });
    let Some(expected) = expected else { return origin.error(path, format!("{}: {}", subject(origin, path), reported(error))) };
    let found = match origin.found(path) {
        Found::Node(node) => match &node.shape {
            Shape::Nothing => NOTHING.to_owned(),
            Shape::Scalar(text) if text.chars().count() <= 40 && !text.contains('\n') => format!(", not `{text}`"),
            Shape::Scalar(_) => ", not text".to_owned(),
            Shape::List(_) => ", not a list".to_owned(),
            Shape::Map(entries) if entries.is_empty() => ", not an empty map".to_owned(),
            // One of several names is expected as the key.
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

/// An error where the parser reported it, unless it parsed a text that the command line had changed.
fn at(origin: &Origin, path: &str, location: Location, message: String) -> PlanError {
    if origin.changes.is_empty() && location != Location::UNKNOWN {
        return origin.error_in(spans::range(&origin.shown, location), message);
    }
    origin.error(path, message)
}

/// The subject of a message.
fn subject(origin: &Origin, path: &str) -> String {
    if path.is_empty() { origin.what.to_owned() } else { format!("`{path}`") }
}

/// Asks whether the nearest valid word was meant.
pub(crate) fn did_you_mean<'a>(word: &str, valid: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest(word, valid).map(|near| format!("did you mean `{near}`?"))
}

/// `a, b and c`.
pub(crate) fn list<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let words: Vec<String> = words.into_iter().map(|word| format!("`{word}`")).collect();
    match words.as_slice() {
        [] => "none".to_owned(),
        [one] => one.clone(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}
