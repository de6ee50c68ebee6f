//! The `elenchus` command.

use std::process::ExitCode;
use std::time::SystemTime;

use clap::{CommandFactory, Parser};
use elenchus_control::lab::{self, Entered, LabNet};
use elenchus_core::Verdict;
use elenchus_nemesis::catalogue;
use elenchus_runner::check::{self, CheckError, Checked};
use elenchus_runner::cli::{Annotations, CheckArgs, Cli, Command, OutputArgs, PlanArgs, RunArgs};
use elenchus_runner::lab::LabCommandError;
use elenchus_runner::plan::{Plan, PlanError, Resolved};
use elenchus_runner::report::{self, Facts, Results, Run};
use elenchus_runner::run::{self, RunError};
use elenchus_runner::simulate::SimulateError;
use elenchus_runner::store::RunDir;
use elenchus_runner::{doctor, heal, plan, progress, stdout};

/// Events are made by the threads that parse and dropped by the one that judges, which this allocator takes lightly.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What the exit status means.
mod exit {
    pub(super) const INVALID: u8 = 1;
    pub(super) const UNKNOWN: u8 = 2;
    pub(super) const COULD_NOT_RUN: u8 = 3;
    pub(super) const USAGE: u8 = 64;
}

/// Why the command ends without a verdict.
enum Failure {
    /// The user asked for what makes no sense.
    Usage(String),
    /// What was asked for could not be done.
    CouldNotRun(String),
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
            RunError::Mismatch(why) => Failure::Usage(why),
            other => Failure::CouldNotRun(other.to_string()),
        }
    }
}

impl From<CheckError> for Failure {
    fn from(error: CheckError) -> Failure {
        match error {
            CheckError::Plan(error) => error.into(),
            CheckError::Read(_) | CheckError::NoRun(_) | CheckError::Witness { .. } => Failure::CouldNotRun(error.to_string()),
            other => Failure::Usage(other.to_string()),
        }
    }
}

impl From<SimulateError> for Failure {
    fn from(error: SimulateError) -> Failure {
        match error {
            SimulateError::Write { .. } => Failure::CouldNotRun(error.to_string()),
            other => Failure::Usage(other.to_string()),
        }
    }
}

impl From<LabCommandError> for Failure {
    fn from(error: LabCommandError) -> Failure {
        match error {
            LabCommandError::UnknownNode { .. } => Failure::Usage(format!("elenchus: {error}")),
            other => Failure::CouldNotRun(other.to_string()),
        }
    }
}

fn main() -> ExitCode {
    // Before any thread is started: this process may be a part of a lab.
    lab::main_hook();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(exit::USAGE) } else { ExitCode::SUCCESS };
        }
    };
    if let Command::Specimen(command) = cli.command {
        // It is a program of its own, with a log of its own.
        return elenchus_specimen::run(command);
    }
    progress::log(cli.verbose);
    match execute(&cli) {
        Ok(code) => code,
        Err(Failure::Usage(message)) => {
            eprintln!("{}", message.trim_end());
            ExitCode::from(exit::USAGE)
        }
        Err(Failure::CouldNotRun(message)) => {
            eprintln!("elenchus: {}", message.trim_end());
            ExitCode::from(exit::COULD_NOT_RUN)
        }
    }
}

