//! Runs that do not end on time: killed, interrupted, failed.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::trial::{Running, Trial, assert_status, elenchus, number, steps, successful};

const QUICKSTART: &str = "examples/quickstart.yaml";

/// How long the processes of a killed run may take to end.
const GONE_WITHIN: Duration = Duration::from_secs(10);

/// Starts a run, and waits until a partition is in force and clients have worked under it.
fn start_partitioned(trial: &Trial) -> Running<'_> {
    let mut run = trial.start();
    run.await_events("a partition", |events| steps(events, "partition", "injected") > 0);
    let before = successful(&run.events());
    run.await_events("operations under the partition", |events| successful(events) > before + 400);
    run
}

/// The command lines of processes that name a store.
fn remaining(store: &Path) -> Vec<String> {
    let store = store.to_string_lossy().into_owned();
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let lines = processes.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
    lines.map(|line| String::from_utf8_lossy(&line).replace('\0', " ")).filter(|line| line.contains(&store)).collect()
}

fn await_all_gone(store: &Path) {
    // The kernel ends the processes of a PID namespace soon, but not at once.
    let began = Instant::now();
    while !remaining(store).is_empty() {
        assert!(began.elapsed() < GONE_WITHIN, "still running: {:#?}", remaining(store));
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_run_that_is_killed_leaves_a_history_to_check_and_nothing_else() {
    let Some(trial) = Trial::of(QUICKSTART) else { return };
    let mut run = start_partitioned(&trial);
    // A whole partition long: the nodes cut off have answered reads from their own state.
    run.await_events("the heal", |events| steps(events, "partition", "healed") > 0);
    run.child.kill().unwrap();
    run.child.wait().unwrap();
    await_all_gone(trial.store());
    assert!(!trial.dir().join("results.json").exists());
    let checked = elenchus(["check", &trial.dir().to_string_lossy(), "--json"]).output().unwrap();
    assert_status(&checked, 1);
    let results: serde_json::Value = serde_json::from_slice(&checked.stdout).unwrap();
    assert!(number(&results, "/outcomes/ok") > 100, "{results:#}");
}

#[test]
fn a_run_that_is_interrupted_heals_and_is_checked() {
    let Some(trial) = Trial::of(QUICKSTART) else { return };
    let trial = trial.with(&["--set=system.options.defect=none"]);
    let mut run = start_partitioned(&trial);
    // No violation was found, but the plan was not carried out in full.
    assert_eq!(run.interrupt(), Some(2), "{}", run.output());
    await_all_gone(trial.store());
    let results = trial.results();
    assert_eq!(number(&results, "/faults/healed"), number(&results, "/faults/injected"), "{results:#}");
    assert!(trial.report().contains("the run was interrupted"));
    // Judging the history again does not improve the verdict.
    let again = elenchus(["check", &trial.dir().to_string_lossy()]).output().unwrap();
    assert_status(&again, 2);
    assert!(String::from_utf8_lossy(&again.stdout).contains("the run was interrupted"), "{again:?}");
    let events = run.events();
    assert!(steps(&events, "partition", "healed") > 0, "the heal is an event: {events:#?}");
    assert_eq!(events.last().map(|event| event["event"].clone()), Some("run_finished".into()));
}

/// A system that ends at once: the run fails, and its log says why.
#[test]
fn a_run_that_fails_keeps_its_findings() {
    let Some(trial) = Trial::of("runner/tests/lab/failing.yaml") else { return };
    let junit = trial.store().join("junit.xml");
    let trial = trial.with(&["--junit", &junit.to_string_lossy()]);
    let output = trial.run();
    assert_status(&output, 3);
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(stdout.contains("panic: no disk"), "{stdout}\n{stderr}");
    let results = trial.results();
    let findings = results["findings"].as_array().unwrap();
    let of =
        |checker: &str| findings.iter().find(|finding| finding["checker"] == checker).unwrap_or_else(|| panic!("{checker} in {results:#}"));
    assert_eq!(of("node-logs")["verdict"], "invalid", "{results:#}");
    assert_eq!(of("node-logs")["anomalies"][0]["name"], "panic", "{results:#}");
    assert!(of("run")["summary"].as_str().unwrap().contains("the run failed: "), "{results:#}");
    let junit = std::fs::read_to_string(junit).unwrap();
    assert!(junit.contains("<failure") && junit.contains("<error"), "{junit}");
}
