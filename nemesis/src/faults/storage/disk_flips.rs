//! Bit flips in reads.

use elenchus_agent::disk::Writes;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::fault::{About, Overlap};
use crate::means::fuse_disk;
use crate::{Cluster, Fault, Injection, Mounts, NemesisError, NodeActions, RemoteScript, Requirement, Roster, Targets};

/// Flips bits in what is read from the files of a directory. The files on the disk are unchanged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DiskFlips {
    /// The nodes.
    pub targets: Targets,
    /// The directory, like `/var/lib/etcd`. A file system is mounted over it on every node while the system runs.
    pub directory: String,
    /// The files: a pattern of paths below the directory, like `wal/*.log`. A `*` matches slashes too.
    pub files: String,
    /// The number of flipped bits in each read of the kernel, which is of 128 KiB or less.
    #[schemars(range(min = 1))]
    pub bits: u32,
    /// The probability that a read has them, greater than 0 and at most 1.
    pub probability: f64,
}

impl Default for DiskFlips {
    fn default() -> DiskFlips {
        DiskFlips { targets: Targets::default(), directory: String::new(), files: "*".into(), bits: 1, probability: 1.0 }
    }
}

const ABOUT: About = About {
    name: "disk_flips",
    what: "flips bits in data read from the files of a directory; the files on the disk are unchanged",
    how: fuse_disk::HOW,
    needs: fuse_disk::NEEDS,
    verified: "the file system confirms that the rule is in force; the page cache was dropped before",
    healed: "the rule is removed, and the file system confirms it; the page cache is dropped; a system that ended because of it is started, but may not survive; after the run the directory is unmounted",
    example: "{directory: /var/lib/etcd, bits: 1}",
    overlap: Overlap::Independent,
    reports_effect: false,
    is_destructive: true,
};

/// The most bits in a read.
const MAX_BITS: u32 = 1000;

impl Fault for DiskFlips {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn targets(&self) -> &Targets {
        &self.targets
    }

    fn describe(&self, nodes: &str) -> String {
        format!("{nodes} with {} bits flipped in reads of {} in {}", self.bits, self.files, self.directory)
    }

    fn check(&self, _: &Roster) -> Result<(), String> {
        if !(1..=MAX_BITS).contains(&self.bits) {
            return Err(format!("`bits` must be from 1 to {MAX_BITS}"));
        }
        fuse_disk::check(&self.directory)?;
        fuse_disk::rule(self.probability, "read", &self.files, "flip", &self.bits.to_string()).map(drop)
    }

    fn mounts(&self) -> Option<&dyn Mounts> {
        Some(self)
    }

    fn actions(&self, cluster: &Cluster, id: u32, injection: &Injection) -> Result<Vec<NodeActions>, NemesisError> {
        let rule = fuse_disk::rule(self.probability, "read", &self.files, "flip", &self.bits.to_string());
        Ok(fuse_disk::ruled(cluster, id, &injection.nodes, injection.seed, &self.directory, &rule.map_err(NemesisError::Refused)?))
    }

    fn undo_all(&self, cluster: &Cluster) -> Result<Vec<RemoteScript>, NemesisError> {
        Ok(fuse_disk::calm(cluster))
    }

    fn requirements(&self) -> Vec<Requirement> {
        fuse_disk::requirements()
    }
}

impl Mounts for DiskFlips {
    fn mount(&self, cluster: &Cluster) -> Vec<NodeActions> {
        fuse_disk::mount(cluster, &self.directory, Writes::Through)
    }

    fn unmount_all(&self, cluster: &Cluster) -> Vec<RemoteScript> {
        fuse_disk::unmount_all(cluster)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_least_one_bit_is_flipped() {
        let check = |yaml: &str| serde_yaml::from_str::<DiskFlips>(yaml).unwrap().check(&Roster::of(vec!["n1".into()]));
        assert_eq!(check("{directory: /var/lib/x, bits: 3, files: '*.db'}"), Ok(()));
        assert!(check("{directory: /var/lib/x, bits: 0}").is_err() && check("{}").is_err());
    }
}
