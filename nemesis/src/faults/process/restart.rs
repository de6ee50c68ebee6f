//! Stopping the system gracefully, and starting it again.

use elenchus_control::system::daemon::Daemon;
use elenchus_core::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::fault::{About, Need, Overlap};
use crate::means::remote_script::{self, RemoteScript};
use crate::{Cluster, Fault, Injection, NemesisError, NodeActions, Requirement, Targets};

/// Stops the system gracefully, as its definition says, and starts it again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Restart {
    /// The nodes.
    #[serde(default)]
    pub targets: Targets,
}

const ABOUT: About = About {
    name: "restart",
    what: "stops the system gracefully, as an operator would, and starts it again",
    how: "the stop signal of the system's definition, and SIGKILL after its grace period",
    needs: "a system in the plan; `setsid`",
    verified: "no process of the system is left",
    healed: "the system is started; its processes run",
    example: "{targets: one}",
    overlap: Overlap::Shared,
    reports_effect: false,
    is_destructive: false,
};

impl Fault for Restart {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn targets(&self) -> &Targets {
        &self.targets
    }

    fn describe(&self, nodes: &str) -> String {
        format!("{nodes} stopped gracefully")
    }

    fn needs(&self) -> &'static [Need] {
        &[Need::System]
    }

    fn actions(&self, cluster: &Cluster, _id: u32, injection: &Injection) -> Result<Vec<NodeActions>, NemesisError> {
        let stop = &cluster.system()?.definition().stop;
        remote_script::stopping(cluster, &injection.nodes, |daemon| daemon.assert_running() + &daemon.stop(stop))
    }

    fn time_limit(&self, cluster: &Cluster) -> Span {
        cluster.system().map_or(remote_script::LIMIT, |system| Daemon::stop_limit(&system.definition().stop))
    }

    fn undo_all(&self, cluster: &Cluster) -> Result<Vec<RemoteScript>, NemesisError> {
        remote_script::start_everywhere(cluster)
    }

    fn requirements(&self) -> Vec<Requirement> {
        vec![Requirement::command(&["setsid"])]
    }
}
