//! Runs that do not end by themselves.

use std::path::Path;
use std::process::{Child, Command};
use std::time::Duration;

use crate::trial::{Trial, assert_status, elenchus, number};

const QUICKSTART: &str = "examples/quickstart.yaml";

/// Waits until a phase of the run is announced.
fn await_phase(trial: &Trial, run: &mut Child, phase: &str) {
    loop {
        let told = std::fs::read_to_string(trial.store().join("told")).unwrap_or_default();
        if told.contains(phase) {
            return;
        }
        assert!(run.try_wait().unwrap().is_none(), "it ended before `{phase}`: {told}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn await_store(trial: &Trial, run: &mut Child) {
    while std::fs::read_dir(trial.store()).unwrap().flatten().all(|entry| !entry.path().join("latest").exists()) {
        assert!(run.try_wait().unwrap().is_none(), "it ended before it began");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Starts a run and lets its clients work for a while.
fn begun(trial: &Trial) -> Child {
    let mut run = trial.start();
    await_store(trial, &mut run);
    await_phase(trial, &mut run, "driving clients");
    std::thread::sleep(Duration::from_secs(5));
    run
}

/// The command lines of processes that name the store of this trial.
fn left_behind(store: &Path) -> Vec<String> {
    let store = store.to_string_lossy().into_owned();
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let lines = processes.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
    lines.map(|line| String::from_utf8_lossy(&line).replace('\0', " ")).filter(|line| line.contains(&store)).collect()
}

fn await_nothing_left(store: &Path) {
    // The kernel ends a pid namespace's processes within moments, but not at once.
    for _ in 0..200 {
        if left_behind(store).is_empty() {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("left behind: {:#?}", left_behind(store));
}

#[test]
fn a_run_that_is_killed_leaves_a_history_to_judge_and_nothing_else() {
    let Some(trial) = Trial::of(QUICKSTART) else { return };
    let mut run = begun(&trial);
    run.kill().unwrap();
    run.wait().unwrap();
    await_nothing_left(trial.store());
    assert!(!trial.dir().join("results.json").exists());
    let judged = elenchus(["check", &trial.dir().to_string_lossy(), "--json"]).output().unwrap();
    assert_status(&judged, 1);
    let results: serde_json::Value = serde_json::from_slice(&judged.stdout).unwrap();
    assert!(number(&results, "/outcomes/ok") > 100, "{results:#}");
}

#[test]
fn a_run_that_is_interrupted_heals_and_is_judged() {
    let Some(trial) = Trial::of(QUICKSTART) else { return };
    let trial = trial.with(&["--set=system.options.defect=none"]);
    let mut run = begun(&trial);
    let interrupted = Command::new("kill").args(["-INT", &run.id().to_string()]).status().unwrap();
    assert!(interrupted.success());
    // Nothing was refuted, but not all that was asked for was tried.
    assert_eq!(run.wait().unwrap().code(), Some(2), "{}", std::fs::read_to_string(trial.store().join("told")).unwrap());
    await_nothing_left(trial.store());
    let results = trial.results();
    assert_eq!(number(&results, "/faults/healed"), number(&results, "/faults/injected"), "{results:#}");
    assert!(trial.report().contains("the run was interrupted"));
}
