//! Machines that start again.

use elenchus_core::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::about::{About, Overlap};
use crate::absence::Comeback;
use crate::downfall::{self, Downfall};
use crate::errand::Errand;
use crate::{Cluster, Deed, Fault, NemesisError, Requirement, Roster, Targets, Work};

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
    what: "restarts whole nodes, at once or in order, and starts the system there; what other faults did to their memory, network and processes is over",
    how: "`reboot(2)`, nothing being synced; with `orderly`, the system's stop signal and `systemctl` or `reboot` of the node",
    needs: "a machine of the helper's kind, other than the control node's; the capability CAP_SYS_BOOT; `setsid`, `pkill`; an SSH server that starts with the machine",
    verified: "the node does not answer, or its first process or its boot identifier is another one than before",
    healed: "SSH answers again; the system's start command; its processes are there",
    overlap: Overlap::Never,
    is_destructive: true,
};

impl Reboot {
    fn downfall(&self) -> Downfall {
        Downfall { fault: ABOUT.name, way: "restart", is_orderly: self.orderly, stays_off: false }
    }
}

impl Fault for Reboot {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn targets(&self) -> &Targets {
        &self.targets
    }

    fn what(&self, nodes: &str) -> String {
        format!("{nodes} restarted{}", if self.orderly { " in order" } else { "" })
    }

    fn takes_down(&self) -> bool {
        true
    }

    fn comeback(&self, cluster: &Cluster, node: &str) -> Option<Comeback> {
        // Where it is known how, a machine that does not come back by itself is helped.
        Some(Comeback { on: downfall::own_button(cluster, node), within: self.within })
    }

    fn check(&self, _: &Roster) -> Result<(), String> {
        downfall::check_within(self.within)
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
