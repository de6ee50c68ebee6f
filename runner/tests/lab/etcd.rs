//! A real etcd of five nodes.

use std::time::SystemTime;

use crate::trial::{Trial, assert_status, is_installed, is_root, lacks_fuse, number, steps};

/// Valid, with as many operations as even a busy machine completes; every fault was verified and is in the report.
fn assert_survived(trial: &Trial) {
    assert_status(&trial.run(), 0);
    let results = trial.results();
    assert!(number(&results, "/operations/ok") > 300, "{results:#}");
    assert_eq!(number(&results, "/faults/verified"), number(&results, "/faults/injected"), "{results:#}");
    assert_eq!(number(&results, "/faults/healed"), number(&results, "/faults/injected"), "{results:#}");
    let report = trial.report();
    for fault in ["partition", "kill", "pause"] {
        assert!(report.contains(&format!("<td>{fault}</td>")), "no {fault} in the report");
    }
    for node in ["n1", "n2", "n3", "n4", "n5"] {
        let logs = trial.dir().join("logs").join(node);
        assert!(std::fs::read_dir(&logs).is_ok_and(|mut files| files.next().is_some()), "no logs in {}", logs.display());
    }
}

/// Three kinds of fault, each once in twelve seconds.
const FAULTS: &str = "--set=nemesis=[{partition: {shape: majority_minority}, every: 9s, for: 3s, interval: fixed}, \
                      {kill: {targets: minority}, every: 10s, for: 2s, after: 3s, interval: fixed}, \
                      {pause: {targets: primary}, every: 11s, for: 2s, after: 6s, interval: fixed}]";

#[test]
fn linearizable_reads_stay_linearizable() {
    let Some(trial) = is_installed("etcd").then(|| Trial::of("examples/etcd/register.yaml")).flatten() else { return };
    assert_survived(&trial.with(&["--duration=20s", FAULTS]));
}

#[test]
fn linearizable_reads_stay_so_over_openssh_with_sudo() {
    if !is_installed("etcd") || !is_installed("sshd") || !is_installed("sudo") || !is_root("OpenSSH in a lab") {
        return;
    }
    let Some(trial) = Trial::of("examples/etcd/register.yaml") else { return };
    let login = ["--set=lab.sshd=openssh", "--set=ssh.user=elenchus", "--set=ssh.sudo=passwordless"];
    assert_survived(&trial.with(&["--duration=20s", FAULTS]).with(&login));
}

/// Etcd stays linearizable with wrong clocks, and its log lines have the wrong date meanwhile.
#[test]
fn wrong_clocks_are_in_its_log_and_do_no_harm() {
    let Some(trial) = is_installed("etcd").then(|| Trial::of("examples/etcd/clocks.yaml")).flatten() else { return };
    // All clocks are set, and some members are killed and restart with the clock of 2038.
    let faults = "--set=nemesis=[{clock: {targets: all, how: {jump: '2038-01-01T00:00:00Z'}}, at: [3s], for: 10s}, \
                  {kill: {targets: minority}, at: [7s], for: 1s}]";
    let trial = trial.with(&["--duration=18s", faults]);
    assert_status(&trial.run(), 0);
    let results = trial.results();
    assert_eq!((number(&results, "/faults/verified"), number(&results, "/faults/healed")), (2, 2), "{results:#}");
    let mut with_the_wrong_date = 0;
    for node in ["n1", "n2", "n3", "n4", "n5"] {
        let logs = std::fs::read_dir(trial.dir().join("logs").join(node)).unwrap().flatten();
        let text: String = logs.map(|file| std::fs::read_to_string(file.path()).unwrap_or_default()).collect();
        let year = |line: &str| line.split_once("\"ts\":\"").map(|(_, date)| date[..4].to_owned());
        let years: Vec<String> = text.lines().filter_map(year).collect();
        assert_ne!(years.first().map(String::as_str), Some("2038"), "it began with the right clock");
        with_the_wrong_date += u32::from(years.iter().any(|year| year == "2038"));
    }
    assert!(with_the_wrong_date >= 2, "members that restart log with the wrong date: {with_the_wrong_date}");
}

