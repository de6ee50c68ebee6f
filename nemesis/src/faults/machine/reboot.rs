//! Machines that start again.

use elenchus_core::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::fault::{About, Overlap};
use crate::means::machine_shutdown::{self, MachineShutdown};
use crate::means::node_down::Recovery;
use crate::means::remote_script::RemoteScript;
use crate::{Cluster, Fault, Injection, NemesisError, NodeActions, Requirement, Roster, TakesDown, Targets};

/// Restarts whole nodes, and starts the system there when the fault is healed, unless it starts by itself. What was in memory is gone: processes, connections, what
/// other faults did to the network.
///
/// A node is back as soon as it is; `for` is how long until the system is started again, and at least as long as the machine takes. When the control node dies
/// meanwhile, nothing starts the system but the machine itself, or `elenchus heal`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Reboot {
    /// Which nodes.
    pub targets: Targets,
    /// Whether the system is stopped as its definition says, and the machine is asked to go down, as an operator would. Otherwise it is as if somebody pressed the
    /// reset button: nothing is ended, nothing is written to the disks, and no connection is closed.
    pub orderly: bool,
    /// How long the machine may take to go down, and to be back, before it is told that it is not.
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
        format!("{nodes} restarted{}", if self.orderly { " in order" } else { "" })
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
        // Where it is known how, a machine that does not come back by itself is helped.
        Recovery { on: machine_shutdown::own_button(cluster, node), within: self.within }
    }
}
