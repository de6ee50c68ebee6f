//! `elenchus check`: a history from anywhere, or a run in the store, judged without running anything.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use elenchus_checkers::models::MODELS;
use elenchus_checkers::{ALL, BuildError};
use elenchus_core::exchange::{self, ReadError, ReadOptions, Skipped};
use elenchus_core::{CheckSpec, Checker, Event, Finding, History, Process, Value};
use thiserror::Error;

use crate::cli::CheckArgs;
use crate::judge::{self, Outcomes};
use crate::plan::{Plan, PlanError};
use crate::report::{CheckResults, Facts, Run};
use crate::store::RunDir;

/// The checker that judges objects by a model, and the model that it judges by when none is named.
const BY_MODEL: &str = "linearizable";
const MODEL: &str = "cas-register";

/// Why a history could not be judged at all.
#[derive(Debug, Error)]
pub enum CheckError {
    /// It cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The run's plan cannot be read.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The directory is none of the store's.
    #[error("{0}: this directory has no plan.yaml and so is no run of the store; name a run's directory, or a history's file")]
    NoRun(PathBuf),
    /// The witness cannot be written.
    #[error("{file}: {source}")]
    Witness {
        /// Where to.
        file: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// What was asked for does not exist.
    #[error("elenchus check: {0}")]
    Build(#[from] BuildError),
    /// The command line makes no sense.
    #[error("elenchus check: {0}")]
    Usage(String),
}

/// A history that was judged.
pub struct Checked {
    /// What is reported. Where the checker read the history event by event, its events were not kept.
    pub run: Run,
    /// What `--json` prints.
    pub results: CheckResults,
    /// What was left out.
    pub skipped: Skipped,
}

/// What was read, and what was found in it.
struct Judged {
    history: History,
    findings: Vec<Finding>,
    outcomes: Outcomes,
    skipped: Skipped,
}

/// Reads and judges.
///
/// # Errors
/// When the history cannot be read, or the command line asks for what does not exist.
pub fn check(args: &CheckArgs) -> Result<Checked, CheckError> {
    let began = Instant::now();
    let dir = args.history.is_dir().then(|| RunDir::open(&args.history));
    let path = dir.as_ref().map_or_else(|| args.history.clone(), RunDir::history);
    let checkers = specs(args, dir.as_ref())?.iter().map(elenchus_checkers::build).collect::<Result<Vec<_>, _>>()?;
    let options = ReadOptions { lenient: args.lenient, ..ReadOptions::default() };
    // What changes events, or shows them, needs them all.
    let alone = match checkers.as_slice() {
        [one] if !args.independent && args.report.is_none() => Some(one.as_ref()),
        _ => None,
    };
    let Judged { history, mut findings, outcomes, skipped } = match alone.and_then(Checker::reading) {
        Some(reading) => by_event(reading, &path, &options)?,
        None => whole(&checkers, &path, &options, args.independent)?,
    };
    if let Some(file) = &args.witness {
        write_witness(file, &mut findings).map_err(|source| CheckError::Witness { file: file.clone(), source })?;
    }
    findings.push(outcomes.finding());
    let plan = dir.as_ref().and_then(|dir| std::fs::read_to_string(dir.plan()).ok()).unwrap_or_default();
    let clocks = dir.as_ref().map(|dir| crate::clocks::read(&dir.clocks())).unwrap_or_default();
    let run = Run { facts: facts(args, dir.as_ref(), &path), plan, history, clocks, findings };
    let results = CheckResults::of(&run, outcomes, &skipped, began.elapsed());
    Ok(Checked { run, results, skipped })
}

/// Judges while reading: the events are not kept.
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
    Ok(Judged { history: History::default(), findings: vec![reading.finding()], outcomes: outcomes.at_the_end(), skipped })
}

fn whole(checkers: &[Box<dyn Checker>], path: &Path, options: &ReadOptions, independent: bool) -> Result<Judged, CheckError> {
    let (mut history, skipped) = exchange::read_with(path, options)?;
    if independent {
        split_keys(&mut history.events);
    }
    let (findings, outcomes) = (judge::run(checkers, &history), Outcomes::of(&history));
    Ok(Judged { history, findings, outcomes, skipped })
}

/// Moves the witness out of the findings and into a file. Without one, there is an empty list.
fn write_witness(file: &Path, findings: &mut [Finding]) -> std::io::Result<()> {
    let witness = findings.iter_mut().find_map(|finding| finding.details.as_object_mut()?.remove("witness"));
    serde_json::to_writer(std::io::BufWriter::new(std::fs::File::create(file)?), &witness.unwrap_or_else(|| serde_json::json!([])))?;
    Ok(())
}

/// Takes the key out of values `[key value]`.
fn split_keys(events: &mut [Event]) {
    for event in events.iter_mut().filter(|event| event.process != Process::Nemesis && event.key.is_none()) {
        if let Some((key, value)) = event.value.as_pair() {
            (event.key, event.value) = (Some(key.clone()), value.clone());
        } else {
            event.key = Some(Value::Nil);
        }
    }
}

/// The checks that the command line asks for; those of its plan for a run, when it asks for none.
fn specs(args: &CheckArgs, dir: Option<&RunDir>) -> Result<Vec<CheckSpec>, CheckError> {
    let chosen = match (&args.workload, &args.model, dir) {
        (Some(name), _, _) => vec![CheckSpec::new(name)],
        (None, Some(model), _) => vec![by_model(model)],
        (None, None, Some(dir)) => {
            if !dir.plan().exists() {
                return Err(CheckError::NoRun(dir.path().to_owned()));
            }
            let plan = Plan::load(&dir.plan(), &[])?.plan;
            plan.workload.build().map_err(CheckError::Usage)?.checks()
        }
        (None, None, None) => vec![by_model(MODEL)],
    };
    let options = options(args)?;
    let with_options = |spec: CheckSpec| options.iter().fold(spec, |spec, (name, value)| spec.with(name, value.clone()));
    Ok(chosen.into_iter().map(with_options).collect())
}

/// Models of linearizability and weaker consistency models are named alike.
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
            CheckError::Usage(format!("`--option {option}` needs a `=` between name and value, like `--option total=100`"))
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

/// Every checker with its options, and every model, in words.
pub fn listing() -> String {
    let mut text = String::from("checkers (--workload NAME; the weaker models of single objects also as --model NAME):\n");
    for entry in ALL {
        let names: Vec<&str> = entry.options.iter().map(|option| option.name).collect();
        let options = if names.is_empty() { String::new() } else { format!(" [{}]", names.join(", ")) };
        let _ = writeln!(text, "  {:<20} {}{options}", entry.name, entry.about);
    }
    text.push_str("\nmodels (--model NAME; operations as the history has them):\n");
    for model in MODELS {
        let _ = writeln!(text, "  {:<20} {}", model.name, model.about);
    }
    text
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
