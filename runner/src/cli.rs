//! The command line: one file per command, and what they share.

pub mod check;
pub mod doctor;
mod event_log;
pub mod heal;
pub mod lab;
mod lists;
pub mod progress;
mod run;
pub mod simulate;
mod stdout;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};
use elenchus_control::lab::{self as labs, Entered, LabNet};
use elenchus_core::Verdict;

use crate::plan::{self, Plan, PlanError, Resolved};
use crate::report::{self, JudgedRun};
use crate::run::RunError;

pub use run::RunArgs;

/// Tests distributed systems: injects faults, records a history, checks its consistency.
#[derive(Debug, Parser)]
#[command(name = "elenchus", version, max_term_width = 100, after_help = EXIT_STATUS)]
pub struct Cli {
    /// The command.
    #[command(subcommand)]
    pub command: Command,
    /// Log more: -v every step, -vv every command on every node (RUST_LOG selects in detail).
    #[arg(short, long, action = clap::ArgAction::Count, global = true)]
    pub verbose: u8,
    /// Print errors only; the exit status is the verdict.
    #[arg(short, long, global = true)]
    pub quiet: bool,
}

const EXIT_STATUS: &str = "Exit status: 0 valid, 1 invalid, 2 unknown, 3 the command could not be carried out, 64 wrong usage or plan.";

/// Exit statuses; 0 is `valid`, or success of a command without a verdict.
pub mod exit {
    /// A violation was found.
    pub const INVALID: u8 = 1;
    /// Neither validity nor a violation was proved.
    pub const UNKNOWN: u8 = 2;
    /// The command could not be carried out.
    pub const COULD_NOT_RUN: u8 = 3;
    /// The command line or the plan is wrong.
    pub const USAGE: u8 = 64;
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a plan: start the system, run clients, inject faults, check the history.
    Run(RunArgs),
    /// Check a recorded history, or a run in the store.
    Check(check::CheckArgs),
    /// List checkers and models.
    Checkers,
    /// List clients: the protocols that Elenchus supports, the data types that each client offers, its settings.
    Clients,
    /// List workloads: their operations, their checks, their requirements on a client, their settings.
    Workloads,
    /// List the systems that Elenchus can install and start, with their options.
    Systems,
    /// Write the history of a simulated store with known guarantees and defects.
    Simulate(simulate::SimulateArgs),
    /// Check that every node of a plan is ready to run it.
    Doctor(doctor::DoctorArgs),
    /// Undo the faults that a killed run left on its nodes.
    Heal(heal::HealArgs),
    /// List faults: their effect, their requirements, how they are verified and healed.
    Faults {
        /// Print a Markdown page, as in `docs/faults.md`.
        #[arg(long)]
        markdown: bool,
    },
    /// Keep a cluster of Linux namespaces running on this machine, to explore.
    #[command(subcommand)]
    Lab(lab::LabCommand),
    /// The sample system of the quick start: a small replicated store with optional defects.
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

/// A plan, and changes to it.
#[derive(Debug, Args)]
pub struct PlanArgs {
    /// The plan, a YAML file.
    pub plan: PathBuf,
    /// Set a value of the plan, such as `--set load.rate=200`; may be repeated.
    #[arg(long = "set", value_name = "PATH=VALUE")]
    pub overrides: Vec<String>,
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
    /// Print annotations for a CI service.
    #[arg(long, value_enum)]
    pub annotations: Option<Annotations>,
}

/// A CI service's format for annotations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Annotations {
    /// GitHub Actions' workflow commands.
    Github,
}

/// Why a command ends without a verdict.
#[derive(Debug)]
pub enum Failure {
    /// The command line or the plan is wrong.
    Usage(String),
    /// The command could not be carried out.
    CouldNotRun(String),
}

impl Failure {
    /// Prints the message on standard error and returns the exit status.
    pub fn report(self) -> ExitCode {
        match self {
            Failure::Usage(message) => {
                eprintln!("{}", message.trim_end());
                ExitCode::from(exit::USAGE)
            }
            Failure::CouldNotRun(message) => {
                eprintln!("elenchus: {}", message.trim_end());
                ExitCode::from(exit::COULD_NOT_RUN)
            }
        }
    }

    fn could_not(error: impl std::fmt::Display) -> Failure {
        Failure::CouldNotRun(error.to_string())
    }
}

