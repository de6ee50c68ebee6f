//! How many events the simulators make in a second of processor time: `cargo run --release --example simulation_speed [OPERATIONS]`.

use std::time::Instant;

use elenchus_checkers::simulate::{Recipe, STORES};

fn main() {
    let operations = std::env::args().nth(1).and_then(|argument| argument.parse().ok()).unwrap_or(200_000);
    println!("| store | workload | events | CPU seconds | million events a CPU second |\n| --- | --- | --- | --- | --- |");
    let begun = Instant::now();
    for entry in STORES {
        for &workload in entry.workloads {
            let recipe = Recipe { operations, processes: 10, crash: 0.01, ..Recipe::new(entry.store, workload) };
            let start = spent(begun);
            match recipe.simulate().map(Iterator::count) {
                Ok(events) => {
                    let seconds = spent(begun) - start;
                    let rate = events as f64 / seconds / 1e6;
                    println!("| {} | {} | {events} | {seconds:.3} | {rate:.2} |", entry.name, workload.entry().name);
                }
                Err(error) => println!("{error}"),
            }
        }
    }
}

/// The seconds for which this thread has had a processor, as Linux counts them; elsewhere those since it began.
fn spent(begun: Instant) -> f64 {
    let schedstat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos = schedstat.split(' ').next().and_then(|nanos| nanos.parse::<u64>().ok());
    nanos.map_or_else(|| begun.elapsed().as_secs_f64(), |nanos| nanos as f64 / 1e9)
}
