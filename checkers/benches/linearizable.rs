//! Times the linearizability check of one simulated history of a cas-register: one row of `bench/linearizable`, which calls it.
//!
//! `cargo bench -p elenchus-checkers --bench linearizable -- STORE OPERATIONS PROCESSES CRASH SEED [SECONDS]` prints the verdict, the seconds of
//! the first check and of the median of five (of fewer if they are long), the most bytes that the search held, and the most bytes that the
//! process held before the checks and in all.

mod common;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use elenchus_checkers::linearizable::{LinearizableOptions, check};
use elenchus_checkers::models::CasRegister;
use elenchus_checkers::simulate::{DefectRate, Recipe, Store, Workload};
use elenchus_core::History;

/// The allocator of the `elenchus` binary, so that its speed is measured.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Checks of one history.
const TIMES: usize = 5;

/// Seconds after which it is not checked again.
const LONG: f64 = 1.0;

fn main() -> ExitCode {
    let mut arguments = common::arguments();
    if arguments.is_empty() {
        arguments = ["linearizable", if common::is_trial() { "1000" } else { "100000" }, "10", "0.01", "7"].map(str::to_owned).to_vec();
    }
    match run(&arguments) {
        Ok(line) => {
            println!("{line}");
            ExitCode::SUCCESS
        }
        Err(why) => {
            eprintln!("linearizable: {why}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<String, String> {
    let [store, operations, processes, crash, seed, limit @ ..] = arguments else {
        return Err("expected STORE OPERATIONS PROCESSES CRASH SEED [SECONDS]".to_owned());
    };
    let number = |text: &String| text.parse::<u64>().map_err(|error| format!("`{text}`: {error}"));
    let store = Store::named(store).ok_or_else(|| format!("unknown store `{store}`"))?;
    let operations = number(operations)?;
    let recipe = Recipe {
        operations,
        processes: number(processes)? as u32,
        crash: crash.parse().map_err(|error| format!("`{crash}`: {error}"))?,
        // One defect alone is often invisible.
        defect_rate: DefectRate::Share((20.0 / operations as f64).min(1.0)),
        ..Recipe::new(store, Workload::CasRegister).with_seed(number(seed)?)
    };
    let history = History::new(recipe.simulate().map_err(|error| error.to_string())?.collect());
    let time = limit.first().map(number).transpose()?.map(Duration::from_secs);
    let before = peak_bytes();
    let options = LinearizableOptions { time, minimise: false, ..LinearizableOptions::default() };
    let mut seconds: Vec<f64> = Vec::new();
    let judgement = loop {
        let start = Instant::now();
        let judgement = check(&CasRegister::default(), &history, &options).map_err(|error| error.to_string())?;
        seconds.push(start.elapsed().as_secs_f64());
        if seconds.len() == TIMES || seconds.iter().sum::<f64>() > LONG {
            break judgement;
        }
    };
    let first = seconds[0];
    seconds.sort_by(f64::total_cmp);
    let median = seconds[seconds.len() / 2];
    Ok(format!("{} {first:.6} {median:.6} {} {before} {}", judgement.verdict.as_str(), judgement.peak_bytes, peak_bytes()))
}

/// The most memory that this process has had in use, as Linux counts it; 0 elsewhere.
fn peak_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok()).map_or(0, |kilobytes| kilobytes * 1024)
}
