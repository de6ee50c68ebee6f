//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use elenchus_control::lab::MAX_NODES;
use elenchus_core::Span;

use crate::plan::LabSshd;

/// Breaks a distributed system on purpose, and proves whether it kept its promises.
#[derive(Debug, Parser)]
#[command(name = "elenchus", version, max_term_width = 100, after_help = EXIT_STATUS)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// Say more: -v what is done, -vv every command on every node (RUST_LOG says it in detail).
    #[arg(short, long, action = clap::ArgAction::Count, global = true)]
    pub verbose: u8,
    /// Say nothing but the verdict's exit status and errors.
    #[arg(short, long, global = true)]
    pub quiet: bool,
}

const EXIT_STATUS: &str = "Exit status: 0 valid, 1 invalid, 2 unknown, 3 the test could not run, 64 bad usage or plan.";

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the test that a plan describes, and judge it.
    Run(RunArgs),
    /// Judge a history, or a run in the store, without running anything.
    Check(CheckArgs),
    /// List what histories can be judged by: checkers and models.
    Checkers,
    /// Write a history of a simulated store, of which is known what it guarantees and breaks.
    Simulate(SimulateArgs),
    /// Connect to every node of a plan and say what is missing.
    Doctor(DoctorArgs),
    /// Undo the faults that a killed run left behind on nodes that outlived it.
    Heal(HealArgs),
    /// List the faults there are: what they do, what they need, and how they are verified and healed.
    Faults {
        /// As a page in Markdown, like `docs/faults.md`.
        #[arg(long)]
        markdown: bool,
    },
    /// A cluster on this machine that stays up: nodes made of Linux namespaces, to look around in.
    #[command(subcommand)]
    Lab(LabCommand),
    /// The sample system that the quick start breaks: a small replicated store with defects to switch on.
    #[command(subcommand)]
    Specimen(elenchus_specimen::Command),
    /// Print the JSON Schema of plans, for editors.
    Schema,
    /// Print shell completions.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

/// Which plan, and what of it to change.
#[derive(Debug, Args)]
pub struct PlanArgs {
    /// The plan, a YAML file.
    pub plan: PathBuf,
    /// Set a value of the plan, like `--set load.rate=200`; may be repeated.
    #[arg(long = "set", value_name = "PATH=VALUE")]
    pub overrides: Vec<String>,
}

/// Arguments of `run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// The plan.
    #[command(flatten)]
    pub plan: PlanArgs,
    /// Decide every operation and every fault by this number, as an earlier run printed it.
    #[arg(long)]
    pub seed: Option<u64>,
    /// Drive clients for this long, like `90s`, whatever the plan says.
    #[arg(long)]
    pub duration: Option<Span>,
    /// Allow faults that may cost data, on a cluster that you can lose: `safety.allow_destructive`.
    #[arg(long)]
    pub allow_destructive: bool,
    /// Print what would be done, node by node, and do nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Keep runs in this directory.
    #[arg(long, value_name = "DIR")]
    pub store: Option<PathBuf>,
    /// Where results go besides the store.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Where results go.
#[derive(Debug, Default, Args)]
pub struct OutputArgs {
    /// Write a JUnit report to this file.
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
    /// Print the results as one JSON object on standard output.
    #[arg(long)]
    pub json: bool,
    /// Print annotations that a CI service shows beside the code.
    #[arg(long, value_enum)]
    pub annotations: Option<Annotations>,
}

/// A CI service's way of annotating.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Annotations {
    /// GitHub Actions' workflow commands.
    Github,
}

/// Arguments of `check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// A history (EDN, JSON lines, Jepsen's log lines or a journal, also compressed; `-` is the standard input), or a run's directory in the
    /// store, which is judged as its plan says.
    pub history: PathBuf,
    /// What the history is of: the name of a checker, like list-append, bank or set-full; `elenchus checkers`
    /// lists them.
    #[arg(long, value_name = "NAME", conflicts_with = "model")]
    pub workload: Option<String>,
    /// Judge by this model of a single object: cas-register (which it is without a word), register, mutex …, or a weaker one, like
    /// sequential or causal; `strongest` finds the strongest that holds.
    #[arg(long, value_name = "NAME")]
    pub model: Option<String>,
    /// Transactions must keep this isolation level, like snapshot-isolation; `strongest` asks for all.
    #[arg(long, value_name = "LEVEL", requires = "workload")]
    pub isolation: Option<String>,
    /// Set an option of the checker, like `--option total=100`; may be repeated.
    #[arg(long = "option", value_name = "NAME=VALUE")]
    pub options: Vec<String>,
    /// Read values `[key value]` as belonging to independent keys, as Jepsen's independent workloads write them.
    #[arg(long)]
    pub independent: bool,
    /// Leave out lines that make no sense, and count them.
    #[arg(long)]
    pub lenient: bool,
    /// Give up after this long, like `60s`.
    #[arg(long, value_name = "SPAN")]
    pub time_limit: Option<Span>,
    /// Let the search hold this much memory, like `2GiB`.
    #[arg(long, value_name = "SIZE")]
    pub memory: Option<bytesize::ByteSize>,
    /// Write the linearization of a valid history to this file, as JSON: of each key the operations in order, with the state after each.
    #[arg(long, value_name = "FILE")]
    pub witness: Option<PathBuf>,
    /// Tell all about the anomalies of this name, like `G-single`.
    #[arg(long, value_name = "ANOMALY")]
    pub explain: Option<String>,
    /// Write the report, its pictures and `results.json` into this directory.
    #[arg(long, value_name = "DIR")]
    pub report: Option<PathBuf>,
    /// Where results go.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Arguments of `simulate`. What is not given suits the workload.
