//! Shutting a machine down, and starting the system when it is back: shared by the faults that take whole nodes down.

use elenchus_control::command::quote;
use elenchus_control::system::daemon::{Daemon, READ_PROC_STAT};
use elenchus_core::Span;

use crate::means::agent;
use crate::means::job::{self, Job};
use crate::means::node_down::{NOT_YET, Recovery};
use crate::means::remote_script::{self, RemoteScript};
use crate::{Cluster, NemesisError, NodeActions, Requirement};

/// How machines go down.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MachineShutdown {
    /// The fault's name.
    pub(crate) fault: &'static str,
    /// The agent's argument.
    pub(crate) way: &'static str,
    /// Whether the system is stopped gracefully and the machine shut down.
    pub(crate) is_orderly: bool,
    /// Whether the machine must not come back by itself.
    pub(crate) stays_off: bool,
}

/// The delay of the shutdown, in seconds, so that the control node receives the result of the script before.
const NOTICE: &str = "1";

impl MachineShutdown {
    /// The actions on each of these nodes.
    pub(crate) fn actions(self, cluster: &Cluster, id: u32, nodes: &[usize]) -> Result<Vec<NodeActions>, NemesisError> {
        cluster.at(nodes).map(|node| self.on_node(cluster, id, &node.name)).collect()
    }

    fn on_node(self, cluster: &Cluster, id: u32, node: &str) -> Result<NodeActions, NemesisError> {
        let daemon = daemon(cluster, node)?;
        let end = self.end(cluster, daemon)?;
        let job = Job::new(self.fault, id, format!("sleep {NOTICE}; {end}"));
        // In memory: after a reboot the file is gone, or names another boot.
        let before = format!("/run/elenchus/{}-{id}", self.fault);
        let this_start = this_start();
        let is_pending = format!("( {} ) 2>/dev/null", job.assert_running());
        let back = match self.stays_off {
            true => "echo 'the node is up again without having been switched on' >&2; exit 1",
            false => "exit 0",
        };
        Ok(NodeActions {
            node: node.to_owned(),
            inject: format!(
                ": {fault}\n{this_start}mkdir -p /run/elenchus && this_start >{before} && [ -s {before} ] || exit 1\n{}",
                job.start(),
                fault = self.fault.replace('_', "-")
            ),
            verify: format!(
                ": is-down\n{this_start}if [ \"$(this_start)\" != \"$(cat {before} 2>/dev/null)\" ]; then {back}; fi\n\
                 if {is_pending}; then echo 'the node is still up' >&2; exit {NOT_YET}; fi\n\
                 echo 'the node did not go down:' $(tail -n 3 {log} 2>/dev/null) >&2\nexit 1\n",
                log = quote(&job.log())
            ),
            undo: format!(
                ": start what ran here\nif {is_pending}; then echo 'the node is about to go down' >&2; exit {NOT_YET}; fi\n\
                 rm -f {before}\n( {} ) && ( {} )\n",
                job.end(),
                start(daemon)
            ),
            verify_undone: format!(
                ": is-back\n( {} ) && ( {} )\n",
                job.assert_gone(),
                daemon.map_or_else(|| ":".to_owned(), Daemon::assert_running)
            ),
        })
    }

    /// Ends the machine, unless it is the control node's.
    fn end(self, cluster: &Cluster, daemon: Option<&Daemon>) -> Result<String, NemesisError> {
        let (boot_id, processes) = control_node()?;
        let words: Vec<&str> = ["power", self.way, &boot_id, &processes].into_iter().chain(self.is_orderly.then_some("orderly")).collect();
        let stop = match (daemon, &cluster.system) {
            (Some(daemon), Some(system)) if self.is_orderly => format!("( {} ); ", daemon.stop(&system.definition().stop)),
            _ => String::new(),
        };
        Ok(format!("{stop}exec {}", agent::order(&words)))
    }

    /// Starts the system on every node that went down.
    pub(crate) fn undo_all(
        self,
        cluster: &Cluster,
        recovery: impl Fn(&str) -> Option<Recovery>,
    ) -> Result<Vec<RemoteScript>, NemesisError> {
        let scripts = cluster.nodes.iter().map(|node| {
            let start = start(daemon(cluster, &node.name)?);
            Ok(RemoteScript::new(&node.name, format!("( {} ) && ( {start} )", job::undo_all(self.fault))))
        });
        Ok(remote_script::on_nodes_coming_back(scripts.collect::<Result<_, NemesisError>>()?, recovery))
    }
}