impl From<PlanError> for Failure {
    fn from(error: PlanError) -> Failure {
        Failure::Usage(error.render(std::io::IsTerminal::is_terminal(&std::io::stderr())))
    }
}

impl From<RunError> for Failure {
    fn from(error: RunError) -> Failure {
        match error {
            RunError::Plan(error) => error.into(),
            RunError::Usage(why) => Failure::Usage(format!("elenchus: {why}")),
            other => Failure::could_not(other),
        }
    }
}

/// Carries out a command and returns the exit status.
///
/// # Errors
/// When the command ends without a verdict.
pub fn execute(cli: &Cli) -> Result<ExitCode, Failure> {
    match &cli.command {
        Command::Run(args) => run::execute(cli, args),
        Command::Check(args) => check::execute(cli, args),
        Command::Checkers => say(&lists::checkers()),
        Command::Clients => say(&lists::clients()),
        Command::Workloads => say(&lists::workloads()),
        Command::Systems => say(&lists::systems()?),
        Command::Simulate(args) => simulate::execute(cli, args),
        Command::Doctor(args) => doctor::execute(cli, args),
        Command::Heal(args) => heal::execute(args),
        Command::Faults { markdown } => say(&lists::faults(*markdown)),
        Command::Lab(command) => lab::execute(command, cli.quiet),
        Command::Specimen(_) => unreachable!("it is a program of its own, called by `main`"),
        Command::Schema => say(&format!("{}\n", plan::schema())),
        Command::Completions { shell } => {
            clap_complete::generate(*shell, &mut Cli::command(), "elenchus", &mut std::io::stdout());
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn env(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Reads and resolves a plan, with the changes of `--set` and then `more`.
fn resolve(args: &PlanArgs, more: &[String]) -> Result<Resolved, Failure> {
    let overrides: Vec<String> = args.overrides.iter().chain(more).cloned().collect();
    Ok(Plan::load(&args.plan, &overrides)?.resolve(&env)?)
}

/// Where this process continues.
enum Entrance {
    /// Here: inside the lab's network, or without a lab.
    Here(Option<LabNet>),
    /// Nowhere: the same command ran inside the lab, and ended with this status.
    Ended(ExitCode),
}

/// Enters the plan's lab, if it has one, by running the same command inside it.
fn enter(plan: &Resolved) -> Result<Entrance, Failure> {
    if plan.lab.is_none() {
        return Ok(Entrance::Here(None));
    }
    match labs::enter().map_err(Failure::could_not)? {
        Entered::Outer(status) => Ok(Entrance::Ended(status_of(status))),
        Entered::Inner(net) => Ok(Entrance::Here(Some(net))),
    }
}

fn status_of(status: i32) -> ExitCode {
    ExitCode::from(u8::try_from(status).unwrap_or(exit::COULD_NOT_RUN))
}

fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Runtime::new().map_err(|error| Failure::CouldNotRun(format!("the async runtime cannot start: {error}")))
}

/// Prints advice about accepted spellings in a plan.
fn show_hints(cli: &Cli, plan: &Resolved) {
    if !cli.quiet {
        plan.hints.iter().for_each(|hint| eprintln!("hint: {hint}"));
    }
}

/// Prints a text on standard output.
fn say(text: &str) -> Result<ExitCode, Failure> {
    stdout::say(text).map(|()| ExitCode::SUCCESS).map_err(Failure::could_not)
}

/// Prints `text`, unless it is text for people and quiet was asked for, and writes the other outputs that were asked for. Returns the verdict as exit status.
fn output(is_quiet: bool, args: &OutputArgs, run: &JudgedRun, text: &str) -> Result<ExitCode, Failure> {
    if let Some(path) = &args.junit {
        let xml = report::junit(run).map_err(Failure::could_not)?;
        std::fs::write(path, xml).map_err(|error| Failure::CouldNotRun(format!("{}: {error}", path.display())))?;
    }
    if args.json || !is_quiet {
        say(text)?;
    }
    if args.annotations == Some(Annotations::Github) {
        say(&report::annotations(run))?;
    }
    Ok(match run.verdict() {
        Verdict::Valid => ExitCode::SUCCESS,
        Verdict::Invalid => ExitCode::from(exit::INVALID),
        Verdict::Unknown => ExitCode::from(exit::UNKNOWN),
    })
}
