//! From names to things: what a plan means, with every name in it found.

use std::path::{Path, PathBuf};

use elenchus_clients::{ALL as CLIENTS, ClientSpec};
use elenchus_control::config::HostConfig;
use elenchus_control::lab::{LabOptions, MAX_NODES, NodeSshd};
use elenchus_control::system::Definition;
use elenchus_core::generator::MAX_WORKERS;
use elenchus_core::{Span, words};
use elenchus_nemesis::Scheduled;
use elenchus_workloads::WorkloadSpec;
use serde_yaml::Location;

use super::load::Loaded;
use super::{ClientChoice, Control, DURATION_MAX, LabSshd, PlanError, SystemOptions, default_client};

/// The systems that come with Elenchus.
const SYSTEMS: &[(&str, &str)] =
    &[("etcd", include_str!("../../../examples/systems/etcd.yaml")), ("specimen", include_str!("../../../examples/systems/specimen.yaml"))];

/// A plan in which every name was found and every value makes sense.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// The test's name.
    pub name: String,
    /// The lab to make, if it is to be one.
    pub lab: Option<LabOptions>,
    /// The nodes; those of a lab are not there yet.
    pub nodes: Vec<ResolvedNode>,
    /// Whether the nodes are reached at all.
    pub is_controlled: bool,
    /// The system to install and start.
    pub system: Option<ResolvedSystem>,
    /// How it is spoken to.
    pub client: ClientSpec,
    /// What is done to it.
    pub workload: WorkloadSpec,
    /// How many clients.
    pub concurrency: usize,
    /// Operations a second.
    pub rate_hz: Option<f64>,
    /// How long clients are driven.
    pub duration: Span,
    /// How long an operation may take.
    pub timeout: Span,
    /// What is broken, and when.
    pub nemesis: Vec<Scheduled>,
    /// The seed, where the plan fixes it.
    pub seed: Option<u64>,
    /// Where runs are kept.
    pub store: PathBuf,
    /// What the plan says of logging in, to amend how a lab's nodes are reached.
    loaded: Loaded,
}

/// A node of a resolved plan.
#[derive(Clone, Debug)]
pub struct ResolvedNode {
    /// Its name.
    pub name: String,
    /// The address by which nodes and clients reach it; a lab gives it later.
    pub address: Option<String>,
    /// How the control node reaches it; a lab gives it later.
    pub host: Option<HostConfig>,
}

/// A system of a resolved plan.
#[derive(Clone, Debug)]
pub struct ResolvedSystem {
    /// Its definition.
    pub definition: Definition,
    /// The options that the plan sets.
    pub options: SystemOptions,
    /// Where its definition is from.
    pub folder: PathBuf,
}

type Env<'a> = &'a dyn Fn(&str) -> Option<String>;

