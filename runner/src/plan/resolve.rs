//! From names to things: what a plan means, with every name in it found.

use std::path::PathBuf;

use elenchus_clients::ClientSpec;
use elenchus_control::config::HostConfig;
use elenchus_control::lab::{LabOptions, MAX_NODES, NodeSshd};
use elenchus_control::system::Definition;
use elenchus_core::generator::MAX_WORKERS;
use elenchus_core::{Seed, Span};
use elenchus_nemesis::{FaultSchedule, Roster, Safety, Scheduled};
use elenchus_workloads::WorkloadSpec;

use super::load::Loaded;
use super::ssh::{Env, secret};
use super::{Control, DURATION_MAX, LabSshd, PlanError, StopOn, SystemOptions};

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
    /// How far all that together may go.
    pub safety: Safety,
    /// The nodes' names and zones.
    pub roster: Roster,
    /// Whether the run ends at the first violation.
    pub stops_on_violation: bool,
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

impl Loaded {
    /// Finds what every name means, and checks what no type can.
    ///
    /// # Errors
    /// At the first thing that makes no sense, with its place.
    pub fn resolve(&self, env: Env<'_>) -> Result<Resolved, PlanError> {
        let plan = &self.plan;
        self.must(!plan.name.trim().is_empty(), "name", || "`name` is empty; runs are kept under it".into())?;
        self.control()?;
        let lab = self.lab()?;
        self.secrets(env)?;
        let nodes = self.nodes(env)?;
        let system = self.system(&nodes)?;
        let client = self.client(system.as_ref())?;
        self.workload(&client)?;
        self.load()?;
        let roster = self.nemesis(&nodes, system.as_ref())?;
        let load = &plan.load;
        Ok(Resolved {
            name: plan.name.clone(),
            lab,
            nodes,
            is_controlled: plan.control == Control::Ssh,
            system,
            client,
            workload: plan.workload.clone(),
            concurrency: load.concurrency,
            rate_hz: load.rate,
            duration: load.duration,
            timeout: load.timeout,
            nemesis: plan.nemesis.clone(),
            safety: plan.safety.clone(),
            roster,
            stops_on_violation: plan.stop_on == StopOn::Violation,
            seed: plan.seed,
            store: plan.store.clone(),
            loaded: self.clone(),
        })
    }

    /// The nodes that outlive a run, of which a lab has none. Nothing else of the plan is looked at: what it names may be elsewhere by now.
    ///
    /// # Errors
    /// When a secret is missing.
    pub fn outliving(&self, env: Env<'_>) -> Result<Vec<ResolvedNode>, PlanError> {
        if self.plan.lab.is_some() {
            return Ok(Vec::new());
        }
        self.secrets(env)?;
        self.nodes(env)
    }

    pub(super) fn must(&self, holds: bool, path: &str, message: impl FnOnce() -> String) -> Result<(), PlanError> {
        if holds { Ok(()) } else { Err(self.origin.error(path, message())) }
    }

    /// What needs nodes that are reached.
    fn control(&self) -> Result<(), PlanError> {
        let plan = &self.plan;
        if plan.control == Control::Ssh {
            return Ok(());
        }
        self.must(plan.lab.is_none(), "lab", || "a lab is reached over SSH; remove `control: none`".into())?;
        self.must(plan.system.is_none(), "system", || {
            "with `control: none` no system can be started; remove it, and name the `client`".into()
        })?;
        self.must(plan.nemesis.is_empty(), "nemesis", || {
            "with `control: none` nothing can be broken; remove the faults, or reach the nodes over SSH".into()
        })
    }

    fn lab(&self) -> Result<Option<LabOptions>, PlanError> {
        let Some(lab) = &self.plan.lab else { return Ok(None) };
        self.must(self.plan.nodes.is_empty(), "nodes", || "a plan has a `lab` or `nodes`, not both; remove one".into())?;
        self.must((1..=MAX_NODES).contains(&lab.nodes), "lab.nodes", || format!("a lab has from 1 to {MAX_NODES} nodes"))?;
        let sshd = match lab.sshd {
            LabSshd::Embedded => NodeSshd::Embedded,
            LabSshd::Openssh => NodeSshd::OpenSsh,
        };
        Ok(Some(LabOptions { nodes: lab.nodes, sshd }))
    }

