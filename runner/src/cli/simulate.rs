//! `elenchus simulate`: the history of a simulated store, written as it is generated.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use elenchus_checkers::simulate::{DefectRate, KeyChoice, Recipe, RecipeError, STORES, Simulation, Store, WORKLOADS, Workload};
use elenchus_core::exchange::{edn, json};
use elenchus_core::suggest::nearest;
use elenchus_core::{Nanos, Seed};
use thiserror::Error;

use super::{Cli, Failure};

/// Arguments of `simulate`. Defaults depend on the workload.
#[derive(Debug, Args)]
pub struct SimulateArgs {
    /// The store to simulate; `--list` lists all.
    #[arg(long, value_name = "NAME", default_value = "linearizable")]
    pub store: String,
    /// The workload; by default the store's first.
    #[arg(long, value_name = "NAME")]
    pub workload: Option<String>,
    /// The number of operations or transactions, such as `100k`.
    #[arg(long, value_name = "COUNT", default_value = "1k", value_parser = count)]
    pub operations: u64,
    /// The number of concurrent processes.
    #[arg(long, value_name = "COUNT", default_value_t = 5)]
    pub processes: u32,
    /// The number of keys in use at once.
    #[arg(long, value_name = "COUNT")]
    pub keys: Option<u32>,
    /// Choose keys by a Zipf distribution: the n-th key 1/n times as often as the first. By default all keys are equally likely.
    #[arg(long)]
    pub zipf: bool,
    /// Replace a key by a new one after this many updates.
    #[arg(long, value_name = "COUNT")]
    pub updates_per_key: Option<u32>,
    /// The number of different values; 0 makes every written value unique.
    #[arg(long, value_name = "COUNT")]
    pub values: Option<u32>,
    /// The fraction of operations, or of a transaction's accesses, that read.
    #[arg(long, value_name = "FRACTION")]
    pub reads: Option<f64>,
    /// The largest number of accesses in a transaction.
    #[arg(long, value_name = "COUNT")]
    pub accesses: Option<u32>,
    /// The fraction of operations that crash: their outcome is unknown (`info`).
    #[arg(long, value_name = "FRACTION", default_value_t = 0.0)]
    pub crash: f64,
    /// The fraction of operations that fail without a reason.
    #[arg(long, value_name = "FRACTION")]
    pub fail: Option<f64>,
    /// The fraction of operations that the store's defect affects, where it can; `once` for a single one.
    #[arg(long = "defect-rate", visible_alias = "strikes", value_name = "FRACTION")]
    pub defect_rate: Option<String>,
    /// The largest number of versions by which a stale read is behind.
    #[arg(long, value_name = "COUNT")]
    pub staleness: Option<u32>,
    /// The number of permits of a semaphore.
    #[arg(long, value_name = "COUNT")]
    pub permits: Option<u32>,
    /// Record the start and commit timestamps of transactions.
    #[arg(long)]
    pub timestamps: bool,
    /// The seed of every random choice.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// The format of the history.
    #[arg(long, value_enum, default_value_t)]
    pub format: HistoryFormat,
    /// Write to this file; by default to standard output.
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// List the stores and workloads.
    #[arg(long)]
    pub list: bool,
}

/// The format of a history.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum HistoryFormat {
    /// Jepsen's EDN, an event per line.
    #[default]
    Edn,
    /// JSON, an event per line.
    Jsonl,
}

/// Parses a count such as `1000`, `100k` or `10M`.
fn count(text: &str) -> Result<u64, String> {
    let (digits, unit) = match text.char_indices().last() {
        Some((at, 'k' | 'K')) => (&text[..at], 1_000),
        Some((at, 'm' | 'M')) => (&text[..at], 1_000_000),
        _ => (text, 1),
    };
    let number = digits.parse::<u64>().ok().and_then(|number| number.checked_mul(unit));
    number.ok_or_else(|| format!("`{text}` is not a count; write a number, such as `1000`, `100k` or `10M`"))
}

