//! `elenchus heal` on nodes that outlive a run: the control node is a machine of its own, and its run is killed.

use std::path::Path;
use std::process::Output;

use crate::trial::{Trial, assert_status, elenchus, is_installed};

/// The control node is n1; it reaches the others by OpenSSH. The lease is longer than the test.
const PLAN: &str = "
name: left
nodes: [{name: n2, address: 10.77.0.2}, {name: n3, address: 10.77.0.3}]
ssh: {port: 2222, key: key, host_key: off}
workload: {register: {}}
client: {etcd: {}}
load: {duration: 1h}
safety: {lease: 1h}
nemesis:
  - {partition: {shape: halves}, at: [0s], for: 1h}
  - {shell: {targets: all, inject: 'touch /var/mark', verify: 'test -e /var/mark', heal: 'rm -f /var/mark', verify_healed: '! test -e /var/mark'}, at: [0s], for: 1h}
";

/// Starts the plan and waits until both faults are in force.
const STARTED: &str = "rm -f store/left/latest events.jsonl; $ELENCHUS run plan.yaml --events events.jsonl >output 2>&1 & run=$!
tries=0
until [ \"$(grep -c '\"step\":\"injected\"' events.jsonl 2>/dev/null)\" = 2 ]; do
  tries=$((tries + 1)); [ $tries -lt 600 ] || { cat output; exit 1; }
  sleep 0.1
done";

/// Kills the run.
const KILLED: &str = "kill -9 $run; wait $run; exit 0";

const SERVER: &str = "mkdir -p /run/sshd && chmod 755 /run/sshd && /usr/sbin/sshd -f /dev/null -p 2222 -h $DESK/host_key -o AuthorizedKeysFile=$DESK/key.pub -o StrictModes=no \
                      -o PidFile=none -o UsePAM=no -o 'Subsystem=sftp internal-sftp'";

/// A lab that is up until this is dropped.
struct LabUp<'a>(&'a Path);

impl LabUp<'_> {
    fn command(&self, words: &[&str]) -> Output {
        elenchus(words.iter().copied()).env("XDG_RUNTIME_DIR", self.0).output().unwrap()
    }

    /// Runs a script on a node, in the test's directory.
    fn on(&self, node: &str, script: &str) -> Output {
        let desk = self.0.display();
        let set_up = format!("export DESK={desk} ELENCHUS={}; cd {desk} || exit 9; {script}", env!("CARGO_BIN_EXE_elenchus"));
        self.command(&["lab", "shell", node, "--", "sh", "-c", &set_up])
    }

    /// The output of a script on a node; it must succeed.
    fn output(&self, node: &str, script: &str) -> String {
        let output = self.on(node, script);
        assert_status(&output, 0);
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Runs the plan on n1 until both faults are in force, and kills it.
    fn kill_run(&self) {
        self.output("n1", &format!("{STARTED}\n{KILLED}"));
    }

    /// For n2 and n3: whether a partition is in force, and whether the mark exists.
    fn faults_in_force(&self) -> Vec<bool> {
        let looks = ["n2", "n3"].map(|node| {
            let rules = self.output(node, "PATH=$PATH:/usr/sbin; iptables -S; nft list tables 2>/dev/null; ls /var/mark 2>/dev/null; true");
            [rules.to_lowercase().contains("elenchus"), rules.contains("/var/mark")]
        });
        looks.concat()
    }
}

impl Drop for LabUp<'_> {
    fn drop(&mut self) {
        let _ = self.command(&["lab", "down"]);
    }
}