#[derive(Debug, Args)]
pub struct SimulateArgs {
    /// How the store behaves; `--list` tells of all.
    #[arg(long, value_name = "NAME", default_value = "linearizable")]
    pub store: String,
    /// What is asked of it; the first that the store knows, when not given.
    #[arg(long, value_name = "NAME")]
    pub workload: Option<String>,
    /// How many operations or transactions, like `100k`.
    #[arg(long, value_name = "COUNT", default_value = "1k", value_parser = count)]
    pub operations: u64,
    /// How many processes are alive at once.
    #[arg(long, value_name = "COUNT", default_value_t = 5)]
    pub processes: u32,
    /// How many keys are in use at once.
    #[arg(long, value_name = "COUNT")]
    pub keys: Option<u32>,
    /// Ask for the n-th key a n-th as often as for the first, rather than for all alike.
    #[arg(long)]
    pub zipf: bool,
    /// Retire a key after so many updates.
    #[arg(long, value_name = "COUNT")]
    pub updates_per_key: Option<u32>,
    /// Write one of so many values; 0: every value is new.
    #[arg(long, value_name = "COUNT")]
    pub values: Option<u32>,
    /// The share of operations, or of a transaction's accesses, that read.
    #[arg(long, value_name = "SHARE")]
    pub reads: Option<f64>,
    /// How many accesses a transaction has at most.
    #[arg(long, value_name = "COUNT")]
    pub accesses: Option<u32>,
    /// The share of operations that end in doubt.
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    pub crash: f64,
    /// The share of operations that are refused for no reason.
    #[arg(long, value_name = "SHARE")]
    pub fail: Option<f64>,
    /// The share of operations that the store's defect strikes, where it can; `once`: one.
    #[arg(long, value_name = "SHARE")]
    pub strikes: Option<String>,
    /// How many versions a stale read is behind, at most.
    #[arg(long, value_name = "COUNT")]
    pub staleness: Option<u32>,
    /// How many permits a semaphore has.
    #[arg(long, value_name = "COUNT")]
    pub permits: Option<u32>,
    /// Have transactions tell at which timestamps they began and committed.
    #[arg(long)]
    pub timestamps: bool,
    /// Decides everything else.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// How the history is written.
    #[arg(long, value_enum, default_value_t)]
    pub format: HistoryFormat,
    /// Write to this file rather than to the standard output.
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// List the stores and workloads.
    #[arg(long)]
    pub list: bool,
}

/// How a history is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum HistoryFormat {
    /// Jepsen's EDN, an event a line.
    #[default]
    Edn,
    /// JSON, an event a line.
    Jsonl,
}

/// A count as people write it: `1000`, `100k`, `10M`.
fn count(text: &str) -> Result<u64, String> {
    let (digits, unit) = match text.char_indices().last() {
        Some((at, 'k' | 'K')) => (&text[..at], 1_000),
        Some((at, 'm' | 'M')) => (&text[..at], 1_000_000),
        _ => (text, 1),
    };
    let number = digits.parse::<u64>().ok().and_then(|number| number.checked_mul(unit));
    number.ok_or_else(|| format!("`{text}` is no count; write a number, like `1000`, `100k` or `10M`"))
}

/// Arguments of `doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// The plan.
    #[command(flatten)]
    pub plan: PlanArgs,
}

/// Arguments of `heal`.
#[derive(Debug, Args)]
pub struct HealArgs {
    /// A run's directory, a store of runs, or a plan. Of runs, what their ledgers say may be in force is undone. A plan stands for all its runs in its store; then every
    /// fault there is is undone on its nodes, known or not.
    pub what: PathBuf,
}

/// The commands of `lab`.
#[derive(Debug, Subcommand)]
pub enum LabCommand {
    /// Start a lab in the background.
    Up(LabOptionsArgs),
    /// List the nodes of the lab that is up.
    Status,
    /// Open a shell in a node, or run a command there and end with its exit status.
    Shell {
        /// The node, like n1.
        node: String,
        /// The command and its arguments.
        #[arg(last = true)]
        command: Vec<OsString>,
    },
    /// End the lab.
    Down,
    /// Be the process that holds a lab.
    #[command(hide = true)]
    Hold(LabOptionsArgs),
}

/// What a lab is to be like.
#[derive(Clone, Copy, Debug, Args)]
pub struct LabOptionsArgs {
    /// How many nodes: n1, n2 …
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=i64::from(MAX_NODES)))]
    pub nodes: u16,
    /// The SSH server in them; the host's OpenSSH needs root.
    #[arg(long, value_enum, default_value_t)]
    pub sshd: LabSshd,
}
