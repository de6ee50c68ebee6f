//! Limits of processes and threads.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Targets;
use crate::fault::{About, Overlap};
use crate::faults::limiting::Limiting;
use crate::means::cgroup::{Knob, Limit};

/// Limits how many processes and threads the system may have. Existing ones are not affected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Pids {
    /// The nodes.
    pub targets: Targets,
    /// The most processes and threads that the system may have together. While it has as many or more, it cannot start another.
    pub limit: u32,
}

impl Default for Pids {
    fn default() -> Pids {
        Pids { targets: Targets::One, limit: 1 }
    }
}

const ABOUT: About = About {
    name: "pids",
    what: "limits how many processes and threads the system may have, so that it cannot start more",
    how: "a cgroup with a limit (`pids.max`, v1 and v2)",
    needs: "a system in the plan; cgroups with the controller `pids` that root may change",
    verified: "the kernel shows the limit, and every process of the system is in the cgroup",
    healed: "the processes go back to the cgroups they came from; the fault's cgroup is empty and deleted",
    example: "{limit: 1}",
    overlap: Overlap::Exclusive,
    reports_effect: true,
    is_destructive: false,
};

impl Limiting for Pids {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn targets(&self) -> &Targets {
        &self.targets
    }

    fn describe(&self, nodes: &str) -> String {
        format!("{nodes} with at most {} processes and threads", self.limit)
    }

    fn check(&self) -> Result<(), String> {
        if self.limit == 0 { Err("`limit` must be 1 or more".into()) } else { Ok(()) }
    }

    fn limit(&self) -> Limit {
        let knob = || vec![Knob::new("pids.max", self.limit.to_string(), "max")];
        Limit { controller: "pids", path: None, v1: knob(), v2: knob() }
    }
}
