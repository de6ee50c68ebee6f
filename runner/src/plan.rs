//! A plan: what to test, on what, how hard, and what to break. The one folder that names YAML.

mod changes;
mod choice;
mod error;
mod explain;
mod load;
mod named;
mod origin;
mod outline;
mod resolve;
mod schema;
mod ssh;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use elenchus_control::lab::MAX_NODES;
use elenchus_core::Span;
use elenchus_core::generator::MAX_WORKERS;
use elenchus_nemesis::{Safety, Scheduled};
use elenchus_workloads::WorkloadSpec;
use schemars::JsonSchema;
use serde::Deserialize;

pub use choice::{ClientChoice, NodeEntry, SystemChoice};
pub use error::PlanError;
pub use load::Loaded;
pub use resolve::{Resolved, ResolvedNode, ResolvedSystem};
pub use schema::schema;
pub use ssh::{HostKeys, JumpSettings, SshSettings, SudoSettings};

/// A test of one system, as a YAML file describes it.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// What the test is called; its runs are kept under this name.
    pub name: String,
    /// Nodes on this machine, made for the test. Either this or `nodes`.
    #[serde(default)]
    pub lab: Option<LabSettings>,
    /// The nodes of a cluster that is there already. Either this or `lab`.
    #[serde(default)]
    pub nodes: Vec<NodeEntry>,
    /// How the nodes are reached.
    #[serde(default)]
    pub control: Control,
    /// How to log in to the nodes, for all that do not say otherwise.
    #[serde(default)]
    pub ssh: SshSettings,
    /// The system under test: a name (`etcd`, `specimen`), a file that defines one, or either with options. None: it is installed and running already.
    #[serde(default)]
    pub system: Option<SystemChoice>,
    /// How to speak to the system: a name, or a name with settings. The system's own client when absent.
    #[serde(default)]
    #[schemars(schema_with = "choice::client_schema")]
    pub client: Option<ClientChoice>,
    /// What to do to it, and what that must satisfy.
    #[serde(deserialize_with = "choice::workload")]
    #[schemars(schema_with = "choice::workload_schema")]
    pub workload: WorkloadSpec,
    /// How hard, and how long.
    #[serde(default)]
    pub load: Load,
    /// What to break, and when.
    #[serde(default)]
    pub nemesis: Vec<Scheduled>,
    /// How far all faults together may go.
    #[serde(default)]
    pub safety: Safety,
    /// Nodes that belong together, like those of a data centre, by the zone's name: `{east: [n1, n2], west: [n3]}`. Faults can strike and cut by zone.
    #[serde(default)]
    pub zones: BTreeMap<String, Vec<String>>,
    /// What ends the run before its time.
    #[serde(default)]
    pub stop_on: StopOn,
    /// The number that decides every operation and every fault; a new one for each run when absent.
    #[serde(default)]
    pub seed: Option<u64>,
    /// The directory in which runs are kept.
    #[serde(default = "default_store")]
    pub store: PathBuf,
}

fn default_store() -> PathBuf {
    PathBuf::from("store")
}

/// What ends a run before its time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum StopOn {
    /// Nothing.
    #[default]
    Never,
    /// The first violation, as soon as it is certain.
    Violation,
}

/// How the nodes are reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Control {
    /// Over SSH.
    #[default]
    Ssh,
    /// Not at all: only clients are driven, against a service that others run.
    None,
}

/// The lab of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LabSettings {
    /// How many nodes: n1, n2 …
    #[schemars(range(min = 1, max = MAX_NODES))]
    pub nodes: u16,
    /// The SSH server in them.
    #[serde(default)]
    pub sshd: LabSshd,
}

/// The SSH server of the lab's nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum LabSshd {
    /// Elenchus' own.
    #[default]
    Embedded,
    /// The host's installed OpenSSH; it needs root.
    Openssh,
}

/// How hard the system is driven, and how long.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Load {
    /// How many clients work at once, each on one node.
    #[schemars(range(min = 1, max = MAX_WORKERS))]
    pub concurrency: usize,
    /// Operations a second, all clients together; as many as they can when absent.
    pub rate: Option<f64>,
    /// How long clients are driven.
    #[schemars(with = "String")]
    pub duration: Span,
    /// How long an operation may take before its outcome counts as unknown.
    #[schemars(with = "String")]
    pub timeout: Span,
}

impl Default for Load {
    fn default() -> Load {
        Load { concurrency: 10, rate: None, duration: Span::secs(60), timeout: Span::secs(5) }
    }
}

/// The longest that a test may take: a week.
const DURATION_MAX: Duration = Duration::from_secs(7 * 24 * 3600);

/// A system's options by name.
pub type SystemOptions = BTreeMap<String, String>;
