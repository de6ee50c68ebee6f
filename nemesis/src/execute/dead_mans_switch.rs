//! The dead man's switch: a watcher on the node that heals it when the control node is gone.
//!
//! Before a fault is injected into a node, its undo script is written to a directory there and a watcher is started, in a session of its own. The control node keeps
//! renewing the node's lease. When the lease has run out, the watcher undoes the fault, verifies that, and exits; it retries until it succeeds. When the control node
//! has healed the fault, it deletes the directory, and the watcher exits.
//!
//! ```text
//! /run/elenchus/lease             the last renewal, in seconds since boot
//! /run/elenchus/faults/7/injector the process that makes injection 7: pid and start time
//! /run/elenchus/faults/7/undo     its undo script
//! /run/elenchus/faults/7/proof    a script that fails unless it is undone
//! /run/elenchus/faults/7/over     an undo has begun
//! /run/elenchus/lapsed/7          it was undone by the watcher; its output
//! ```
//!
//! Time is the kernel's uptime, which no fault changes. A reboot deletes all of it, and ends the faults; what a fault left on a disk is undone by the control node,
//! or by `elenchus heal`.

use std::time::Duration;

use elenchus_control::command::quote;
use elenchus_control::system::daemon::{DEAD_MANS_SWITCHES as FAULTS, READ_PROC_STAT};

use crate::means::node_lock::{LOCK, LOCKED, with_undo_lock};
use crate::means::remote_script::{NodeActions, UNDO_PATIENCE};

const LEASE: &str = "/run/elenchus/lease";
const LAPSED: &str = "/run/elenchus/lapsed";

/// How many renewals fit into a lease.
const RENEWALS: u32 = 10;

/// How long an undo waits for an injection that is still being made, before it kills it.
const PATIENCE: Duration = UNDO_PATIENCE.0;

/// Writes the current uptime to the lease, atomically.
const RENEW: &str =
    "read -r now rest </proc/uptime && echo \"${now%%.*}\" >/run/elenchus/lease.$$ && mv /run/elenchus/lease.$$ /run/elenchus/lease\n";

/// How often a lease of this length is renewed.
pub(crate) fn renewal_interval(lease: Duration) -> Duration {
    (lease / RENEWALS).clamp(Duration::from_millis(200), Duration::from_secs(5))
}

/// Renews the node's lease.
pub(crate) fn renew() -> String {
    format!(": renew the lease\nmkdir -p /run/elenchus && {RENEW}")
}

/// Arms the switch: renews the lease, and starts a watcher for an injection that is about to be made.
pub(crate) fn arm(id: u32, node_actions: &NodeActions, lease: Duration) -> String {
    format!(
        ": arm for {verb}\nsetsid sh -c {arm} arm {proof} {watch} {undo} </dev/null\n",
        verb = first_line(&node_actions.inject),
        arm = quote(&armed(id)),
        proof = quote(&node_actions.verify_undone),
        watch = quote(&watch(id, lease)),
        undo = quote(&node_actions.undo),
    )
}

/// Writes its arguments (proof, watcher and undo) to files, and starts the watcher. It runs in a session of its own, so that no switch is left half armed when the
/// connection is lost.
fn armed(id: u32) -> String {
    let folder = format!("{FAULTS}/{id}");
    format!(
        "mkdir -p {folder} && chmod 700 {folder} && {RENEW}[ $? = 0 ] || exit 1\n\
         rm -f {LAPSED}/{id} {folder}/over {folder}/injector\n\
         printf %s \"$1\" >{folder}/proof && printf %s \"$2\" >{folder}/watch && printf %s \"$3\" >{folder}/undo || exit 1\n\
         sh {folder}/watch </dev/null >/dev/null 2>&1 &\n"
    )
}

/// Injects, if the switch is armed and no undo has begun: scripts may arrive late. It runs in a session of its own, by which all its processes can be found.
pub(crate) fn inject(id: u32, node_actions: &NodeActions) -> String {
    let folder = format!("{FAULTS}/{id}");
    let launch = format!(
        "inject=$1\nread -r line </proc/$$/stat && set -- ${{line##*) }} || exit 1\n\
         {{ echo \"$$ ${{20}}\" >{folder}/injector; }} 2>/dev/null && [ -e {folder}/undo ] && [ ! -e {folder}/over ] || {{ echo 'it is already being undone' >&2; exit 1; }}\n\
         exec sh -c \"$inject\"\n"
    );
    format!(
        ": {verb}\nsetsid sh -c {launch} inject {inject} </dev/null &\nwait $!\n",
        verb = first_line(&node_actions.inject),
        launch = quote(&launch),
        inject = quote(&node_actions.inject),
    )
}

