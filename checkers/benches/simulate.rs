//! How many events the simulators make per second of processor time: `cargo bench -p elenchus-checkers --bench simulate -- [OPERATIONS]`.

mod common;

use std::time::Instant;

use elenchus_checkers::simulate::{Recipe, STORES};

fn main() {
    let operations = common::size(common::arguments().first(), 200_000);
    println!("| store | workload | events | CPU seconds | million events a CPU second |\n| --- | --- | --- | --- | --- |");
    let begun = Instant::now();
    for entry in STORES {
        for &workload in entry.workloads {
            let recipe = Recipe { operations, processes: 10, crash: 0.01, ..Recipe::new(entry.store, workload) };
            let start = common::thread_seconds(begun);
            match recipe.simulate().map(Iterator::count) {
                Ok(events) => {
                    let seconds = common::thread_seconds(begun) - start;
                    let rate = events as f64 / seconds / 1e6;
                    println!("| {} | {} | {events} | {seconds:.3} | {rate:.2} |", entry.name, workload.entry().name);
                }
                Err(error) => println!("{error}"),
            }
        }
    }
}
