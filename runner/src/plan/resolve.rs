//! From a plan to what can be run: every name looked up, every value checked.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;

use elenchus_control::config::HostConfig;
use elenchus_control::lab::{CONTROLLER, LabOptions, MAX_NODES, NodeSshd};
use elenchus_control::system::System;
use elenchus_core::generator::MAX_WORKERS;
use elenchus_core::{CheckSpec, Seed, Span, Workload};
use elenchus_nemesis::{FaultSchedule, Roster, Safety, Scheduled};

use super::clients::{self, ResolvedClients};
use super::ssh::{Env, secret};
use super::{Control, DURATION_MAX, LabSshd, Plan, PlanError, PlanSource, SshSettings, StopOn};

/// A plan whose names all exist and whose values are all valid.
#[derive(Debug)]
pub struct Resolved {
    /// The test's name.
    pub name: String,
    /// The lab to start, if any.
    pub lab: Option<LabOptions>,
    /// The nodes. A lab's are started later, at these addresses.
    pub nodes: Vec<ResolvedNode>,
    /// Whether the control node connects to the nodes.
    pub is_controlled: bool,
    /// The system to install and start, with every template filled in.
    pub system: Option<System>,
    /// The clients, and which requests each carries out.
    pub clients: ResolvedClients,
    /// The workload's name.
    pub workload_name: &'static str,
    /// The workload.
    pub workload: Arc<dyn Workload>,
    /// The checks that the history must pass: the workload's, with the plan's options, and the plan's own.
    pub checks: Vec<CheckSpec>,
    /// How many clients run at once.
    pub concurrency: usize,
    /// Operations per second of all clients; unlimited when absent.
    pub rate_hz: Option<f64>,
    /// How long clients run.
    pub duration: Span,
    /// The time-out of an operation.
    pub timeout: Span,
    /// The faults.
    pub nemesis: Vec<Scheduled>,
    /// The limits for all faults together.
    pub safety: Safety,
    /// The nodes' names and zones.
    pub roster: Roster,
    /// Whether the run ends at the first violation.
    pub stops_on_violation: bool,
    /// The seed, where the plan sets it.
    pub seed: Option<u64>,
    /// The directory in which runs are kept.
    pub store: PathBuf,
    /// The plan's text for the store: as it is run, without secrets.
    pub text: String,
    /// Advice about accepted spellings, a line each.
    pub hints: Vec<String>,
    /// The plan's login settings, which also apply to a lab's nodes.
    pub(crate) ssh: SshSettings,
}

/// A node of a resolved plan.
#[derive(Clone, Debug)]
pub struct ResolvedNode {
    /// Its name.
    pub name: String,
    /// The address by which nodes and clients reach it.
    pub address: String,
    /// How the control node reaches it; absent for a lab's node, which is not started yet.
    pub host: Option<HostConfig>,
}

impl PlanSource {
    /// Looks up every name and checks what types cannot express.
    ///
    /// # Errors
    /// At the first invalid value, with its place.
    pub fn resolve(self, env: Env<'_>) -> Result<Resolved, PlanError> {
        self.must(!self.plan.name.trim().is_empty(), "name", || {
            "`name` is empty; runs are stored under it, so give the test a name".into()
        })?;
        self.control()?;
        let lab = self.lab()?;
        self.secrets(env)?;
        let nodes = self.nodes(env)?;
        let system = self.system(&nodes)?;
        let workload = self.workload()?;
        let checks = self.checks(workload.as_ref())?;
        self.load()?;
        let roster = self.nemesis(&nodes, system.as_ref())?;
        let clients = self.clients(system.as_ref(), workload.as_ref(), &roster, env)?;
        let text = self.without_secrets()?;
        let PlanSource { plan, hints, .. } = self;
        let Plan { name, control, ssh, workload: spec, load, nemesis, safety, stop_on, seed, store, .. } = plan;
        Ok(Resolved {
            name,
            lab,
            nodes,
            is_controlled: control == Control::Ssh,
            system,
            clients,
            workload_name: spec.name(),
            workload,
            checks,
            concurrency: load.concurrency,
            rate_hz: load.rate,
            duration: load.duration,
            timeout: load.timeout,
            nemesis,
            safety,
            roster,
            stops_on_violation: stop_on == StopOn::Violation,
            seed,
            store,
            text,
            hints,
            ssh,
        })
    }

    /// The nodes that still exist after a run: none for a lab. The rest of the plan is not checked, as what it names may have moved since.
    ///
    /// # Errors
    /// When a secret is missing.
    pub fn remaining_nodes(&self, env: Env<'_>) -> Result<Vec<ResolvedNode>, PlanError> {
        if self.plan.lab.is_some() {
            return Ok(Vec::new());
        }
        self.secrets(env)?;
        self.nodes(env)
    }

    pub(super) fn must(&self, holds: bool, path: &str, message: impl FnOnce() -> String) -> Result<(), PlanError> {
        if holds { Ok(()) } else { Err(self.origin.error(path, message())) }
    }

    /// Checks that `control: none` is not combined with anything that needs a connection to the nodes.
    fn control(&self) -> Result<(), PlanError> {
        let plan = &self.plan;
        if plan.control == Control::Ssh {
            return Ok(());
        }
        self.must(plan.lab.is_none(), "lab", || "a lab is reached over SSH; remove `control: none`".into())?;
        self.must(plan.system.is_none(), "system", || {
            "with `control: none` no system can be started; remove `system`, and name the `client`".into()
        })?;
        self.must(plan.nemesis.is_empty(), "nemesis", || {
            "with `control: none` no fault can be injected; remove the faults, or reach the nodes over SSH".into()
        })
    }

