//! Busy processors.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::fault::{About, Overlap};
use crate::means::job::{self, Job};
use crate::means::remote_script::{self, RemoteScript};
use crate::{Cluster, Fault, Injection, NemesisError, NodeActions, Requirement, Roster, Targets};

/// Keeps a node's processors busy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Cpu {
    /// The nodes.
    pub targets: Targets,
    /// The number of busy processes; two for each processor when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workers: Option<u32>,
}

const ABOUT: About = About {
    name: "cpu",
    what: "keeps a node's processors busy",
    how: "a background job of shells in endless loops, two for each processor by default",
    needs: "`setsid`, `pkill`",
    verified: "the job runs",
    healed: "the job is killed; none of its processes is left",
    example: "{workers: 8}",
    overlap: Overlap::Independent,
    reports_effect: false,
    is_destructive: false,
};

/// The most busy processes.
const MAX_WORKERS: u32 = 4096;

impl Fault for Cpu {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn targets(&self) -> &Targets {
        &self.targets
    }

    fn describe(&self, nodes: &str) -> String {
        format!("{nodes} busy")
    }

    fn check(&self, _: &Roster) -> Result<(), String> {
        match self.workers {
            Some(workers) if !(1..=MAX_WORKERS).contains(&workers) => Err(format!("`workers` must be from 1 to {MAX_WORKERS}")),
            _ => Ok(()),
        }
    }

    fn actions(&self, cluster: &Cluster, id: u32, injection: &Injection) -> Result<Vec<NodeActions>, NemesisError> {
        let workers = self.workers.map_or("$(( 2 * $(grep -c '^processor' /proc/cpuinfo) ))".to_owned(), |workers| workers.to_string());
        let command = format!("left={workers}; while [ $left -gt 0 ]; do left=$((left - 1)); (while :; do :; done) & done; wait");
        Ok(Job::new(ABOUT.name, id, command).actions(cluster, &injection.nodes, ""))
    }

    fn undo_all(&self, cluster: &Cluster) -> Result<Vec<RemoteScript>, NemesisError> {
        Ok(remote_script::everywhere(cluster, &job::undo_all(ABOUT.name)))
    }

    fn requirements(&self) -> Vec<Requirement> {
        Requirement::commands(&["setsid", "pkill"])
    }
}
