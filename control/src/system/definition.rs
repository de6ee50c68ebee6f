//! What a system's YAML file may say.

use std::collections::BTreeMap;

use elenchus_core::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How to install, configure, start, stop and look into a system. One YAML file each.
///
/// Texts marked *template* may use `{{ node.name }}`, `{{ node.address }}`, `{{ node.index }}` (from 0), `{{ system }}`, `{{ options.… }}`, and loop over
/// `nodes` (all of them) and `peers` (all but this one): `{% for peer in peers %}…{% endfor %}`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Definition {
    /// Its name: lower-case letters, digits and `-`. Pidfile and log are named for it.
    pub name: String,
    /// What it is, in a sentence.
    #[serde(default)]
    pub summary: String,
    /// The client that speaks to it, unless the plan names another.
    #[serde(default)]
    pub client: Option<String>,
    /// Settings a plan may change, with their defaults. Templates see them as `options.<name>`.
    #[serde(default)]
    pub options: BTreeMap<String, String>,
    /// What must be on the node before it can start.
    #[serde(default)]
    pub install: Install,
    /// Files uploaded from the control node.
    #[serde(default)]
    pub upload: Vec<Upload>,
    /// System users to create. They stay when the run is over.
    #[serde(default)]
    pub users: Vec<String>,
    /// Directories to create before the start (templates); removed when the run is over.
    #[serde(default)]
    pub directories: Vec<String>,
    /// Files written from templates; removed when the run is over.
    #[serde(default)]
    pub files: Vec<File>,
    /// How it is started.
    pub start: Start,
    /// How it is stopped.
    #[serde(default)]
    pub stop: Stop,
    /// How to tell that it serves.
    #[serde(default)]
    pub ready: Option<Ready>,
    /// Which processes are its own, beside those it was started with.
    #[serde(default)]
    pub process: Process,
    /// Directories whose content is its data (templates): emptied before and after a run.
    #[serde(default)]
    pub data: Vec<String>,
    /// A command (template, run by `sh` on a node) that prints the name or the address of the primary as that node sees it, or nothing.
    #[serde(default)]
    pub primary: Option<String>,
    /// How its members are changed while it runs.
    #[serde(default)]
    pub membership: Option<Membership>,
    /// Log files to fetch after a run, beside what it printed (templates; shell wildcards allowed).
    #[serde(default)]
    pub logs: Vec<String>,
    /// What in its logs means trouble.
    #[serde(default)]
    pub troubles: Vec<LogPattern>,
    /// What it needs of a node.
    #[serde(default)]
    pub requires: Requires,
}

/// What must be on the node before the system can start.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Install {
    /// A command (template): when it succeeds, nothing is installed.
    #[serde(default)]
    pub unless: Option<String>,
    /// Debian packages to install with apt-get. They stay when the run is over.
    #[serde(default)]
    pub packages: Vec<String>,
    /// Commands (templates) to run after the packages.
    #[serde(default)]
    pub commands: Vec<String>,
}

/// A file uploaded from the control node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Upload {
    /// Where it is on the control node (template). A relative path is looked for beside the system's definition, then beside the `elenchus` binary,
    /// and a bare name on the PATH at last.
    pub from: String,
    /// Where it goes (template, absolute).
    pub to: String,
    /// Its mode, in octal.
    #[serde(default = "executable")]
    pub mode: String,
}

/// A file written from a template.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// Where it goes (template, absolute).
    pub path: String,
    /// Its mode, in octal.
    #[serde(default = "readable")]
    pub mode: String,
    /// What is in it (template).
    pub content: String,
}

/// How the system is started.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Start {
    /// The command line (template, run by `sh`) that stays in the foreground; Elenchus puts it in the background.
    pub command: String,
    /// Its environment (values are templates).
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// The user it runs as; root when absent.
    #[serde(default)]
    pub user: Option<String>,
}

/// How the system is stopped.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Stop {
    /// The signal that asks it to end.
    pub signal: String,
    /// How long it may take before it is killed.
    #[schemars(with = "String")]
    pub grace: Span,
}

impl Default for Stop {
    fn default() -> Stop {
        Stop { signal: "TERM".into(), grace: Span::secs(5) }
    }
}

/// How to tell that a node serves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ready {
    /// A command (template, run by `sh` on the node) that succeeds when it does.
    pub command: String,
    /// How long to try.
    #[serde(default = "half_a_minute")]
    #[schemars(with = "String")]
    pub within: Span,
    /// How long to wait between two tries.
    #[serde(default = "a_moment")]
    #[schemars(with = "String")]
    pub every: Span,
}

/// Which processes belong to the system, beside those of the session it was started in.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Process {
    /// An extended regular expression over full command lines (template), as `pgrep -f` takes it.
    #[serde(default)]
    pub pattern: Option<String>,
}

/// How the system's members are changed while it runs. Each command is a template, run by `sh` on the node that is to be in or out, and finds in `$of` the
/// address of a node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Membership {
    /// Prints the names or the addresses of the members as the node `$of` sees them, a line each, and fails where that node does not answer.
    pub view: String,
    /// Has the node `$of`, a member, take this node out.
    pub remove: String,
    /// Has the node `$of`, a member, take this node in, and prepares this node's next start, which is with empty data.
    pub add: String,
    /// Has this node, which is primary, give that up in favour of the node `$of`.
    #[serde(default)]
    pub demote: Option<String>,
    /// How long all nodes' views may take to agree.
    #[serde(default = "a_while")]
    #[schemars(with = "String")]
    pub within: Span,
}

/// A line of a log that means trouble.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LogPattern {
    /// What it means, in a few words: `panic`, `data loss`.
    pub name: String,
    /// A regular expression that such a line matches.
    pub pattern: String,
}

/// What a system needs of a node.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Requires {
    /// Commands that must be there.
    #[serde(default)]
    pub commands: Vec<String>,
    /// TCP ports that must be free before the start.
    #[serde(default)]
    pub ports: Vec<u16>,
}

fn executable() -> String {
    "0755".into()
}

fn readable() -> String {
    "0644".into()
}

fn a_while() -> Span {
    Span::secs(20)
}

fn half_a_minute() -> Span {
    Span::secs(30)
}

fn a_moment() -> Span {
    Span::millis(200)
}