/// Why nothing was simulated.
#[derive(Debug, Error)]
enum SimulateError {
    /// No store or workload has this name.
    #[error("elenchus simulate: unknown {what} `{name}`{}; `elenchus simulate --list` lists all", .nearest.map_or(String::new(), |word| format!("; did you mean `{word}`?")))]
    Unknown {
        /// `store` or `workload`.
        what: &'static str,
        /// The name that was given.
        name: String,
        /// The nearest valid name.
        nearest: Option<&'static str>,
    },
    /// The defect rate is not a number.
    #[error("elenchus simulate: --defect-rate is `{0}`; expected a fraction, such as 0.01, or `once`")]
    DefectRate(String),
    /// The options do not fit together.
    #[error("elenchus simulate: {0}")]
    Recipe(#[from] RecipeError),
    /// The history cannot be written.
    #[error("{path}: {source}")]
    Write {
        /// Where to.
        path: String,
        /// The operating system's error.
        source: io::Error,
    },
}

impl From<SimulateError> for Failure {
    fn from(error: SimulateError) -> Failure {
        match error {
            SimulateError::Write { .. } => Failure::could_not(error),
            other => Failure::Usage(other.to_string()),
        }
    }
}

pub(super) fn execute(cli: &Cli, args: &SimulateArgs) -> Result<ExitCode, Failure> {
    if let Some(summary) = simulate(args)?
        && !cli.quiet
    {
        eprintln!("{summary}");
    }
    Ok(ExitCode::SUCCESS)
}

/// Writes the history, or the list of stores and workloads. Returns a summary of a history. EPIPE counts as success.
///
/// # Errors
/// When a name is unknown, the options do not fit together, or the file cannot be written.
fn simulate(args: &SimulateArgs) -> Result<Option<String>, SimulateError> {
    let path = args.output.as_ref().map_or("standard output".to_owned(), |path| path.display().to_string());
    let written = if args.list {
        io::stdout().write_all(listing().as_bytes()).map(|()| None)
    } else {
        let simulation = recipe(args)?.simulate()?;
        match &args.output {
            Some(file) => File::create(file).and_then(|file| write(simulation, args.format, file)),
            None => write(simulation, args.format, io::stdout().lock()),
        }
        .map(Some)
    };
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(None),
        written => written.map_err(|source| SimulateError::Write { path, source }),
    }
}

fn recipe(args: &SimulateArgs) -> Result<Recipe, SimulateError> {
    let unknown = |what, name: &str, nearest| SimulateError::Unknown { what, name: name.to_owned(), nearest };
    let store = Store::named(&args.store)
        .ok_or_else(|| unknown("store", &args.store, nearest(&args.store, STORES.iter().map(|entry| entry.name))))?;
    let workload = match &args.workload {
        None => store.entry().workloads.first().copied().unwrap_or(Workload::Register),
        Some(name) => {
            Workload::named(name).ok_or_else(|| unknown("workload", name, nearest(name, WORKLOADS.iter().map(|entry| entry.name))))?
        }
    };
    let defect_rate = match args.defect_rate.as_deref() {
        None => None,
        Some("once") => Some(DefectRate::Once),
        Some(share) => Some(DefectRate::Share(share.parse().map_err(|_| SimulateError::DefectRate(share.to_owned()))?)),
    };
    let suits = Recipe::new(store, workload);
    Ok(Recipe {
        seed: Seed(args.seed),
        operations: args.operations,
        processes: args.processes,
        keys: args.keys.unwrap_or(suits.keys),
        key_choice: if args.zipf { KeyChoice::Zipf } else { KeyChoice::Uniform },
        updates_per_key: args.updates_per_key.or(suits.updates_per_key),
        values: args.values.map_or(suits.values, |values| (values > 0).then_some(values)),
        reads: args.reads.unwrap_or(suits.reads),
        accesses: args.accesses.map_or(suits.accesses, |most| (suits.accesses.0, most)),
        crash: args.crash,
        fail: args.fail.unwrap_or(suits.fail),
        defect_rate: defect_rate.unwrap_or(suits.defect_rate),
        staleness: args.staleness.unwrap_or(suits.staleness),
        permits: args.permits.unwrap_or(suits.permits),
        timestamps: args.timestamps,
        ..suits
    })
}

