//! One spelling for the words of plans.
//!
//! Plans spell their words (keys, and values that the schema lists) as the schema does: in snake_case. A hyphen for an underscore, or the other way round,
//! is accepted with a hint. This is decided here, before anything is deserialized: the text is respelled by the schema. As the two characters have the same
//! length, every place in the text stays what it was. Names, such as those of zones, nodes and systems, are left alone.

use serde_json::Value as Json;

use super::PlanError;
use super::spans::{Node, Shape, Spans};
use crate::plan::schema;

/// A word that was respelled.
pub(crate) struct Respelled {
    /// Its first byte in the text.
    pub(super) start: usize,
    /// As the text has it.
    pub(super) written: String,
    /// As the schema has it.
    pub(super) canonical: &'static str,
}

impl Respelled {
    /// Advice for the user.
    pub(super) fn hint(&self) -> String {
        format!("`{}` is accepted; plans spell it `{}`", self.written, self.canonical)
    }
}

/// Respells the words of a plan's text. Every byte but those keeps its place.
pub(super) fn normalise(text: &str, spans: &Spans) -> (String, Vec<Respelled>) {
    let mut respelled = Vec::new();
    walk(text, spans.root(), &schema::alternatives(schema::root()), &mut respelled);
    let mut text = text.to_owned();
    for word in &respelled {
        text.replace_range(word.start..word.start + word.written.len(), word.canonical);
    }
    (text, respelled)
}

/// Respells the words of a plan that has no places to show; returns it with the hints.
///
/// # Errors
/// When it is not YAML.
pub(crate) fn normalise_plan(text: &str) -> Result<(String, Vec<String>), PlanError> {
    let spans = Spans::read(text).map_err(|error| PlanError::plain(error.to_string()))?;
    let (text, respelled) = normalise(text, &spans);
    Ok((text, respelled.iter().map(Respelled::hint).collect()))
}

/// Respells the steps of a path such as `client.etcd.reads`. The result has the same length.
pub(super) fn normalise_path(path: &str) -> String {
    let mut nodes = schema::alternatives(schema::root());
    let mut steps = Vec::new();
    for step in path.split('.') {
        let (step, below) = match step.parse::<usize>() {
            Ok(_) => (step, items(&nodes)),
            Err(_) => match property(&nodes, step) {
                Some((word, below)) => (word, below),
                None => (step, Vec::new()),
            },
        };
        steps.push(step);
        nodes = below;
    }
    steps.join(".")
}

fn walk(text: &str, node: &Node, schemas: &[&'static Json], respelled: &mut Vec<Respelled>) {
    match &node.shape {
        Shape::Nothing => {}
        Shape::Scalar(written) => {
            if let Some(canonical) = word(schemas, written)
                && let Some(at) = text.get(node.value.clone()).and_then(|value| value.find(written.as_str()))
            {
                respelled.push(Respelled { start: node.value.start + at, written: written.clone(), canonical });
            }
        }
        Shape::List(list) => {
            let below = items(schemas);
            list.iter().for_each(|item| walk(text, item, &below, respelled));
        }
        Shape::Map(entries) => {
            for (written, value) in entries {
                let Some((canonical, below)) = property(schemas, written) else { continue };
                let is_taken = || entries.iter().any(|(other, _)| other == canonical);
                if canonical != written && !is_taken() {
                    let place = value.key.clone().unwrap_or_default();
                    if let Some(at) = text.get(place.clone()).and_then(|key| key.find(written.as_str()))
                        && let Some(canonical) = static_word(schemas, canonical)
                    {
                        respelled.push(Respelled { start: place.start + at, written: written.clone(), canonical });
                    }
                }
                walk(text, value, &below, respelled);
            }
        }
    }
}

/// The schemas of a list's items.
fn items(schemas: &[&'static Json]) -> Vec<&'static Json> {
    schemas.iter().filter_map(|schema| schema.get("items")).flat_map(schema::alternatives).collect()
}

/// The property that a key means, as the schema spells it, and the schemas of its value. Where the map's keys are names, any key is one.
fn property<'a>(schemas: &[&'static Json], key: &'a str) -> Option<(&'a str, Vec<&'static Json>)> {
    let of = |word: &str| -> Vec<&'static Json> {
        let values = schemas.iter().filter_map(|schema| schema.get("properties")?.get(word));
        values.flat_map(schema::alternatives).collect()
    };
    let exact = of(key);
    if !exact.is_empty() {
        return Some((key, exact));
    }
    if let Some(word) = static_word(schemas, key) {
        return Some((word, of(word)));
    }
    let names = schemas.iter().filter_map(|schema| schema.get("additionalProperties")).filter(|values| values.is_object());
    Some((key, names.flat_map(schema::alternatives).collect()))
}

