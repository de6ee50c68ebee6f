//! Stopping the system's processes, and letting them go on.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::about::{About, Overlap};
use crate::cgroup::{self, Knob, Limit};
use crate::errand::{self, Errand};
use crate::{Cluster, Deed, Fault, NemesisError, Requirement, Targets, Work};

/// Pauses the system's processes, and lets them go on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Pause {
    /// On which nodes.
    #[serde(default)]
    pub targets: Targets,
    /// By what means.
    #[serde(default)]
    pub how: How,
}

/// What stops processes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum How {
    /// SIGSTOP. Parents see it, and children that left the system's session are not reached.
    #[default]
    Signal,
    /// The freezer of cgroup v2: nobody sees it, and nothing that the system has started or starts meanwhile escapes.
    Freezer,
}

const ABOUT: About = About {
    name: "pause",
    what: "stops the system's processes as if they waited for the garbage collector, the disk or the hypervisor, and lets them go on",
    how: "SIGSTOP to every process of the system, again until all have stopped; or the freezer of a cgroup",
    needs: "a system in the plan; for the freezer, cgroups of version 2 that root may change",
    verified: "every process of the system is in state `T`, or in the cgroup, of which the kernel says that it is frozen",
    healed: "SIGCONT, and the processes go back to the cgroups they came from; none is in state `T` or in the fault's cgroup, which is deleted",
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

    /// Either way ends with both being undone: of two pauses that overlap, the last to end undoes what either did.
    fn works(&self, cluster: &Cluster, _id: u32, deed: &Deed) -> Result<Vec<Work>, NemesisError> {
        errand::on_daemons(cluster, &deed.nodes, |node, daemon| {
            let frozen = freezer().work("freeze", ABOUT.name, node, daemon);
            let (inject, verify) = match self.how {
                How::Signal => (daemon.pause(), daemon.assert_paused()),
                How::Freezer => (frozen.inject, frozen.verify),
            };
            Work {
                node: frozen.node,
                inject,
                verify,
                undo: format!("( {} ) && ( {} )", frozen.undo, daemon.resume()),
                verify_undone: format!("( {} ) && ( {} )", frozen.verify_undone, daemon.assert_not_paused()),
            }
        })
    }

    fn sweep(&self, cluster: &Cluster) -> Result<Vec<Errand>, NemesisError> {
        let mut errands = cgroup::sweep(cluster);
        errands.extend(errand::on_daemons(cluster, &cluster.all(), |node, daemon| Errand::new(node, daemon.resume()))?);
        Ok(errands)
    }

    fn requirements(&self) -> Vec<Requirement> {
        match self.how {
            How::Signal => Vec::new(),
            How::Freezer => vec![freezer().requirement()],
        }
    }
}

fn freezer() -> Limit {
    let knob = Knob { shown: Some(("cgroup.events", "frozen 1".into())), ..Knob::new("cgroup.freeze", "1", "0") };
    Limit { controller: "freezer", path: None, v1: Vec::new(), v2: vec![knob] }
}
