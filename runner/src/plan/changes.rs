//! The command line's changes to a plan: `--set path=value`.

use serde_json::{Map, Value as Json};

use super::PlanError;
use super::origin::is_secret;

/// One `path=value`.
#[derive(Clone, Debug)]
pub(super) struct Change {
    path: String,
    text: String,
}

impl Change {
    /// Applies a change to a plan's tree.
    ///
    /// # Errors
    /// When it is not `path=value`, or there is no such path.
    pub(super) fn apply(tree: &mut Json, text: &str) -> Result<Change, PlanError> {
        let (path, value) = text.split_once('=').unwrap_or((text, ""));
        let change = Change { path: path.to_owned(), text: text.to_owned() };
        let refuse = |message: String| change.error_in(0..path.len(), message).help("write a path and a value, like `--set load.rate=200`");
        if path.len() == text.len() {
            return Err(refuse("`--set` needs a `=` between path and value".to_owned()));
        }
        if change.path.split('.').any(|step| step.trim() != step || step.is_empty()) {
            return Err(refuse("the path has an empty step or a space".to_owned()));
        }
        let value: Json = serde_yaml::from_str_with_options(value, super::explain::yaml()).map_err(|error| {
            let message = super::explain::words(&error);
            change.error(format!("the value is not YAML: {message}")).help("put it in quotes: `--set 'name=\"a: b\"'`")
        })?;
        *find(tree, &change.path).map_err(refuse)? = value;
        Ok(change)
    }

    /// Whether it sets what stands at a path.
    pub(super) fn decides(&self, path: &str) -> bool {
        path.strip_prefix(self.path.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    }

    /// Whether it sets something below a path.
    pub(super) fn is_below(&self, path: &str) -> bool {
        self.path.strip_prefix(path).is_some_and(|rest| rest.starts_with('.'))
    }

    /// Whether it is about a word.
    pub(super) fn says(&self, word: &str) -> bool {
        self.text.split(|c: char| !c.is_alphanumeric() && c != '_' && c != '-').any(|said| said == word)
    }

    /// An error in the value.
    pub(super) fn error(&self, message: String) -> PlanError {
        self.error_in(self.value_start()..self.text.len(), message)
    }

    /// An error in the name of what it sets, where the path is just that.
    pub(super) fn error_at_key(&self, path: &str, message: String) -> PlanError {
        if path != self.path {
            return self.error(message);
        }
        let key = self.path.rfind('.').map_or(0, |at| at + 1);
        self.error_in(key..self.path.len(), message)
    }

    /// Its text, secrets hidden.
    pub(super) fn shown(&self) -> String {
        let value = self.value_start();
        let is_hidden = is_secret(self.path.rsplit('.').next().unwrap_or_default(), &self.text[value..]);
        if is_hidden { format!("{}{}", &self.text[..value], "*".repeat(self.text.len() - value)) } else { self.text.clone() }
    }

    fn value_start(&self) -> usize {
        self.text.find('=').map_or(self.text.len(), |at| at + 1)
    }

    fn error_in(&self, place: std::ops::Range<usize>, message: String) -> PlanError {
        PlanError::at(&self.shown(), "--set", place, message)
    }
}

/// The place of a path in a tree, made where it is absent.
fn find<'a>(tree: &'a mut Json, path: &str) -> Result<&'a mut Json, String> {
    let mut place = tree;
    let mut passed: Vec<&str> = Vec::new();
    for step in path.split('.') {
        place = match (step.parse::<usize>(), place) {
            (Ok(index), Json::Array(items)) => {
                let length = items.len();
                items
                    .get_mut(index)
                    .ok_or_else(|| format!("`{}` has {length} items, from 0; there is no item {index}", passed.join(".")))?
            }
            (Err(_), Json::Array(_)) => return Err(format!("`{}` is a list; after it comes a number from 0", passed.join("."))),
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

/// What was absent becomes an empty map; what was written short (`system: etcd`) a map that says the same.
fn lengthen(path: &[&str], short: &Json) -> Map<String, Json> {
    let key = match path {
        ["system"] => "name",
        ["nodes", _] => "address",
        _ => return Map::new(),
    };
    if short.is_string() { Map::from_iter([(key.to_owned(), short.clone())]) } else { Map::new() }
}
