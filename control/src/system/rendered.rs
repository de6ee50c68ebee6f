//! A definition with all templates filled in for one node.

use std::collections::BTreeMap;

use super::daemon::Daemon;
use super::template::Templates;
use super::{Definition, File, Membership, SystemError, Upload};

/// The directory of pidfiles on the nodes. A reboot clears it.
const RUN_DIRECTORY: &str = "/run/elenchus";
/// The directory of the system's output on the nodes.
const LOG_DIRECTORY: &str = "/var/log/elenchus";

/// A definition rendered for one node.
#[derive(Clone, Debug, PartialEq)]
pub struct Rendered {
    /// If this command succeeds, nothing is installed.
    pub install_unless: Option<String>,
    /// Commands to run after the packages are installed.
    pub install_commands: Vec<String>,
    /// Files to upload.
    pub upload: Vec<Upload>,
    /// Directories to create.
    pub directories: Vec<String>,
    /// Files to write.
    pub files: Vec<File>,
    /// Directories whose content is deleted.
    pub data: Vec<String>,
    /// Log files to fetch.
    pub logs: Vec<String>,
    /// The command that succeeds when the system is ready.
    pub ready: Option<String>,
    /// The command that prints the primary.
    pub primary: Option<String>,
    /// The commands that change the membership.
    pub membership: Option<Membership>,
    /// The process to run.
    pub daemon: Daemon,
}

impl Rendered {
    pub(super) fn new(definition: &Definition, templates: &Templates<'_>) -> Result<Rendered, SystemError> {
        let path = |field: &str, text: &String| safe_path(definition, field, templates.render(field, text)?);
        let one = |field: &str, text: &Option<String>| text.as_ref().map(|text| templates.render(field, text)).transpose();
        let each = |field: &str, texts: &[String], render: &dyn Fn(&str, &String) -> Result<String, SystemError>| {
            texts.iter().enumerate().map(|(at, text)| render(&format!("{field}[{at}]"), text)).collect::<Result<Vec<_>, _>>()
        };
        let text = |field: &str, text: &String| templates.render(field, text);
        Ok(Rendered {
            install_unless: one("install.unless", &definition.install.unless)?,
            install_commands: each("install.commands", &definition.install.commands, &text)?,
            upload: definition
                .upload
                .iter()
                .enumerate()
                .map(|(at, upload)| upload_of(templates, &path, at, upload))
                .collect::<Result<_, _>>()?,
            directories: each("directories", &definition.directories, &path)?,
            files: definition.files.iter().enumerate().map(|(at, file)| file_of(templates, &path, at, file)).collect::<Result<_, _>>()?,
            data: each("data", &definition.data, &path)?,
            logs: each("logs", &definition.logs, &path)?,
            ready: one("ready.command", &definition.ready.as_ref().map(|ready| ready.command.clone()))?,
            primary: one("primary", &definition.primary)?,
            membership: definition.membership.as_ref().map(|membership| membership_of(templates, membership)).transpose()?,
            daemon: daemon_of(definition, templates)?,
        })
    }
}

fn upload_of(templates: &Templates<'_>, path: PathOf<'_>, at: usize, upload: &Upload) -> Result<Upload, SystemError> {
    Ok(Upload {
        from: templates.render(&format!("upload[{at}].from"), &upload.from)?,
        to: path(&format!("upload[{at}].to"), &upload.to)?,
        mode: upload.mode.clone(),
    })
}

fn file_of(templates: &Templates<'_>, path: PathOf<'_>, at: usize, file: &File) -> Result<File, SystemError> {
    Ok(File {
        path: path(&format!("files[{at}].path"), &file.path)?,
        mode: file.mode.clone(),
        content: templates.render(&format!("files[{at}].content"), &file.content)?,
    })
}

fn daemon_of(definition: &Definition, templates: &Templates<'_>) -> Result<Daemon, SystemError> {
    let environment = definition.start.environment.iter();
    let environment = environment.map(|(name, value)| Ok((name.clone(), templates.render(&format!("start.environment.{name}"), value)?)));
    Ok(Daemon {
        name: definition.name.clone(),
        command: templates.render("start.command", &definition.start.command)?.trim().to_owned(),
        environment: environment.collect::<Result<BTreeMap<_, _>, SystemError>>()?,
        user: definition.start.user.clone(),
        pattern: definition.process.pattern.as_ref().map(|pattern| templates.render("process.pattern", pattern)).transpose()?,
        run_directory: RUN_DIRECTORY.into(),
        log_directory: LOG_DIRECTORY.into(),
    })
}

fn membership_of(templates: &Templates<'_>, membership: &Membership) -> Result<Membership, SystemError> {
    let one = |field: &str, text: &String| templates.render(&format!("membership.{field}"), text);
    Ok(Membership {
        view: one("view", &membership.view)?,
        remove: one("remove", &membership.remove)?,
        add: one("add", &membership.add)?,
        demote: membership.demote.as_ref().map(|text| one("demote", text)).transpose()?,
        within: membership.within,
    })
}

type PathOf<'a> = &'a dyn Fn(&str, &String) -> Result<String, SystemError>;

/// Checks a path that will be deleted as root: with an empty option, `/data/{{ options.x }}` must not become `/data/`.
fn safe_path(definition: &Definition, field: &str, path: String) -> Result<String, SystemError> {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let is_safe = path.starts_with('/') && parts.len() >= 2 && !parts.contains(&"..") && !parts.contains(&".");
    if is_safe && !path.contains(['\n', '\0']) {
        return Ok(path);
    }
    Err(SystemError::Definition {
        system: definition.name.clone(),
        message: format!(
            "{field} is `{path}`; expected an absolute path at least two folders deep, without `.` and `..`, because it is deleted after the run"
        ),
    })
}
