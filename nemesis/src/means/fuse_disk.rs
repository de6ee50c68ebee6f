//! What the faults of a disk share: the file system of ours that is mounted over a directory while the system runs, and what it is told.

use elenchus_agent::disk::ATTIC;
use elenchus_agent::disk::faults::{Effect, Rule};
use elenchus_agent::disk::serve::{Mount, SOURCE, Writes};
use elenchus_control::command::quote;

use crate::means::agent;
use crate::means::remote_script::{self, RemoteScript};
use crate::{Cluster, NodeActions, Requirement};

/// Any trace there is of a mount, as a shell's pattern that is a path of its own where there is none.
const TRACES: &str = "/run/elenchus/disks/%*";

/// What is mounted over, in the words of the plan's documentation.
pub(crate) const NEEDS: &str =
    "a machine that the agent was built for; `/dev/fuse`; `umount`; permission to mount, which is tried before the run";

/// How it is done, which all of them have in common.
pub(crate) const HOW: &str = "a FUSE file system of the agent, mounted over the directory before the system is started";

/// Whether a directory may be mounted over, and else why not.
pub(crate) fn check(directory: &str) -> Result<(), String> {
    Mount::of(directory).map(drop).map_err(|why| format!("`directory`: {why}"))
}

/// Whether files are named by a pattern that nothing but a pattern is made of, and else why not.
fn check_files(files: &str) -> Result<(), String> {
    if !files.is_empty() && !files.starts_with('/') && remote_script::is_pattern(files) {
        return Ok(());
    }
    Err(format!("`files` is a pattern of paths below the directory without spaces and quotes, like `wal/*.log`, not `{files}`"))
}

/// What the helper is told of operations, or why it would not understand.
pub(crate) fn rule(probability: f64, operations: &str, files: &str, effect: &str, argument: &str) -> Result<Rule, String> {
    if !(probability > 0.0 && probability <= 1.0) {
        return Err("`probability` must be above 0 and at most 1".into());
    }
    check_files(files)?;
    Rule::of_words(&[&probability.to_string(), operations, files, effect, argument])
}

/// Mounting over the directory on every node, and unmounting.
pub(crate) fn mount(cluster: &Cluster, directory: &str, writes: Writes) -> Vec<NodeActions> {
    let order = |what: &str, writes: &[&str]| agent::order(&[&["disk", what, directory], writes].concat());
    // The list of mounts shows a path as it is: no blank is in it.
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

/// By the helper, which has the process that serves it give up what it keeps; or without, as what is below is what was written last.
fn unmount(directory: &str) -> String {
    let path = agent::path();
    format!(
        "if [ -x {path} ]; then {order} || exit 1; else\n{}fi\n",
        unmount_by_force(&quote(&format!("{directory} "))),
        order = agent::order(&["disk", "unmount", directory])
    )
}

/// Unmounts what is mounted of ours on paths that begin so, without the helper.
fn unmount_by_force(beginning: &str) -> String {
    format!(
        "while read -r a b c d point rest; do\n\
         \x20 case \"$point $rest\" in {beginning}*' - fuse'*' {SOURCE} '*) umount -l \"$point\" && rm -rf \"$point/{ATTIC}\" || exit 1;; esac\n\
         done </proc/self/mountinfo\n"
    )
}

/// Unmounts everything of ours, on every node.
pub(crate) fn unmount_all(cluster: &Cluster) -> Vec<RemoteScript> {
    let (path, order) = (agent::path(), agent::order(&["disk", "unmount-all"]));
    let script =
        format!(": unmount all disks\nif [ -x {path} ]; then {order} || exit 1; else\n{}rm -rf {TRACES}\nfi\n", unmount_by_force(""));
    remote_script::everywhere(cluster, &script)
}

/// Putting a rule in force on the nodes of a injection, and taking it away. Where there is a system that it may have ended, that is started again, but need not live.
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

/// Takes all rules away, on every node.
pub(crate) fn calm(cluster: &Cluster) -> Vec<RemoteScript> {
    remote_script::everywhere(cluster, &format!(": repair all disks\n{}", agent::order_to_undo(&["disk", "calm-all"], TRACES)))
}

/// What the helper needs of a node to mount.
pub(crate) fn requirements() -> Vec<Requirement> {
    vec![
        agent::requirement(),
        Requirement::command(&["umount"]),
        Requirement::test(
            "[ -c /dev/fuse ] && : <>/dev/fuse",
            "there is no /dev/fuse that root may open; load the module `fuse`, or give the container that device",
        ),
        trial(),
    ]
}

/// That it mounts, serves and forgets.
fn trial() -> Requirement {
    Requirement::trial(
        agent::order(&["disk", "trial"]),
        "a file system of the helper could not be mounted, as was tried below /run/elenchus; it takes root with the capability CAP_SYS_ADMIN",
    )
}
