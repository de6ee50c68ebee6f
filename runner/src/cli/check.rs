//! `elenchus check`: a history from anywhere, or a run in the store, checked without running anything.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use clap::Args;
use elenchus_checkers::models::MODELS;
use elenchus_checkers::{ALL, BuildError};
use elenchus_core::exchange::{self, ReadError, ReadOptions, Skipped};
use elenchus_core::{CheckSpec, Checker, Event, Finding, History, Process, Span, Value, Verdict};
use thiserror::Error;

use super::{Cli, Failure, OutputArgs};
use crate::clock_sample::read_clock_log;
use crate::judge::{self, Outcomes};
use crate::plan::PlanError;
use crate::report::{self, CheckResults, Facts, JudgedRun};
use crate::store::RunDir;

/// The checker for models of single objects, and its default model.
const BY_MODEL: &str = "linearizable";
const MODEL: &str = "cas-register";

/// Arguments of `check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// A history (EDN, JSON lines, Jepsen's log lines or a journal, also compressed; `-` is standard input), or a run's directory in the store,
    /// which is checked as its plan says.
    pub history: PathBuf,
    /// The checker, such as list-append, bank or set-full; `elenchus checkers` lists all.
    #[arg(long, visible_alias = "workload", value_name = "NAME", conflicts_with = "model")]
    pub checker: Option<String>,
    /// The model of a single object: cas-register (the default), register, mutex …, or a weaker consistency model, such as sequential or causal;
    /// `strongest` finds the strongest that holds.
    #[arg(long, value_name = "NAME")]
    pub model: Option<String>,
    /// The isolation level that transactions must satisfy, such as snapshot-isolation; `strongest` checks all.
    #[arg(long, value_name = "LEVEL", requires = "checker")]
    pub isolation: Option<String>,
    /// Set an option of the checker, such as `--option total=100`; may be repeated.
    #[arg(long = "option", value_name = "NAME=VALUE")]
    pub options: Vec<String>,
    /// Treat values `[key value]` as operations on independent keys, as Jepsen's independent workloads write them.
    #[arg(long)]
    pub independent: bool,
    /// Skip malformed lines, and count them.
    #[arg(long)]
    pub lenient: bool,
    /// Stop the search after this long, such as `60s`; the verdict is then unknown.
    #[arg(long, value_name = "SPAN")]
    pub time_limit: Option<Span>,
    /// Limit the memory of the search, such as `2GiB`; beyond it the verdict is unknown.
    #[arg(long, value_name = "SIZE")]
    pub memory: Option<bytesize::ByteSize>,
    /// Write the linearization of a valid history to this file, as JSON: for each key the operations in order, with the state after each.
    #[arg(long, value_name = "FILE")]
    pub witness: Option<PathBuf>,
    /// Print all anomalies of this name in full, such as `G-single`.
    #[arg(long, value_name = "ANOMALY")]
    pub explain: Option<String>,
    /// Write the report, its charts and `results.json` to this directory.
    #[arg(long, value_name = "DIR")]
    pub report: Option<PathBuf>,
    /// Where results go.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Why a history could not be checked.
#[derive(Debug, Error)]
enum CheckError {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Plan(#[from] PlanError),
    #[error(
        "{0}: the directory has no run.json with the run's checks, so it is not a run of the store; give a run's directory or a history's file"
    )]
    NotARun(PathBuf),
    #[error("{file}: {source}")]
    Witness { file: PathBuf, source: std::io::Error },
    #[error("elenchus check: {0}")]
    Build(#[from] BuildError),
    #[error("elenchus check: {0}")]
    Usage(String),
}

impl From<CheckError> for Failure {
    fn from(error: CheckError) -> Failure {
        match error {
            CheckError::Plan(error) => error.into(),
            CheckError::Read(_) | CheckError::NotARun(_) | CheckError::Witness { .. } => Failure::could_not(error),
            other => Failure::Usage(other.to_string()),
        }
    }
}

