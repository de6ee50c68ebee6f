//! Plans: what to test, where, under which load, with which faults. Only this folder uses the YAML parser.
//!
//! | module | contents |
//! | --- | --- |
//! | `load` | [`PlanSource`]: a plan read from a file, with its text |
//! | `choice` | values with a short and a long form |
//! | `ssh` | login settings |
//! | `lookup` | built-in systems by name |
//! | `clients` | the clients: placement, credentials, which requests each carries out |
//! | `checks` | the checks of the history |
//! | `resolve` | [`Resolved`]: every name looked up, every value checked |
//! | `schema` | the JSON Schema |
//! | `diagnostics` | places in the text, error messages, spelling |

mod checks;
mod choice;
mod clients;
mod diagnostics;
mod load;
mod lookup;
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

pub use checks::CheckSettings;
pub use choice::{NodeEntry, SystemChoice};
pub use clients::{ClientChoice, CredentialSettings, PlacementChoice, ResolvedClient, ResolvedClients, ResolvedPlacement};
pub use diagnostics::PlanError;
pub use diagnostics::change_without_secrets;
use load::HIDDEN;
pub use load::PlanSource;
pub use lookup::definition;
pub use resolve::{Resolved, ResolvedNode};
pub use schema::schema;
pub use ssh::{HostKeys, JumpSettings, SshSettings, SudoSettings};

/// A test of one system. Words of a plan are written in snake_case; a hyphen in place of an underscore is accepted, with a hint.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// The test's name; its runs are stored under it.
    pub name: String,
    /// Nodes on this machine, created for the run. Either this or `nodes`.
    #[serde(default)]
    pub lab: Option<LabSettings>,
    /// The nodes of an existing cluster. Either this or `lab`.
    #[serde(default)]
    pub nodes: Vec<NodeEntry>,
    /// How the control node reaches the nodes.
    #[serde(default)]
    pub control: Control,
    /// Login settings for all nodes without their own.
    #[serde(default)]
    pub ssh: SshSettings,
    /// The system under test: a name (`etcd`, `specimen`), a file that defines one, or either with options. Without one, the plan tests a service that
    /// is already running.
    #[serde(default)]
    pub system: Option<SystemChoice>,
    /// The client for the system: a name, or a name with settings; by default the system's own client.
    #[serde(default)]
    pub client: Option<ClientChoice>,
    /// Several clients, by name, in place of `client`: `readers` for requests that only read and `writers` for all others, or the names that the workload
    /// uses, like `old` and `new`.
    #[serde(default)]
    pub clients: BTreeMap<String, ClientChoice>,
    /// The operations that clients invoke, and the checks of the history.
    #[serde(deserialize_with = "choice::workload")]
    #[schemars(schema_with = "choice::workload_schema")]
    pub workload: WorkloadSpec,
    /// Options of checkers by the checker's name: they change the workload's own checks, or add checks.
    #[serde(default)]
    pub checks: CheckSettings,
    /// The number of clients, the rate and the duration.
    #[serde(default)]
    pub load: Load,
    /// The faults to inject, and when.
    #[serde(default)]
    pub nemesis: Vec<Scheduled>,
    /// Limits for all faults together.
    #[serde(default)]
    pub safety: Safety,
    /// Groups of nodes, such as data centres, by the zone's name: `{east: [n1, n2], west: [n3]}`. Faults can target zones and partition them.
    #[serde(default)]
    pub zones: BTreeMap<String, Vec<String>>,
    /// The event that ends the run early.
    #[serde(default)]
    pub stop_on: StopOn,
    /// The seed of every random choice of operations and faults; by default a new one for each run.
    #[serde(default)]
    pub seed: Option<u64>,
    /// The directory in which runs are stored.
    #[serde(default = "default_store")]
    pub store: PathBuf,
}

fn default_store() -> PathBuf {
    PathBuf::from("store")
}

/// The event that ends a run early.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StopOn {
    /// Nothing.
    #[default]
    Never,
    /// The first violation, as soon as it is found.
    Violation,
}

/// How the control node reaches the nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Control {
    /// Over SSH.
    #[default]
    Ssh,
    /// Not at all: only clients run, against a service that is managed elsewhere.
    None,
}

/// A lab.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LabSettings {
    /// The number of nodes, named n1, n2 …
    #[schemars(range(min = 1, max = MAX_NODES))]
    pub nodes: u16,
    /// The SSH server of the nodes.
    #[serde(default)]
    pub sshd: LabSshd,
}

/// The SSH server of a lab's nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum LabSshd {
    /// Elenchus' own; works without root.
    #[default]
    Embedded,
    /// The host's OpenSSH; needs root.
    Openssh,
}

/// The load on the system.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Load {
    /// The number of clients that run at once, each against one node.
    #[schemars(range(min = 1, max = MAX_WORKERS))]
    pub concurrency: usize,
    /// Operations per second, of all clients together; by default unlimited.
    pub rate: Option<f64>,
    /// How long clients run.
    #[schemars(with = "String")]
    pub duration: Span,
    /// The time-out of an operation; after it, the outcome is unknown.
    #[schemars(with = "String")]
    pub timeout: Span,
}

impl Default for Load {
    fn default() -> Load {
        Load { concurrency: 10, rate: None, duration: Span::secs(60), timeout: Span::secs(5) }
    }
}

/// The longest duration of a test: 7 days.
const DURATION_MAX: Duration = Duration::from_secs(7 * 24 * 3600);

/// A system's options by name.
pub type SystemOptions = BTreeMap<String, String>;
