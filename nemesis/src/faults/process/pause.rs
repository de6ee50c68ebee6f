//! Pausing the system's processes, and resuming them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::fault::{About, Need, Overlap};
use crate::means::cgroup::{self, Knob, Limit};
use crate::means::remote_script::{self, RemoteScript};
use crate::{Cluster, Fault, Injection, NemesisError, NodeActions, Requirement, Targets};

/// Pauses the system's processes, and resumes them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Pause {
    /// The nodes.
    #[serde(default)]
    pub targets: Targets,
    /// How processes are paused.
    #[serde(default)]
    pub how: How,
}

/// How processes are paused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// SIGSTOP. Parent processes notice it, and children that left the system's session are not reached.
    #[default]
    Signal,
    /// The freezer of cgroup v2: no process notices it, and every process that the system has started, or starts meanwhile, is paused.
    Freezer,
}

const ABOUT: About = About {
    name: "pause",
    what: "stops the system's processes, as in a long garbage collection, a slow disk or a paused virtual machine, and resumes them",
    how: "SIGSTOP to every process of the system, repeated until all have stopped; or the freezer of a cgroup",
    needs: "a system in the plan; for the freezer, cgroup v2 that root may change",
    verified: "every process of the system is in state `T`, or is in the cgroup, and the kernel shows that it is frozen",
    healed: "SIGCONT, and the processes go back to the cgroups they came from; none is in state `T` or in the fault's cgroup, which is deleted",
    example: "{targets: minority}",
    overlap: Overlap::Shared,
    reports_effect: true,
    is_destructive: false,
};

impl Fault for Pause {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn targets(&self) -> &Targets {
        &self.targets
    }

    fn describe(&self, nodes: &str) -> String {
        format!("{nodes} paused")
    }

    fn needs(&self) -> &'static [Need] {
        &[Need::System]
    }

    /// The undo covers both ways of pausing: of two pauses that overlap, the last to end undoes both.
    fn actions(&self, cluster: &Cluster, _id: u32, injection: &Injection) -> Result<Vec<NodeActions>, NemesisError> {
        remote_script::on_daemons(cluster, &injection.nodes, |node, daemon| {
            let frozen = freezer().actions("freeze", ABOUT.name, node, daemon);
            let (inject, verify) = match self.how {
                How::Signal => (daemon.pause(), daemon.assert_paused()),
                How::Freezer => (frozen.inject, frozen.verify),
            };
            NodeActions {
                node: frozen.node,
                inject,
                verify,
                undo: format!("( {} ) && ( {} )", frozen.undo, daemon.resume()),
                verify_undone: format!("( {} ) && ( {} )", frozen.verify_undone, daemon.assert_not_paused()),
            }
        })
    }

    fn undo_all(&self, cluster: &Cluster) -> Result<Vec<RemoteScript>, NemesisError> {
        let mut scripts = cgroup::undo_all(cluster);
        scripts.extend(remote_script::on_daemons(cluster, &cluster.all(), |node, daemon| RemoteScript::new(node, daemon.resume()))?);
        Ok(scripts)
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
