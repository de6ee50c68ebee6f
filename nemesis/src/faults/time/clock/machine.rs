//! The clock of a whole machine.

use crate::means::agent;
use crate::means::job::{self, Job};
use crate::means::remote_script::{self, RemoteScript};
use crate::{Cluster, Injection, NemesisError, NodeActions, Requirement};

use super::{ABOUT, ntp_services};

/// The reference by which the clock is set right; it exists while the clock may be wrong.
const BASE: &str = "/run/elenchus/machine-clock/base";

/// The boot ID of the control node, whose clock must not be changed.
fn own_boot_id() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned()
}

/// The actions on each target.
pub(super) fn actions(cluster: &Cluster, id: u32, injection: &Injection, change: &[&str]) -> Result<Vec<NodeActions>, NemesisError> {
    let own = own_boot_id();
    if own.is_empty() {
        return Err(NemesisError::Refused("the control node has no boot ID, which protects its clock from being set".into()));
    }
    let order = |what: &str| agent::order(&["machine", what, &own]);
    let begin = agent::order(&[&["machine", "begin", &own], change].concat());
    let job = Job::new(ABOUT.name, id, format!("exec {}", order("keep")));
    let nodes = cluster.at(&injection.nodes);
    let actions = nodes.map(|node| NodeActions {
        node: node.name.clone(),
        // The trial refuses the control node before anything is changed.
        inject: format!(
            ": wrong machine clock\n{} || exit 1\n{}{begin} || exit 1\n{}echo machine\n",
            order("trial"),
            ntp_services::hold_off(),
            subshell(&job.start())
        ),
        verify: format!(": is-wrong\n{} || exit 1\n{}", order("verify"), job.assert_running()),
        undo: right(&own, &job.end()),
        verify_undone: format!(
            ": is-right\nif [ -e {BASE} ]; then echo 'the clock was not restored' >&2; exit 1; fi\n{}{}",
            ntp_services::assert_back(),
            job.assert_gone()
        ),
    });
    Ok(actions.collect())
}

/// Restores all clocks.
pub(super) fn undo_all(cluster: &Cluster) -> Result<Vec<RemoteScript>, NemesisError> {
    Ok(remote_script::everywhere(cluster, &right(&own_boot_id(), &job::undo_all(ABOUT.name))))
}

/// Restores the clock if it may be wrong, ends the job that changes it, and starts the NTP services.
fn right(own: &str, end: &str) -> String {
    format!(
        ": right machine clock\nif [ -e {BASE} ]; then\n{}fi\n{} || exit 1\n{}",
        agent::order_to_undo(&["machine", "end", own], BASE),
        subshell(end).trim_end(),
        ntp_services::put_back()
    )
}

/// Keeps an `exit` from ending the surrounding script.
fn subshell(script: &str) -> String {
    format!("(\n{script})\n")
}

/// Requires that the node's clock is not the control node's.
pub(super) fn requirement() -> Requirement {
    Requirement::test(
        format!("[ \"$(cat /proc/sys/kernel/random/boot_id)\" != '{}' ]", own_boot_id()),
        "this node shares the clock of the control node, which must not be set; use `of: processes`",
    )
}

/// Requires that the agent may set the clock.
pub(super) fn trial() -> Requirement {
    Requirement::trial(
        agent::order(&["machine", "trial", &own_boot_id()]),
        "the clock of this node cannot be set, as in a container or without CAP_SYS_TIME; use `of: processes`",
    )
}
