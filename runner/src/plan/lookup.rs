//! Looking up the system that a plan names.

use std::path::{Path, PathBuf};

use elenchus_clients::ClientSpec;
use elenchus_control::system::{Definition, System, SystemError};
use elenchus_systems::SystemEntry;

use super::clients::unknown_client;
use super::diagnostics::{self, Origin, did_you_mean, list};
use super::{PlanError, PlanSource, ResolvedNode, SystemChoice};

/// The text of a system's definition.
struct Source {
    name: String,
    text: String,
    /// The directory that relative paths in it start from.
    folder: PathBuf,
}

/// A definition that comes with Elenchus.
///
/// # Errors
/// When it is malformed, at the place.
pub fn definition(entry: &SystemEntry) -> Result<Definition, PlanError> {
    let origin = Origin::read(&format!("systems/{}.yaml", entry.name), entry.definition, "the system's definition")?;
    diagnostics::read(&origin, entry.definition)
}

impl PlanSource {
    /// The plan's system, with its templates filled in for these nodes.
    pub(super) fn system(&self, nodes: &[ResolvedNode]) -> Result<Option<System>, PlanError> {
        let Some(choice) = &self.plan.system else { return Ok(None) };
        let (name, options) = choice.parts();
        let path = match choice {
            SystemChoice::Named(_) => "system",
            SystemChoice::Set(_) => "system.name",
        };
        let source = self.definition(name, path)?;
        let origin = Origin::read(&source.name, &source.text, "the system's definition")?;
        let definition: Definition = diagnostics::read(&origin, &source.text)?;
        if let Some(option) = options.keys().find(|option| !definition.options.contains_key(*option)) {
            let known = || definition.options.keys().map(String::as_str);
            let message = format!("the system `{}` has no option `{option}`", definition.name);
            let error = self.origin.error_at_key(&format!("system.options.{option}"), message).label(did_you_mean(option, known()));
            return Err(error.help(format!("options: {}", list(known()))));
        }
        if let Some(client) = definition.client.as_deref().filter(|client| ClientSpec::named(client).is_none()) {
            return Err(unknown_client(&origin, "client", client));
        }
        let addresses: Vec<(String, String)> = nodes.iter().map(|node| (node.name.clone(), node.address.clone())).collect();
        System::new(definition, &options, &source.folder, &addresses).map(Some).map_err(|why| in_definition(&origin, &why))
    }

    fn definition(&self, name: &str, path: &str) -> Result<Source, PlanError> {
        if let Some(entry) = elenchus_systems::find(name) {
            return Ok(Source { name: format!("systems/{name}.yaml"), text: entry.definition.to_owned(), folder: PathBuf::from(".") });
        }
        if !(name.ends_with(".yaml") || name.ends_with(".yml") || name.contains('/')) {
            let known = || elenchus_systems::ALL.iter().map(|entry| entry.name);
            let error = self.origin.error(path, format!("unknown system `{name}`")).label(did_you_mean(name, known()));
            return Err(error.help("`elenchus systems` lists all systems; or give the path of a .yaml file that defines one"));
        }
        let file = self.folder.join(name);
        let text = std::fs::read_to_string(&file).map_err(|error| {
            let message = format!("the system's definition cannot be read: {}: {error}", file.display());
            self.origin.error(path, message).help("the path is relative to the plan's directory")
        })?;
        Ok(Source { name: file.display().to_string(), text, folder: file.parent().map(Path::to_owned).unwrap_or_default() })
    }
}

/// The error of a definition, shown in its own text.
fn in_definition(origin: &Origin, error: &SystemError) -> PlanError {
    match error {
        SystemError::Template { field, message, .. } => origin.error(field, format!("the template `{field}` is invalid: {message}")),
        SystemError::Definition { message, .. } => origin.error_at_word("", message.as_str()),
        other => origin.error("", other.to_string()),
    }
}
