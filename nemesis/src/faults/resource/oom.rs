//! Limits of memory, with the OOM killer.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Targets;
use crate::fault::{About, Overlap};
use crate::faults::limiting::Limiting;
use crate::means::cgroup::{Knob, Limit};

/// Limits the memory of the system: the kernel kills processes that allocate more. At the heal the system is started again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Oom {
    /// The nodes.
    pub targets: Targets,
    /// How much its processes may allocate together beyond what they have, in MiB. Their page cache counts until the kernel drops it.
    pub mib: u32,
}

impl Default for Oom {
    fn default() -> Oom {
        Oom { targets: Targets::One, mib: 16 }
    }
}

const ABOUT: About = About {
    name: "oom",
    what: "limits the memory of the system, so that the kernel's OOM killer kills processes that allocate more; the system is started again",
    how: "a cgroup with a memory limit, without swap (v1 `memory.limit_in_bytes`, v2 `memory.max`)",
    needs: "a system in the plan; `setsid`; cgroups with the controller `memory` that root may change",
    verified: "the kernel shows the limit, and every process of the system is in the cgroup",
    healed: "the processes go back to the cgroups they came from; the fault's cgroup is empty and deleted; the system is started; its processes run",
    example: "{mib: 16}",
    overlap: Overlap::Exclusive,
    reports_effect: true,
    is_destructive: false,
};

impl Limiting for Oom {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn targets(&self) -> &Targets {
        &self.targets
    }

    fn describe(&self, nodes: &str) -> String {
        format!("{nodes} limited to {} MiB more memory", self.mib)
    }

    fn check(&self) -> Result<(), String> {
        if self.mib == 0 { Err("`mib` must be 1 or more".into()) } else { Ok(()) }
    }

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

    fn may_end_system(&self) -> bool {
        true
    }
}
