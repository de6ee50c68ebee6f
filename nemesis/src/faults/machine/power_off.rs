//! Machines that are switched off for a while.

use elenchus_control::command::quote;
use elenchus_core::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::fault::{About, Overlap};
use crate::means::machine_shutdown::{self, MachineShutdown};
use crate::means::node_down::Recovery;
use crate::means::remote_script::RemoteScript;
use crate::{Cluster, Fault, Injection, NemesisError, NodeActions, Requirement, Roster, TakesDown, Targets};

/// Switches whole nodes off, and on again when the fault is healed; then starts the system there, unless it starts by itself. Everything in memory is lost.
///
/// If the control node crashes meanwhile, `elenchus heal` switches the nodes on, from the ledger of the run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PowerOff {
    /// The nodes.
    pub targets: Targets,
    /// Whether the system is stopped gracefully and the machine is shut down. Otherwise it is as if the power was cut.
    pub orderly: bool,
    /// The command that switches a node on, run by `sh` on the control node, in which `{{ node }}` is the node's name and `{{ address }}` its address:
    /// `virsh start {{ node }}`. It may be run again while the node boots. Nodes of a lab need none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on: Option<String>,
    /// How long the machine may take to go down, and to answer after it was switched on.
    #[schemars(with = "String")]
    pub within: Span,
}

impl Default for PowerOff {
    fn default() -> PowerOff {
        PowerOff { targets: Targets::One, orderly: false, on: None, within: Span::secs(300) }
    }
}

const ABOUT: About = About {
    name: "power_off",
    what: "switches whole nodes off, at once or gracefully, and starts the system when they are on again",
    how: "`reboot(2)`, without a sync; with `orderly`, the system's stop signal and the node's `systemctl` or `poweroff`",
    needs: "outside of a lab, the plan's command `on`; a machine that the agent was built for, other than the control node's; the capability CAP_SYS_BOOT; `setsid`, `pkill`; an SSH server that starts at boot",
    verified: "the node does not answer",
    healed: "the control node runs the plan's command `on`; SSH answers again; the system is started; its processes run",
    example: "{targets: minority, on: 'virsh start {{ node }}'}",
    overlap: Overlap::Exclusive,
    reports_effect: false,
    is_destructive: true,
};

impl PowerOff {
    fn shutdown(&self) -> MachineShutdown {
        MachineShutdown { fault: ABOUT.name, way: "off", is_orderly: self.orderly, stays_off: true }
    }

    /// The command for a node.
    fn on(&self, cluster: &Cluster, node: &str) -> Option<String> {
        let Some(on) = &self.on else { return machine_shutdown::own_button(cluster, node) };
        let address = cluster.nodes.iter().find(|there| there.name == node).map_or("", |there| &there.address);
        Some(filled_in(on, node, address))
    }
}

/// Fills a node's name and address into the command.
fn filled_in(on: &str, node: &str, address: &str) -> String {
    let words = [("node", quote(node)), ("address", quote(address))];
    words.iter().fold(on.to_owned(), |text, (name, word)| {
        [format!("{{{{ {name} }}}}"), format!("{{{{{name}}}}}")].iter().fold(text, |text, mark| text.replace(mark, word))
    })
}

impl Fault for PowerOff {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn targets(&self) -> &Targets {
        &self.targets
    }

    fn describe(&self, nodes: &str) -> String {
        format!("{nodes} switched off{}", if self.orderly { " gracefully" } else { "" })
    }

    fn takes_down(&self) -> Option<&dyn TakesDown> {
        Some(self)
    }

    fn check(&self, _: &Roster) -> Result<(), String> {
        machine_shutdown::check_within(self.within)?;
        let Some(on) = &self.on else { return Ok(()) };
        if on.trim().is_empty() {
            return Err("`on` is empty; set it to a command that switches the node on, like `virsh start {{ node }}`".into());
        }
        match filled_in(on, "", "").contains("{{") {
            true => Err(format!("`on: {on}` has a `{{{{` that is neither `{{{{ node }}}}` nor `{{{{ address }}}}`")),
            false => Ok(()),
        }
    }

    fn actions(&self, cluster: &Cluster, id: u32, injection: &Injection) -> Result<Vec<NodeActions>, NemesisError> {
        self.shutdown().actions(cluster, id, &injection.nodes)
    }

    fn undo_all(&self, cluster: &Cluster) -> Result<Vec<RemoteScript>, NemesisError> {
        self.shutdown().undo_all(cluster, |node| Some(self.recovery(cluster, node)))
    }

    fn requirements(&self) -> Vec<Requirement> {
        machine_shutdown::requirements()
    }
}

impl TakesDown for PowerOff {
    fn recovery(&self, cluster: &Cluster, node: &str) -> Recovery {
        Recovery { on: self.on(cluster, node), within: self.within }
    }

    fn check_cluster(&self, cluster: &Cluster) -> Result<(), String> {
        match cluster.nodes.iter().find(|node| self.on(cluster, &node.name).is_none()) {
            None => Ok(()),
            Some(node) => Err(format!(
                "{} could not be switched on again; set `on` to a command that does it from the control node, like \
                 `virsh start {{{{ node }}}}` or `ipmitool -H {{{{ node }}}}-bmc … chassis power on`",
                node.name
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use elenchus_control::Host;
    use elenchus_control::config::HostConfig;
    use elenchus_control::system::Node;

    use super::*;

    fn cluster(power_on: Option<&str>) -> Cluster {
        let config = HostConfig { power_on: power_on.map(str::to_owned), ..HostConfig::new("192.0.2.1") };
        Cluster::new(vec![Node { name: "n1".into(), address: "192.0.2.1".into(), host: Host::new("n1", config) }], None)
    }

    fn power_off(yaml: &str) -> PowerOff {
        serde_yaml::from_str(yaml).unwrap()
    }

    #[test]
    fn nodes_that_could_not_be_switched_on_are_not_switched_off() {
        let refused = power_off("{}").check_cluster(&cluster(None)).unwrap_err();
        assert!(refused.contains("n1 could not be switched on again; set `on`") && refused.contains("virsh start {{ node }}"), "{refused}");
        assert_eq!(power_off("on: 'virsh start {{ node }}'").check_cluster(&cluster(None)), Ok(()));
        assert_eq!(power_off("{}").check_cluster(&cluster(Some("kill -USR1 7"))), Ok(()));
    }

    #[test]
    fn the_command_has_the_node_filled_in() {
        let on = |yaml: &str| power_off(yaml).recovery(&cluster(Some("button")), "n1").on;
        assert_eq!(on("on: 'virsh start {{ node }} || wake {{address}}'").as_deref(), Some("virsh start n1 || wake 192.0.2.1"));
        assert_eq!(on("{}").as_deref(), Some("button"));
        assert_eq!(filled_in("x {{ node }}", "a b", ""), "x 'a b'");
    }

    #[test]
    fn invalid_settings_are_rejected() {
        let check = |yaml: &str| power_off(yaml).check(&Roster::of(vec!["n1".into()]));
        assert_eq!(check("{on: 'virsh start {{ node }}', within: 10m}"), Ok(()));
        assert!(check("on: ' '").unwrap_err().contains("is empty"));
        assert!(check("on: 'start {{ name }}'").unwrap_err().contains("{{ node }}"));
        assert!(check("within: 0s").unwrap_err().contains("within"));
    }
}