fn execute(cli: &Cli) -> Result<ExitCode, Failure> {
    match &cli.command {
        Command::Run(args) => run_plan(cli, args),
        Command::Check(args) => check(cli, args),
        Command::Checkers => {
            say(&check::listing())?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Simulate(args) => {
            if let Some(summary) = elenchus_runner::simulate::simulate(args)?
                && !cli.quiet
            {
                eprintln!("{summary}");
            }
            Ok(ExitCode::SUCCESS)
        }
        Command::Doctor(args) => {
            let resolved = resolve(&args.plan, &[])?;
            let net = match enter(&resolved)? {
                Entrance::Done(code) => return Ok(code),
                Entrance::In(net) => net,
            };
            let found = runtime()?.block_on(doctor::examine(&resolved, net.as_ref()))?;
            say(&found.text)?;
            Ok(if found.is_healthy { ExitCode::SUCCESS } else { ExitCode::from(exit::COULD_NOT_RUN) })
        }
        Command::Heal(args) => {
            let healed = runtime()?.block_on(heal::heal(&args.what, &env))?;
            say(&healed.text)?;
            Ok(if healed.is_whole { ExitCode::SUCCESS } else { ExitCode::from(exit::COULD_NOT_RUN) })
        }
        Command::Faults { markdown } => {
            say(&if *markdown { catalogue::markdown() } else { catalogue::terminal() })?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Lab(command) => {
            Ok(ExitCode::from(u8::try_from(elenchus_runner::lab::execute(command, cli.quiet)?).unwrap_or(exit::COULD_NOT_RUN)))
        }
        Command::Specimen(_) => unreachable!("it has run already"),
        Command::Schema => {
            say(&format!("{}\n", plan::schema()))?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Completions { shell } => {
            clap_complete::generate(*shell, &mut Cli::command(), "elenchus", &mut std::io::stdout());
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn env(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn resolve(args: &PlanArgs, more: &[String]) -> Result<Resolved, Failure> {
    let overrides: Vec<String> = args.overrides.iter().chain(more).cloned().collect();
    Ok(Plan::load(&args.plan, &overrides)?.resolve(&env)?)
}

/// Whether this process goes on inside the lab, or the test is over already.
enum Entrance {
    In(Option<LabNet>),
    Done(ExitCode),
}

fn enter(plan: &Resolved) -> Result<Entrance, Failure> {
    if plan.lab.is_none() {
        return Ok(Entrance::In(None));
    }
    match lab::enter().map_err(|error| Failure::CouldNotRun(error.to_string()))? {
        Entered::Outer(status) => Ok(Entrance::Done(ExitCode::from(u8::try_from(status).unwrap_or(exit::COULD_NOT_RUN)))),
        Entered::Inner(net) => Ok(Entrance::In(Some(net))),
    }
}

fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Runtime::new().map_err(|error| Failure::CouldNotRun(format!("the async runtime cannot start: {error}")))
}

fn run_plan(cli: &Cli, args: &RunArgs) -> Result<ExitCode, Failure> {
    let mut more = Vec::new();
    more.extend(args.seed.map(|seed| format!("seed={seed}")));
    more.extend(args.duration.map(|span| format!("load.duration={span}")));
    more.extend(args.store.as_ref().map(|store| format!("store={}", store.display())));
    more.extend(args.allow_destructive.then(|| "safety.allow_destructive=true".to_owned()));
    let resolved = resolve(&args.plan, &more)?;
    let seed = resolved.seed.unwrap_or_else(fresh_seed);
    if args.dry_run {
        say(&run::describe(&resolved, seed)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let net = match enter(&resolved)? {
        Entrance::Done(code) => return Ok(code),
        Entrance::In(net) => net,
    };
    let facts = Facts {
        name: resolved.name.clone(),
        started: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
        seed,
        command: command_again(args, seed),
        versions: Facts::versions(),
        duration_ms: 0,
    };
    let shown = progress::Shown::new(cli.quiet || args.output.json);
    let (dir, run) = runtime()?.block_on(run::run(&resolved, net.as_ref(), facts, &|event| shown.show(event)))?;
    shown.end();
    let text = if args.output.json { Results::of(&run).to_json() + "\n" } else { report::summary(&run, Some(dir.path())) };
    output(cli, &args.output, &run, &text)
}

/// A seed that no earlier run had: the nanoseconds of the clock.
fn fresh_seed() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |now| now.as_nanos() as u64 % 1_000_000_000_000)
}

fn command_again(args: &RunArgs, seed: u64) -> String {
    let mut command = format!("elenchus run {} --seed {seed}", args.plan.plan.display());
    for change in &args.plan.overrides {
        command.push_str(&format!(" --set {}", elenchus_control::command::quote(change)));
    }
    if let Some(duration) = args.duration {
        command.push_str(&format!(" --duration {}", elenchus_control::command::quote(&duration.to_string())));
    }
    if args.allow_destructive {
        command.push_str(" --allow-destructive");
    }
    command
}

fn check(cli: &Cli, args: &CheckArgs) -> Result<ExitCode, Failure> {
    let Checked { run, results, skipped } = check::check(args)?;
    if skipped.count > 0 && !cli.quiet {
        eprintln!("left out, because it makes no sense ({} in all):", skipped.count);
        skipped.first.iter().for_each(|error| eprintln!("  {}:{error}", args.history.display()));
    }
    if let Some(dir) = &args.report {
        std::fs::create_dir_all(dir).map_err(|error| Failure::CouldNotRun(format!("{}: {error}", dir.display())))?;
        run.write(&RunDir::open(dir)).map_err(|error| Failure::CouldNotRun(error.to_string()))?;
    }
    let text = match &args.explain {
        _ if args.output.json => results.to_json() + "\n",
        Some(anomaly) => report::explanation(&run, anomaly),
        None => report::summary(&run, None),
    };
    output(cli, &args.output, &run, &text)
}

/// Prints what was asked for.
fn say(text: &str) -> Result<(), Failure> {
    stdout::say(text).map_err(|error| Failure::CouldNotRun(error.to_string()))
}

/// Says `text` and what else was asked for, and ends as the verdict says.
fn output(cli: &Cli, args: &OutputArgs, run: &Run, text: &str) -> Result<ExitCode, Failure> {
    if let Some(path) = &args.junit {
        let xml = report::junit(run).map_err(|error| Failure::CouldNotRun(error.to_string()))?;
        std::fs::write(path, xml).map_err(|error| Failure::CouldNotRun(format!("{}: {error}", path.display())))?;
    }
    if args.json || !cli.quiet {
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
