//! From a file and the command line's changes to a plan.

use std::path::Path;

use serde_json::{Map, Value as Json};

use super::{Plan, PlanError};

/// The most that a plan may be: 1 MiB.
const SIZE_MAX: u64 = 1 << 20;

/// A plan together with the text it was read from, so that later errors can show their place.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The plan.
    pub plan: Plan,
    /// Its text, after the command line's changes.
    pub text: String,
    /// What to call the text.
    pub name: String,
    /// The directory that relative names in it start from.
    pub folder: std::path::PathBuf,
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
        let text =
            String::from_utf8(bytes).map_err(|error| unreadable(format!("byte {} is not UTF-8", error.utf8_error().valid_up_to())))?;
        let folder = path.parent().map_or_else(Default::default, Path::to_owned);
        Plan::parse(&text, &name, overrides).map(|loaded| Loaded { folder, ..loaded })
    }

    /// Reads a plan from text.
    ///
    /// # Errors
    /// As [`Plan::load`].
    pub fn parse(text: &str, name: &str, overrides: &[String]) -> Result<Loaded, PlanError> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let read = |text: &str, name: &str| -> Result<Plan, PlanError> {
            serde_yaml::from_str(text).map_err(|error| PlanError::from_yaml(text, name, &error))
        };
        let plan = read(text, name)?;
        if overrides.is_empty() {
            return Ok(Loaded { plan, text: text.to_owned(), name: name.to_owned(), folder: Default::default() });
        }
        let mut tree: Json = serde_yaml::from_str(text).map_err(|error| PlanError::from_yaml(text, name, &error))?;
        for change in overrides {
            set(&mut tree, change)?;
        }
        let text = serde_yaml::to_string(&tree).map_err(|error| PlanError::plain(error.to_string()))?;
        let name = format!("{name} with --set {}", overrides.join(" --set "));
        Ok(Loaded { plan: read(&text, &name)?, text, name, folder: Default::default() })
    }
}

impl Loaded {
    /// The plan for the store: as it was run, without secrets.
    ///
    /// # Errors
    /// When it cannot be written as YAML.
    pub fn without_secrets(&self) -> Result<String, PlanError> {
        let mut tree: Json = serde_yaml::from_str(&self.text).map_err(|error| PlanError::from_yaml(&self.text, &self.name, &error))?;
        hide(&mut tree);
        serde_yaml::to_string(&tree).map_err(|error| PlanError::plain(error.to_string()))
    }
}

fn hide(tree: &mut Json) {
    match tree {
        Json::Object(fields) => {
            for (name, value) in fields {
                match value {
                    Json::String(text) if name == "password" && !text.starts_with("${env:") => *text = "***".to_owned(),
                    other => hide(other),
                }
            }
        }
        Json::Array(items) => items.iter_mut().for_each(hide),
        _ => {}
    }
}

/// Applies one `path=value`.
fn set(tree: &mut Json, change: &str) -> Result<(), PlanError> {
    let wrong =
        |why: String| PlanError::plain(format!("--set {change}: {why}")).help("write a path and a value, like `--set load.rate=200`");
    let (path, value) = change.split_once('=').ok_or_else(|| wrong("there is no `=`".to_owned()))?;
    let value: Json = serde_yaml::from_str(value).map_err(|error| wrong(error.without_snippet().to_string()))?;
    let mut place = tree;
    for step in path.split('.') {
        place = match (step.parse::<usize>(), place) {
            (Ok(index), Json::Array(items)) => {
                let length = items.len();
                items.get_mut(index).ok_or_else(|| wrong(format!("there is no item {index}; the list has {length}")))?
            }
            (Err(_), Json::Array(_)) => return Err(wrong(format!("`{step}` stands for a place in a list; expected a number from 0"))),
            (_, Json::Object(fields)) => fields.entry(step).or_insert(Json::Null),
            // What was absent, or written short, becomes a map.
            (_, other) => {
                let short = std::mem::take(other);
                *other = Json::Object(Map::new());
                let Json::Object(fields) = other else { unreachable!("just made") };
                if let Json::String(name) = short {
                    fields.insert("name".to_owned(), Json::String(name));
                }
                fields.entry(step).or_insert(Json::Null)
            }
        };
    }
    *place = value;
    Ok(())
}
