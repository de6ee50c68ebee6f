//! A plan: what to test, on what, how hard, and what to break. The one folder that names YAML.

mod choice;
mod error;
mod load;
mod resolve;
mod ssh;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use elenchus_clients::ClientSpec;
use elenchus_core::Span;
use elenchus_nemesis::Scheduled;
use elenchus_workloads::WorkloadSpec;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_yaml::Spanned;

pub use choice::{ClientChoice, NodeEntry, SystemChoice};
pub use error::PlanError;
pub use load::Loaded;
pub use resolve::{Resolved, ResolvedNode, ResolvedSystem};
pub use ssh::{HostKeys, JumpSettings, SshSettings, SudoSettings};

/// A test of one system, as a YAML file describes it.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// What the test is called; its runs are kept under this name.
    pub name: String,
    /// Nodes on this machine, made for the test. Either this or `nodes`.
    #[serde(default)]
    #[schemars(with = "Option<LabSettings>")]
    pub lab: Option<Spanned<LabSettings>>,
    /// The nodes of a cluster that is there already. Either this or `lab`.
    #[serde(default)]
    #[schemars(with = "Vec<NodeEntry>")]
    pub nodes: Vec<Spanned<NodeEntry>>,
    /// How the nodes are reached.
    #[serde(default)]
    pub control: Control,
    /// How to log in to the nodes, for all that do not say otherwise.
    #[serde(default)]
    pub ssh: SshSettings,
    /// The system under test: a name (`etcd`, `specimen`), a file that defines one, or either with options. None: it is installed and running already.
    #[serde(default)]
    #[schemars(with = "Option<SystemChoice>")]
    pub system: Option<Spanned<SystemChoice>>,
    /// How to speak to the system: a name, or a name with settings. The system's own client when absent.
    #[serde(default)]
    #[schemars(with = "Option<ClientChoice>")]
    pub client: Option<Spanned<ClientChoice>>,
    /// What to do to it, and what that must satisfy.
    #[schemars(with = "WorkloadSpec")]
    pub workload: Spanned<WorkloadSpec>,
    /// How hard, and how long.
    #[serde(default)]
    pub load: Load,
    /// What to break, and when.
    #[serde(default)]
    #[schemars(with = "Vec<Scheduled>")]
    pub nemesis: Vec<Spanned<Scheduled>>,
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
    #[schemars(with = "usize")]
    pub concurrency: Spanned<usize>,
    /// Operations a second, all clients together; as many as they can when absent.
    #[schemars(with = "Option<f64>")]
    pub rate: Option<Spanned<f64>>,
    /// How long clients are driven.
    #[schemars(with = "String")]
    pub duration: Spanned<Span>,
    /// How long an operation may take before its outcome counts as unknown.
    #[schemars(with = "String")]
    pub timeout: Spanned<Span>,
}

impl Default for Load {
    fn default() -> Load {
        fn here<T>(value: T) -> Spanned<T> {
            Spanned::new(value, serde_yaml::Location::UNKNOWN, serde_yaml::Location::UNKNOWN)
        }
        Load { concurrency: here(10), rate: None, duration: here(Span::secs(60)), timeout: here(Span::secs(5)) }
    }
}

/// The JSON Schema of plans.
pub fn schema() -> String {
    let schema = schemars::schema_for!(Plan);
    serde_json::to_string_pretty(&schema).unwrap_or_default()
}

/// The longest that a test may take: a week.
const DURATION_MAX: Duration = Duration::from_secs(7 * 24 * 3600);

/// A system's options by name.
pub type SystemOptions = BTreeMap<String, String>;

/// The client that a system's definition names, with its default settings.
fn default_client(name: &str) -> Option<ClientSpec> {
    ClientSpec::named(name)
}