/// Defines two shell functions, given an injection's directory: `injecting`, whether it is still being made; and `halt`, which kills its processes.
fn injection() -> String {
    format!(
        "{READ_PROC_STAT}injecting() {{ read -r pid since 2>/dev/null <\"$1/injector\" && look $pid && [ $state != X ] && [ \"$born\" = \"$since\" ]; }}\n\
         halt() {{\n\
         \x20 injecting \"$1\" || return 0\n\
         \x20 for round in 1 2 3 4 5 6 7 8 9 10; do\n\
         \x20   left=\n\
         \x20   for stat in /proc/[0-9]*/stat; do\n\
         \x20     one=${{stat#/proc/}}; one=${{one%/stat}}\n\
         \x20     if look $one && [ \"$session\" = $pid ] && [ $state != X ]; then kill -KILL $one 2>/dev/null; left=$one; fi\n\
         \x20   done\n\
         \x20   [ -n \"$left\" ] || return 0\n\
         \x20   sleep 0.1\n\
         \x20 done\n\
         }}\n"
    )
}

/// Waits for an injection that is still being made, and kills it if it takes too long, as it would break what is undone. One that has not begun is prevented.
fn await_injection(folder: &str) -> String {
    let polls = PATIENCE.as_millis() / 100;
    format!(
        "[ ! -d {folder} ] || true >{folder}/over\npolls=0\nwhile injecting {folder} && [ $polls -lt {polls} ]; do polls=$((polls + 1)); sleep 0.1; done\nhalt {folder}\n"
    )
}

/// The name of a script for error messages: its first line, without characters that are special to a shell.
fn first_line(script: &str) -> String {
    let line = script.lines().next().unwrap_or_default();
    let plain: String = line.chars().map(|letter| if letter.is_alphanumeric() || "-_.,".contains(letter) { letter } else { ' ' }).collect();
    plain.trim().to_owned()
}

/// The watcher of one injection. If the injection is still being made when the lease runs out, as on a slow node, waits for it, and kills it if it takes too long.
fn watch(id: u32, lease: Duration) -> String {
    let (folder, seconds) = (format!("{FAULTS}/{id}"), lease.as_secs().max(1));
    let patience = seconds + PATIENCE.as_secs();
    format!(
        "{injection}while [ -e {folder}/undo ]; do\n\
         \x20 sleep 0.5\n\
         \x20 read -r now rest </proc/uptime && read -r seen <{LEASE} || continue\n\
         \x20 silent=$((${{now%%.*}} - seen))\n\
         \x20 [ $silent -ge {seconds} ] || continue\n\
         \x20 true 2>/dev/null >{folder}/over\n\
         \x20 if [ $silent -lt {patience} ] && injecting {folder}; then continue; fi\n\
         \x20 halt {folder}\n\
         \x20 mkdir -p {LAPSED}\n\
         \x20 ( {LOCK}sh {folder}/undo 9>&- && sh {folder}/proof 9>&- && rm -rf {folder} ) >{LAPSED}/{id} 2>&1 9>{LOCKED}\n\
         done\n",
        injection = injection(),
    )
}

/// Undoes a fault, holding the lock of undos. Its injection has ended then.
pub(crate) fn undo(id: u32, node_actions: &NodeActions) -> String {
    format!(
        ": {verb}\nmkdir -p /run/elenchus\n{injection}{over}{undo}\n",
        verb = first_line(&node_actions.undo),
        injection = injection(),
        over = await_injection(&format!("{FAULTS}/{id}")),
        undo = with_undo_lock(&node_actions.undo)
    )
}

/// Fails unless the fault is undone; then disarms the switch. Prints `lapsed` if the watcher undid it.
pub(crate) fn verify_undone(id: u32, node_actions: &NodeActions) -> String {
    format!(
        ": {verb}\nsh -c {proof} >/dev/null || exit 1\n\
         rm -rf {FAULTS}/{id}\n\
         if [ -e {LAPSED}/{id} ]; then rm -f {LAPSED}/{id}; echo lapsed; fi\n",
        verb = first_line(&node_actions.verify_undone),
        proof = quote(&node_actions.verify_undone),
    )
}

/// Disarms a switch whose fault is undone otherwise.
pub(crate) fn disarm(id: u32) -> String {
    format!(": disarm {id}\nrm -rf {FAULTS}/{id} {LAPSED}/{id}\n")
}

/// Whether a node printed, when its heal was verified, that it had healed itself.
pub(crate) fn has_lapsed(printed: &[String]) -> bool {
    printed.iter().any(|said| said.lines().any(|line| line == "lapsed"))
}

