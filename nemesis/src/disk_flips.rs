//! Disks that give back other bits than were written.

use elenchus_agent::disk::serve::Writes;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::about::{About, Overlap};
use crate::{Cluster, Deed, Errand, Fault, NemesisError, Requirement, Roster, Targets, Work, mounted};

/// Flips bits of what is read from the files of a directory. What is on the disk stays as it was.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DiskFlips {
    /// On which nodes.
    pub targets: Targets,
    /// The directory, like `/var/lib/etcd`. It is mounted over on every node while the system runs.
    pub directory: String,
    /// Of which files: a pattern of paths below the directory, like `wal/*.log`. A `*` stands for slashes too.
    pub files: String,
    /// How many bits in each piece that the kernel reads, which is 128 KiB or less.
    #[schemars(range(min = 1))]
    pub bits: u32,
    /// How likely a piece has them, from 0 to 1.
    pub probability: f64,
}

impl Default for DiskFlips {
    fn default() -> DiskFlips {
        DiskFlips { targets: Targets::default(), directory: String::new(), files: "*".into(), bits: 1, probability: 1.0 }
    }
}

const ABOUT: About = About {
    name: "disk_flips",
    what: "flips bits of what is read from the files of a directory, while what is on the disk stays as it was",
    how: mounted::HOW,
    needs: mounted::NEEDS,
    verified: "the file system says that the rule is in force; the kernel has forgotten what it had read before",
    healed: "the rule is taken away, and the file system says so; the kernel has forgotten what was wrong; a system that ended over it is started, but need not live; after the run the directory is unmounted",
    overlap: Overlap::Apart,
    is_destructive: true,
};

/// The most bits in a piece.
const MAX_BITS: u32 = 1000;

impl Fault for DiskFlips {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn targets(&self) -> &Targets {
        &self.targets
    }

    fn what(&self, nodes: &str) -> String {
        format!("{nodes} with {} bits flipped in what is read of {} in {}", self.bits, self.files, self.directory)
    }

    fn check(&self, _: &Roster) -> Result<(), String> {
        if !(1..=MAX_BITS).contains(&self.bits) {
            return Err(format!("`bits` is from 1 to {MAX_BITS}"));
        }
        mounted::check(&self.directory)?;
        mounted::rule(self.probability, "read", &self.files, "flip", &self.bits.to_string()).map(drop)
    }

    fn stage(&self, cluster: &Cluster) -> Vec<Work> {
        mounted::stage(cluster, &self.directory, Writes::Through)
    }

    fn unstage(&self, cluster: &Cluster) -> Vec<Errand> {
        mounted::unstage(cluster)
    }

    fn works(&self, cluster: &Cluster, id: u32, deed: &Deed) -> Result<Vec<Work>, NemesisError> {
        let rule = mounted::rule(self.probability, "read", &self.files, "flip", &self.bits.to_string());
        Ok(mounted::ruled(cluster, id, deed, &self.directory, &rule.map_err(NemesisError::Refused)?))
    }

    fn sweep(&self, cluster: &Cluster) -> Result<Vec<Errand>, NemesisError> {
        Ok(mounted::calm(cluster))
    }

    fn requirements(&self) -> Vec<Requirement> {
        mounted::requirements()
    }

    fn trial(&self) -> Option<Requirement> {
        Some(mounted::trial())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_not_flipped() {
        let check = |yaml: &str| serde_yaml::from_str::<DiskFlips>(yaml).unwrap().check(&Roster::of(vec!["n1".into()]));
        assert_eq!(check("{directory: /var/lib/x, bits: 3, files: '*.db'}"), Ok(()));
        assert!(check("{directory: /var/lib/x, bits: 0}").is_err() && check("{}").is_err());
    }
}
