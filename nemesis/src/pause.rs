//! Stopping the system's processes with SIGSTOP, and letting them go on.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::about::{About, Overlap};
use crate::errand::{self, Errand};
use crate::{Cluster, Deed, Fault, NemesisError, Targets, Work};

/// Pauses the system's processes, and lets them go on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Pause {
    /// On which nodes.
    #[serde(default)]
    pub targets: Targets,
}

const ABOUT: About = About {
    name: "pause",
    what: "stops the system's processes as if they waited for the garbage collector, the disk or the hypervisor, and lets them go on",
    how: "SIGSTOP to every process of the system, again until all have stopped",
    needs: "a system in the plan",
    verified: "every process of the system is in state `T`",
    healed: "SIGCONT; no process of the system is in state `T`",
    overlap: Overlap::Shared,
    is_destructive: false,
};

impl Fault for Pause {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn targets(&self) -> &Targets {
        &self.targets
    }

    fn what(&self, nodes: &str) -> String {
        format!("{nodes} paused")
    }

    fn needs_system(&self) -> bool {
        true
    }

    fn is_felt(&self, printed: &[String]) -> bool {
        errand::found_processes(printed)
    }

    fn works(&self, cluster: &Cluster, _id: u32, deed: &Deed) -> Result<Vec<Work>, NemesisError> {
        errand::on_daemons(cluster, &deed.nodes, |node, daemon| Work {
            node,
            inject: daemon.pause(),
            verify: daemon.assert_paused(),
            undo: daemon.resume(),
            verify_undone: daemon.assert_not_paused(),
        })
    }

    fn sweep(&self, cluster: &Cluster) -> Result<Vec<Errand>, NemesisError> {
        errand::on_daemons(cluster, &cluster.all(), |node, daemon| Errand { node, script: daemon.resume() })
    }
}
