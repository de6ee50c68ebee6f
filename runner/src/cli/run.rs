//! `elenchus run`: a plan, carried out and checked.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::SystemTime;

use clap::Args;
use elenchus_control::command::quote;
use elenchus_core::Span;

use super::event_log::EventLog;
use super::progress::Progress;
use super::{Cli, Entrance, Failure, OutputArgs, PlanArgs};
use crate::events::Events;
use crate::report::{self, Facts, JudgedRun, Results};
use crate::run::{self, RunFailure};
use crate::store::RunDir;

/// Arguments of `run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// The plan.
    #[command(flatten)]
    pub plan: PlanArgs,
    /// Use this seed for every random choice, such as one that an earlier run printed.
    #[arg(long)]
    pub seed: Option<u64>,
    /// Run clients for this long, such as `90s`; overrides `load.duration`.
    #[arg(long)]
    pub duration: Option<Span>,
    /// Allow faults that can lose data, on a cluster that you can afford to lose; sets `safety.allow_destructive`.
    #[arg(long)]
    pub allow_destructive: bool,
    /// Print what would be done on every node, and do nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Store runs in this directory; overrides `store`.
    #[arg(long, value_name = "DIR")]
    pub store: Option<PathBuf>,
    /// Write the events of the run to this file while it runs, as JSON lines; `-` is standard output, in place of the summary.
    #[arg(long, value_name = "FILE")]
    pub events: Option<PathBuf>,
    /// Where results go besides the store.
    #[command(flatten)]
    pub output: OutputArgs,
}

impl RunArgs {
    /// Whether events go to standard output.
    fn prints_events(&self) -> bool {
        self.events.as_ref().is_some_and(|path| path.as_os_str() == "-")
    }

    /// The changes to the plan that options of their own stand for.
    fn overrides(&self) -> Vec<String> {
        let mut overrides = Vec::new();
        overrides.extend(self.seed.map(|seed| format!("seed={seed}")));
        overrides.extend(self.duration.map(|span| format!("load.duration={span}")));
        overrides.extend(self.store.as_ref().map(|store| format!("store={}", store.display())));
        overrides.extend(self.allow_destructive.then(|| "safety.allow_destructive=true".to_owned()));
        overrides
    }

    /// The command that repeats the run.
    fn command_line(&self, seed: u64) -> String {
        let mut command = format!("elenchus run {} --seed {seed}", quote(&self.plan.plan.display().to_string()));
        for change in &self.plan.overrides {
            command.push_str(&format!(" --set {}", quote(&crate::plan::change_without_secrets(change))));
        }
        if let Some(duration) = self.duration {
            command.push_str(&format!(" --duration {}", quote(&duration.to_string())));
        }
        if self.allow_destructive {
            command.push_str(" --allow-destructive");
        }
        command
    }
}

pub(super) fn execute(cli: &Cli, args: &RunArgs) -> Result<ExitCode, Failure> {
    if args.prints_events() && args.output.json {
        return Err(Failure::Usage(
            "elenchus run: `--events -` and `--json` both print on standard output; write the events to a file".into(),
        ));
    }
    let plan = super::resolve(&args.plan, &args.overrides())?;
    let seed = plan.seed.unwrap_or_else(fresh_seed);
    if args.dry_run {
        super::show_hints(cli, &plan);
        return super::say(&run::describe(&plan, seed)?);
    }
    let net = match super::enter(&plan)? {
        Entrance::Ended(status) => return Ok(status),
        Entrance::Here(net) => net,
    };
    super::show_hints(cli, &plan);
    let facts = Facts {
        name: plan.name.clone(),
        started: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
        seed,
        command: args.command_line(seed),
        versions: Facts::versions(),
        duration_ms: 0,
        checks: plan.checks.clone(),
    };
    let events = listeners(cli, args)?;
    let ran = super::runtime()?.block_on(run::run(plan, net.as_ref(), facts, &events));
    events.close();
    match ran {
        Ok((dir, run)) => {
            let text = if args.output.json { Results::of(&run).to_json() + "\n" } else { report::summary(&run, Some(dir.path())) };
            super::output(cli.quiet || args.prints_events(), &args.output, &run, &text)
        }
        Err(failure) => Err(report_failure(cli, args, *failure)),
    }
}

/// The listeners that the command line asks for.
fn listeners(cli: &Cli, args: &RunArgs) -> Result<Events, Failure> {
    let events = Events::new();
    if !cli.quiet && !args.output.json {
        events.listen(Progress::new()).map_err(Failure::could_not)?;
    }
    if let Some(path) = &args.events {
        events.listen(EventLog::open(path).map_err(Failure::could_not)?).map_err(Failure::could_not)?;
    }
    Ok(events)
}

/// A seed that no earlier run had: nanoseconds of the clock.
fn fresh_seed() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |now| now.as_nanos() as u64 % 1_000_000_000_000)
}

/// Outputs what a failed run found, in every form that was asked for, and returns why it failed.
fn report_failure(cli: &Cli, args: &RunArgs, failure: RunFailure) -> Failure {
    let RunFailure { error, partial } = failure;
    let Some((dir, run)) = partial else { return error.into() };
    let text = if args.output.json { Results::of(&run).to_json() + "\n" } else { findings(&run, &dir, &error) };
    // The run's own failure matters more than one to print it.
    let _ = super::output(cli.quiet || args.prints_events(), &args.output, &run, &text);
    error.into()
}

/// The findings of a failed run, for a terminal.
fn findings(run: &JudgedRun, dir: &RunDir, error: &crate::run::RunError) -> String {
    let mut text = String::new();
    // The failure itself goes to standard error.
    for finding in run.findings.iter().filter(|finding| finding.summary != run::failure_summary(error)) {
        text.push_str(&format!("{:<7}  {}: {}\n", finding.verdict, finding.checker, report::summary_of(finding)));
        finding
            .anomalies
            .iter()
            .take(3)
            .for_each(|anomaly| text.push_str(&format!("         {}: {}\n", anomaly.name, anomaly.description)));
    }
    text + &format!("run      {}\n", dir.path().display())
}