/// Its log of some seconds spans about an hour: each second was five hundred to it. However long a start takes, the run goes on until both restarts have
/// happened.
#[test]
fn a_clock_that_is_too_fast_is_in_its_log() {
    let Some(trial) = is_installed("etcd").then(|| Trial::of("examples/etcd/clocks.yaml")).flatten() else { return };
    let faults = "--set=nemesis=[{clock: {targets: {nodes: [n1]}, how: {drift: 500}}, at: [1s], for: 5m}, \
                  {kill: {targets: {nodes: [n1]}}, at: [3s, 9s], for: 1s}]";
    let trial = trial.with(&["--duration=5m", faults]);
    let mut run = trial.start();
    run.await_events("the second restart", |events| steps(events, "kill", "healed") == 2);
    // Of an interrupted run all is valid but its end.
    assert_eq!(run.interrupt(), Some(2), "{}", run.output());
    let results = trial.results();
    let doubts: Vec<&serde_json::Value> =
        results["findings"].as_array().unwrap().iter().filter(|finding| finding["verdict"] != "valid").collect();
    assert!(doubts.len() == 1 && doubts[0]["checker"] == "run", "{results:#}");
    assert_eq!((number(&results, "/faults/verified"), number(&results, "/faults/healed")), (3, 3), "{results:#}");
    let logs = std::fs::read_dir(trial.dir().join("logs/n1")).unwrap().flatten();
    let text: String = logs.map(|file| std::fs::read_to_string(file.path()).unwrap_or_default()).collect();
    let date = |line: &str| humantime::parse_rfc3339(line.split_once("\"ts\":\"")?.1.split_once('"')?.0).ok();
    let dates: Vec<SystemTime> = text.lines().filter_map(date).collect();
    let starts = text.lines().filter(|line| line.contains("\"msg\":\"starting etcd server\"")).count();
    // New processes get the wrong clock some milliseconds after their start, so the first lines of each may have the right date.
    let spread = dates.iter().max().unwrap().duration_since(*dates.iter().min().unwrap()).unwrap().as_secs();
    assert!(starts == 3 && (1500..20_000).contains(&spread), "{starts} starts, {spread} s\n{text}");
}

/// Etcd syncs before it acknowledges, so power failures of all nodes lose nothing.
#[test]
fn power_failures_lose_nothing_that_was_acknowledged() {
    let Some(trial) = is_installed("etcd").then(|| Trial::of("examples/etcd/register.yaml")).flatten() else { return };
    let faults = "--set=nemesis=[{power_failure: {targets: minority, directory: /var/lib/elenchus/etcd}, at: [3s], for: 2s}, \
                  {power_failure: {targets: all, directory: /var/lib/elenchus/etcd}, at: [9s], for: 1s}, \
                  {disk: {targets: minority, directory: /var/lib/elenchus/etcd, how: {delay: 50ms}, operations: [sync]}, at: [13s], for: 2s}]";
    let trial = trial.with(&["--duration=20s", "--allow-destructive", faults]);
    let output = trial.run();
    if lacks_fuse(&output) {
        return;
    }
    assert_status(&output, 0);
    let results = trial.results();
    assert_eq!((number(&results, "/faults/verified"), number(&results, "/faults/healed")), (3, 3), "{results:#}");
    assert!(number(&results, "/operations/ok") > 100, "{results:#}");
}

#[test]
fn serializable_reads_are_stale_under_a_partition() {
    let Some(trial) = is_installed("etcd").then(|| Trial::of("examples/etcd/stale-reads.yaml")).flatten() else { return };
    let output = trial.run();
    assert_status(&output, 1);
    assert!(String::from_utf8_lossy(&output.stdout).contains("read →"));
}
