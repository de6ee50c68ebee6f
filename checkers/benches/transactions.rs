//! How fast transactions are checked: `cargo bench -p elenchus-checkers --bench transactions -- [TRANSACTIONS [WORKLOAD [STORE [KEYS
//! [ISOLATION [ACCESSES [uniform|zipf]]]]]]]`, like `1000000 list-append strict-serializable`.
//!
//! Events come from a simulated store in batches; only the checker is timed.

mod common;

use std::time::{Duration, Instant};

use elenchus_checkers::simulate::{KeyChoice, Recipe, Store, Workload};
use elenchus_checkers::transactional::{Datatype, Level, TransactionalOptions, Transactions, analyse};
use elenchus_core::Event;

fn main() {
    let mut arguments = common::arguments().into_iter();
    let operations = common::size(arguments.next().as_ref(), 100_000);
    let workload = arguments.next().map_or(Workload::ListAppend, |name| Workload::named(&name).expect("a workload"));
    let store = arguments.next().map_or(Store::StrictSerializable, |name| Store::named(&name).expect("a store"));
    let datatype = Datatype::named(workload.entry().name).expect("a workload of transactions");
    let mut recipe = Recipe { operations, processes: 30, ..Recipe::new(store, workload) };
    if let Some(keys) = arguments.next() {
        recipe.keys = keys.parse().expect("a number of keys");
    }
    let isolation = arguments.next().map_or(Level::StrictSerializable, |name| Level::named(&name).expect("a level"));
    if let Some(most) = arguments.next() {
        recipe.accesses.1 = most.parse().expect("a number of accesses");
    }
    if arguments.next().as_deref() == Some("zipf") {
        recipe.key_choice = KeyChoice::Zipf;
    }
    let mut simulation = recipe.simulate().expect("a sound recipe");
    let mut transactions = Transactions::new(datatype);
    let mut pushing = Duration::ZERO;
    loop {
        let batch: Vec<Event> = simulation.by_ref().take(16_384).collect();
        if batch.is_empty() {
            break;
        }
        let begun = Instant::now();
        batch.iter().for_each(|event| transactions.push(event).expect("well formed"));
        pushing += begun.elapsed();
    }
    println!("push     {:>9.1} ms, {:.1} MB", pushing.as_secs_f64() * 1e3, transactions.bytes() as f64 / 1e6);
    for round in 0..3 {
        let begun = Instant::now();
        let analysis = analyse(&transactions, &TransactionalOptions { isolation, ..TransactionalOptions::default() });
        let analysed = begun.elapsed();
        let verdict = analysis.verdict(isolation);
        let judged = begun.elapsed();
        println!(
            "analyse  {:>9.1} ms, with verdict {:.1} ms, {:.1} MB",
            analysed.as_secs_f64() * 1e3,
            judged.as_secs_f64() * 1e3,
            analysis.peak_bytes as f64 / 1e6
        );
        if round == 2 {
            let found: Vec<String> = analysis.found.iter().map(|(phenomenon, found)| format!("{phenomenon} {}", found.count)).collect();
            println!("{} transactions, {} dependencies, component of {}", analysis.committed, analysis.edges, analysis.largest_component);
            println!("{isolation} is {verdict}: {}; {:?} gave up", found.join(", "), analysis.gave_up);
        }
    }
}