/// The property with this spelling or the other.
fn static_word(schemas: &[&'static Json], key: &str) -> Option<&'static str> {
    let properties = schemas.iter().filter_map(|schema| schema.get("properties")?.as_object());
    properties.flat_map(|properties| properties.keys()).map(String::as_str).find(|word| is_same(word, key))
}

/// The listed word that a value means, where it is spelled differently and no other text is allowed.
fn word(schemas: &[&'static Json], written: &str) -> Option<&'static str> {
    let mut words = Vec::new();
    for schema in schemas {
        match (schema.get("const"), schema.get("enum").and_then(Json::as_array)) {
            (Some(one), _) => words.extend(one.as_str()),
            (None, Some(many)) => words.extend(many.iter().filter_map(Json::as_str)),
            (None, None) if schema.get("type").and_then(Json::as_str) == Some("string") => return None,
            (None, None) => {}
        }
    }
    if words.contains(&written) { None } else { words.into_iter().find(|word| is_same(word, written)) }
}

/// Whether two words differ in hyphens and underscores only.
fn is_same(a: &str, b: &str) -> bool {
    let plain = |byte: u8| if byte == b'-' { b'_' } else { byte };
    a.len() == b.len() && a.bytes().map(plain).eq(b.bytes().map(plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn respelled(text: &str) -> (String, Vec<String>) {
        normalise_plan(text).unwrap()
    }

    #[test]
    fn keys_and_listed_words_are_respelled() {
        let written = "stop-on: violation\nssh: {host-key: \"accept-new\"}\nworkload: {register: {ops-per-key: 5}}\n";
        let (text, hints) = respelled(written);
        assert_eq!(
            text,
            written
                .replace("stop-on", "stop_on")
                .replace("host-key", "host_key")
                .replace("accept-new", "accept_new")
                .replace("ops-per-key", "ops_per_key")
        );
        assert_eq!(hints.len(), 4);
        assert_eq!(hints[0], "`stop-on` is accepted; plans spell it `stop_on`");
    }

    #[test]
    fn names_are_left_alone() {
        let text = "name: stop-on\nzones: {stop-on: [host-key]}\nsystem: {name: my-system, options: {host-key: accept-new}}\n";
        assert_eq!(respelled(text), (text.to_owned(), Vec::new()));
        // Both spellings at once are left for the error that names the wrong one.
        let both = "stop-on: never\nstop_on: never\n";
        assert_eq!(respelled(both).0, both);
    }

    #[test]
    fn either_spelling_of_a_faults_words_is_accepted() {
        let plan = |shape: &str| format!("nemesis:\n  - {{partition: {{shape: {shape}}}, every: 9s}}\n");
        assert_eq!(respelled(&plan("majority-minority")).0, respelled(&plan("majority_minority")).0);
    }

    #[test]
    fn paths_are_respelled_and_keep_their_length() {
        assert_eq!(normalise_path("ssh.host-key"), "ssh.host_key");
        assert_eq!(normalise_path("nemesis.0.after-operations"), "nemesis.0.after_operations");
        assert_eq!(normalise_path("zones.a-b"), "zones.a-b");
        assert_eq!(normalise_path("load..rate"), "load..rate");
    }
}
