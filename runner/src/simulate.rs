//! `elenchus simulate`: a history of a simulated store, written as it is made.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, BufWriter, Write};

use elenchus_checkers::simulate::{KeyChoice, Recipe, RecipeError, STORES, Simulation, Store, Strikes, WORKLOADS, Workload};
use elenchus_core::exchange::{edn, json};
use elenchus_core::words::nearest;
use elenchus_core::{Nanos, Seed};
use thiserror::Error;

use crate::cli::{HistoryFormat, SimulateArgs};

/// Why nothing was simulated.
#[derive(Debug, Error)]
pub enum SimulateError {
    /// No store or workload has this name.
    #[error("elenchus simulate: there is no {what} `{name}`{}; `elenchus simulate --list` tells of all", .nearest.map_or(String::new(), |word| format!("; did you mean `{word}`?")))]
    Unknown {
        /// `store` or `workload`.
        what: &'static str,
        /// What was asked for.
        name: String,
        /// What may have been meant.
        nearest: Option<&'static str>,
    },
    /// The share of strikes is none.
    #[error("elenchus simulate: --strikes is `{0}`; expected a share, like 0.01, or `once`")]
    Strikes(String),
    /// The numbers do not fit together.
    #[error("elenchus simulate: {0}")]
    Recipe(#[from] RecipeError),
    /// The history cannot be written.
    #[error("{path}: {source}")]
    Write {
        /// Where to.
        path: String,
        /// What the operating system said.
        source: io::Error,
    },
}

/// Writes the history that was asked for, or the list of stores and workloads. What was written is told in a line, where it was a history.
///
/// # Errors
/// When a name is unknown, the numbers do not fit together, or the file cannot be written. A reader who has seen enough is no error.
pub fn simulate(args: &SimulateArgs) -> Result<Option<String>, SimulateError> {
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
    let strikes = match args.strikes.as_deref() {
        None => None,
        Some("once") => Some(Strikes::Once),
        Some(share) => Some(Strikes::Share(share.parse().map_err(|_| SimulateError::Strikes(share.to_owned()))?)),
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
        strikes: strikes.unwrap_or(suits.strikes),
        staleness: args.staleness.unwrap_or(suits.staleness),
        permits: args.permits.unwrap_or(suits.permits),
        timestamps: args.timestamps,
        ..suits
    })
}

/// Writes the events as they come, and counts them.
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
    let struck = match truth.defects.len() {
        0 => String::new(),
        times => format!("; the store's defect struck {times} times"),
    };
    Ok(format!("{events} events in {end} of simulated time{struck}"))
}

/// The stores and the workloads, for people.
pub fn listing() -> String {
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
    use crate::cli::{Cli, Command};

    fn args(words: &[&str]) -> SimulateArgs {
        let cli = Cli::try_parse_from(["elenchus", "simulate"].iter().chain(words)).unwrap();
        match cli.command {
            Command::Simulate(args) => args,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_written_is_read_as_it_was_simulated() {
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
    fn refusals_say_what_there_is() {
        let refusal = |words: &[&str]| simulate(&args(words)).unwrap_err().to_string();
        assert_eq!(
            refusal(&["--store", "linearisable"]),
            "elenchus simulate: there is no store `linearisable`; did you mean `linearizable`?; `elenchus simulate --list` tells of all"
        );
        assert_eq!(
            refusal(&["--store", "causal", "--workload", "mutex"]),
            "elenchus simulate: store `causal` has no workload `mutex`; it has register, kv, set, counter, log"
        );
        assert_eq!(refusal(&["--strikes", "often"]), "elenchus simulate: --strikes is `often`; expected a share, like 0.01, or `once`");
        assert_eq!(refusal(&["--crash", "2"]), "elenchus simulate: crash is 2; expected a share between 0 and 1");
        assert!(Cli::try_parse_from(["elenchus", "simulate", "--operations", "1G"]).is_err());
        assert_eq!(args(&["--operations", "10M"]).operations, 10_000_000);
    }

    #[test]
    fn the_list_names_all() {
        let listing = listing();
        assert!(STORES.iter().all(|entry| listing.contains(entry.name)) && WORKLOADS.iter().all(|entry| listing.contains(entry.name)));
    }
}
