//! Carrying out a definition on the nodes.

use std::collections::BTreeMap;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use futures_util::future::join_all;

use super::template::{Templates, Variables};
use super::{Definition, Rendered, SystemError, Upload, checks};
use crate::command::{Command, Output, quote};
use crate::{ControlError, Host};

/// The time-out for installing: packages may have to be downloaded.
const INSTALL_LIMIT: Duration = Duration::from_secs(600);
/// The time-out for every other step.
const STEP_LIMIT: Duration = Duration::from_secs(30);

/// A node of the cluster under test.
#[derive(Clone, Debug)]
pub struct Node {
    /// Its name in the plan.
    pub name: String,
    /// The address at which the other nodes and the clients reach it.
    pub address: String,
    /// The host on which commands run.
    pub host: Host,
}

/// A system and its nodes.
#[derive(Clone, Debug)]
pub struct System {
    pub(super) definition: Definition,
    options: BTreeMap<String, String>,
    folder: PathBuf,
    pub(super) rendered: BTreeMap<String, Rendered>,
    pub(super) names_by_address: BTreeMap<String, String>,
}

impl System {
    /// Renders all templates for all nodes, so that errors are found before any node is changed. `options` are those that the plan sets, `folder` contains
    /// the definition's file, and `nodes` are pairs of name and address.
    pub fn new(
        definition: Definition,
        options: &BTreeMap<String, String>,
        folder: &Path,
        nodes: &[(String, String)],
    ) -> Result<System, SystemError> {
        let options = checks::options(&definition, options)?;
        checks::definition(&definition)?;
        let variables: Vec<Variables> = nodes
            .iter()
            .enumerate()
            .map(|(index, (name, address))| Variables { name: name.clone(), address: address.clone(), index })
            .collect();
        let mut rendered = BTreeMap::new();
        for of_node in &variables {
            let templates = Templates::new(&definition.name, &options, &variables, of_node);
            rendered.insert(of_node.name.clone(), Rendered::new(&definition, &templates)?);
        }
        let names_by_address = nodes.iter().map(|(name, address)| (address.clone(), name.clone())).collect();
        Ok(System { definition, options, folder: folder.to_owned(), rendered, names_by_address })
    }

    /// The definition.
    pub fn definition(&self) -> &Definition {
        &self.definition
    }

    /// The options: the definition's, with those that the plan sets.
    pub fn options(&self) -> &BTreeMap<String, String> {
        &self.options
    }

    /// The definition rendered for a node.
    pub fn on(&self, node: &str) -> Result<&Rendered, SystemError> {
        self.rendered.get(node).ok_or_else(|| SystemError::UnknownNode { system: self.definition.name.clone(), node: node.to_owned() })
    }

    /// Installs packages, creates users, uploads files. Idempotent.
    pub async fn install(&self, node: &Node) -> Result<(), SystemError> {
        let rendered = self.on(&node.name)?;
        self.install_packages(node, rendered).await?;
        for user in &self.definition.users {
            let script = format!(
                "id -u {user} >/dev/null 2>&1 || useradd --system --no-create-home --shell /usr/sbin/nologin {user}",
                user = quote(user)
            );
            self.step(node, &format!("create user `{user}`"), Command::sh(&script)).await?;
        }
        for upload in &rendered.upload {
            self.upload(node, upload).await?;
        }
        Ok(())
    }

    async fn install_packages(&self, node: &Node, rendered: &Rendered) -> Result<(), SystemError> {
        if let Some(unless) = &rendered.install_unless {
            let check = node.host.output(Command::sh(unless).timeout(STEP_LIMIT)).await;
            if check.map_err(failed(node, "check what is installed"))?.status.is_success() {
                return Ok(());
            }
        }
        if !self.definition.install.packages.is_empty() {
            let packages: Vec<String> = self.definition.install.packages.iter().map(|package| quote(package)).collect();
            let install =
                format!("DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet --no-install-recommends {}", packages.join(" "));
            // Package lists may be outdated or missing: they are updated only when the first attempt fails.
            let script = format!("{install} >&2 || {{ apt-get update --quiet >&2 && {install} >&2; }}");
            self.step(node, "install packages", Command::sh(&script).timeout(INSTALL_LIMIT)).await?;
        }
        for command in &rendered.install_commands {
            self.step(node, "install", Command::sh(command).timeout(INSTALL_LIMIT)).await?;
        }
        Ok(())
    }

    async fn upload(&self, node: &Node, upload: &Upload) -> Result<(), SystemError> {
        let source = self.find_upload(&upload.from)?;
        self.make_parent(node, &upload.to).await?;
        let mode = checks::octal(&self.definition, &upload.mode)?;
        node.host
            .upload(&source, &upload.to, mode, |_, _| {})
            .await
            .map_err(failed(node, &format!("upload `{}` to {}", upload.from, upload.to)))
    }

    /// The path, on the control node, of a file to upload.
    fn find_upload(&self, from: &str) -> Result<PathBuf, SystemError> {
        let beside_us = std::env::current_exe().ok().and_then(|exe| Some(exe.parent()?.join(from)));
        let mut places = vec![self.folder.join(from)];
        places.extend(beside_us);
        if !from.contains('/') {
            places.extend(std::env::var_os("PATH").iter().flat_map(std::env::split_paths).map(|folder| folder.join(from)));
        }
        if let Some(found) = places.iter().find(|place| place.is_file()) {
            return Ok(found.clone());
        }
        let searched: Vec<String> = places.iter().take(2).map(|place| place.display().to_string()).collect();
        Err(SystemError::Upload {
            system: self.definition.name.clone(),
            from: from.to_owned(),
            message: format!("not found at {} or on the PATH; build it, or set the option that names it", searched.join(", ")),
        })
    }

