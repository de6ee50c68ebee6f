//! Neighbours that take processor time.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::about::{About, Overlap};
use crate::errand::{self, Errand};
use crate::job::{self, Job};
use crate::{Cluster, Deed, Fault, NemesisError, Requirement, Roster, Targets, Work};

/// Keeps a node's processors busy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Cpu {
    /// On which nodes.
    pub targets: Targets,
    /// How many busy processes; two for each processor when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workers: Option<u32>,
}

const ABOUT: About = About {
    name: "cpu",
    what: "keeps a node's processors busy with processes that never wait",
    how: "a job of shells in endless loops, two for each processor unless said otherwise",
    needs: "`setsid`, `pkill`",
    verified: "the job runs",
    healed: "the job is ended; nothing of it runs",
    overlap: Overlap::Apart,
    is_destructive: false,
};

/// The most busy processes that make sense.
const MAX_WORKERS: u32 = 4096;

impl Fault for Cpu {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn targets(&self) -> &Targets {
        &self.targets
    }

    fn what(&self, nodes: &str) -> String {
        format!("{nodes} busy")
    }

    fn check(&self, _: &Roster) -> Result<(), String> {
        match self.workers {
            Some(workers) if !(1..=MAX_WORKERS).contains(&workers) => Err(format!("`workers` is from 1 to {MAX_WORKERS}")),
            _ => Ok(()),
        }
    }

    fn works(&self, cluster: &Cluster, id: u32, deed: &Deed) -> Result<Vec<Work>, NemesisError> {
        let workers = self.workers.map_or("$(( 2 * $(grep -c '^processor' /proc/cpuinfo) ))".to_owned(), |workers| workers.to_string());
        let command = format!("left={workers}; while [ $left -gt 0 ]; do left=$((left - 1)); (while :; do :; done) & done; wait");
        Ok(Job::new(ABOUT.name, id, command).works(cluster, deed, ""))
    }

    fn sweep(&self, cluster: &Cluster) -> Result<Vec<Errand>, NemesisError> {
        Ok(errand::everywhere(cluster, &job::sweep(ABOUT.name)))
    }

    fn requirements(&self) -> Vec<Requirement> {
        vec![Requirement::command(&["setsid"]), Requirement::command(&["pkill"])]
    }
}
