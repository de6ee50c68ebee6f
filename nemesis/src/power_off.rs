//! Machines that are off for a while.

use elenchus_control::command::quote;
use elenchus_core::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::about::{About, Overlap};
use crate::absence::Comeback;
use crate::downfall::{self, Downfall};
use crate::errand::Errand;
use crate::{Cluster, Deed, Fault, NemesisError, Requirement, Roster, Targets, Work};

/// Switches whole nodes off, and on again when the fault is healed; then the system is started there, unless it starts by itself. What was in memory is gone.
///
/// When the control node dies meanwhile, nothing switches a node on, as nothing runs there: `elenchus heal` does, from the ledger of the run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PowerOff {
    /// Which nodes.
    pub targets: Targets,
    /// Whether the system is stopped as its definition says, and the machine is asked to go down. Otherwise it is as if somebody pulled the plug.
    pub orderly: bool,
    /// What switches a node on: a command for `sh` on the control node, in which `{{ node }}` is the node's name and `{{ address }}` its address:
    /// `virsh start {{ node }}`. It may be run again while the node starts. A lab's nodes need none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on: Option<String>,
    /// How long the machine may take to go down, and from its being switched on until it answers, before it is told that it does not.
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
    what: "switches whole nodes off for a while, at once or in order, and starts the system when they are on again",
    how: "`reboot(2)`, nothing being synced; with `orderly`, the system's stop signal and `systemctl` or `poweroff` of the node",
    needs: "outside of a lab, the plan's command `on`; a machine of the helper's kind, other than the control node's; the capability CAP_SYS_BOOT; `setsid`, `pkill`; an SSH server that starts with the machine",
    verified: "the node does not answer",
    healed: "the plan's command `on`, run by the control node alone; SSH answers again; the system's start command; its processes are there",
    overlap: Overlap::Never,
    is_destructive: true,
};

impl PowerOff {
    fn downfall(&self) -> Downfall {
        Downfall { fault: ABOUT.name, way: "off", is_orderly: self.orderly, stays_off: true }
    }

    /// The command for a node.
    fn on(&self, cluster: &Cluster, node: &str) -> Option<String> {
        let Some(on) = &self.on else { return downfall::own_button(cluster, node) };
        let address = cluster.nodes.iter().find(|there| there.name == node).map_or("", |there| &there.address);
        Some(filled_in(on, node, address))
    }
}

/// The command with a node's name and address in place of what stands for them.
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

    fn what(&self, nodes: &str) -> String {
        format!("{nodes} switched off{}", if self.orderly { " in order" } else { "" })
    }

    fn takes_down(&self) -> bool {
        true
    }

    fn comeback(&self, cluster: &Cluster, node: &str) -> Option<Comeback> {
        Some(Comeback { on: self.on(cluster, node), within: self.within })
    }

    fn check(&self, _: &Roster) -> Result<(), String> {
        downfall::check_within(self.within)?;
        let Some(on) = &self.on else { return Ok(()) };
        if on.trim().is_empty() {
            return Err("`on` is empty; a command that switches the node on was expected, like `virsh start {{ node }}`".into());
        }
        match filled_in(on, "", "").contains("{{") {
            true => Err(format!("`on: {on}` has a `{{{{` that is neither `{{{{ node }}}}` nor `{{{{ address }}}}`")),
            false => Ok(()),
        }
    }

    fn check_cluster(&self, cluster: &Cluster) -> Result<(), String> {
        match cluster.nodes.iter().find(|node| self.on(cluster, &node.name).is_none()) {
            None => Ok(()),
            Some(node) => Err(format!(
                "nothing is known that switches {} on again; set `on` to a command that does it from the control node, like \
                 `virsh start {{{{ node }}}}` or `ipmitool -H {{{{ node }}}}-bmc … chassis power on`",
                node.name
            )),
        }
    }

    fn works(&self, cluster: &Cluster, id: u32, deed: &Deed) -> Result<Vec<Work>, NemesisError> {
        self.downfall().works(cluster, id, deed)
    }

    fn sweep(&self, cluster: &Cluster) -> Result<Vec<Errand>, NemesisError> {
        self.downfall().sweep(cluster, |node| self.comeback(cluster, node))
    }

    fn requirements(&self) -> Vec<Requirement> {
        downfall::requirements()
    }

    fn trial(&self) -> Option<Requirement> {
        Some(downfall::trial())
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
    fn who_could_not_be_switched_on_is_not_switched_off() {
        let refused = power_off("{}").check_cluster(&cluster(None)).unwrap_err();
        assert!(refused.contains("switches n1 on again; set `on`") && refused.contains("virsh start {{ node }}"), "{refused}");
        assert_eq!(power_off("on: 'virsh start {{ node }}'").check_cluster(&cluster(None)), Ok(()));
        assert_eq!(power_off("{}").check_cluster(&cluster(Some("kill -USR1 7"))), Ok(()));
    }

    #[test]
    fn the_command_is_that_of_the_plan_with_the_node_in_it() {
        let on = |yaml: &str| power_off(yaml).comeback(&cluster(Some("button")), "n1").unwrap().on;
        assert_eq!(on("on: 'virsh start {{ node }} || wake {{address}}'").as_deref(), Some("virsh start n1 || wake 192.0.2.1"));
        assert_eq!(on("{}").as_deref(), Some("button"));
        assert_eq!(filled_in("x {{ node }}", "a b", ""), "x 'a b'");
    }

    #[test]
    fn senseless_settings_are_refused() {
        let check = |yaml: &str| power_off(yaml).check(&Roster::of(vec!["n1".into()]));
        assert_eq!(check("{on: 'virsh start {{ node }}', within: 10m}"), Ok(()));
        assert!(check("on: ' '").unwrap_err().contains("is empty"));
        assert!(check("on: 'start {{ name }}'").unwrap_err().contains("{{ node }}"));
        assert!(check("within: 0s").unwrap_err().contains("within"));
    }
}
