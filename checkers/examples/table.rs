//! How long one register takes to judge: operations × processes × crashed × defect, each history made from a fixed seed.
//!
//! `cargo run --release -p elenchus-checkers --example table [-- ROW-PREFIX]` prints a line per row. Every row is judged in a process of its
//! own, several times, for at most [`LIMIT`] each; times are of processors, and the peak memory is that of the process with its history.
//!
//! `-- --judge 10000000/5/0/valid/100000 1` judges one row, here with many keys, for one seed.

#[path = "../tests/common/mod.rs"]
mod common;

use std::process::Command;
use std::time::{Duration, Instant};

use common::{Defect, Simulation, simulate};
use elenchus_checkers::linearizable::{Options, check};
use elenchus_checkers::models::CasRegister;
use elenchus_core::{Event, History, Process, Value};

const OPERATIONS: [usize; 4] = [1_000, 10_000, 100_000, 1_000_000];
const PROCESSES: [usize; 4] = [5, 10, 30, 100];
const CRASHED: [u64; 4] = [0, 1, 5, 10];
const DEFECTS: [(&str, Defect); 3] = [("valid", Defect::None), ("stale-read", Defect::StaleRead), ("lost-update", Defect::LostUpdate)];

/// How long one judgement may take.
const LIMIT: Duration = Duration::from_secs(20);

/// Different histories of each row, and how often each is judged.
const SEEDS: [u64; 3] = [1, 2, 3];
const REPEATS: usize = 3;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [flag, row, seed] = &arguments[..]
        && flag == "--judge"
    {
        return judge(row, seed.parse().expect("a seed"));
    }
    let prefix = arguments.first().map_or("", String::as_str);
    println!("{:<34} {:>10} {:>10} {:>12} {:>10} {:>7}  algorithm", "row", "verdict", "median ms", "visits", "held KiB", "MiB");
    for operations in OPERATIONS {
        for processes in PROCESSES {
            for crashed in CRASHED {
                for (defect, _) in DEFECTS {
                    let row = format!("{operations}/{processes}/{crashed}/{defect}");
                    if row.starts_with(prefix) {
                        for seed in SEEDS {
                            run(&row, seed);
                        }
                    }
                }
            }
        }
    }
}

/// Judges a row in another process, so that its memory is its own.
fn run(row: &str, seed: u64) {
    let myself = std::env::current_exe().expect("this program");
    let output = Command::new(myself).args(["--judge", row, &seed.to_string()]).output().expect("started");
    print!("{}", String::from_utf8_lossy(&output.stdout));
    if !output.status.success() {
        println!("{row} #{seed}: {} {}", output.status, String::from_utf8_lossy(&output.stderr));
    }
}

fn judge(row: &str, seed: u64) {
    let fields: Vec<&str> = row.split('/').collect();
    let [operations, processes, crashed, defect] = fields[..4] else { panic!("a row is OPERATIONS/PROCESSES/CRASHED/DEFECT[/KEYS]") };
    let number = |text: &str| text.parse::<usize>().expect("a number");
    let defect = DEFECTS.iter().find(|(name, _)| *name == defect).expect("a defect").1;
    let simulation = Simulation {
        seed,
        operations: number(operations),
        processes: number(processes),
        values: 5,
        crash_percent: number(crashed) as u64,
        defect,
        rarity: number(operations) as u64 / 20,
    };
    let history = match fields.get(4) {
        None => simulate(&simulation),
        Some(keys) => many(&simulation, number(keys)),
    };
    let options = Options { time: Some(LIMIT), minimise: false, ..Options::default() };
    let mut times = Vec::new();
    let mut last = None;
    for _ in 0..REPEATS {
        let (begun, cpu_before) = (Instant::now(), cpu());
        last = Some(check(&CasRegister::default(), &history, &options).expect("judged"));
        times.push(Duration::from_secs_f64(cpu() - cpu_before));
        if begun.elapsed() > Duration::from_secs(2) {
            break;
        }
    }
    times.sort();
    let Some(judgement) = last else { return };
    println!(
        "{:<34} {:>10} {:>10.2} {:>12} {:>10} {:>7}  {}",
        format!("{row} #{seed}"),
        judgement.verdict,
        times[times.len() / 2].as_secs_f64() * 1e3,
        judgement.visits,
        judgement.peak_bytes >> 10,
        peak_mib(),
        judgement.algorithms.join(", ")
    );
}

/// As many registers as there are keys, one after another, with so many operations in all.
fn many(simulation: &Simulation, keys: usize) -> History {
    let mut events = Vec::with_capacity(simulation.operations * 2);
    for key in 0..keys {
        let one = Simulation { seed: simulation.seed + key as u64, operations: simulation.operations / keys, ..*simulation };
        let seat = (events.len() / 2) as u32;
        for event in simulate(&one).events {
            let process = match event.process {
                Process::Client(process) => Process::Client(seat + process),
                Process::Nemesis => Process::Nemesis,
            };
            events.push(Event { process, key: Some(Value::Int(key as i64)), ..event });
        }
    }
    History::new(events)
}

/// The most memory this process ever had, where the system tells.
fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse().map_or(0, |kib: u64| kib >> 10)
}

/// Seconds that all threads of this process have run, where the system tells.
fn cpu() -> f64 {
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let run = |task: std::fs::DirEntry| std::fs::read_to_string(task.path().join("schedstat")).ok();
    let nanos = |text: String| text.split(' ').next().and_then(|nanos| nanos.parse::<f64>().ok());
    tasks.filter_map(run).filter_map(nanos).sum::<f64>() / 1e9
}
