//! The JSON Schema of plans: for editors, for the descriptions in error messages, and for the spelling of words.

use std::sync::LazyLock;

use serde_json::Value as Json;

use super::Plan;

const MAP: &str = "a map";

static SCHEMA: LazyLock<Json> = LazyLock::new(|| schemars::schema_for!(Plan).to_value());

/// The JSON Schema of plans, as text.
pub fn schema() -> String {
    serde_json::to_string_pretty(&*SCHEMA).unwrap_or_default()
}

/// The schema of a whole plan.
pub(super) fn root() -> &'static Json {
    &SCHEMA
}

/// The description of the field at a path.
pub(super) fn purpose(path: &str) -> Option<&'static str> {
    let field = field(path)?;
    let text = |node: &'static Json| node.get("description").and_then(Json::as_str);
    text(field).or_else(|| alternatives(field).into_iter().find_map(text))
}

/// Where the words that are allowed at a path are listed, if there are too many for a message.
pub(super) fn list(path: &str) -> Option<&'static str> {
    fn find(node: &'static Json) -> Option<&'static str> {
        let node = target(node);
        let here = node.get("x-list").and_then(Json::as_str);
        here.or_else(|| node.get("anyOf").and_then(Json::as_array)?.iter().find_map(find))
    }
    find(field(path)?)
}

/// The values that are allowed at a path, in words: `a whole number from 1 to 200`.
pub(super) fn expected(path: &str) -> Option<String> {
    let mut kinds: Vec<String> = Vec::new();
    for node in alternatives(field(path)?) {
        for kind in kinds_of(node) {
            // One example of a map is enough.
            let is_listed = |listed: &String| *listed == kind || (listed.starts_with(MAP) && kind.starts_with(MAP));
            if !kinds.iter().any(is_listed) {
                kinds.push(kind);
            }
        }
    }
    (!kinds.is_empty()).then(|| kinds.join(" or "))
}

/// The schema of the field at a path.
fn field(path: &str) -> Option<&'static Json> {
    path.split('.').filter(|step| !step.is_empty()).try_fold(&*SCHEMA, |node, step| {
        alternatives(node).into_iter().find_map(|node| {
            let property = node.get("properties").and_then(|properties| properties.get(step));
            let item = step.parse::<usize>().ok().and_then(|_| node.get("items"));
            property.or(item).or_else(|| node.get("additionalProperties").filter(|values| values.is_object()))
        })
    })
}

/// The schema that a reference points to.
fn target(node: &'static Json) -> &'static Json {
    let name = node.get("$ref").and_then(Json::as_str).and_then(|reference| reference.strip_prefix("#/$defs/"));
    name.and_then(|name| SCHEMA.get("$defs")?.get(name)).unwrap_or(node)
}

/// The schemas that a value may match, with references followed.
pub(super) fn alternatives(node: &'static Json) -> Vec<&'static Json> {
    let node = target(node);
    let choices = ["anyOf", "oneOf"].iter().find_map(|word| node.get(word)).and_then(Json::as_array);
    choices.map_or_else(|| vec![node], |choices| choices.iter().flat_map(alternatives).collect())
}

fn kinds_of(node: &Json) -> Vec<String> {
    if let Some(word) = node.get("const").and_then(Json::as_str) {
        return vec![format!("`{word}`")];
    }
    if let (Some(title), Some(_)) = (node.get("title").and_then(Json::as_str), node.get("enum")) {
        return vec![title.to_owned()];
    }
    if let Some(words) = node.get("enum").and_then(Json::as_array) {
        return words.iter().filter_map(Json::as_str).map(|word| format!("`{word}`")).collect();
    }
    let types = match node.get("type") {
        Some(Json::String(one)) => vec![one.as_str()],
        Some(Json::Array(many)) => many.iter().filter_map(Json::as_str).collect(),
        _ => Vec::new(),
    };
    types
        .into_iter()
        .filter_map(|kind| match kind {
            "integer" => Some(format!("a whole number{}", bounds(node))),
            "number" => Some("a number".to_owned()),
            "string" => Some("a string".to_owned()),
            "boolean" => Some("`true` or `false`".to_owned()),
            "array" => Some("a list (lines that begin with `- `)".to_owned()),
            "object" => Some(example(node).map_or(MAP.to_owned(), |field| format!("{MAP} like `{{{field}: …}}`"))),
            _ => None,
        })
        .collect()
}

/// A field of a map: that of its example or a required one if there is any.
fn example(node: &Json) -> Option<&str> {
    if let Some(example) = node.get("examples").and_then(|examples| examples.get(0)?.as_object()) {
        return example.keys().next().map(String::as_str);
    }
    let needed = node.get("required").and_then(Json::as_array).and_then(|fields| fields.first()?.as_str());
    needed.or_else(|| node.get("properties")?.as_object()?.keys().next().map(String::as_str))
}

fn bounds(node: &Json) -> String {
    match (node.get("minimum"), node.get("maximum")) {
        (Some(least), Some(most)) => format!(" from {least} to {most}"),
        (Some(least), None) => format!(" of at least {least}"),
        (None, Some(most)) => format!(" of at most {most}"),
        (None, None) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_allowed_is_described() {
        assert_eq!(expected("lab.nodes").as_deref(), Some("a whole number from 1 to 200"));
        assert_eq!(expected("nemesis").as_deref(), Some("a list (lines that begin with `- `)"));
        assert_eq!(expected("nemesis.3.interval").as_deref(), Some("`random` or `fixed`"));
        let client = expected("client").unwrap();
        assert_eq!(client, "the name of a client or a map like `{etcd: …}`");
        assert_eq!(list("client"), Some("`elenchus clients` lists all clients"));
        assert_eq!(list("workload"), Some("`elenchus workloads` lists all workloads"));
        assert_eq!(expected("nowhere.at.all"), None);
        assert_eq!(purpose("lab.nodes"), Some("The number of nodes, named n1, n2 …"));
    }
}
