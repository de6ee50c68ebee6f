//! The specimen, with and without defects.

use crate::trial::{Trial, assert_status, lacks_fuse, number};

const QUICKSTART: &str = "examples/quickstart.yaml";

#[test]
fn a_stale_read_is_found_and_shown() {
    let Some(trial) = Trial::of(QUICKSTART) else { return };
    let trial = trial.with(&["--duration=10s"]);
    let output = trial.run();
    assert_status(&output, 1);
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(stdout.starts_with("INVALID"), "{stdout}");
    assert!(stdout.contains("read →"), "the operations are shown: {stdout}");
    let results = trial.results();
    assert!(number(&results, "/operations/ok") > 100, "{results:#}");
    assert!(number(&results, "/faults/verified") > 0, "{results:#}");
    let report = trial.report();
    assert!(report.contains("<svg") && report.contains("partition") && report.contains("defect: stale-reads"));
    assert!(!report.contains("http://") || !report.contains("src=\"http"), "the report needs no network");
    for svg in ["latency", "rate", "timeline", "counterexample-1"] {
        assert!(trial.dir().join(format!("{svg}.svg")).is_file(), "{svg}.svg");
    }
}

#[test]
fn without_a_defect_the_history_is_valid() {
    let Some(trial) = Trial::of(QUICKSTART) else { return };
    let trial = trial.with(&["--duration=15s", "--set=system.options.defect=none"]);
    assert_status(&trial.run(), 0);
    let results = trial.results();
    assert!(number(&results, "/operations/ok") > 100, "{results:#}");
    assert_eq!(number(&results, "/faults/verified"), number(&results, "/faults/injected"));
    assert_eq!(number(&results, "/faults/healed"), number(&results, "/faults/injected"));
}

#[test]
fn writes_that_were_not_on_disk_are_lost_when_all_nodes_are_killed() {
    let Some(trial) = Trial::of(QUICKSTART) else { return };
    let killing = "--set=nemesis=[{kill: {targets: all}, every: 6s, for: 2s, interval: fixed}]";
    // Keys that are still in use after a kill: a loss on an old key is never read.
    let keys = "--set=workload.register.ops_per_key=4000";
    // Long enough for a slow machine; the run ends at the first violation.
    let trial = trial.with(&["--duration=5m", "--set=stop_on=violation", "--set=system.options.defect=lost-fsync", killing, keys]);
    assert_status(&trial.run(), 1);
}

#[test]
fn a_run_ends_at_the_first_violation_if_the_plan_says_so() {
    let Some(trial) = Trial::of(QUICKSTART) else { return };
    let trial = trial.with(&["--duration=10m", "--set=stop_on=violation"]);
    assert_status(&trial.run(), 1);
    let results = trial.results();
    assert!(number(&results, "/run/duration_ms") < 300_000, "{results:#}");
    assert!(trial.report().contains("the run stopped at the first violation"));
}

const POWER_FAILURE: &str = "examples/power-failure.yaml";

#[test]
fn writes_that_were_not_synced_are_lost_in_a_power_failure() {
    let Some(trial) = Trial::of(POWER_FAILURE) else { return };
    let output = trial.run();
    if lacks_fuse(&output) {
        return;
    }
    assert_status(&output, 1);
    let results = trial.results();
    assert!(number(&results, "/faults/verified") > 0, "{results:#}");
    assert_eq!(number(&results, "/faults/healed"), number(&results, "/faults/injected"), "{results:#}");
}

#[test]
fn a_kill_does_not_lose_writes_that_were_not_synced() {
    let Some(trial) = Trial::of(POWER_FAILURE) else { return };
    let killing = "--set=nemesis=[{kill: {targets: all}, every: 6s, for: 2s, interval: fixed}]";
    let trial = trial.with(&[killing]);
    assert_status(&trial.run(), 0);
}

#[test]
fn synced_writes_survive_power_failures() {
    let Some(trial) = Trial::of(POWER_FAILURE) else { return };
    let directory = "directory: /var/lib/elenchus/specimen";
    let faults = format!(
        "--set=nemesis=[{{power_failure: {{targets: all, {directory}}}, at: [4s, 14s], for: 1s}}, \
         {{power_failure: {{targets: all, {directory}, torn: 512}}, at: [9s], for: 1s}}]"
    );
    let trial = trial.with(&["--set=system.options.defect=none", &faults]);
    let output = trial.run();
    if lacks_fuse(&output) {
        return;
    }
    assert_status(&output, 0);
    let results = trial.results();
    for what in ["injected", "verified", "healed"] {
        assert_eq!(number(&results, &format!("/faults/{what}")), 3, "{results:#}");
    }
}

/// Runs an example for ten seconds with a defect of the specimen.
fn assert_example(plan: &'static str, defect: &str, status: i32) {
    let Some(trial) = Trial::of(plan) else { return };
    let defect = format!("--set=system.options.defect={defect}");
    let trial = trial.with(&["--duration=10s", &defect]);
    assert_status(&trial.run(), status);
    assert!(number(&trial.results(), "/operations/ok") > 100, "{:#}", trial.results());
}

#[test]
fn transactions_are_checked_in_a_run() {
    assert_example("examples/list-append.yaml", "none", 0);
    assert_example("examples/list-append.yaml", "stale-reads", 1);
}

/// Also shows that reads go to replicas and writes to the primary: at the primary alone no read would be stale.
#[test]
fn sets_are_checked_in_a_run() {
    assert_example("examples/set.yaml", "none", 0);
    assert_example("examples/set.yaml", "stale-reads", 1);
}