#[test]
fn faults_of_a_killed_run_are_healed_from_its_run_its_store_or_its_plan() {
    let Some(_slot) = Trial::of("examples/quickstart.yaml") else { return };
    if !is_installed("sshd") || !is_installed("ssh-keygen") {
        return;
    }
    let desk = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let desk = desk.path();
    std::fs::write(desk.join("plan.yaml"), PLAN).unwrap();
    for key in ["key", "host_key"] {
        let made = std::process::Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f", key]).current_dir(desk).status();
        assert!(made.unwrap().success());
    }
    let lab = LabUp(desk);
    assert_status(&lab.command(&["lab", "up", "--nodes", "3"]), 0);
    if !lab.on("n1", "test -x $ELENCHUS").status.success() {
        println!(
            "skipped: lab nodes do not see {}, as they have a /tmp of their own; set CARGO_TARGET_DIR to a directory elsewhere",
            desk.display()
        );
        return;
    }
    lab.output("n2", SERVER);
    lab.output("n3", SERVER);

    for what in ["store/left/latest", "store", "plan.yaml"] {
        assert_eq!(lab.faults_in_force(), [false; 4]);
        lab.kill_run();
        assert_eq!(lab.faults_in_force(), [true; 4]);
        let healed = lab.output("n1", &format!("$ELENCHUS heal {what}"));
        assert!(healed.contains("healed partition 1: n") && healed.contains("healed shell 2: "), "{healed}");
        assert!(healed.contains("2 faults of "), "{healed}");
    }
    assert_eq!(lab.faults_in_force(), [false; 4]);
    let again = lab.output("n1", "$ELENCHUS heal store");
    assert!(again.starts_with("0 faults of 3 runs healed"), "{again}");

    // Without the ledger, switches and rules are recognized by their names.
    lab.kill_run();
    let healed = lab.output("n1", "rm -rf store; $ELENCHUS heal plan.yaml");
    assert!(healed.starts_with("0 faults of 0 runs healed") && healed.contains("was looked for on all nodes"), "{healed}");
    assert_eq!(lab.faults_in_force(), [false; 4]);

    // Nothing is undone while a run is in progress.
    lab.output("n1", &format!("{STARTED}\necho $run >running; exit 0"));
    let beside = lab.on("n1", "$ELENCHUS heal plan.yaml");
    assert_status(&beside, 3);
    assert!(String::from_utf8_lossy(&beside.stderr).contains("is under way"), "{beside:?}");
    assert_eq!(lab.faults_in_force(), [true; 4]);
    lab.output("n1", "kill -9 $(cat running); sleep 1; $ELENCHUS heal store");
    assert_eq!(lab.faults_in_force(), [false; 4]);

    // A fault that cannot be healed is reported, and stays in the ledger; a run whose plan cannot be read does not keep others from being healed.
    lab.kill_run();
    lab.output("n3", "mv /usr/bin/rm /usr/bin/rm.away");
    let spoilt = "mkdir store/left/0000 && cp store/left/latest/run.json store/left/latest/faults.jsonl store/left/0000 && echo 'name: [' >store/left/0000/plan.yaml";
    let stuck = lab.on("n1", &format!("{spoilt}; $ELENCHUS heal store"));
    assert_status(&stuck, 3);
    let stdout = String::from_utf8_lossy(&stuck.stdout).into_owned();
    assert!(stdout.matches("NOT HEALED: ").count() >= 2 && stdout.contains("0000") && stdout.contains("stays in the ledgers"), "{stdout}");
    lab.output("n1", "rm -r store/left/0000");
    lab.output("n3", "mv /usr/bin/rm.away /usr/bin/rm");
    assert!(lab.output("n1", "$ELENCHUS heal store").contains("none is left in the ledgers"));
    assert_eq!(lab.faults_in_force(), [false; 4]);

    // A node that does not answer is named, and does not keep others from being healed.
    lab.kill_run();
    lab.output("n3", "kill $(pgrep -o -f '/usr/sbin/ssh[d] -f /dev/null')");
    let alone = lab.on("n1", "$ELENCHUS heal plan.yaml");
    assert_status(&alone, 3);
    let stdout = String::from_utf8_lossy(&alone.stdout).into_owned();
    assert!(stdout.contains("NOT HEALED: ") && stdout.contains("n3") && !stdout.contains("n2: "), "{stdout}");
    assert_eq!(lab.faults_in_force(), [false, false, true, true]);
    lab.output("n3", SERVER);
    assert!(lab.output("n1", "$ELENCHUS heal store").contains("none is left in the ledgers"));
    assert_eq!(lab.faults_in_force(), [false; 4]);
}
