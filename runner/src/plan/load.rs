//! From a file and the command line's changes to a plan.

use std::path::{Path, PathBuf};

use serde_json::Value as Json;

use super::diagnostics::{self, Change, Origin, is_secret, spelling};
use super::{Plan, PlanError};

/// The largest plan that is read, in bytes: 1 MiB.
const SIZE_MAX: u64 = 1 << 20;

/// The replacement for a password in the store.
pub(super) const HIDDEN: &str = "***";

/// A plan with its text, so that later errors can show their place.
#[derive(Clone, Debug)]
pub struct PlanSource {
    /// The plan.
    pub plan: Plan,
    /// The directory that relative paths in it start from.
    pub folder: PathBuf,
    /// Advice about accepted spellings, a line each.
    pub hints: Vec<String>,
    /// The text, after the command line's changes.
    text: String,
    pub(super) origin: Origin,
}

impl Plan {
    /// Reads a plan from a file. `overrides` are `path=value`, as `--set` takes them: `load.rate=200`, `nemesis.0.every=5s`.
    ///
    /// # Errors
    /// When the file cannot be read, or is not a valid plan; the place is shown.
    pub fn load(path: &Path, overrides: &[String]) -> Result<PlanSource, PlanError> {
        let name = path.display().to_string();
        let unreadable =
            |why: String| PlanError::plain(format!("{name}: the plan cannot be read: {why}")).help("give the path of a plan, a YAML file");
        let size = std::fs::metadata(path).map_err(|error| unreadable(error.to_string()))?.len();
        if size > SIZE_MAX {
            return Err(unreadable(format!("it has {size} bytes; the limit is {SIZE_MAX}")));
        }
        let bytes = std::fs::read(path).map_err(|error| unreadable(error.to_string()))?;
        let text = String::from_utf8(bytes).map_err(|error| not_utf8(&name, &error))?;
        let folder = path.parent().map_or_else(Default::default, Path::to_owned);
        Plan::parse(&text, &name, overrides).map(|source| PlanSource { folder, ..source })
    }

    /// Reads a plan from text. `name` stands for the file in messages.
    ///
    /// # Errors
    /// As [`Plan::load`].
    pub fn parse(text: &str, name: &str, overrides: &[String]) -> Result<PlanSource, PlanError> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let (mut origin, text, mut hints) = Origin::of_plan(name, text)?;
        if overrides.is_empty() {
            return Ok(PlanSource { plan: diagnostics::read(&origin, &text)?, text, folder: PathBuf::new(), hints, origin });
        }
        let mut tree: Json = diagnostics::read(&origin, &text)?;
        for change in overrides {
            origin.changes.push(Change::apply(&mut tree, change)?);
        }
        let text = serde_yaml::to_string(&tree).map_err(|error| PlanError::plain(error.to_string()))?;
        // Values of changes may contain words in either spelling, too.
        let (text, more) = spelling::normalise_plan(&text)?;
        hints.extend(more.into_iter().map(|word| format!("--set: {word}")));
        Ok(PlanSource { plan: diagnostics::read(&origin, &text)?, text, folder: PathBuf::new(), hints, origin })
    }
}

/// An error at the place where a file is not UTF-8.
fn not_utf8(name: &str, error: &std::string::FromUtf8Error) -> PlanError {
    let bytes = error.as_bytes();
    let good = error.utf8_error().valid_up_to();
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return PlanError::plain(format!("{name}: the plan is encoded in UTF-16")).help("save it as UTF-8");
    }
    // Before the first invalid byte, the lossy text has the same bytes.
    PlanError::at(&String::from_utf8_lossy(bytes), name, good..good + '\u{fffd}'.len_utf8(), "the plan is not UTF-8 here")
        .help("save it as UTF-8")
}

impl PlanSource {
    /// The plan's text for the store: as it is run, without secrets.
    ///
    /// # Errors
    /// When it cannot be written as YAML.
    pub fn without_secrets(&self) -> Result<String, PlanError> {
        let mut tree: Json = diagnostics::read(&self.origin, &self.text)?;
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