    /// Creates directories and writes files. Idempotent.
    pub async fn configure(&self, node: &Node) -> Result<(), SystemError> {
        let rendered = self.on(&node.name)?;
        let directories: Vec<String> = rendered.directories.iter().chain(&rendered.data).map(|path| quote(path)).collect();
        if !directories.is_empty() {
            let mut script = format!("mkdir -p {}", directories.join(" "));
            if let Some(user) = &self.definition.start.user {
                script += &format!(" && chown -R {} {}", quote(user), directories.join(" "));
            }
            self.step(node, "create directories", Command::sh(&script)).await?;
        }
        for file in &rendered.files {
            self.make_parent(node, &file.path).await?;
            let mode = checks::octal(&self.definition, &file.mode)?;
            node.host.write(file.content.as_bytes(), &file.path, mode).await.map_err(failed(node, &format!("write {}", file.path)))?;
        }
        Ok(())
    }

    async fn make_parent(&self, node: &Node, path: &str) -> Result<(), SystemError> {
        let parent = path.rsplit_once('/').map_or("/", |(parent, _)| parent);
        self.step(node, &format!("create {parent}"), Command::sh(&format!("mkdir -p {}", quote(parent)))).await.map(drop)
    }

    /// Starts the system unless it runs, and returns without waiting until it is ready.
    pub async fn start(&self, node: &Node) -> Result<(), SystemError> {
        let script = self.on(&node.name)?.daemon.start();
        self.step(node, &format!("start `{}`", self.definition.name), Command::sh(&script)).await.map(drop)
    }

    /// Waits until the ready check succeeds. Fails at once when the system has ended, with the check's last output and the end of the system's log.
    pub async fn await_ready(&self, node: &Node) -> Result<(), SystemError> {
        let (Some(ready), Some(command)) = (&self.definition.ready, &self.on(&node.name)?.ready) else { return Ok(()) };
        let began = Instant::now();
        loop {
            let last_output = match node.host.output(Command::sh(command).timeout(STEP_LIMIT)).await {
                Ok(output) if output.status.is_success() => return Ok(()),
                Ok(output) => tail_or_status(&output),
                Err(error) => error.to_string(),
            };
            let has_ended = !self.is_running(node).await?;
            if has_ended || began.elapsed() > ready.within.0 {
                let end = if has_ended { "the system has ended; " } else { "" };
                return Err(SystemError::NotReady {
                    node: node.name.clone(),
                    system: self.definition.name.clone(),
                    within: ready.within.to_string(),
                    details: format!(
                        "{end}last output of the check `{command}`: {last_output}\nend of the system's log:\n{}",
                        self.tail(node).await
                    ),
                });
            }
            tokio::time::sleep(ready.every.0).await;
        }
    }

    async fn tail(&self, node: &Node) -> String {
        let Ok(rendered) = self.on(&node.name) else { return String::new() };
        let script = format!("tail -n 20 {}", quote(&rendered.daemon.log()));
        match node.host.output(Command::sh(&script).timeout(STEP_LIMIT)).await {
            Ok(output) => output.stdout_text(),
            Err(error) => format!("(cannot be read: {error})"),
        }
    }

    /// Installs, wipes, configures and starts the system on all nodes in parallel, and waits until it is ready.
    pub async fn set_up(&self, nodes: &[Node]) -> Result<(), SystemError> {
        on_all_nodes(nodes, |node| async move {
            self.install(node).await?;
            self.wipe(node).await?;
            self.configure(node).await
        })
        .await?;
        on_all_nodes(nodes, |node| self.start(node)).await?;
        on_all_nodes(nodes, |node| self.await_ready(node)).await?;
        Ok(())
    }

    /// Kills the system on all nodes in parallel and removes it. Its data is deleted, so an orderly stop is unnecessary. Fetch the logs before.
    pub async fn tear_down(&self, nodes: &[Node]) -> Result<(), SystemError> {
        on_all_nodes(nodes, |node| async move {
            self.remove(node).await?;
            let left = self.processes(node).await?;
            if left.is_empty() {
                return Ok(());
            }
            let processes = left.iter().map(|member| member.pid.to_string()).collect::<Vec<_>>().join(", ");
            Err(SystemError::StillRunning { node: node.name.clone(), system: self.definition.name.clone(), processes })
        })
        .await
        .map(drop)
    }

    pub(super) async fn step(&self, node: &Node, step: &str, command: Command) -> Result<Output, SystemError> {
        node.host.run(command).await.map_err(failed(node, step))
    }
}

/// Runs an action on all nodes in parallel and waits for all of them. If several fail, the error contains each.
pub async fn on_all_nodes<'a, T, Doing>(nodes: &'a [Node], act: impl Fn(&'a Node) -> Doing) -> Result<Vec<T>, SystemError>
where
    Doing: Future<Output = Result<T, SystemError>>,
{
    let (mut done, mut failures) = (Vec::new(), Vec::new());
    for outcome in join_all(nodes.iter().map(act)).await {
        match outcome {
            Ok(value) => done.push(value),
            Err(error) => failures.push(error),
        }
    }
    match failures.len() {
        0 => Ok(done),
        1 => Err(failures.remove(0)),
        _ => Err(SystemError::Several(failures)),
    }
}

pub(super) fn failed(node: &Node, step: &str) -> impl FnOnce(ControlError) -> SystemError {
    let (step, node) = (step.to_owned(), node.name.clone());
    move |source| SystemError::Step { step, node, source: Box::new(source) }
}

fn tail_or_status(output: &Output) -> String {
    match output.tail() {
        text if text.is_empty() => format!("nothing ({})", output.status),
        text => text,
    }
}