impl Loaded {
    /// Finds what every name means, and checks what no type can.
    ///
    /// # Errors
    /// At the first thing that makes no sense, with its place.
    pub fn resolve(&self, env: Env<'_>) -> Result<Resolved, PlanError> {
        let plan = &self.plan;
        if plan.name.trim().is_empty() {
            return Err(PlanError::plain(format!("{}: `name` is empty; runs are kept under it", self.name)));
        }
        let lab = self.lab()?;
        let nodes = self.nodes(env)?;
        let system = self.system()?;
        let client = self.client(system.as_ref())?;
        plan.workload
            .value
            .build()
            .map_err(|why| self.error(plan.workload.referenced, format!("workload {}: {why}", plan.workload.value.name())))?;
        let load = &plan.load;
        self.must((1..=MAX_WORKERS).contains(&load.concurrency.value), load.concurrency.referenced, || {
            format!("`concurrency` must be from 1 to {MAX_WORKERS}")
        })?;
        if let Some(rate) = &load.rate {
            self.must(rate.value.is_finite() && rate.value > 0.0, rate.referenced, || {
                "`rate` must be more than 0 operations a second; leave it out for as many as can be".into()
            })?;
        }
        self.must(!load.duration.value.0.is_zero() && load.duration.value.0 <= DURATION_MAX, load.duration.referenced, || {
            "`duration` must be longer than nothing and at most a week".into()
        })?;
        self.must(!load.timeout.value.0.is_zero(), load.timeout.referenced, || "`timeout` must be longer than nothing".into())?;
        let is_controlled = plan.control == Control::Ssh;
        let names: Vec<String> = nodes.iter().map(|node| node.name.clone()).collect();
        for line in &plan.nemesis {
            self.must(is_controlled, line.referenced, || {
                "with `control: none` nothing can be broken; remove the faults, or reach the nodes over SSH".into()
            })?;
            line.value.check(&names).map_err(|why| self.error(line.referenced, why))?;
        }
        if let (false, Some(system)) = (is_controlled, &plan.system) {
            return Err(self.error(system.referenced, "with `control: none` no system can be started; remove it, and name the `client`"));
        }
        if let (false, Some(lab)) = (is_controlled, &plan.lab) {
            return Err(self.error(lab.referenced, "a lab is reached over SSH; remove `control: none`"));
        }
        Ok(Resolved {
            name: plan.name.clone(),
            lab,
            nodes,
            is_controlled,
            system,
            client,
            workload: plan.workload.value.clone(),
            concurrency: load.concurrency.value,
            rate_hz: load.rate.as_ref().map(|rate| rate.value),
            duration: load.duration.value,
            timeout: load.timeout.value,
            nemesis: plan.nemesis.iter().map(|line| line.value.clone()).collect(),
            seed: plan.seed,
            store: plan.store.clone(),
            loaded: self.clone(),
        })
    }

    fn error(&self, location: Location, message: impl Into<String>) -> PlanError {
        PlanError::at(&self.text, &self.name, location, message)
    }

    fn must(&self, holds: bool, location: Location, message: impl FnOnce() -> String) -> Result<(), PlanError> {
        if holds { Ok(()) } else { Err(self.error(location, message())) }
    }

    fn lab(&self) -> Result<Option<LabOptions>, PlanError> {
        let Some(lab) = &self.plan.lab else { return Ok(None) };
        if let Some(node) = self.plan.nodes.first() {
            return Err(self.error(node.referenced, "a plan has a `lab` or `nodes`, not both; remove one"));
        }
        self.must((1..=MAX_NODES).contains(&lab.value.nodes), lab.referenced, || format!("a lab has from 1 to {MAX_NODES} nodes"))?;
        let sshd = match lab.value.sshd {
            LabSshd::Embedded => NodeSshd::Embedded,
            LabSshd::Openssh => NodeSshd::OpenSsh,
        };
        Ok(Some(LabOptions { nodes: lab.value.nodes, sshd }))
    }

    fn nodes(&self, env: Env<'_>) -> Result<Vec<ResolvedNode>, PlanError> {
        if let Some(lab) = &self.plan.lab {
            return Ok((1..=lab.value.nodes)
                .map(|number| ResolvedNode { name: format!("n{number}"), address: None, host: None })
                .collect());
        }
        if self.plan.nodes.is_empty() {
            return Err(PlanError::plain(format!("{}: the plan has no nodes", self.name))
                .help("add `lab: {nodes: 5}` for nodes on this machine, or `nodes:` with a list of addresses"));
        }
        let mut nodes: Vec<ResolvedNode> = Vec::new();
        for entry in &self.plan.nodes {
            let settings = entry.value.settings();
            let name = settings.name.unwrap_or_else(|| settings.address.clone());
            self.must(!settings.address.trim().is_empty(), entry.referenced, || "a node needs an address".into())?;
            self.must(nodes.iter().all(|node| node.name != name), entry.referenced, || {
                format!("two nodes are called `{name}`; give one another `name`")
            })?;
            let login = settings.ssh.unwrap_or_default();
            let host = login
                .host_config(&self.plan.ssh, settings.ssh_address.as_deref().unwrap_or(&settings.address), env)
                .map_err(|why| self.error(entry.referenced, why))?;
            nodes.push(ResolvedNode { name, address: Some(settings.address), host: Some(host) });
        }
        Ok(nodes)
    }

