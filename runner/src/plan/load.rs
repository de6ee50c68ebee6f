//! From a file and the command line's changes to a plan.

use std::path::{Path, PathBuf};

use serde_json::Value as Json;

use super::changes::Change;
use super::explain;
use super::origin::{Origin, is_secret};
use super::{Plan, PlanError};

/// The most that a plan may be: 1 MiB.
const SIZE_MAX: u64 = 1 << 20;

/// What takes the place of a password in the store.
pub(super) const HIDDEN: &str = "***";

/// A plan together with where it is from, so that later errors can show their place.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The plan.
    pub plan: Plan,
    /// The directory that relative names in it start from.
    pub folder: PathBuf,
    /// Its text, after the command line's changes.
    text: String,
    pub(super) origin: Origin,
}

impl Plan {
    /// Reads a plan. `overrides` are `path=value`, as `--set` takes them: `load.rate=200`, `nemesis.0.every=5s`.
    ///
    /// # Errors
    /// When the file cannot be read, or says what no plan says; the place is shown.
    pub fn load(path: &Path, overrides: &[String]) -> Result<Loaded, PlanError> {
        let name = path.display().to_string();
        let unreadable = |why: String| PlanError::plain(format!("{name}: the plan cannot be read: {why}"));
        let size = std::fs::metadata(path).map_err(|error| unreadable(error.to_string()))?.len();
        if size > SIZE_MAX {
            return Err(unreadable(format!("it has {size} bytes; at most {SIZE_MAX} are read")));
        }
        let bytes = std::fs::read(path).map_err(|error| unreadable(error.to_string()))?;
        let text = String::from_utf8(bytes).map_err(|error| not_utf8(&name, &error))?;
        let folder = path.parent().map_or_else(Default::default, Path::to_owned);
        Plan::parse(&text, &name, overrides).map(|loaded| Loaded { folder, ..loaded })
    }

    /// Reads a plan from text.
    ///
    /// # Errors
    /// As [`Plan::load`].
    pub fn parse(text: &str, name: &str, overrides: &[String]) -> Result<Loaded, PlanError> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut origin = Origin::read(name, text, "the plan")?;
        if overrides.is_empty() {
            return Ok(Loaded { plan: explain::read(&origin, text)?, text: text.to_owned(), folder: PathBuf::new(), origin });
        }
        let mut tree: Json = explain::read(&origin, text)?;
        for change in overrides {
            origin.changes.push(Change::apply(&mut tree, change)?);
        }
        let text = serde_yaml::to_string(&tree).map_err(|error| PlanError::plain(error.to_string()))?;
        Ok(Loaded { plan: explain::read(&origin, &text)?, text, folder: PathBuf::new(), origin })
    }
}

/// Where a file stops being UTF-8.
fn not_utf8(name: &str, error: &std::string::FromUtf8Error) -> PlanError {
    let bytes = error.as_bytes();
    let good = error.utf8_error().valid_up_to();
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return PlanError::plain(format!("{name}: the plan is encoded in UTF-16")).help("save it as UTF-8");
    }
    // The same bytes stand before the first bad one.
    PlanError::at(&String::from_utf8_lossy(bytes), name, good..good + '\u{fffd}'.len_utf8(), "the plan is not UTF-8 here")
        .help("save it as UTF-8")
}

impl Loaded {
    /// The plan for the store: as it was run, without secrets.
    ///
    /// # Errors
    /// When it cannot be written as YAML.
    pub fn without_secrets(&self) -> Result<String, PlanError> {
        let mut tree: Json = explain::read(&self.origin, &self.text)?;
        hide(&mut tree);
        serde_yaml::to_string(&tree).map_err(|error| PlanError::plain(error.to_string()))
    }
}

fn hide(tree: &mut Json) {
    match tree {
        Json::Object(fields) => {
            for (name, value) in fields {
                let is_hidden = match &*value {
                    Json::String(text) => is_secret(name, text),
                    Json::Number(_) | Json::Bool(_) => is_secret(name, ""),
                    _ => false,
                };
                if is_hidden {
                    *value = Json::String(HIDDEN.to_owned());
                } else {
                    hide(value);
                }
            }
        }
        Json::Array(items) => items.iter_mut().for_each(hide),
        _ => {}
    }
}
