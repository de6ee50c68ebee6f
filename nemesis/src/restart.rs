//! Ending the system in order, and starting it again.

use elenchus_control::system::daemon::Daemon;
use elenchus_core::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::about::{About, Overlap};
use crate::errand::{self, Errand};
use crate::{Cluster, Deed, Fault, NemesisError, Requirement, Targets, Work};

/// Asks the system to end, as its definition says, and starts it again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Restart {
    /// On which nodes.
    #[serde(default)]
    pub targets: Targets,
}

const ABOUT: About = About {
    name: "restart",
    what: "ends the system in order, as an operator would, and starts it again",
    how: "the stop signal of the system's definition, and SIGKILL after its grace",
    needs: "a system in the plan; `setsid`",
    verified: "no process of the system is left",
    healed: "the system's start command; its processes are there",
    overlap: Overlap::Shared,
    is_destructive: false,
};

impl Fault for Restart {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn targets(&self) -> &Targets {
        &self.targets
    }

    fn what(&self, nodes: &str) -> String {
        format!("{nodes} ended in order")
    }

    fn needs_system(&self) -> bool {
        true
    }

    fn works(&self, cluster: &Cluster, _id: u32, deed: &Deed) -> Result<Vec<Work>, NemesisError> {
        let stop = &cluster.system()?.definition().stop;
        errand::ended(cluster, &deed.nodes, |daemon| daemon.assert_running() + &daemon.stop(stop))
    }

    fn limit(&self, cluster: &Cluster) -> Span {
        cluster.system().map_or(errand::LIMIT, |system| Daemon::stop_limit(&system.definition().stop))
    }

    fn sweep(&self, cluster: &Cluster) -> Result<Vec<Errand>, NemesisError> {
        errand::start_everywhere(cluster)
    }

    fn requirements(&self) -> Vec<Requirement> {
        vec![Requirement::command(&["setsid"])]
    }
}