    fn system(&self) -> Result<Option<ResolvedSystem>, PlanError> {
        let Some(choice) = &self.plan.system else { return Ok(None) };
        let (name, options) = choice.value.parts();
        let at = |message: String| self.error(choice.referenced, message);
        let (text, file, folder) = match SYSTEMS.iter().find(|(known, _)| *known == name) {
            Some((known, text)) => ((*text).to_owned(), format!("the system `{known}`"), PathBuf::from(".")),
            None if name.ends_with(".yaml") || name.ends_with(".yml") || name.contains('/') => {
                let path = self.folder.join(name);
                let text = std::fs::read_to_string(&path)
                    .map_err(|error| at(format!("the system's definition {} cannot be read: {error}", path.display())))?;
                (text, path.display().to_string(), path.parent().map(Path::to_owned).unwrap_or_default())
            }
            None => {
                let known = SYSTEMS.iter().map(|(known, _)| *known);
                let error =
                    at(format!("there is no system `{name}`; there are {}, or name a .yaml file that defines one", list(known.clone())));
                return Err(match words::nearest(name, known) {
                    Some(near) => error.help(format!("did you mean `{near}`?")),
                    None => error,
                });
            }
        };
        let definition: Definition = serde_yaml::from_str(&text).map_err(|error| PlanError::from_yaml(&text, &file, &error))?;
        if let Some(option) = options.keys().find(|option| !definition.options.contains_key(*option)) {
            let known = definition.options.keys().map(String::as_str);
            let error = at(format!("the system `{}` has no option `{option}`; it has {}", definition.name, list(known.clone())));
            return Err(match words::nearest(option, known) {
                Some(near) => error.help(format!("did you mean `{near}`?")),
                None => error,
            });
        }
        Ok(Some(ResolvedSystem { definition, options, folder }))
    }

    fn client(&self, system: Option<&ResolvedSystem>) -> Result<ClientSpec, PlanError> {
        let named = |name: &str, location: Location| {
            default_client(name).ok_or_else(|| {
                let known = CLIENTS.iter().map(|(known, _)| *known);
                let error = self.error(location, format!("there is no client `{name}`; there are {}", list(known.clone())));
                match words::nearest(name, known) {
                    Some(near) => error.help(format!("did you mean `{near}`?")),
                    None => error,
                }
            })
        };
        match (&self.plan.client, system.and_then(|system| system.definition.client.as_deref())) {
            (Some(choice), _) => match &choice.value {
                ClientChoice::Named(name) => named(name, choice.referenced),
                ClientChoice::Set(spec) => Ok(spec.clone()),
            },
            (None, Some(name)) => named(name, Location::UNKNOWN),
            (None, None) => Err(PlanError::plain(format!("{}: the plan names no `client`, and no `system` that has one", self.name))
                .help(format!("add `client:` with one of {}", list(CLIENTS.iter().map(|(known, _)| *known))))),
        }
    }
}

impl Resolved {
    /// The plan's text for the store, without secrets.
    ///
    /// # Errors
    /// When it cannot be written as YAML.
    pub fn text(&self) -> Result<String, PlanError> {
        self.loaded.without_secrets()
    }

    /// Applies what the plan says of logging in to how a lab's node is reached: another user, sudo.
    ///
    /// # Errors
    /// When an environment variable is missing.
    pub fn amend(&self, config: &mut HostConfig, env: Env<'_>) -> Result<(), PlanError> {
        self.loaded.plan.ssh.amend(config, env).map_err(PlanError::plain)
    }
}

/// `a, b and c`.
fn list<'a>(words: impl Iterator<Item = &'a str>) -> String {
    let words: Vec<String> = words.map(|word| format!("`{word}`")).collect();
    match words.as_slice() {
        [] => "none".to_owned(),
        [one] => one.clone(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}
