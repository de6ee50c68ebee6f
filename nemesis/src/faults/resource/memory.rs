//! Memory shortage.

use elenchus_control::command::quote;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::fault::{About, Overlap};
use crate::means::job::{self, Job};
use crate::means::remote_script::{self, RemoteScript};
use crate::{Cluster, Fault, Injection, NemesisError, NodeActions, Requirement, Roster, Targets};

/// Uses up a node's memory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Memory {
    /// The nodes.
    pub targets: Targets,
    /// How much is used up, in MiB.
    pub mib: u32,
}

impl Default for Memory {
    fn default() -> Memory {
        Memory { targets: Targets::One, mib: 256 }
    }
}

const ABOUT: About = About {
    name: "memory",
    what: "uses up a node's memory",
    how: "a background job in which `tail` buffers one endless line",
    needs: "`setsid`, `pkill`, `head`, `tail`",
    verified: "the job runs, and has allocated the memory",
    healed: "the job is killed; none of its processes is left",
    example: "{mib: 512}",
    overlap: Overlap::Independent,
    reports_effect: false,
    is_destructive: false,
};

impl Fault for Memory {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn targets(&self) -> &Targets {
        &self.targets
    }

    fn describe(&self, nodes: &str) -> String {
        format!("{nodes} with {} MiB of memory used up", self.mib)
    }

    fn check(&self, _: &Roster) -> Result<(), String> {
        if self.mib == 0 { Err("`mib` must be 1 or more".into()) } else { Ok(()) }
    }

    fn actions(&self, cluster: &Cluster, id: u32, injection: &Injection) -> Result<Vec<NodeActions>, NemesisError> {
        let bytes = u64::from(self.mib) << 20;
        let job = Job::new(ABOUT.name, id, format!("(head -c {bytes} /dev/zero; exec sleep 100000000) | tail"));
        // Writing it takes a while.
        let holds = format!(
            "read -r leader since <{}\ntries=0\n\
             until cat $(pgrep -s $leader | sed 's|.*|/proc/&/status|') 2>/dev/null | awk '/^VmRSS:/ {{ s += $2 }} END {{ exit s < {} }}'; do\n\
             \x20 tries=$((tries + 1)); [ $tries -lt 200 ] || {{ echo 'the memory is not allocated' >&2; exit 1; }}; sleep 0.1\n\
             done\n",
            quote(&job.pidfile()),
            bytes / 1024 / 10 * 9
        );
        Ok(job.actions(cluster, &injection.nodes, &holds))
    }

    fn undo_all(&self, cluster: &Cluster) -> Result<Vec<RemoteScript>, NemesisError> {
        Ok(remote_script::everywhere(cluster, &job::undo_all(ABOUT.name)))
    }

    fn requirements(&self) -> Vec<Requirement> {
        Requirement::commands(&["setsid", "pkill", "head", "tail"])
    }
}
