//! The `elenchus` command.

use std::path::Path;
use std::process::ExitCode;
use std::time::SystemTime;

use clap::{CommandFactory, Parser};
use elenchus_control::lab::{self, Entered, LabNet};
use elenchus_core::{CheckSpec, Finding, Value, Verdict, exchange};
use elenchus_nemesis::about;
use elenchus_runner::cli::{Annotations, CheckArgs, Cli, Command, HealArgs, OutputArgs, PlanArgs, RunArgs};
use elenchus_runner::lab::LabCommandError;
use elenchus_runner::plan::{Plan, PlanError, Resolved};
use elenchus_runner::report::{self, Facts, Results, Run};
use elenchus_runner::run::{self, RunError};
use elenchus_runner::store::RunDir;
use elenchus_runner::{doctor, judge, plan, progress};

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
        Command::Doctor(args) => {
            let resolved = resolve(&args.plan, &[])?;
            let net = match enter(&resolved)? {
                Entrance::Done(code) => return Ok(code),
                Entrance::In(net) => net,
            };
            let found = runtime()?.block_on(doctor::examine(&resolved, net.as_ref()))?;
            print!("{}", found.text);
            Ok(if found.is_healthy { ExitCode::SUCCESS } else { ExitCode::from(exit::COULD_NOT_RUN) })
        }
        Command::Heal(args) => heal(args),
        Command::Faults { markdown } => {
            print!("{}", if *markdown { about::markdown() } else { about::terminal() });
            Ok(ExitCode::SUCCESS)
        }
        Command::Lab(command) => {
            Ok(ExitCode::from(u8::try_from(elenchus_runner::lab::execute(command, cli.quiet)?).unwrap_or(exit::COULD_NOT_RUN)))
        }
        Command::Specimen(_) => unreachable!("it has run already"),
        Command::Schema => {
            println!("{}", plan::schema());
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
        print!("{}", run::describe(&resolved, seed)?);
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
        versions: versions(),
        duration_ms: 0,
    };
    let shown = progress::Shown::new(cli.quiet || args.output.json);
    let (dir, run) = runtime()?.block_on(run::run(&resolved, net.as_ref(), facts, &|event| shown.show(event)))?;
    shown.end();
    output(cli, &args.output, &run, Some(dir.path()))
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

fn versions() -> Vec<(String, String)> {
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    vec![("elenchus".to_owned(), env!("CARGO_PKG_VERSION").to_owned()), ("kernel of the control node".to_owned(), kernel.trim().to_owned())]
}

fn check(cli: &Cli, args: &CheckArgs) -> Result<ExitCode, Failure> {
    let failed = |error: &dyn std::fmt::Display| Failure::CouldNotRun(error.to_string());
    let is_run = args.history.is_dir();
    let dir = RunDir::open(&args.history);
    let path = if is_run { dir.history() } else { args.history.clone() };
    let mut history = exchange::read(&path).map_err(|error| failed(&error))?;
    if args.independent {
        split_keys(&mut history.events);
    }
    let mut spec = CheckSpec::new("linearizable").with("model", args.model.as_str());
    if let Some(limit) = args.time_limit {
        spec = spec.with("time-limit", limit.0.as_secs_f64());
    }
    let findings = judge::judge(&history, &[spec]).map_err(|error| Failure::Usage(format!("elenchus check: {error}")))?;
    let known: Option<Facts> = std::fs::read_to_string(dir.facts()).ok().and_then(|text| serde_json::from_str(&text).ok());
    let facts = known.unwrap_or_else(|| Facts {
        name: path.display().to_string(),
        command: format!("elenchus check {}", args.history.display()),
        versions: versions(),
        ..Facts::default()
    });
    let run = Run { facts, plan: std::fs::read_to_string(dir.plan()).unwrap_or_default(), history, findings };
    output(cli, &args.output, &run, None)
}

/// Takes the key out of values `[key value]`.
fn split_keys(events: &mut [elenchus_core::Event]) {
    for event in events.iter_mut().filter(|event| event.process != elenchus_core::Process::Nemesis && event.key.is_none()) {
        if let Some((key, value)) = event.value.as_pair() {
            (event.key, event.value) = (Some(key.clone()), value.clone());
        } else {
            event.key = Some(Value::Nil);
        }
    }
}

fn heal(args: &HealArgs) -> Result<ExitCode, Failure> {
    let dir = RunDir::open(&args.run);
    let resolved = Plan::load(&dir.plan(), &[])?.resolve(&env)?;
    if resolved.lab.is_some() {
        println!("nothing to heal: the run's nodes were a lab, which ended with it");
        return Ok(ExitCode::SUCCESS);
    }
    let healed = runtime()?.block_on(run::heal(&resolved, &dir))?;
    for line in &healed {
        println!("healed {line}");
    }
    println!("{} faults healed; none is left in the ledger", healed.len());
    Ok(ExitCode::SUCCESS)
}

fn output(cli: &Cli, args: &OutputArgs, run: &Run, dir: Option<&Path>) -> Result<ExitCode, Failure> {
    let failed = |error: &dyn std::fmt::Display| Failure::CouldNotRun(error.to_string());
    if let Some(path) = &args.junit {
        let xml = report::junit(run).map_err(|error| failed(&error))?;
        std::fs::write(path, xml).map_err(|error| Failure::CouldNotRun(format!("{}: {error}", path.display())))?;
    }
    if args.json {
        println!("{}", Results::of(run).to_json());
    } else if !cli.quiet {
        print!("{}", report::summary(run, dir));
    }
    if args.annotations == Some(Annotations::Github) {
        print!("{}", report::annotations(run));
    }
    Ok(match judge::verdict(&run.findings as &[Finding]) {
        Verdict::Valid => ExitCode::SUCCESS,
        Verdict::Invalid => ExitCode::from(exit::INVALID),
        Verdict::Unknown => ExitCode::from(exit::UNKNOWN),
    })
}