/// Undoes every fault for which a switch is armed on the node, and fails if it cannot.
pub(crate) fn undo_all() -> String {
    format!(
        ": undo all faults\nfailed=\n{injection}\
         for folder in {FAULTS}/*/; do\n\
         \x20 [ -e \"$folder/undo\" ] || continue\n\
         \x20 true >\"$folder/over\"\n\
         \x20 halt \"$folder\"\n\
         \x20 sh \"$folder/undo\" >/dev/null && sh \"$folder/proof\" >/dev/null && rm -rf \"$folder\" || failed=$folder\n\
         done\n\
         rm -rf {LAPSED}\n\
         [ -z \"$failed\" ] || {{ echo \"$failed could not be undone\" >&2; exit 1; }}\n",
        injection = injection(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_first_line_has_no_special_characters() {
        assert_eq!(first_line(": cut 7\nset -e\n"), "cut 7");
        assert_eq!(first_line("( : kill it's `a` $(b); c ) && d"), "kill it s  a    b   c      d");
        assert_eq!(first_line(""), "");
    }

    /// Runs scripts in a temporary directory.
    struct Bench(tempfile::TempDir);

    impl Bench {
        fn new() -> Bench {
            Bench(tempfile::tempdir().unwrap())
        }

        fn node_actions(&self, inject: &str) -> NodeActions {
            let mark = self.0.path().join("mark");
            NodeActions {
                node: "n1".into(),
                inject: inject.replace("MARK", mark.to_str().unwrap()),
                verify: ":".into(),
                undo: format!("rm -f {}\n", mark.display()),
                verify_undone: format!("[ ! -e {} ]\n", mark.display()),
            }
        }

        fn script(&self, script: &str) -> std::process::Command {
            let mut command = std::process::Command::new("sh");
            command.arg("-c").arg(script.replace("/run/elenchus", self.0.path().join("run").to_str().unwrap()));
            command
        }

        fn runs(&self, script: &str) -> bool {
            self.script(script).stderr(std::process::Stdio::null()).stdout(std::process::Stdio::null()).status().unwrap().success()
        }

        fn is_marked(&self) -> bool {
            self.0.path().join("mark").exists()
        }
    }

    #[test]
    fn a_late_injection_is_refused() {
        let bench = Bench::new();
        let node_actions = bench.node_actions("touch MARK");
        let lease = Duration::from_secs(3600);
        assert!(!bench.runs(&inject(7, &node_actions)) && !bench.is_marked(), "no switch is armed");
        assert!(bench.runs(&arm(7, &node_actions, lease)) && bench.runs(&inject(7, &node_actions)) && bench.is_marked());
        assert!(bench.runs(&undo(7, &node_actions)) && !bench.is_marked());
        assert!(!bench.runs(&inject(7, &node_actions)) && !bench.is_marked(), "it is being undone");
        assert!(bench.runs(&verify_undone(7, &node_actions)));
        assert!(!bench.runs(&inject(7, &node_actions)) && !bench.is_marked(), "it is undone");
    }

    #[test]
    fn an_injection_that_races_with_its_undo_does_not_stay() {
        for round in 0..20 {
            let bench = Bench::new();
            let node_actions = bench.node_actions("sleep 0.2; touch MARK");
            assert!(bench.runs(&arm(7, &node_actions, Duration::from_secs(3600))));
            let mut late = bench.script(&inject(7, &node_actions)).stderr(std::process::Stdio::null()).spawn().unwrap();
            std::thread::sleep(Duration::from_millis(round));
            assert!(bench.runs(&undo(7, &node_actions)) && bench.runs(&verify_undone(7, &node_actions)));
            late.wait().unwrap();
            assert!(!bench.is_marked(), "round {round}");
        }
    }

    #[test]
    fn the_output_and_status_of_an_injection_are_passed_on() {
        let bench = Bench::new();
        let node_actions = bench.node_actions("echo told; echo why >&2; exit 75");
        assert!(bench.runs(&arm(7, &node_actions, Duration::from_secs(3600))));
        let output = bench.script(&inject(7, &node_actions)).output().unwrap();
        assert_eq!(
            (output.status.code(), output.stdout.as_slice(), output.stderr.as_slice()),
            (Some(75), b"told\n".as_slice(), b"why\n".as_slice())
        );
        assert!(bench.runs(&undo(7, &node_actions)) && bench.runs(&verify_undone(7, &node_actions)));
    }

    #[test]
    fn a_lease_outlives_lost_renewals() {
        assert_eq!(renewal_interval(Duration::from_secs(30)), Duration::from_secs(3));
        assert_eq!(renewal_interval(Duration::from_secs(600)), Duration::from_secs(5));
        assert_eq!(renewal_interval(Duration::from_secs(1)), Duration::from_millis(200));
    }
}