pub(super) fn execute(cli: &Cli, args: &CheckArgs) -> Result<ExitCode, Failure> {
    let Checked { run, results, skipped } = check(args)?;
    if skipped.count > 0 && !cli.quiet {
        eprintln!("skipped {} malformed line{}:", skipped.count, if skipped.count == 1 { "" } else { "s" });
        skipped.first.iter().for_each(|error| eprintln!("  {}:{error}", args.history.display()));
    }
    if let Some(dir) = &args.report {
        std::fs::create_dir_all(dir).map_err(|error| Failure::CouldNotRun(format!("{}: {error}", dir.display())))?;
        run.write(&RunDir::open(dir)).map_err(Failure::could_not)?;
    }
    let text = match &args.explain {
        _ if args.output.json => results.to_json() + "\n",
        Some(anomaly) => report::explanation(&run, anomaly),
        None => report::summary(&run, None),
    };
    super::output(cli.quiet, &args.output, &run, &text)
}

/// A history that was checked.
struct Checked {
    /// The history and the findings. The history has no events where the checker read them one by one.
    run: JudgedRun,
    /// The output of `--json`.
    results: CheckResults,
    skipped: Skipped,
}

/// The history, as far as it was kept, and the findings.
struct Judged {
    history: History,
    findings: Vec<Finding>,
    outcomes: Outcomes,
    skipped: Skipped,
}

fn check(args: &CheckArgs) -> Result<Checked, CheckError> {
    let began = Instant::now();
    let dir = args.history.is_dir().then(|| RunDir::open(&args.history));
    let path = dir.as_ref().map_or_else(|| args.history.clone(), RunDir::history);
    let checkers = specs(args, dir.as_ref())?.iter().map(elenchus_checkers::build).collect::<Result<Vec<_>, _>>()?;
    let options = ReadOptions { lenient: args.lenient, ..ReadOptions::default() };
    // Independent keys and reports need all events in memory.
    let single = match checkers.as_slice() {
        [one] if !args.independent && args.report.is_none() => Some(one.as_ref()),
        _ => None,
    };
    let Judged { history, mut findings, outcomes, skipped } = match single.and_then(Checker::reading) {
        Some(reading) => by_event(reading, &path, &options)?,
        None => whole(&checkers, &path, &options, args.independent)?,
    };
    if let Some(file) = &args.witness {
        write_witness(file, &mut findings).map_err(|source| CheckError::Witness { file: file.clone(), source })?;
    }
    findings.extend(judge::completeness(&skipped));
    findings.push(outcomes.finding());
    if let Some(dir) = dir.as_ref().filter(|_| args.checker.is_none() && args.model.is_none()) {
        findings.extend(of_run(dir));
    }
    let plan = dir.as_ref().and_then(|dir| std::fs::read_to_string(dir.plan()).ok()).unwrap_or_default();
    let clocks = dir.as_ref().map(|dir| read_clock_log(&dir.clocks())).unwrap_or_default();
    let run = JudgedRun { facts: facts(args, dir.as_ref(), &path), plan, history, clocks, findings };
    let results = CheckResults::of(&run, outcomes, &skipped, began.elapsed());
    Ok(Checked { run, results, skipped })
}

/// The findings of a run about itself: judging its history again does not improve its verdict.
fn of_run(dir: &RunDir) -> Vec<Finding> {
    let findings = std::fs::read(dir.results()).ok().and_then(|text| {
        let results: serde_json::Value = serde_json::from_slice(&text).ok()?;
        serde_json::from_value::<Vec<Finding>>(results.get("findings")?.clone()).ok()
    });
    match findings {
        Some(all) => all.into_iter().filter(|finding| judge::OF_RUNS.contains(&finding.checker.as_str())).collect(),
        None => {
            let summary = "the run did not end: it has no results.json, so faults may be unhealed and the history incomplete";
            vec![judge::finding("run", Verdict::Unknown, summary.to_owned())]
        }
    }
}

/// Checks while reading, without keeping the events.
fn by_event(mut reading: Box<dyn elenchus_core::Reading + '_>, path: &Path, options: &ReadOptions) -> Result<Judged, CheckError> {
    let mut outcomes = Outcomes::default();
    let mut batches = exchange::events(path, options)?;
    for batch in &mut batches {
        for event in &batch? {
            outcomes.count(event);
            reading.take(event);
        }
    }
    let skipped = batches.skipped().clone();
    Ok(Judged { history: History::default(), findings: vec![reading.finding()], outcomes: outcomes.at_end(), skipped })
}