    fn nodes(&self, env: Env<'_>) -> Result<Vec<ResolvedNode>, PlanError> {
        if let Some(lab) = &self.plan.lab {
            return Ok((1..=lab.nodes).map(|number| ResolvedNode { name: format!("n{number}"), address: None, host: None }).collect());
        }
        if self.plan.nodes.is_empty() {
            let error = self.origin.error("nodes", "the plan has no nodes");
            return Err(error.help("add `lab: {nodes: 5}` for nodes on this machine, or `nodes:` with a list of addresses"));
        }
        let mut nodes: Vec<ResolvedNode> = Vec::new();
        for (at, entry) in self.plan.nodes.iter().enumerate() {
            let path = format!("nodes.{at}");
            let settings = entry.settings();
            let name = settings.name.unwrap_or_else(|| settings.address.clone());
            self.must(!settings.address.trim().is_empty(), &path, || "a node needs an address".into())?;
            self.must(!name.trim().is_empty(), &path, || "the node's `name` is empty; leave it out, and its address is its name".into())?;
            if nodes.iter().any(|node| node.name == name) {
                return Err(self.origin.error_at_word(&path, format!("two nodes are called `{name}`; give one another `name`")));
            }
            let login = settings.ssh.unwrap_or_default();
            let host = login
                .host_config(&self.plan.ssh, settings.ssh_address.as_deref().unwrap_or(&settings.address), env)
                .map_err(|why| self.origin.error(&path, why))?;
            nodes.push(ResolvedNode { name, address: Some(settings.address), host: Some(host) });
        }
        Ok(nodes)
    }

    /// Every secret can be had.
    fn secrets(&self, env: Env<'_>) -> Result<(), PlanError> {
        let of_nodes = self.plan.nodes.iter().enumerate().filter_map(|(at, node)| Some((format!("nodes.{at}.ssh"), node.settings().ssh?)));
        let mut found = self.plan.ssh.secrets("ssh");
        found.extend(of_nodes.flat_map(|(path, ssh)| ssh.secrets(&path)));
        found.iter().try_for_each(|(path, text)| secret(text, env).map(drop).map_err(|why| self.origin.error(path, why)))
    }

    fn workload(&self, client: &ClientSpec) -> Result<(), PlanError> {
        let spec = &self.plan.workload;
        let path = format!("workload.{}", spec.name());
        let workload = spec.build().map_err(|why| self.origin.error_at_word(&path, why))?;
        let need = workload.needs();
        self.must(client.build().offers().contains(&need), "workload", || {
            format!("`{}` needs data of type {}, which the client does not offer", spec.name(), need.as_str())
        })
    }

    fn load(&self) -> Result<(), PlanError> {
        let load = &self.plan.load;
        self.must((1..=MAX_WORKERS).contains(&load.concurrency), "load.concurrency", || {
            format!("`concurrency` must be from 1 to {MAX_WORKERS}")
        })?;
        self.must(load.rate.is_none_or(|rate| rate.is_finite() && rate > 0.0), "load.rate", || {
            "`rate` must be more than 0 operations a second; leave it out for as many as can be".into()
        })?;
        self.must(!load.duration.0.is_zero() && load.duration.0 <= DURATION_MAX, "load.duration", || {
            "`duration` must be longer than nothing and at most a week".into()
        })?;
        self.must(!load.timeout.0.is_zero() && load.timeout.0 <= DURATION_MAX, "load.timeout", || {
            "`timeout` must be longer than nothing and at most a week".into()
        })
    }

    /// The nodes that the faults may strike, when every fault makes sense for them.
    fn nemesis(&self, nodes: &[ResolvedNode], system: Option<&ResolvedSystem>) -> Result<Roster, PlanError> {
        let plan = &self.plan;
        let names: Vec<String> = nodes.iter().map(|node| node.name.clone()).collect();
        let roster = Roster::new(names, &plan.zones).map_err(|why| self.origin.error_at_word("zones", why))?;
        let campaign = FaultSchedule { lines: &plan.nemesis, safety: &plan.safety, seed: Seed(0), duration: plan.load.duration.0 };
        campaign.check(&roster).map_err(|(line, why)| {
            let path = line.map_or("safety".to_owned(), |line| format!("nemesis.{line}"));
            self.origin.error_at_word(&path, why)
        })?;
        match elenchus_nemesis::unmet(&plan.nemesis, system.map(|system| &system.definition)) {
            Some(unmet) => return Err(self.origin.error(&format!("nemesis.{}.{}", unmet.line, unmet.key), unmet.message)),
            None => {}
        }
        Ok(roster)
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

    /// Its faults, decided by a seed.
    pub fn campaign(&self, seed: Seed) -> FaultSchedule<'_> {
        FaultSchedule { lines: &self.nemesis, safety: &self.safety, seed, duration: self.duration.0 }
    }

    /// Applies what the plan says of logging in to how a lab's node is reached: another user, sudo.
    ///
    /// # Errors
    /// When an environment variable is missing.
    pub fn amend(&self, config: &mut HostConfig, env: Env<'_>) -> Result<(), PlanError> {
        self.loaded.plan.ssh.amend(config, env).map_err(PlanError::plain)
    }
}
