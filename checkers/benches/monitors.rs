//! How long the monitors take: `cargo bench -p elenchus-checkers --bench monitors -- [OPERATIONS]…`
//!
//! Prints, for each data type, number of processes and flaw, the verdict and the median of five checks in milliseconds, without and with
//! the minimal counterexample.

mod common;
#[path = "../tests/common/mod.rs"]
mod histories;

use std::time::Instant;

use elenchus_checkers::linearizable::{Judgement, LinearizableOptions, check};
use elenchus_checkers::models::*;
use elenchus_core::History;
use histories::store::{Flaw, Run, SHAPES, Shape, play};

fn judge(shape: Shape, history: &History, options: &LinearizableOptions) -> Judgement {
    let judged = match shape {
        Shape::Register => check(&Register::default(), history, options),
        Shape::CasRegister => check(&CasRegister::default(), history, options),
        Shape::Queue => check(&FifoQueue, history, options),
        Shape::Stack => check(&Stack, history, options),
        Shape::PriorityQueue => check(&PriorityQueue, history, options),
        Shape::Bag => check(&UnorderedQueue, history, options),
        Shape::Set => check(&Set, history, options),
    };
    judged.expect("a simulated history is well formed")
}

fn median_ms(mut measured: impl FnMut()) -> u128 {
    let mut times = [0; 5].map(|_| {
        let begun = Instant::now();
        measured();
        begun.elapsed().as_millis()
    });
    times.sort_unstable();
    times[2]
}

fn main() {
    let sizes: Vec<usize> = common::arguments().iter().map(|size| size.parse().expect("a number of operations")).collect();
    let sizes = match sizes.is_empty() {
        true if common::is_trial() => vec![200],
        true => vec![10_000, 100_000, 1_000_000],
        false => sizes,
    };
    println!(
        "{:<14}{:>10}{:>10}  {:<16}{:<10}{:>10}{:>12}",
        "type", "operations", "processes", "flaw", "verdict", "verdict ms", "minimal ms"
    );
    for (shape, operations, processes) in SHAPES
        .into_iter()
        .flat_map(|shape| sizes.iter().map(move |&size| (shape, size)))
        .flat_map(|(shape, size)| [5, 10, 30, 100].map(|processes| (shape, size, processes)))
    {
        for flaw in std::iter::once(None).chain(Flaw::of(shape).iter().map(|&flaw| Some(flaw))) {
            let often = operations as u64 / 4 + 1;
            let (crash_percent, fail_percent, takers_crash, puts) = (1, 1, flaw.is_none(), 50);
            let flaw_often = flaw.map(|flaw| (flaw, often));
            let run = Run { shape, seed: 5, operations, processes, crash_percent, fail_percent, takers_crash, flaw: flaw_often, puts };
            let history = play(&run);
            let verdict = judge(shape, &history, &LinearizableOptions::default()).verdict;
            let time =
                |minimise| median_ms(|| drop(judge(shape, &history, &LinearizableOptions { minimise, ..LinearizableOptions::default() })));
            let flaw = flaw.map_or("-".to_owned(), |flaw| format!("{flaw:?}"));
            let (plain, minimal) = (time(false), time(true));
            println!(
                "{:<14}{operations:>10}{processes:>10}  {flaw:<16}{:<10}{plain:>10}{minimal:>12}",
                format!("{shape:?}"),
                format!("{verdict:?}")
            );
        }
    }
}