/// Reads the whole history, then checks it.
fn whole(checkers: &[Box<dyn Checker>], path: &Path, options: &ReadOptions, independent: bool) -> Result<Judged, CheckError> {
    let (mut history, skipped) = exchange::read_with(path, options)?;
    if independent {
        split_keys(&mut history.events);
    }
    let (findings, outcomes) = (judge::run(checkers, &history), Outcomes::of(&history));
    Ok(Judged { history, findings, outcomes, skipped })
}

/// Moves the witness from the findings into a file: an empty list where there is none.
fn write_witness(file: &Path, findings: &mut [Finding]) -> std::io::Result<()> {
    let witness = findings.iter_mut().find_map(|finding| finding.details.as_object_mut()?.remove("witness"));
    serde_json::to_writer(std::io::BufWriter::new(std::fs::File::create(file)?), &witness.unwrap_or_else(|| serde_json::json!([])))?;
    Ok(())
}

/// Moves the key out of values `[key value]`.
fn split_keys(events: &mut [Event]) {
    for event in events.iter_mut().filter(|event| event.process != Process::Nemesis && event.key.is_none()) {
        if let Some((key, value)) = event.value.as_pair() {
            (event.key, event.value) = (Some(key.clone()), value.clone());
        } else {
            event.key = Some(Value::Nil);
        }
    }
}

/// The checks that the command line selects; by default a run's own.
fn specs(args: &CheckArgs, dir: Option<&RunDir>) -> Result<Vec<CheckSpec>, CheckError> {
    let chosen = match (&args.checker, &args.model, dir) {
        (Some(name), _, _) => vec![CheckSpec::new(name)],
        (None, Some(model), _) => vec![by_model(model)],
        (None, None, Some(dir)) => {
            let known = std::fs::read_to_string(dir.facts()).ok().and_then(|text| serde_json::from_str::<Facts>(&text).ok());
            let checks = known.map(|facts| facts.checks).filter(|checks| !checks.is_empty());
            checks.ok_or_else(|| CheckError::NotARun(dir.path().to_owned()))?
        }
        (None, None, None) => vec![by_model(MODEL)],
    };
    let options = options(args)?;
    let with_options = |spec: CheckSpec| options.iter().fold(spec, |spec, (name, value)| spec.with(name, value.clone()));
    Ok(chosen.into_iter().map(with_options).collect())
}

/// The check for a model: sequential specifications and weaker consistency models share one namespace.
fn by_model(name: &str) -> CheckSpec {
    let is_checker = ALL.iter().any(|entry| entry.name == name);
    if is_checker && !MODELS.iter().any(|model| model.name == name) {
        return CheckSpec::new(name);
    }
    CheckSpec::new(BY_MODEL).with("model", name)
}

/// The checkers' options that the command line sets.
fn options(args: &CheckArgs) -> Result<Vec<(String, serde_json::Value)>, CheckError> {
    let mut options = Vec::new();
    let mut set = |name: &str, value: serde_json::Value| options.push((name.to_owned(), value));
    for option in &args.options {
        let (name, value) = option.split_once('=').ok_or_else(|| {
            CheckError::Usage(format!("`--option {option}` needs a `=` between name and value, such as `--option total=100`"))
        })?;
        set(name, serde_json::from_str(value).unwrap_or_else(|_| value.into()));
    }
    if let Some(level) = &args.isolation {
        set("isolation", level.as_str().into());
    }
    if let Some(limit) = args.time_limit {
        set("time-limit", limit.0.as_secs_f64().into());
    }
    if args.witness.is_some() {
        set("witness", true.into());
    }
    if let Some(memory) = args.memory {
        set("memory", memory.as_u64().into());
    }
    Ok(options)
}

fn facts(args: &CheckArgs, dir: Option<&RunDir>, path: &Path) -> Facts {
    let known = dir.and_then(|dir| serde_json::from_str(&std::fs::read_to_string(dir.facts()).ok()?).ok());
    known.unwrap_or_else(|| Facts {
        name: path.display().to_string(),
        command: format!("elenchus check {}", args.history.display()),
        versions: Facts::versions(),
        ..Facts::default()
    })
}
