//! The agent's file system, mounted over a directory during the run, and its rules: shared by the faults of disks.

use elenchus_agent::disk::HIDDEN_DIRECTORY;
use elenchus_agent::disk::Writes;
use elenchus_agent::disk::faults::{Effect, Rule};
use elenchus_agent::disk::serve::{Mount, SOURCE};
use elenchus_control::command::quote;

use crate::means::agent;
use crate::means::remote_script::{self, RemoteScript};
use crate::{Cluster, NodeActions, Requirement};

/// A shell pattern that matches the trace of every mount.
const TRACES: &str = "/run/elenchus/disks/%*";

/// The cell `needs` of these faults.
pub(crate) const NEEDS: &str =
    "a machine that the agent was built for; `/dev/fuse`; `umount`; permission to mount, which is tried before the run";

/// The cell `how` of these faults.
pub(crate) const HOW: &str = "a FUSE file system of the agent, mounted over the directory before the system is started";

/// Checks that a file system may be mounted over a directory.
pub(crate) fn check(directory: &str) -> Result<(), String> {
    Mount::of(directory).map(drop).map_err(|why| format!("`directory`: {why}"))
}

/// Checks that `files` is a plain pattern.
fn check_files(files: &str) -> Result<(), String> {
    if !files.is_empty() && !files.starts_with('/') && remote_script::is_pattern(files) {
        return Ok(());
    }
    Err(format!("`files` must be a pattern of paths below the directory without spaces and quotes, like `wal/*.log`, not `{files}`"))
}

/// Returns a rule for the agent.
pub(crate) fn rule(probability: f64, operations: &str, files: &str, effect: &str, argument: &str) -> Result<Rule, String> {
    if !(probability > 0.0 && probability <= 1.0) {
        return Err("`probability` must be greater than 0 and at most 1".into());
    }
    check_files(files)?;
    Rule::from_words(&[&probability.to_string(), operations, files, effect, argument])
}

/// Mounts the file system over the directory on every node, and unmounts it.
pub(crate) fn mount(cluster: &Cluster, directory: &str, writes: Writes) -> Vec<NodeActions> {
    let order = |what: &str, writes: &[&str]| agent::order(&[&["disk", what, directory], writes].concat());
    // Paths without blanks are not escaped in the list of mounts.
    let is_mounted = format!("grep -q {} /proc/self/mountinfo", quote(&format!(" {directory} .* - fuse[^ ]* {SOURCE} ")));
    let actions = cluster.nodes.iter().map(|node| NodeActions {
        node: node.name.clone(),
        inject: format!(": mount the disk\n{}\n", order("mount", writes.words())),
        verify: format!(": is-mounted\n{} && {is_mounted}\n", order("verify", &[])),
        undo: format!(": unmount the disk\n{}", unmount(directory)),
        verify_undone: format!(
            ": is-unmounted\nif {is_mounted}; then echo {} >&2; exit 1; fi\n",
            quote(&format!("{directory} is mounted over"))
        ),
    });
    actions.collect()
}

/// Unmounts by the agent, whose server process writes everything back; or without it, as the directory below has what was written last.
fn unmount(directory: &str) -> String {
    let path = agent::path();
    format!(
        "if [ -x {path} ]; then {order} || exit 1; else\n{}fi\n",
        unmount_by_force(&quote(&format!("{directory} "))),
        order = agent::order(&["disk", "unmount", directory])
    )
}

/// Unmounts our file systems on paths with this beginning, without the agent.
fn unmount_by_force(beginning: &str) -> String {
    format!(
        "while read -r a b c d point rest; do\n\
         \x20 case \"$point $rest\" in {beginning}*' - fuse'*' {SOURCE} '*) umount -l \"$point\" && rm -rf \"$point/{HIDDEN_DIRECTORY}\" || exit 1;; esac\n\
         done </proc/self/mountinfo\n"
    )
}

/// Unmounts all our file systems, on every node.
pub(crate) fn unmount_all(cluster: &Cluster) -> Vec<RemoteScript> {
    let (path, order) = (agent::path(), agent::order(&["disk", "unmount-all"]));
    let script =
        format!(": unmount all disks\nif [ -x {path} ]; then {order} || exit 1; else\n{}rm -rf {TRACES}\nfi\n", unmount_by_force(""));
    remote_script::everywhere(cluster, &script)
}

/// The actions that add a rule on these nodes, and remove it. A system that may have ended because of it is started again, but may not survive.
pub(crate) fn ruled(cluster: &Cluster, id: u32, nodes: &[usize], seed: u64, directory: &str, rule: &Rule) -> Vec<NodeActions> {
    let may_end_it = !matches!(rule.effect, Effect::Delay(_));
    let (number, seed, rule) = (id.to_string(), seed.to_string(), rule.to_string());
    let words: Vec<&str> = ["disk", "order", directory, "rule", &number, &seed].into_iter().chain(rule.split(' ')).collect();
    let undo = |what: &str| agent::order_to_undo(&["disk", what, directory, &number], TRACES);
    let start = |node: &str| {
        let daemon = cluster.system.as_ref().and_then(|system| system.on(node).ok()).map(|system| &system.daemon);
        daemon.map(|daemon| format!("( {} ) || exit 1\n", daemon.start())).unwrap_or_default()
    };
    let actions = cluster.at(nodes).map(|node| NodeActions {
        node: node.name.clone(),
        inject: format!(": spoil the disk\n{}\n", agent::order(&words)),
        verify: format!(": is-spoiled\n{}\n", agent::order(&["disk", "verify", directory, &number])),
        undo: format!(": repair the disk\n{}{}", undo("calm"), if may_end_it { start(&node.name) } else { String::new() }),
        verify_undone: format!(": is-repaired\n{}", undo("verify-gone")),
    });
    actions.collect()
}

/// Removes all rules, on every node.
pub(crate) fn calm(cluster: &Cluster) -> Vec<RemoteScript> {
    remote_script::everywhere(cluster, &format!(": repair all disks\n{}", agent::order_to_undo(&["disk", "calm-all"], TRACES)))
}

/// The requirements of the agent to mount.
pub(crate) fn requirements() -> Vec<Requirement> {
    vec![
        agent::requirement(),
        Requirement::command(&["umount"]),
        Requirement::test(
            "[ -c /dev/fuse ] && : <>/dev/fuse",
            "/dev/fuse cannot be opened by root; load the module `fuse`, or give the container that device",
        ),
        trial(),
    ]
}

/// Requires that the agent can mount, serve and unmount.
fn trial() -> Requirement {
    Requirement::trial(
        agent::order(&["disk", "trial"]),
        "the agent could not mount its file system below /run/elenchus; this needs root with the capability CAP_SYS_ADMIN",
    )
}
