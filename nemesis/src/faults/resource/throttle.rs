//! Limits of processor time.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Targets;
use crate::fault::{About, Overlap};
use crate::faults::limiting::Limiting;
use crate::means::cgroup::{Knob, Limit};

/// Limits the processor time of the system's processes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Throttle {
    /// The nodes.
    pub targets: Targets,
    /// The processor time of all its processes together, in processors: 0.1 is a tenth of one.
    pub cpus: f64,
}

impl Default for Throttle {
    fn default() -> Throttle {
        Throttle { targets: Targets::One, cpus: 0.1 }
    }
}

const ABOUT: About = About {
    name: "throttle",
    what: "limits the processor time of the system's processes: when they have used their quota, they wait for the rest of each tenth of a second",
    how: "a cgroup with a quota of processor time (v1 `cpu.cfs_quota_us`, v2 `cpu.max`)",
    needs: "a system in the plan; cgroups with the controller `cpu` that root may change",
    verified: "the kernel shows the quota, and every process of the system is in the cgroup",
    healed: "the processes go back to the cgroups they came from; the fault's cgroup is empty and deleted",
    example: "{cpus: 0.1}",
    overlap: Overlap::Exclusive,
    reports_effect: true,
    is_destructive: false,
};

/// The period of the quota, in microseconds.
const PERIOD: u32 = 100_000;
/// The valid quotas, in processors.
const SHARES: std::ops::RangeInclusive<f64> = 0.01..=1024.0;

impl Limiting for Throttle {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn targets(&self) -> &Targets {
        &self.targets
    }

    fn describe(&self, nodes: &str) -> String {
        format!("{nodes} with {} of a processor", self.cpus)
    }

    fn check(&self) -> Result<(), String> {
        if SHARES.contains(&self.cpus) { Ok(()) } else { Err(format!("`cpus` must be from {} to {}", SHARES.start(), SHARES.end())) }
    }

    fn limit(&self) -> Limit {
        let quota = (self.cpus * f64::from(PERIOD)).round();
        Limit {
            controller: "cpu",
            path: None,
            v1: vec![Knob::new("cpu.cfs_quota_us", quota.to_string(), "-1")],
            v2: vec![Knob::new("cpu.max", format!("{quota} {PERIOD}"), format!("max {PERIOD}"))],
        }
    }
}
