//! How many operations a second the conductor runs and records, and how well it holds a rate.
//!
//! `cargo bench -p elenchus-runner --bench conductor`

use std::time::{Duration, Instant};

use elenchus_clients::ClientSpec;
use elenchus_core::{Deployment, Endpoint, Generator, RunScope, Seed, Workload};
use elenchus_runner::conductor::{Conductor, Recorder, RunSetup};
use elenchus_workloads::WorkloadSpec;
use elenchus_workloads::generator::{Limit, Stagger, TimeLimit};

const WORKERS: usize = 100;

fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("the async runtime starts");
    println!("{WORKERS} workers, a client that answers at once, every event recorded to disk");
    for round in 1..=3 {
        let generator = |workload: &dyn Workload| {
            Box::new(Limit::new(2_000_000, workload.phases(&RunScope::fresh(Seed(round))).main)) as Box<dyn Generator>
        };
        let (operations, elapsed, bytes) = runtime.block_on(play(&generator));
        let rate = operations as f64 / elapsed.as_secs_f64();
        println!("as fast as can be: {rate:>9.0} operations/s ({:.1} bytes each on disk)", bytes as f64 / operations as f64);
    }
    let span = Duration::from_secs(5);
    for wanted in [1_000.0, 10_000.0, 100_000.0] {
        let generator = |workload: &dyn Workload| {
            let paced = Stagger::new(wanted, Seed(1).stream("rate"), workload.phases(&RunScope::fresh(Seed(1))).main);
            Box::new(TimeLimit::new(span, paced)) as Box<dyn Generator>
        };
        let (operations, _, _) = runtime.block_on(play(&generator));
        let rate = operations as f64 / span.as_secs_f64();
        println!("limited to {wanted:>7}/s: {rate:>9.0} operations/s ({:+.2} %)", (rate / wanted - 1.0) * 100.0);
    }
}

/// Runs a generator of register operations to its end: how many completed, how long that took until all was on disk, and how large the history is.
async fn play(generator: &dyn Fn(&dyn Workload) -> Box<dyn Generator>) -> (u64, Duration, u64) {
    let workload = WorkloadSpec::Register(elenchus_workloads::RegisterSettings::default()).build().expect("the defaults make sense");
    let file = tempfile::NamedTempFile::new().expect("a temporary file can be made");
    let endpoints = (1..=5).map(|node| Endpoint { node: format!("n{node}"), address: "unused".to_owned() }).collect();
    let client = ClientSpec::Noop(elenchus_clients::NoopSettings::default()).build();
    let names: Vec<String> = (1..=5).map(|node| format!("n{node}")).collect();
    let began = Instant::now();
    let conductor = Conductor::new(
        RunSetup::single(client, Deployment::to(endpoints), WORKERS),
        Recorder::create(file.path(), &names).expect("the history can be made"),
    );
    conductor.run(generator(workload.as_ref())).await;
    conductor.finish().await.expect("the history can be written");
    (conductor.tally().completed(), began.elapsed(), file.as_file().metadata().map_or(0, |metadata| metadata.len()))
}
