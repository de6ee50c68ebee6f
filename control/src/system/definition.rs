//! The format of a system definition.

use std::collections::BTreeMap;

use elenchus_core::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The definition of a system: how to install, configure, start, stop and query it. One YAML file each.
///
/// Texts marked *template* may use `{{ node.name }}`, `{{ node.address }}`, `{{ node.index }}` (from 0), `{{ system }}`, `{{ options.… }}`, and loop over
/// `nodes` (all of them) and `peers` (all but this one): `{% for peer in peers %}…{% endfor %}`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Definition {
    /// The system's name: lower-case letters, digits and `-`. The pidfile and the log have this name.
    pub name: String,
    /// A description in one sentence.
    #[serde(default)]
    pub summary: String,
    /// The client to use, unless the plan names another.
    #[serde(default)]
    pub client: Option<String>,
    /// Options that a plan can set, with their defaults. Templates see them as `options.<name>`.
    #[serde(default)]
    pub options: BTreeMap<String, String>,
    /// How to install it.
    #[serde(default)]
    pub install: Install,
    /// Files to upload from the control node.
    #[serde(default)]
    pub upload: Vec<Upload>,
    /// System users to create. They are kept after the run.
    #[serde(default)]
    pub users: Vec<String>,
    /// Directories to create before the start (templates); removed after the run.
    #[serde(default)]
    pub directories: Vec<String>,
    /// Files to write from templates; removed after the run.
    #[serde(default)]
    pub files: Vec<File>,
    /// How to start it.
    pub start: Start,
    /// How to stop it.
    #[serde(default)]
    pub stop: Stop,
    /// How to check that it is ready.
    #[serde(default)]
    pub ready: Option<Ready>,
    /// How to find its processes outside the session that it was started in.
    #[serde(default)]
    pub process: Process,
    /// Data directories (templates): their content is deleted before and after a run.
    #[serde(default)]
    pub data: Vec<String>,
    /// A command (template, run by `sh` on a node) that prints the name or the address of the primary as this node sees it, or nothing.
    #[serde(default)]
    pub primary: Option<String>,
    /// How to change its membership while it runs.
    #[serde(default)]
    pub membership: Option<Membership>,
    /// Log files to fetch after a run, besides its output (templates; shell wildcards are allowed).
    #[serde(default)]
    pub logs: Vec<String>,
    /// Patterns of log lines that are reported as findings.
    #[serde(default, alias = "troubles")]
    pub log_patterns: Vec<LogPattern>,
    /// Its requirements on a node.
    #[serde(default)]
    pub requires: Requires,
}

/// How to install the system.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Install {
    /// A command (template): if it succeeds, nothing is installed.
    #[serde(default)]
    pub unless: Option<String>,
    /// Debian packages to install with apt-get. They are kept after the run.
    #[serde(default)]
    pub packages: Vec<String>,
    /// Commands (templates) to run after the packages.
    #[serde(default)]
    pub commands: Vec<String>,
}

/// A file to upload from the control node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Upload {
    /// Its path on the control node (template). A relative path is looked up beside the system's definition, then beside the `elenchus` binary, and
    /// a bare name finally on the PATH.
    pub from: String,
    /// Its path on the node (template, absolute).
    pub to: String,
    /// Its mode, in octal.
    #[serde(default = "executable_mode")]
    pub mode: String,
}

/// A file to write from a template.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// Its path on the node (template, absolute).
    pub path: String,
    /// Its mode, in octal.
    #[serde(default = "readable_mode")]
    pub mode: String,
    /// Its content (template).
    pub content: String,
}

/// How to start the system.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Start {
    /// The command line (template, run by `sh`), which must stay in the foreground; Elenchus runs it in the background.
    pub command: String,
    /// Environment variables (the values are templates).
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// The user it runs as; root by default.
    #[serde(default)]
    pub user: Option<String>,
}

/// How to stop the system.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Stop {
    /// The signal that requests the stop, without `SIG`.
    pub signal: String,
    /// How long the stop may take before the system is killed.
    #[schemars(with = "String")]
    pub grace: Span,
}

impl Default for Stop {
    fn default() -> Stop {
        Stop { signal: "TERM".into(), grace: Span::secs(5) }
    }
}

/// How to check that a node is ready.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ready {
    /// A command (template, run by `sh` on the node) that succeeds when the node is ready.
    pub command: String,
    /// How long to repeat the check.
    #[serde(default = "ready_limit")]
    #[schemars(with = "String")]
    pub within: Span,
    /// The interval between two checks.
    #[serde(default = "ready_interval")]
    #[schemars(with = "String")]
    pub every: Span,
}

/// How to find processes of the system outside the session that it was started in.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Process {
    /// An extended regular expression over full command lines (template), as for `pgrep -f`.
    #[serde(default)]
    pub pattern: Option<String>,
}

/// How to change the membership while the system runs. Each command is a template, run by `sh` on the node that is to be removed or added; `$of` is the
/// address of another node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Membership {
    /// Prints the names or the addresses of the members as the node `$of` sees them, one per line, and fails if that node does not answer.
    pub view: String,
    /// Asks the node `$of`, a member, to remove this node.
    pub remove: String,
    /// Asks the node `$of`, a member, to add this node, and prepares this node's next start, which is with empty data.
    pub add: String,
    /// Makes this node, the primary, hand over to the node `$of`.
    #[serde(default)]
    pub demote: Option<String>,
    /// How long it may take until the views of all nodes agree.
    #[serde(default = "agreement_limit")]
    #[schemars(with = "String")]
    pub within: Span,
}

/// A pattern of log lines to report.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LogPattern {
    /// The meaning of a matching line, in a few words: `panic`, `data loss`.
    pub name: String,
    /// A regular expression.
    pub pattern: String,
}

/// The requirements of a system on a node.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Requires {
    /// Commands that must be installed.
    #[serde(default)]
    pub commands: Vec<String>,
    /// TCP ports that must be free before the start.
    #[serde(default)]
    pub ports: Vec<u16>,
}

fn executable_mode() -> String {
    "0755".into()
}

fn readable_mode() -> String {
    "0644".into()
}

fn agreement_limit() -> Span {
    Span::secs(20)
}

fn ready_limit() -> Span {
    Span::secs(30)
}

fn ready_interval() -> Span {
    Span::millis(200)
}
