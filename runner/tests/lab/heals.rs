//! Nodes that outlive a run: a control node that is a machine of its own, which is killed, and what puts right what it left broken.

use std::path::Path;
use std::process::Output;

use crate::trial::{Trial, assert_status, elenchus, is_installed};

/// Of n1, where the control node is; the others are reached by OpenSSH. The lease outlives the test.
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

/// Runs the plan until all faults are in force, and kills it.
const KILLED: &str = "rm -f store/left/latest; $ELENCHUS run plan.yaml >told 2>&1 & run=$!
tries=0
until [ \"$(grep -c armed store/left/latest/faults.jsonl 2>/dev/null)\" = 2 ]; do
  tries=$((tries + 1)); [ $tries -lt 300 ] || { cat told; exit 1; }
  sleep 0.1
done
sleep 3; kill -9 $run; wait $run; exit 0";

const SERVER: &str = "mkdir -p /run/sshd && chmod 755 /run/sshd && /usr/sbin/sshd -f /dev/null -p 2222 -h $DESK/host_key -o AuthorizedKeysFile=$DESK/key.pub -o StrictModes=no \
                      -o PidFile=none -o UsePAM=no -o 'Subsystem=sftp internal-sftp'";

/// A lab that is up while it lives.
struct Up<'a>(&'a Path);

impl Up<'_> {
    fn command(&self, words: &[&str]) -> Output {
        elenchus(words.iter().copied()).env("XDG_RUNTIME_DIR", self.0).output().unwrap()
    }

    /// Runs a script on a node, in the desk.
    fn on(&self, node: &str, script: &str) -> Output {
        let desk = self.0.display();
        let set_up = format!("export DESK={desk} ELENCHUS={}; cd {desk} || exit 9; {script}", env!("CARGO_BIN_EXE_elenchus"));
        self.command(&["lab", "shell", node, "--", "sh", "-c", &set_up])
    }

    /// What a script on a node prints, which must succeed.
    fn said(&self, node: &str, script: &str) -> String {
        let output = self.on(node, script);
        assert_status(&output, 0);
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Whether each of the others is cut, and marked.
    fn is_broken(&self) -> Vec<bool> {
        let looks = ["n2", "n3"].map(|node| {
            let rules = self.said(node, "PATH=$PATH:/usr/sbin; iptables -S; nft list tables 2>/dev/null; ls /var/mark 2>/dev/null; true");
            [rules.to_lowercase().contains("elenchus"), rules.contains("/var/mark")]
        });
        looks.concat()
    }
}

impl Drop for Up<'_> {
    fn drop(&mut self) {
        let _ = self.command(&["lab", "down"]);
    }
}

#[test]
fn what_a_killed_run_left_is_healed_from_its_run_its_store_or_its_plan() {
    let Some(_alone) = Trial::of("examples/quickstart.yaml") else { return };
    if !is_installed("sshd") || !is_installed("ssh-keygen") {
        return;
    }
    // Nodes have a /tmp of their own.
    let desk = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let desk = desk.path();
    std::fs::write(desk.join("plan.yaml"), PLAN).unwrap();
    for key in ["key", "host_key"] {
        let made = std::process::Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f", key]).current_dir(desk).status();
        assert!(made.unwrap().success());
    }
    let lab = Up(desk);
    assert_status(&lab.command(&["lab", "up", "--nodes", "3"]), 0);
    lab.said("n2", SERVER);
    lab.said("n3", SERVER);

    for what in ["store/left/latest", "store", "plan.yaml"] {
        assert_eq!(lab.is_broken(), [false; 4]);
        lab.said("n1", KILLED);
        assert_eq!(lab.is_broken(), [true; 4]);
        let healed = lab.said("n1", &format!("$ELENCHUS heal {what}"));
        assert!(healed.contains("healed partition 1: n") && healed.contains("healed shell 2: "), "{healed}");
        assert!(healed.contains("2 faults of "), "{healed}");
    }
    assert_eq!(lab.is_broken(), [false; 4]);
    let again = lab.said("n1", "$ELENCHUS heal store");
    assert!(again.starts_with("0 faults of 3 runs healed"), "{again}");

    // Where the ledger is lost, what our switches and rules look like is known all the same.
    lab.said("n1", KILLED);
    let healed = lab.said("n1", "rm -rf store; $ELENCHUS heal plan.yaml");
    assert!(healed.starts_with("0 faults of 0 runs healed") && healed.contains("was looked for on all nodes"), "{healed}");
    assert_eq!(lab.is_broken(), [false; 4]);

    // Nothing is undone beside a run that is under way.
    lab.said("n1", &KILLED.replace("sleep 3; kill -9 $run; wait $run; exit 0", "sleep 3; echo $run >running; exit 0"));
    let beside = lab.on("n1", "$ELENCHUS heal plan.yaml");
    assert_status(&beside, 3);
    assert!(String::from_utf8_lossy(&beside.stderr).contains("is under way"), "{beside:?}");
    assert_eq!(lab.is_broken(), [true; 4]);
    lab.said("n1", "kill -9 $(cat running); sleep 1; $ELENCHUS heal store");
    assert_eq!(lab.is_broken(), [false; 4]);

    // What cannot be healed is shouted, and stays; a run whose plan cannot be read keeps no other from being healed.
    lab.said("n1", KILLED);
    lab.said("n3", "mv /usr/bin/rm /usr/bin/rm.away");
    let spoilt = "mkdir store/left/0000 && cp store/left/latest/run.json store/left/latest/faults.jsonl store/left/0000 && echo 'name: [' >store/left/0000/plan.yaml";
    let stuck = lab.on("n1", &format!("{spoilt}; $ELENCHUS heal store"));
    assert_status(&stuck, 3);
    let told = String::from_utf8_lossy(&stuck.stdout).into_owned();
    assert!(told.matches("NOT HEALED: ").count() >= 2 && told.contains("0000") && told.contains("stays in the ledgers"), "{told}");
    lab.said("n1", "rm -r store/left/0000");
    lab.said("n3", "mv /usr/bin/rm.away /usr/bin/rm");
    assert!(lab.said("n1", "$ELENCHUS heal store").contains("none is left in the ledgers"));
    assert_eq!(lab.is_broken(), [false; 4]);

    // Who does not answer keeps nobody else from being healed, and is named.
    lab.said("n1", KILLED);
    lab.said("n3", "kill $(pgrep -o -f '/usr/sbin/ssh[d] -f /dev/null')");
    let alone = lab.on("n1", "$ELENCHUS heal plan.yaml");
    assert_status(&alone, 3);
    let told = String::from_utf8_lossy(&alone.stdout).into_owned();
    assert!(told.contains("NOT HEALED: ") && told.contains("n3") && !told.contains("n2: "), "{told}");
    assert_eq!(lab.is_broken(), [false, false, true, true]);
    lab.said("n3", SERVER);
    assert!(lab.said("n1", "$ELENCHUS heal store").contains("none is left in the ledgers"));
    assert_eq!(lab.is_broken(), [false; 4]);
}
