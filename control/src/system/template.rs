//! Templates that see a node and its peers. An undefined name is an error, not an empty text.

use std::collections::BTreeMap;

use minijinja::{Environment, UndefinedBehavior};
use serde::Serialize;

use super::SystemError;

/// The variables of a node in templates.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Variables {
    pub(super) name: String,
    pub(super) address: String,
    pub(super) index: usize,
}

#[derive(Serialize)]
struct Scope<'a> {
    system: &'a str,
    node: &'a Variables,
    nodes: &'a [Variables],
    peers: Vec<&'a Variables>,
    options: &'a BTreeMap<String, String>,
}

/// Renders the templates of one system for one of its nodes.
pub(super) struct Templates<'a> {
    environment: Environment<'static>,
    scope: Scope<'a>,
}

impl<'a> Templates<'a> {
    pub(super) fn new(system: &'a str, options: &'a BTreeMap<String, String>, nodes: &'a [Variables], node: &'a Variables) -> Self {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_keep_trailing_newline(true);
        let peers = nodes.iter().filter(|peer| peer.index != node.index).collect();
        Templates { environment, scope: Scope { system, node, nodes, peers, options } }
    }

    /// Renders `text`; `field` names it in error messages.
    pub(super) fn render(&self, field: &str, text: &str) -> Result<String, SystemError> {
        self.environment.render_named_str(field, text, &self.scope).map_err(|error| SystemError::Template {
            system: self.scope.system.to_owned(),
            field: field.to_owned(),
            line: error.line().unwrap_or(1),
            message: self.explain(&error, text),
        })
    }

    fn explain(&self, error: &minijinja::Error, text: &str) -> String {
        let what = match error.detail() {
            Some(detail) => format!("{} ({detail})", error.kind()),
            None => error.kind().to_string(),
        };
        let excerpt = error.range().and_then(|range| text.get(range)).map(|found| format!(" at `{found}`")).unwrap_or_default();
        if error.kind() != minijinja::ErrorKind::UndefinedError {
            return format!("{what}{excerpt}");
        }
        let options: Vec<&str> = self.scope.options.keys().map(String::as_str).collect();
        format!(
            "{what}{excerpt}; available: node, nodes, peers (each with name, address, index), system, and options: {}",
            options.join(", ")
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables() -> Vec<Variables> {
        (0..3).map(|index| Variables { name: format!("n{}", index + 1), address: format!("10.0.0.{}", index + 1), index }).collect()
    }

    #[test]
    fn templates_can_loop_over_nodes_and_peers() {
        let (nodes, options) = (variables(), BTreeMap::new());
        let templates = Templates::new("s", &options, &nodes, &nodes[1]);
        let text = "{{ node.name }}:{% for peer in peers %} {{ peer.name }}={{ peer.address }}{% endfor %} of {{ nodes|length }}\n";
        assert_eq!(templates.render("start.command", text).unwrap(), "n2: n1=10.0.0.1 n3=10.0.0.3 of 3\n");
    }

    #[test]
    fn undefined_names_are_reported_with_field_and_line() {
        let (nodes, options) = (variables(), BTreeMap::from([("defect".to_owned(), "none".to_owned())]));
        let templates = Templates::new("s", &options, &nodes, &nodes[0]);
        let error = templates.render("files[0].content", "a\n{{ options.defct }}\n").unwrap_err().to_string();
        assert!(error.starts_with("system `s`: files[0].content, line 2: "), "{error}");
        assert!(error.contains("options: defect"), "{error}");
    }
}
