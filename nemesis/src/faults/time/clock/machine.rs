//! The clock of a whole machine.

use crate::means::agent;
use crate::means::job::{self, Job};
use crate::means::remote_script::{self, RemoteScript};
use crate::{Cluster, Injection, NemesisError, NodeActions, Requirement};

use super::{ABOUT, ntp_services};

/// There as long as the clock may be wrong: by what it is set right.
const BASE: &str = "/run/elenchus/machine-clock/base";

/// Which machine must not be touched: the one that this runs on.
fn own_boot_id() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned()
}

/// What is done on each node of a injection.
pub(super) fn actions(cluster: &Cluster, id: u32, injection: &Injection, change: &[&str]) -> Result<Vec<NodeActions>, NemesisError> {
    let own = own_boot_id();
    if own.is_empty() {
        return Err(NemesisError::Refused("this machine has no boot identifier, by which its own clock is kept from being set".into()));
    }
    let order = |what: &str| agent::order(&["machine", what, &own]);
    let begin = agent::order(&[&["machine", "begin", &own], change].concat());
    let job = Job::new(ABOUT.name, id, format!("exec {}", order("keep")));
    let nodes = cluster.at(&injection.nodes);
    let actions = nodes.map(|node| NodeActions {
        node: node.name.clone(),
        // Who is not to be touched is known before anything is.
        inject: format!(
            ": wrong machine clock\n{} || exit 1\n{}{begin} || exit 1\n{}echo machine\n",
            order("trial"),
            ntp_services::hold_off(),
            subshell(&job.start())
        ),
        verify: format!(": is-wrong\n{} || exit 1\n{}", order("verify"), job.assert_running()),
        undo: right(&own, &job.end()),
        verify_undone: format!(
            ": is-right\nif [ -e {BASE} ]; then echo 'the clock was not set right' >&2; exit 1; fi\n{}{}",
            ntp_services::assert_back(),
            job.assert_gone()
        ),
    });
    Ok(actions.collect())
}

/// What sets all clocks right.
pub(super) fn undo_all(cluster: &Cluster) -> Result<Vec<RemoteScript>, NemesisError> {
    Ok(remote_script::everywhere(cluster, &right(&own_boot_id(), &job::undo_all(ABOUT.name))))
}

/// Sets the clock right if it may be wrong, ends who sets it wrong, and lets others keep it again.
fn right(own: &str, end: &str) -> String {
    format!(
        ": right machine clock\nif [ -e {BASE} ]; then\n{}fi\n{} || exit 1\n{}",
        agent::order_to_undo(&["machine", "end", own], BASE),
        subshell(end).trim_end(),
        ntp_services::put_back()
    )
}

/// Ends by itself, not the script that it is in.
fn subshell(script: &str) -> String {
    format!("(\n{script})\n")
}

/// That its clock is not this machine's own.
pub(super) fn requirement() -> Requirement {
    Requirement::test(
        format!("[ \"$(cat /proc/sys/kernel/random/boot_id)\" != '{}' ]", own_boot_id()),
        "this node's clock is that of the control node, which is never set, as in a lab; say `of: processes`",
    )
}

/// That the helper may set it.
pub(super) fn trial() -> Requirement {
    Requirement::trial(
        agent::order(&["machine", "trial", &own_boot_id()]),
        "the machine's clock cannot be set here, as in a container, or without CAP_SYS_TIME; say `of: processes`",
    )
}
