//! Limits of disk throughput.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Targets;
use crate::fault::{About, Overlap};
use crate::faults::limiting::Limiting;
use crate::means::cgroup::{Knob, Limit};

/// Limits how many bytes a second the system's processes read from a disk and write to it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Io {
    /// The nodes.
    pub targets: Targets,
    /// A directory on the disk, such as the system's data directory.
    pub path: String,
    /// The most that is read, in KiB a second; unlimited when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read_kib: Option<u64>,
    /// The most that is written, in KiB a second; unlimited when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub write_kib: Option<u64>,
}

const ABOUT: About = About {
    name: "io",
    what: "limits how many bytes a second the system's processes read from a disk and write to it",
    how: "a cgroup with limits for the disk of a directory (v1 `blkio.throttle`, which does not limit delayed writes of the page cache; v2 `io.max`)",
    needs: "a system in the plan; cgroups with the controller `blkio` or `io` that root may change; `df`, `mountpoint`; a directory on a block device",
    verified: "the kernel shows the limits, and every process of the system is in the cgroup",
    healed: "the processes go back to the cgroups they came from; the fault's cgroup is empty and deleted",
    example: "{path: /var/lib/etcd, write_kib: 256}",
    overlap: Overlap::Exclusive,
    reports_effect: true,
    is_destructive: false,
};

/// The largest limit, in KiB a second, that the kernel can represent in bytes.
const MAX_KIB: u64 = 1 << 50;

impl Limiting for Io {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn targets(&self) -> &Targets {
        &self.targets
    }

    fn describe(&self, nodes: &str) -> String {
        let rates = [("read", self.read_kib), ("written", self.write_kib)];
        let rates: Vec<String> = rates.iter().filter_map(|(verb, kib)| Some(format!("{} KiB/s {verb}", (*kib)?))).collect();
        format!("{nodes} with at most {} on the disk of {}", rates.join(" and "), self.path)
    }

    fn check(&self) -> Result<(), String> {
        if !self.path.starts_with('/') {
            return Err(format!("`path` must be the absolute path of a directory, not `{}`", self.path));
        }
        match (self.read_kib, self.write_kib) {
            (None, None) => Err("no limit is set; set `read_kib`, `write_kib` or both".into()),
            (Some(0), _) | (_, Some(0)) => Err("`read_kib` and `write_kib` must be 1 or more".into()),
            _ => Ok(()),
        }
    }

    fn limit(&self) -> Limit {
        let bytes = |kib: Option<u64>| kib.map(|kib| kib.min(MAX_KIB) << 10);
        let (read, write) = (bytes(self.read_kib), bytes(self.write_kib));
        let v1 = [("blkio.throttle.read_bps_device", read), ("blkio.throttle.write_bps_device", write)];
        let v1 = v1.into_iter().filter_map(|(file, rate)| Some(Knob::new(file, format!("$device {}", rate?), "$device 0")));
        let word = |rate: Option<u64>| rate.map_or("max".to_owned(), |rate| rate.to_string());
        let set = format!("$device rbps={} wbps={} riops=max wiops=max", word(read), word(write));
        let v2 = vec![Knob::new("io.max", set, "$device rbps=max wbps=max riops=max wiops=max")];
        Limit { controller: "blkio", path: Some(self.path.clone()), v1: v1.collect(), v2 }
    }
}
