//! Finding the system and the client that a plan names.

use std::path::{Path, PathBuf};

use elenchus_clients::{ALL as CLIENTS, ClientSpec};
use elenchus_control::system::{Definition, System, SystemError};
use elenchus_core::words;

use super::load::Loaded;
use super::origin::Origin;
use super::{ClientChoice, PlanError, ResolvedNode, ResolvedSystem, SystemChoice, explain};

/// The systems that come with Elenchus.
const SYSTEMS: &[(&str, &str)] =
    &[("etcd", include_str!("../../../systems/etcd.yaml")), ("specimen", include_str!("../../../systems/specimen.yaml"))];

/// The text of a definition.
struct Source {
    name: String,
    text: String,
    /// Where relative names in it start from.
    folder: PathBuf,
}

impl Loaded {
    /// The system of the plan, with a definition that makes sense on these nodes.
    pub(super) fn system(&self, nodes: &[ResolvedNode]) -> Result<Option<ResolvedSystem>, PlanError> {
        let Some(choice) = &self.plan.system else { return Ok(None) };
        let (name, options) = choice.parts();
        let path = match choice {
            SystemChoice::Named(_) => "system",
            SystemChoice::Set(_) => "system.name",
        };
        let source = self.definition(name, path)?;
        let origin = Origin::read(&source.name, &source.text, "the system's definition")?;
        let definition: Definition = explain::read(&origin, &source.text)?;
        if let Some(option) = options.keys().find(|option| !definition.options.contains_key(*option)) {
            let known = || definition.options.keys().map(String::as_str);
            let message = format!("the system `{}` has no option `{option}`", definition.name);
            let error = self.origin.error_at_key(&format!("system.options.{option}"), message).label(did_you_mean(option, known()));
            return Err(error.help(format!("its options are {}", list(known()))));
        }
        if let Some(client) = definition.client.as_deref().filter(|client| ClientSpec::named(client).is_none()) {
            return Err(unknown_client(&origin, client));
        }
        // The addresses of a lab are not known yet, and do not matter here.
        let places: Vec<(String, String)> =
            nodes.iter().map(|node| (node.name.clone(), node.address.clone().unwrap_or_else(|| node.name.clone()))).collect();
        System::new(definition.clone(), &options, &source.folder, &places).map_err(|why| at_fault(&origin, &why))?;
        Ok(Some(ResolvedSystem { definition, options, folder: source.folder }))
    }

    fn definition(&self, name: &str, path: &str) -> Result<Source, PlanError> {
        if let Some((known, text)) = SYSTEMS.iter().find(|(known, _)| *known == name) {
            return Ok(Source { name: format!("systems/{known}.yaml"), text: (*text).to_owned(), folder: PathBuf::from(".") });
        }
        if !(name.ends_with(".yaml") || name.ends_with(".yml") || name.contains('/')) {
            let known = || SYSTEMS.iter().map(|(known, _)| *known);
            let error = self.origin.error(path, format!("there is no system `{name}`")).label(did_you_mean(name, known()));
            return Err(error.help(format!("the systems are {}; or name a .yaml file that defines one", list(known()))));
        }
        let file = self.folder.join(name);
        let text = std::fs::read_to_string(&file).map_err(|error| {
            let message = format!("the system's definition cannot be read: {}: {error}", file.display());
            self.origin.error(path, message).help("its path begins at the folder of the plan")
        })?;
        Ok(Source { name: file.display().to_string(), text, folder: file.parent().map(Path::to_owned).unwrap_or_default() })
    }

    /// The client that the plan names, or else the system's.
    pub(super) fn client(&self, system: Option<&ResolvedSystem>) -> Result<ClientSpec, PlanError> {
        match &self.plan.client {
            Some(ClientChoice::Named(name)) => ClientSpec::named(name).ok_or_else(|| unknown_client(&self.origin, name)),
            Some(ClientChoice::Set(spec)) => Ok(spec.clone()),
            None => system.and_then(|system| ClientSpec::named(system.definition.client.as_deref()?)).ok_or_else(|| {
                let error = self.origin.error("client", "the plan names no `client`, and no `system` that has one");
                error.help(format!("add `client:` with one of {}", list(CLIENTS.iter().map(|entry| entry.name))))
            }),
        }
    }
}

/// What is wrong with a definition, in its own text.
fn at_fault(origin: &Origin, error: &SystemError) -> PlanError {
    match error {
        SystemError::Template { field, message, .. } => origin.error(field, format!("the template `{field}` does not hold: {message}")),
        SystemError::Definition { message, .. } => origin.error_at_word("", message.as_str()),
        other => origin.error("", other.to_string()),
    }
}

fn unknown_client(origin: &Origin, name: &str) -> PlanError {
    let known = || CLIENTS.iter().map(|entry| entry.name);
    let error = origin.error("client", format!("there is no client `{name}`")).label(did_you_mean(name, known()));
    error.help(format!("the clients are {}", list(known())))
}

/// The question whether the nearest valid word was meant.
pub(super) fn did_you_mean<'a>(word: &str, valid: impl IntoIterator<Item = &'a str>) -> Option<String> {
    words::nearest(word, valid).map(|near| format!("did you mean `{near}`?"))
}

/// `a, b and c`.
pub(super) fn list<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let words: Vec<String> = words.into_iter().map(|word| format!("`{word}`")).collect();
    match words.as_slice() {
        [] => "none".to_owned(),
        [one] => one.clone(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}