    fn lab(&self) -> Result<Option<LabOptions>, PlanError> {
        let Some(lab) = &self.plan.lab else { return Ok(None) };
        self.must(self.plan.nodes.is_empty(), "nodes", || "a plan has a `lab` or `nodes`, not both; remove one".into())?;
        self.must((1..=MAX_NODES).contains(&lab.nodes), "lab.nodes", || format!("a lab has 1 to {MAX_NODES} nodes"))?;
        let sshd = match lab.sshd {
            LabSshd::Embedded => NodeSshd::Embedded,
            LabSshd::Openssh => NodeSshd::OpenSsh,
        };
        Ok(Some(LabOptions { nodes: lab.nodes, sshd }))
    }

    fn nodes(&self, env: Env<'_>) -> Result<Vec<ResolvedNode>, PlanError> {
        if let Some(lab) = &self.plan.lab {
            let [a, b, c, _] = CONTROLLER.octets();
            let node =
                |number| ResolvedNode { name: format!("n{number}"), address: Ipv4Addr::new(a, b, c, number as u8).to_string(), host: None };
            return Ok((1..=lab.nodes).map(node).collect());
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
            self.must(!settings.address.trim().is_empty(), &path, || {
                "the node's address is empty; write a host name or an IP address".into()
            })?;
            self.must(!name.trim().is_empty(), &path, || "the node's `name` is empty; remove it to use its address as its name".into())?;
            if nodes.iter().any(|node| node.name == name) {
                return Err(self.origin.error_at_word(&path, format!("two nodes are named `{name}`; give one of them another `name`")));
            }
            let login = settings.ssh.unwrap_or_default();
            let host = login
                .host_config(&self.plan.ssh, settings.ssh_address.as_deref().unwrap_or(&settings.address), env)
                .map_err(|why| self.origin.error(&path, why))?;
            nodes.push(ResolvedNode { name, address: settings.address, host: Some(host) });
        }
        Ok(nodes)
    }

    /// Checks that every secret is available.
    fn secrets(&self, env: Env<'_>) -> Result<(), PlanError> {
        let of_nodes = self.plan.nodes.iter().enumerate().filter_map(|(at, node)| Some((format!("nodes.{at}.ssh"), node.settings().ssh?)));
        let mut found = self.plan.ssh.secrets("ssh");
        found.extend(of_nodes.flat_map(|(path, ssh)| ssh.secrets(&path)));
        found.extend(clients::secrets(self.plan.client.as_ref(), &self.plan.clients));
        found.iter().try_for_each(|(path, text)| secret(text, env).map(drop).map_err(|why| self.origin.error(path, why)))
    }

    fn workload(&self) -> Result<Arc<dyn Workload>, PlanError> {
        let spec = &self.plan.workload;
        spec.build().map_err(|why| self.origin.error_at_word(&format!("workload.{}", spec.name()), why))
    }

    fn load(&self) -> Result<(), PlanError> {
        let load = &self.plan.load;
        self.must((1..=MAX_WORKERS).contains(&load.concurrency), "load.concurrency", || {
            format!("`concurrency` must be from 1 to {MAX_WORKERS}")
        })?;
        self.must(load.rate.is_none_or(|rate| rate.is_finite() && rate > 0.0), "load.rate", || {
            "`rate` must be greater than zero; remove it for an unlimited rate".into()
        })?;
        for (path, span) in [("load.duration", load.duration), ("load.timeout", load.timeout)] {
            let field = path.trim_start_matches("load.");
            self.must(!span.0.is_zero() && span.0 <= DURATION_MAX, path, || {
                format!("`{field}` must be greater than zero and at most 7 days")
            })?;
        }
        Ok(())
    }

    /// The nodes as the faults' targets, when every fault can be injected into them.
    fn nemesis(&self, nodes: &[ResolvedNode], system: Option<&System>) -> Result<Roster, PlanError> {
        let plan = &self.plan;
        let names: Vec<String> = nodes.iter().map(|node| node.name.clone()).collect();
        let roster = Roster::new(names, &plan.zones).map_err(|why| self.origin.error_at_word("zones", why))?;
        let faults = FaultSchedule { lines: &plan.nemesis, safety: &plan.safety, seed: Seed(0), duration: plan.load.duration.0 };
        faults.check(&roster).map_err(|(line, why)| {
            let path = line.map_or("safety".to_owned(), |line| format!("nemesis.{line}"));
            self.origin.error_at_word(&path, why)
        })?;
        match elenchus_nemesis::unmet(&plan.nemesis, system.map(System::definition)) {
            Some(unmet) => Err(self.origin.error(&format!("nemesis.{}.{}", unmet.line, unmet.key), unmet.message)),
            None => Ok(roster),
        }
    }
}

impl Resolved {
    /// The faults of a run with this seed.
    pub fn fault_schedule(&self, seed: Seed) -> FaultSchedule<'_> {
        FaultSchedule { lines: &self.nemesis, safety: &self.safety, seed, duration: self.duration.0 }
    }
}
