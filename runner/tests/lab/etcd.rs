//! A real etcd of five nodes.

use crate::trial::{Trial, assert_status, is_installed, number};

/// Valid, with as many operations as even a busy machine manages, and every fault took effect and is in the report.
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

/// Each kind of fault once in twelve seconds.
const FAULTS: &str = "--set=nemesis=[{partition: {shape: majority-minority}, every: 9s, for: 3s, interval: fixed}, \
                      {kill: {targets: minority}, every: 10s, for: 2s, after: 3s, interval: fixed}, \
                      {pause: {targets: primary}, every: 11s, for: 2s, after: 6s, interval: fixed}]";

#[test]
fn linearizable_reads_stay_linearizable() {
    let Some(trial) = is_installed("etcd").then(|| Trial::of("examples/etcd/register.yaml")).flatten() else { return };
    assert_survived(&trial.with(&["--duration=20s", FAULTS]));
}

#[test]
fn linearizable_reads_stay_so_over_openssh_with_sudo() {
    if !is_installed("etcd") || !is_installed("sshd") || !is_installed("sudo") {
        return;
    }
    if !nix_is_root() {
        println!("skipped: OpenSSH in a lab needs root");
        return;
    }
    let Some(trial) = Trial::of("examples/etcd/register.yaml") else { return };
    let login = ["--set=lab.sshd=openssh", "--set=ssh.user=elenchus", "--set=ssh.sudo=passwordless"];
    assert_survived(&trial.with(&["--duration=20s", FAULTS]).with(&login));
}

fn nix_is_root() -> bool {
    // The owner of this process' own entry.
    std::os::unix::fs::MetadataExt::uid(&std::fs::metadata("/proc/self").unwrap()) == 0
}

#[test]
fn serializable_reads_are_stale_under_a_partition() {
    let Some(trial) = is_installed("etcd").then(|| Trial::of("examples/etcd/stale-reads.yaml")).flatten() else { return };
    let output = trial.run();
    assert_status(&output, 1);
    assert!(String::from_utf8_lossy(&output.stdout).contains("read →"));
}