/// Writes the events as they are generated, and summarizes them.
fn write(mut simulation: Simulation, format: HistoryFormat, sink: impl Write) -> io::Result<String> {
    let mut sink = BufWriter::with_capacity(1 << 16, sink);
    let (mut events, mut end) = (0_u64, Nanos::ZERO);
    for event in &mut simulation {
        match format {
            HistoryFormat::Edn => edn::write_event(events, &event, None, &mut sink)?,
            HistoryFormat::Jsonl => json::write_event(&event, None, &mut sink)?,
        }
        events += 1;
        end = event.time;
    }
    sink.flush()?;
    let truth = simulation.truth();
    let defects = match truth.defects.len() {
        0 => String::new(),
        count => format!("; the store's defect affected {count} operations"),
    };
    Ok(format!("{events} events in {end} of simulated time{defects}"))
}

/// The stores and the workloads.
fn listing() -> String {
    let mut text = "stores (--store NAME):\n".to_owned();
    // Writing to a String cannot fail.
    for entry in STORES {
        let workloads: Vec<&str> = entry.workloads.iter().map(|workload| workload.entry().name).collect();
        let _ = writeln!(text, "  {}\n    {}", entry.name, entry.about);
        let _ = writeln!(text, "    guarantees {}; breaks {}", entry.guarantees, entry.breaks);
        let _ = writeln!(text, "    workloads: {}", workloads.join(", "));
    }
    text.push_str("\nworkloads (--workload NAME):\n");
    for entry in WORKLOADS {
        let _ = writeln!(text, "  {:16} {}", entry.name, entry.about);
    }
    text
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use elenchus_core::{Event, exchange};

    use super::*;
    use crate::cli::Command;

    fn args(words: &[&str]) -> SimulateArgs {
        let cli = Cli::try_parse_from(["elenchus", "simulate"].iter().chain(words)).unwrap();
        match cli.command {
            Command::Simulate(args) => args,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn written_histories_are_read_back_unchanged() {
        for workload in ["cas-register", "kv", "list-append", "bank"] {
            let store = if workload == "list-append" || workload == "bank" { "serializable" } else { "linearizable" };
            let args = args(&["--store", store, "--workload", workload, "--operations", "1k", "--crash", "0.05", "--keys", "3"]);
            let simulated: Vec<Event> = recipe(&args).unwrap().simulate().unwrap().collect();
            assert_eq!(simulated.len(), 2_000);
            for format in [HistoryFormat::Edn, HistoryFormat::Jsonl] {
                let mut bytes = Vec::new();
                write(recipe(&args).unwrap().simulate().unwrap(), format, &mut bytes).unwrap();
                // In JSON all keys of maps are text.
                if workload != "bank" || format == HistoryFormat::Edn {
                    assert_eq!(exchange::parse(&bytes).unwrap().events, simulated, "{workload} as {format:?}");
                }
            }
        }
    }

    #[test]
    fn errors_name_what_is_valid() {
        let error = |words: &[&str]| simulate(&args(words)).unwrap_err().to_string();
        assert_eq!(
            error(&["--store", "linearisable"]),
            "elenchus simulate: unknown store `linearisable`; did you mean `linearizable`?; `elenchus simulate --list` lists all"
        );
        assert_eq!(
            error(&["--store", "causal", "--workload", "mutex"]),
            "elenchus simulate: store `causal` does not support workload `mutex`; it supports register, kv, set, counter, log"
        );
        assert_eq!(
            error(&["--strikes", "often"]),
            "elenchus simulate: --defect-rate is `often`; expected a fraction, such as 0.01, or `once`"
        );
        assert_eq!(error(&["--crash", "2"]), "elenchus simulate: crash is 2; expected a share between 0 and 1");
        assert!(Cli::try_parse_from(["elenchus", "simulate", "--operations", "1G"]).is_err());
        assert_eq!(args(&["--operations", "10M"]).operations, 10_000_000);
    }

    #[test]
    fn the_list_is_complete() {
        let listing = listing();
        assert!(STORES.iter().all(|entry| listing.contains(entry.name)) && WORKLOADS.iter().all(|entry| listing.contains(entry.name)));
    }
}
