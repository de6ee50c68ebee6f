//! The power that fails: the system is gone at once, and with it what it wrote and never synced.

use elenchus_agent::disk::serve::Writes;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::about::{About, Overlap};
use crate::errand::{self, Errand};
use crate::{Cluster, Deed, Fault, NemesisError, Requirement, Roster, Targets, Work, helper, mounted};

/// Kills the system's processes, takes from a directory what was not synced, and starts the system on what is left.
///
/// Synced is what `fsync`, `fdatasync`, `O_SYNC` and `O_DSYNC` say, as of a journalling file system; `sync` and `syncfs` are not heard of there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PowerFailure {
    /// On which nodes.
    pub targets: Targets,
    /// The directory, which all that must survive is in: `/var/lib/etcd`. It is mounted over on every node while the system runs.
    pub directory: String,
    /// For torn writes: of what was not synced, the seed decides which sectors of so many bytes, 512 or 4096, reached the disk; and which of the oldest changes of
    /// names. Nothing did when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub torn: Option<u32>,
}

const ABOUT: About = About {
    name: "power_failure",
    what: "kills the system, loses what it wrote to a directory and did not sync, or with `torn` some sectors of it, and starts it on what is left",
    how: mounted::HOW,
    needs: "a system in the plan; a machine of the helper's kind; `/dev/fuse`; `umount`; mounting, as is tried before the run",
    verified: "no process of the system is left; the file system has undone all that was not synced",
    healed: "the system's start command; its processes are there; after the run the directory is unmounted and holds what was written last",
    overlap: Overlap::Never,
    is_destructive: true,
};

impl Fault for PowerFailure {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn targets(&self) -> &Targets {
        &self.targets
    }

    fn what(&self, nodes: &str) -> String {
        match self.torn {
            None => format!("{nodes} without power, and without what was not synced in {}", self.directory),
            Some(sector) => format!("{nodes} without power, with writes to {} torn at {sector} bytes", self.directory),
        }
    }

    fn needs_system(&self) -> bool {
        true
    }

    fn check(&self, _: &Roster) -> Result<(), String> {
        if self.torn.is_some_and(|sector| ![512, 4096].contains(&sector)) {
            return Err("`torn` is the size of a sector, 512 or 4096".into());
        }
        mounted::check(&self.directory)
    }

    fn is_felt(&self, printed: &[String]) -> bool {
        errand::found_processes(printed)
    }

    fn stage(&self, cluster: &Cluster) -> Vec<Work> {
        mounted::stage(cluster, &self.directory, Writes::Back)
    }

    fn unstage(&self, cluster: &Cluster) -> Vec<Errand> {
        mounted::unstage(cluster)
    }

    fn works(&self, cluster: &Cluster, _: u32, deed: &Deed) -> Result<Vec<Work>, NemesisError> {
        let (seed, sector) = (deed.seed.to_string(), self.torn.map(|sector| sector.to_string()));
        let words: Vec<&str> = ["disk", "order", &self.directory, "fail", &seed].into_iter().chain(sector.as_deref()).collect();
        let fail = helper::order(&words);
        errand::ended(cluster, &deed.nodes, |daemon| format!(": cut the power\n( {} ) || exit 1\n{fail} || exit 1\n", daemon.kill()))
    }

    fn sweep(&self, cluster: &Cluster) -> Result<Vec<Errand>, NemesisError> {
        errand::start_everywhere(cluster)
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
    fn directories_and_sectors_are_looked_at() {
        let check = |yaml: &str| serde_yaml::from_str::<PowerFailure>(yaml).unwrap().check(&Roster::of(vec!["n1".into()]));
        assert_eq!(check("{directory: /var/lib/x, torn: 512}"), Ok(()));
        assert!(check("{directory: /var/lib/x, torn: 100}").is_err() && check("{}").is_err() && check("directory: x").is_err());
        assert!(check("directory: /var/lib").unwrap_err().contains("/var/lib/elenchus"));
    }
}
