//! Reboots of machines.

use elenchus_core::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::fault::{About, Overlap};
use crate::means::machine_shutdown::{self, MachineShutdown};
use crate::means::node_down::Recovery;
use crate::means::remote_script::RemoteScript;
use crate::{Cluster, Fault, Injection, NemesisError, NodeActions, Requirement, Roster, TakesDown, Targets};

/// Restarts whole nodes, and starts the system there when the fault is healed, unless it starts by itself. Everything in memory is lost: processes, connections, and
/// other faults of the network.
///
/// The system is started again after `for`, or when the machine has booted if that takes longer. If the control node crashes meanwhile, only the machine itself or
/// `elenchus heal` starts the system.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Reboot {
    /// The nodes.
    pub targets: Targets,
    /// Whether the system is stopped gracefully and the machine is shut down, as an operator would. Otherwise it is like the reset button: no process is stopped, nothing
    /// is written to the disks, and no connection is closed.
    pub orderly: bool,
    /// How long the machine may take to go down, and to come back.
    #[schemars(with = "String")]
    pub within: Span,
}

impl Default for Reboot {
    fn default() -> Reboot {
        Reboot { targets: Targets::One, orderly: false, within: Span::secs(300) }
    }
}

const ABOUT: About = About {
    name: "reboot",
    what: "restarts whole nodes, at once or gracefully, and starts the system there; this ends other faults in their memory, network and processes",
    how: "`reboot(2)`, without a sync; with `orderly`, the system's stop signal and the node's `systemctl` or `reboot`",
    needs: "a machine that the agent was built for, other than the control node's; the capability CAP_SYS_BOOT; `setsid`, `pkill`; an SSH server that starts at boot",
    verified: "the node does not answer, or its first process or its boot ID has changed",
    healed: "SSH answers again; the system is started; its processes run",
    example: "{targets: one}",
    overlap: Overlap::Exclusive,
    reports_effect: false,
    is_destructive: true,
};

impl Reboot {
    fn shutdown(&self) -> MachineShutdown {
        MachineShutdown { fault: ABOUT.name, way: "restart", is_orderly: self.orderly, stays_off: false }
    }
}

impl Fault for Reboot {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn targets(&self) -> &Targets {
        &self.targets
    }

    fn describe(&self, nodes: &str) -> String {
        format!("{nodes} restarted{}", if self.orderly { " gracefully" } else { "" })
    }

    fn takes_down(&self) -> Option<&dyn TakesDown> {
        Some(self)
    }

    fn check(&self, _: &Roster) -> Result<(), String> {
        machine_shutdown::check_within(self.within)
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

impl TakesDown for Reboot {
    fn recovery(&self, cluster: &Cluster, node: &str) -> Recovery {
        // In a lab, a machine that does not come back by itself is switched on.
        Recovery { on: machine_shutdown::own_button(cluster, node), within: self.within }
    }
}
