//! The command line's changes to a plan: `--set PATH=VALUE`.

use serde_json::{Map, Value as Json};

use super::secrets::is_secret;
use super::{PlanError, spelling};

/// One `PATH=VALUE`.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    /// As the schema spells it; as long as in `text`.
    path: String,
    text: String,
}

impl Change {
    /// Applies a change to a plan's tree.
    ///
    /// # Errors
    /// When it is not `PATH=VALUE`, or the tree has no such path.
    pub(crate) fn apply(tree: &mut Json, text: &str) -> Result<Change, PlanError> {
        let (path, value) = text.split_once('=').unwrap_or((text, ""));
        let change = Change { path: spelling::normalise_path(path), text: text.to_owned() };
        let refuse = |message: String| change.error_in(0..path.len(), message).help("write a path and a value, like `--set load.rate=200`");
        if path.len() == text.len() {
            return Err(refuse("`--set` needs a `=` between path and value".to_owned()));
        }
        if change.path.split('.').any(|step| step.trim() != step || step.is_empty()) {
            return Err(refuse("the path contains an empty step or a space".to_owned()));
        }
        let value: Json = serde_yaml::from_str_with_options(value, super::syntax::yaml()).map_err(|error| {
            let message = super::syntax::reported(&error);
            change.error(format!("the value is not YAML: {message}")).help("quote it: `--set 'name=\"a: b\"'`")
        })?;
        *find(tree, &change.path).map_err(refuse)? = value;
        Ok(change)
    }

    /// Whether it sets the value at a path.
    pub(super) fn decides(&self, path: &str) -> bool {
        path.strip_prefix(self.path.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    }

    /// Whether it sets something below a path.
    pub(super) fn is_below(&self, path: &str) -> bool {
        self.path.strip_prefix(path).is_some_and(|rest| rest.starts_with('.'))
    }

    /// Whether its text contains a word.
    pub(super) fn says(&self, word: &str) -> bool {
        self.text.split(|c: char| !c.is_alphanumeric() && c != '_' && c != '-').any(|said| said == word)
    }

    /// An error in the value.
    pub(super) fn error(&self, message: String) -> PlanError {
        self.error_in(self.value_start()..self.text.len(), message)
    }

    /// An error at the last step of its path, where that is the path it sets.
    pub(super) fn error_at_key(&self, path: &str, message: String) -> PlanError {
        if path != self.path {
            return self.error(message);
        }
        let key = self.path.rfind('.').map_or(0, |at| at + 1);
        self.error_in(key..self.path.len(), message)
    }

    /// Its text without secrets.
    pub(super) fn shown(&self) -> String {
        let value = self.value_start();
        if holds_secret(&self.path, &self.text[value..]) {
            format!("{}{}", &self.text[..value], "*".repeat(self.text.len() - value))
        } else {
            self.text.clone()
        }
    }

    fn value_start(&self) -> usize {
        self.text.find('=').map_or(self.text.len(), |at| at + 1)
    }

    fn error_in(&self, place: std::ops::Range<usize>, message: String) -> PlanError {
        PlanError::at(&self.shown(), "--set", place, message)
    }
}

/// The value at a path of a tree, added as null where it is absent.
fn find<'a>(tree: &'a mut Json, path: &str) -> Result<&'a mut Json, String> {
    let mut place = tree;
    let mut passed: Vec<&str> = Vec::new();
    for step in path.split('.') {
        place = match (step.parse::<usize>(), place) {
            (Ok(index), Json::Array(items)) => {
                let length = items.len();
                items
                    .get_mut(index)
                    .ok_or_else(|| format!("`{}` has {length} items, numbered from 0; it has no item {index}", passed.join(".")))?
            }
            (Err(_), Json::Array(_)) => {
                return Err(format!("`{}` is a list; continue the path with the number of an item, from 0", passed.join(".")));
            }
            (_, Json::Object(fields)) => fields.entry(step).or_insert(Json::Null),
            (_, other) => {
                *other = Json::Object(lengthen(&passed, other));
                let Json::Object(fields) = other else { unreachable!("just made") };
                fields.entry(step).or_insert(Json::Null)
            }
        };
        passed.push(step);
    }
    Ok(place)
}

/// The map that replaces a value when a path leads through it: empty for an absent value, the long form of a short one (`system: etcd`).
fn lengthen(path: &[&str], short: &Json) -> Map<String, Json> {
    let key = match path {
        ["system"] => "name",
        ["nodes", _] => "address",
        _ => return Map::new(),
    };
    if short.is_string() { Map::from_iter([(key.to_owned(), short.clone())]) } else { Map::new() }
}

/// Whether a change gives a password: by its path, or in a map below it.
fn holds_secret(path: &str, value: &str) -> bool {
    is_secret(path.rsplit('.').next().unwrap_or_default(), value)
        || (value.contains("password") && !value.trim_start().starts_with("${env:"))
}

/// A change of the command line, `path=value`, as it may be shown and stored.
pub fn change_without_secrets(change: &str) -> String {
    match change.split_once('=') {
        Some((path, value)) if holds_secret(path, value) => format!("{path}={}", super::super::HIDDEN),
        _ => change.to_owned(),
    }
}
