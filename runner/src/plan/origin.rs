//! Where a plan is from: its file and the command line's changes, in which errors show their place.

use std::ops::Range;

use super::PlanError;
use super::changes::Change;
use super::outline::{Node, Outline, Shape};

/// A text of YAML with the place of everything in it.
#[derive(Clone, Debug)]
pub(super) struct Origin {
    pub(super) name: String,
    /// What the text is of, for messages: `the plan`.
    pub(super) what: &'static str,
    /// The text as errors show it, secrets hidden.
    pub(super) shown: String,
    outline: Outline,
    pub(super) changes: Vec<Change>,
}

/// What stands at a path.
pub(super) enum Found<'a> {
    Node(&'a Node),
    Changed,
    Nothing,
}

impl Origin {
    /// # Errors
    /// When the text is no YAML.
    pub(super) fn read(name: &str, text: &str, what: &'static str) -> Result<Origin, PlanError> {
        match Outline::read(text) {
            Ok(outline) => {
                let shown = hide(text, &outline);
                Ok(Origin { name: name.to_owned(), what, shown, outline, changes: Vec::new() })
            }
            Err(error) => Err(super::explain::syntax(&hide_lines(text), name, what, &error)),
        }
    }

    /// An error at the value of a path like `nemesis.0.every`, or at what is nearest above it.
    pub(super) fn error(&self, path: &str, message: impl Into<String>) -> PlanError {
        let message = message.into();
        if let Some(change) = self.change(path) {
            return change.error(message);
        }
        let (node, is_it) = self.outline.nearest(path);
        let place = match &node.shape {
            Shape::Scalar(_) | Shape::Nothing => node.value.clone(),
            // Lists and maps are shown by their names.
            Shape::List(_) | Shape::Map(_) => node.key.clone().unwrap_or_else(|| head(node)),
        };
        // The message may be about what the file does not say.
        let changed = self.changes.iter().find(|change| change.is_below(path)).map(|change| format!("after --set {}", change.shown()));
        if is_it || node.key.is_some() {
            return self.error_in(place, message).label(changed);
        }
        // Of what is missing altogether there is nothing to underline but the beginning.
        self.error_in(head(node), message).label(changed.or_else(|| Some(format!("{} begins here", self.what))))
    }

    /// An error at the key of a path.
    pub(super) fn error_at_key(&self, path: &str, message: String) -> PlanError {
        match (self.change(path), self.outline.nearest(path)) {
            (Some(change), _) => change.error_at_key(path, message),
            (None, (Node { key: Some(key), .. }, true)) => self.error_in(key.clone(), message),
            _ => self.error(path, message),
        }
    }

    /// An error at the word that the message quotes first, where it stands below a path, and else at the path.
    pub(super) fn error_at_word(&self, path: &str, message: impl Into<String>) -> PlanError {
        let message = message.into();
        let Some(word) = message.split('`').nth(1).map(|word| word.split(": ").next().unwrap_or(word).to_owned()) else {
            return self.error(path, message);
        };
        if let Some(change) = self.changes.iter().find(|change| change.is_below(path) && change.says(&word)) {
            return change.error(message);
        }
        let (node, is_it) = self.outline.nearest(path);
        match node.find(&word) {
            Some(place) if is_it && !self.changes.iter().any(|change| change.is_below(path) || change.decides(path)) => {
                self.error_in(place, message)
            }
            _ => self.error(path, message),
        }
    }

    pub(super) fn error_in(&self, place: Range<usize>, message: String) -> PlanError {
        PlanError::at(&self.shown, &self.name, place, message)
    }

    /// Whether it describes a plan, which the schema describes.
    pub(super) fn is_plan(&self) -> bool {
        self.what == "the plan"
    }

    /// What stands at a path.
    pub(super) fn found(&self, path: &str) -> Found<'_> {
        if self.changes.iter().any(|change| change.decides(path) || change.is_below(path)) {
            return Found::Changed;
        }
        match self.outline.nearest(path) {
            (node, true) => Found::Node(node),
            _ => Found::Nothing,
        }
    }

    /// The last change of the command line that decided what stands at a path.
    fn change(&self, path: &str) -> Option<&Change> {
        self.changes.iter().rev().find(|change| change.decides(path))
    }
}

/// Where a list or a map begins: its first key or item.
fn head(node: &Node) -> Range<usize> {
    match &node.shape {
        Shape::Map(entries) => entries.first().and_then(|(_, first)| first.key.clone()).unwrap_or_else(|| node.value.clone()),
        Shape::List(items) => items.first().map_or_else(|| node.value.clone(), head),
        Shape::Nothing | Shape::Scalar(_) => node.value.clone(),
    }
}

/// The text with its passwords starred out, every byte else in its place.
fn hide(text: &str, outline: &Outline) -> String {
    let mut shown = text.to_owned();
    for (key, node) in outline.scalars() {
        let Shape::Scalar(value) = &node.shape else { continue };
        if is_secret(key, value) && text.get(node.value.clone()).is_some() {
            let stars = text[node.value.clone()].bytes().map(|byte| if byte == b'\n' { '\n' } else { '*' }).collect::<String>();
            shown.replace_range(node.value.clone(), &stars);
        }
    }
    shown
}

/// The same for a text that cannot be read: what follows `password:` in a line.
fn hide_lines(text: &str) -> String {
    text.split_inclusive('\n')
        .map(|line| match line.split_once("password:") {
            Some((before, after)) if !after.trim_start().starts_with("${env:") => {
                let stars: String = after.bytes().map(|byte| if byte.is_ascii_whitespace() { char::from(byte) } else { '*' }).collect();
                format!("{before}password:{stars}")
            }
            _ => line.to_owned(),
        })
        .collect()
}

/// Whether a value must not be shown or kept.
pub(super) fn is_secret(key: &str, value: &str) -> bool {
    key == "password" && !value.starts_with("${env:")
}
