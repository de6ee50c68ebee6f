//! How many events a second the simulators make: `cargo run --release --example simulation_speed [OPERATIONS]`.

use std::time::Instant;

use elenchus_checkers::simulate::{Recipe, STORES};

fn main() {
    let operations = std::env::args().nth(1).and_then(|argument| argument.parse().ok()).unwrap_or(200_000);
    println!("| store | workload | events | seconds | million events a second |\n| --- | --- | --- | --- | --- |");
    for entry in STORES {
        for &workload in entry.workloads {
            let recipe = Recipe { operations, processes: 10, crash: 0.01, ..Recipe::new(entry.store, workload) };
            let start = Instant::now();
            match recipe.simulate().map(Iterator::count) {
                Ok(events) => {
                    let seconds = start.elapsed().as_secs_f64();
                    let rate = events as f64 / seconds / 1e6;
                    println!("| {} | {} | {events} | {seconds:.3} | {rate:.2} |", entry.name, workload.entry().name);
                }
                Err(error) => println!("{error}"),
            }
        }
    }
}
