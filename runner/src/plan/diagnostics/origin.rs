//! The source of a plan: its text and the command line's changes, where errors show their place.

use std::ops::Range;

use super::changes::Change;
use super::secrets::{hide, hide_lines};
use super::spans::{Node, Shape, Spans};
use super::syntax::syntax;
use super::{PlanError, spelling};

/// A YAML text with the byte range of every value.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    pub(super) name: String,
    /// The kind of text, for messages: `the plan`.
    pub(super) what: &'static str,
    /// The text as errors show it, without secrets.
    pub(super) shown: String,
    spans: Spans,
    pub(crate) changes: Vec<Change>,
}

/// The value of the text at a path.
pub(super) enum Found<'a> {
    Node(&'a Node),
    Changed,
    Nothing,
}

impl Origin {
    /// Reads a text. `what` names it in messages.
    ///
    /// # Errors
    /// When the text is not YAML.
    pub(crate) fn read(name: &str, text: &str, what: &'static str) -> Result<Origin, PlanError> {
        match Spans::read(text) {
            Ok(spans) => {
                let shown = hide(text, &spans);
                Ok(Origin { name: name.to_owned(), what, shown, spans, changes: Vec::new() })
            }
            Err(error) => Err(syntax(&hide_lines(text), name, what, &error)),
        }
    }

    /// Reads a plan. Returns its text with every word spelled as in the schema, and hints about those that were not.
    ///
    /// # Errors
    /// When the text is not YAML.
    pub(crate) fn of_plan(name: &str, text: &str) -> Result<(Origin, String, Vec<String>), PlanError> {
        let mut origin = Origin::read(name, text, "the plan")?;
        let (normalised, respelled) = spelling::normalise(text, &origin.spans);
        let place = |at: usize| {
            let line = text[..at].matches('\n').count() + 1;
            let column = text[text[..at].rfind('\n').map_or(0, |end| end + 1)..at].chars().count() + 1;
            format!("{name}:{line}:{column}")
        };
        let hints = respelled.iter().map(|word| format!("{}: {}", place(word.start), word.hint())).collect();
        if !respelled.is_empty() {
            // Paths in messages have the schema's spelling; the text that they show keeps the user's.
            origin.spans = Spans::read(&normalised).map_err(|error| syntax(&hide_lines(text), name, origin.what, &error))?;
        }
        Ok((origin, normalised, hints))
    }

    /// An error at the value of a path such as `nemesis.0.every`, or at its nearest ancestor in the text.
    pub(crate) fn error(&self, path: &str, message: impl Into<String>) -> PlanError {
        let message = message.into();
        if let Some(change) = self.change(path) {
            return change.error(message);
        }
        let (node, is_it) = self.spans.nearest(path);
        let place = match &node.shape {
            Shape::Scalar(_) | Shape::Nothing => node.value.clone(),
            // Lists and maps are underlined at their keys.
            Shape::List(_) | Shape::Map(_) => node.key.clone().unwrap_or_else(|| head(node)),
        };
        // The message may be about a value that only the command line has.
        let changed = self.changes.iter().find(|change| change.is_below(path)).map(|change| format!("after --set {}", change.shown()));
        if is_it || node.key.is_some() {
            return self.error_in(place, message).label(changed);
        }
        // A missing value has no place but the beginning of the text.
        self.error_in(head(node), message).label(changed.or_else(|| Some(format!("{} begins here", self.what))))
    }

    /// An error at the key of a path.
    pub(crate) fn error_at_key(&self, path: &str, message: String) -> PlanError {
        match (self.change(path), self.spans.nearest(path)) {
            (Some(change), _) => change.error_at_key(path, message),
            (None, (Node { key: Some(key), .. }, true)) => self.error_in(key.clone(), message),
            _ => self.error(path, message),
        }
    }

    /// An error at the first word that the message quotes, if it is below a path, and else at the path.
    pub(crate) fn error_at_word(&self, path: &str, message: impl Into<String>) -> PlanError {
        let message = message.into();
        let Some(word) = message.split('`').nth(1).map(|word| word.split(": ").next().unwrap_or(word).to_owned()) else {
            return self.error(path, message);
        };
        if let Some(change) = self.changes.iter().find(|change| change.is_below(path) && change.says(&word)) {
            return change.error(message);
        }
        let (node, is_it) = self.spans.nearest(path);
        match node.find(&word) {
            Some(place) if is_it && !self.changes.iter().any(|change| change.is_below(path) || change.decides(path)) => {
                self.error_in(place, message)
            }
            _ => self.error(path, message),
        }
    }

    pub(crate) fn error_in(&self, place: Range<usize>, message: String) -> PlanError {
        PlanError::at(&self.shown, &self.name, place, message)
    }

    /// Whether the text is a plan, and so described by the schema.
    pub(super) fn is_plan(&self) -> bool {
        self.what == "the plan"
    }

    /// The value of the text at a path.
    pub(super) fn found(&self, path: &str) -> Found<'_> {
        if self.changes.iter().any(|change| change.decides(path) || change.is_below(path)) {
            return Found::Changed;
        }
        match self.spans.nearest(path) {
            (node, true) => Found::Node(node),
            _ => Found::Nothing,
        }
    }

    /// The last change of the command line that sets the value at a path.
    fn change(&self, path: &str) -> Option<&Change> {
        self.changes.iter().rev().find(|change| change.decides(path))
    }
}

/// The first key or item of a list or a map.
fn head(node: &Node) -> Range<usize> {
    match &node.shape {
        Shape::Map(entries) => entries.first().and_then(|(_, first)| first.key.clone()).unwrap_or_else(|| node.value.clone()),
        Shape::List(items) => items.first().map_or_else(|| node.value.clone(), head),
        Shape::Nothing | Shape::Scalar(_) => node.value.clone(),
    }
}
