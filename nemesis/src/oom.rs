//! A system for which the kernel has no memory left.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::about::{About, Overlap};
use crate::cgroup::{self, Knob, Limit};
use crate::errand::{self, Errand};
use crate::{Cluster, Deed, Fault, NemesisError, Requirement, Roster, Targets, Work};

/// Gives the system so much more memory and no more; what takes more than that is killed by the kernel. At the heal it is started again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Oom {
    /// On which nodes.
    pub targets: Targets,
    /// How much its processes may take together beyond what they have, in MiB. Files that they read and write count until the kernel drops them.
    pub mib: u32,
}

impl Default for Oom {
    fn default() -> Oom {
        Oom { targets: Targets::One, mib: 16 }
    }
}

const ABOUT: About = About {
    name: "oom",
    what: "gives the system so much more memory and no more: the kernel's OOM killer ends what takes it, and the system is started again",
    how: "a cgroup with a limit of memory without swap (v1 `memory.limit_in_bytes`, v2 `memory.max`)",
    needs: "a system in the plan; `setsid`; cgroups with the controller `memory` that root may change",
    verified: "the kernel shows the limit, and every process of the system in the cgroup",
    healed: "the processes go back to the cgroups they came from; none is in the fault's, which is deleted; the system's start command; its processes are there",
    overlap: Overlap::Never,
    is_destructive: false,
};

impl Oom {
    fn limit(&self) -> Limit {
        let bytes = (u64::from(self.mib) << 20).to_string();
        let if_there = |knob| Knob { is_optional: true, ..knob };
        Limit {
            controller: "memory",
            path: None,
            v1: vec![Knob::new("memory.limit_in_bytes", bytes.clone(), "-1"), if_there(Knob::new("memory.swappiness", "0", "60"))],
            v2: vec![Knob::new("memory.max", bytes, "max"), if_there(Knob::new("memory.swap.max", "0", "max"))],
        }
    }
}

impl Fault for Oom {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn targets(&self) -> &Targets {
        &self.targets
    }

    fn what(&self, nodes: &str) -> String {
        format!("{nodes} with {} MiB more of memory", self.mib)
    }

    fn needs_system(&self) -> bool {
        true
    }

    fn is_felt(&self, printed: &[String]) -> bool {
        errand::found_processes(printed)
    }

    fn check(&self, _: &Roster) -> Result<(), String> {
        if self.mib == 0 { Err("`mib` must be 1 or more".into()) } else { Ok(()) }
    }

    fn works(&self, cluster: &Cluster, id: u32, deed: &Deed) -> Result<Vec<Work>, NemesisError> {
        let works = self.limit().works(cluster, ABOUT.name, id, deed)?;
        let daemons = errand::on_daemons(cluster, &deed.nodes, |_, daemon| (daemon.start(), daemon.assert_running()))?;
        let started = works.into_iter().zip(daemons).map(|(work, (start, is_running))| Work {
            undo: format!("( {} ) && ( {start} )", work.undo),
            verify_undone: format!("( {} ) && ( {is_running} )", work.verify_undone),
            ..work
        });
        Ok(started.collect())
    }

    fn sweep(&self, cluster: &Cluster) -> Result<Vec<Errand>, NemesisError> {
        let mut errands = cgroup::sweep(cluster);
        errands.extend(errand::start_everywhere(cluster)?);
        Ok(errands)
    }

    fn requirements(&self) -> Vec<Requirement> {
        vec![self.limit().requirement(), Requirement::command(&["setsid"])]
    }
}