/// A shell function that identifies the boot of the machine: the start time of its first process, and the kernel's boot ID, which containers share.
fn this_start() -> String {
    format!("{READ_PROC_STAT}this_start() {{ look 1 && echo \"$born $(cat /proc/sys/kernel/random/boot_id)\"; }}\n")
}

/// The requirements on the node.
pub(crate) fn requirements() -> Vec<Requirement> {
    vec![agent::requirement(), Requirement::command(&["setsid"]), Requirement::command(&["pkill"]), trial()]
}

/// Requires that the machine can be ended.
fn trial() -> Requirement {
    // Without an identity, the agent refuses.
    let (boot_id, processes) = control_node().unwrap_or_default();
    Requirement::trial(
        agent::order(&["power", "trial", &boot_id, &processes]),
        "the machine cannot be shut down: this needs root with the capability CAP_SYS_BOOT, and another machine than the control node's",
    )
}

/// The system's processes on a node, if there is a system.
fn daemon<'a>(cluster: &'a Cluster, node: &str) -> Result<Option<&'a Daemon>, NemesisError> {
    cluster.system.as_ref().map(|system| Ok(&system.on(node)?.daemon)).transpose()
}

fn start(daemon: Option<&Daemon>) -> String {
    daemon.map_or_else(|| ":".to_owned(), Daemon::start)
}

/// The identity of the control node's machine, which must not go down: boot ID and PID namespace.
fn control_node() -> Result<(String, String), NemesisError> {
    let own = elenchus_agent::power::Identity::own();
    own.map(|own| (own.boot_id, own.processes))
        .map_err(|why| NemesisError::Refused(format!("the control node, which must not go down, cannot be identified: {why}")))
}

/// The lab's command that switches a node on.
pub(crate) fn own_button(cluster: &Cluster, node: &str) -> Option<String> {
    let node = cluster.nodes.iter().find(|there| there.name == node)?;
    node.host.power_on().map(str::to_owned)
}

/// Checks the time that a machine may take.
pub(crate) fn check_within(within: Span) -> Result<(), String> {
    if within.0.is_zero() { Err("`within` must be greater than zero; use the time that a machine takes to boot".into()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use elenchus_control::Host;
    use elenchus_control::config::HostConfig;
    use elenchus_control::system::Node;

    use super::*;

    const RESTART: MachineShutdown = MachineShutdown { fault: "reboot", way: "restart", is_orderly: false, stays_off: false };

    fn node_actions(shutdown: MachineShutdown) -> NodeActions {
        let node = Node { name: "n1".into(), address: "192.0.2.1".into(), host: Host::new("n1", HostConfig::new("192.0.2.1")) };
        shutdown.actions(&Cluster::new(vec![node], None), 7, &[0]).unwrap().remove(0)
    }

    #[test]
    fn scripts_parse_and_name_the_control_node() {
        let node_actions = node_actions(RESTART);
        for script in [&node_actions.inject, &node_actions.verify, &node_actions.undo, &node_actions.verify_undone] {
            // The script is parsed, not run.
            let read = Command::new("sh").arg("-n").arg("-c").arg(script).output().unwrap();
            assert!(read.status.success(), "{script}\n{}", String::from_utf8_lossy(&read.stderr));
        }
        let (boot_id, processes) = control_node().unwrap();
        assert!(node_actions.inject.contains(&boot_id) && node_actions.inject.contains(&processes), "{}", node_actions.inject);
        assert!(!node_actions.undo.contains("power restart") && !node_actions.verify.contains("power restart"));
    }

    #[test]
    fn a_boot_has_a_stable_identity() {
        let said = || Command::new("sh").arg("-c").arg(this_start() + "this_start").output().unwrap();
        let (one, two) = (said(), said());
        let words = String::from_utf8(one.stdout.clone()).unwrap();
        assert_eq!(words.split_whitespace().count(), 2, "{words}");
        assert_eq!(one, two);
    }

    #[test]
    fn a_node_that_is_off_must_not_come_back_by_itself() {
        let off = MachineShutdown { fault: "power_off", way: "off", stays_off: true, ..RESTART };
        assert!(
            node_actions(off).verify.contains("without having been switched on")
                && !node_actions(RESTART).verify.contains("without having been")
        );
    }
}
