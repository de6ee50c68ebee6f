//! Looking up the system and the client that a plan names.

use std::path::{Path, PathBuf};

use elenchus_clients::{ALL as CLIENTS, ClientSpec};
use elenchus_control::system::{Definition, System, SystemError};

use super::diagnostics::{self, Origin, did_you_mean, list};
use super::{ClientChoice, PlanError, PlanSource, ResolvedNode, SystemChoice};

/// The definitions of the built-in systems, by name.
const SYSTEMS: &[(&str, &str)] =
    &[("etcd", include_str!("../../../systems/etcd.yaml")), ("specimen", include_str!("../../../systems/specimen.yaml"))];

/// The text of a system's definition.
struct Source {
    name: String,
    text: String,
    /// The directory that relative paths in it start from.
    folder: PathBuf,
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
            return Err(unknown_client(&origin, client));
        }
        let addresses: Vec<(String, String)> = nodes.iter().map(|node| (node.name.clone(), node.address.clone())).collect();
        System::new(definition, &options, &source.folder, &addresses).map(Some).map_err(|why| in_definition(&origin, &why))
    }

    fn definition(&self, name: &str, path: &str) -> Result<Source, PlanError> {
        if let Some((known, text)) = SYSTEMS.iter().find(|(known, _)| *known == name) {
            return Ok(Source { name: format!("systems/{known}.yaml"), text: (*text).to_owned(), folder: PathBuf::from(".") });
        }
        if !(name.ends_with(".yaml") || name.ends_with(".yml") || name.contains('/')) {
            let known = || SYSTEMS.iter().map(|(known, _)| *known);
            let error = self.origin.error(path, format!("unknown system `{name}`")).label(did_you_mean(name, known()));
            return Err(error.help(format!("systems: {}; or the path of a .yaml file that defines one", list(known()))));
        }
        let file = self.folder.join(name);
        let text = std::fs::read_to_string(&file).map_err(|error| {
            let message = format!("the system's definition cannot be read: {}: {error}", file.display());
            self.origin.error(path, message).help("the path is relative to the plan's directory")
        })?;
        Ok(Source { name: file.display().to_string(), text, folder: file.parent().map(Path::to_owned).unwrap_or_default() })
    }

    /// The client that the plan names, or else the system's.
    pub(super) fn client(&self, system: Option<&System>) -> Result<ClientSpec, PlanError> {
        match &self.plan.client {
            Some(ClientChoice::Named(name)) => ClientSpec::named(name).ok_or_else(|| unknown_client(&self.origin, name)),
            Some(ClientChoice::Set(spec)) => Ok(spec.clone()),
            None => system.and_then(|system| ClientSpec::named(system.definition().client.as_deref()?)).ok_or_else(|| {
                let error = self.origin.error("client", "the plan has neither a `client` nor a `system` with a default client");
                error.help(format!("add `client:` with one of {}", list(CLIENTS.iter().map(|(known, _)| *known))))
            }),
        }
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

fn unknown_client(origin: &Origin, name: &str) -> PlanError {
    let known = || CLIENTS.iter().map(|(known, _)| *known);
    let error = origin.error("client", format!("unknown client `{name}`")).label(did_you_mean(name, known()));
    error.help(format!("clients: {}", list(known())))
}
