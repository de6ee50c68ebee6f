//! Power failures: the system is killed and unsynced writes are lost.

use elenchus_agent::disk::Writes;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::fault::{About, Need, Overlap};
use crate::means::agent;
use crate::means::fuse_disk;
use crate::means::remote_script::{self, RemoteScript};
use crate::{Cluster, Fault, Injection, Mounts, NemesisError, NodeActions, Requirement, Roster, Targets};

/// Kills the system's processes, discards unsynced writes to a directory, and restarts the system.
///
/// Writes are synced by `fsync`, `fdatasync`, `O_SYNC` and `O_DSYNC`, as on a journalling file system; `sync` and `syncfs` have no effect.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PowerFailure {
    /// The nodes.
    pub targets: Targets,
    /// The directory that has all durable data: `/var/lib/etcd`. A file system is mounted over it on every node while the system runs.
    pub directory: String,
    /// For torn writes, the size of a sector, 512 or 4096 bytes: the seed decides which unsynced sectors, and which of the oldest unsynced changes of names, reached the
    /// disk. None did when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub torn: Option<u32>,
}

const ABOUT: About = About {
    name: "power_failure",
    what: "kills the system, discards its unsynced writes to a directory, or with `torn` some sectors of them, and restarts it",
    how: fuse_disk::HOW,
    needs: "a system in the plan; a machine that the agent was built for; `/dev/fuse`; `umount`; permission to mount, which is tried before the run",
    verified: "no process of the system is left; the file system has discarded everything that was not synced",
    healed: "the system is started; its processes run; after the run the directory is unmounted and contains the latest writes",
    example: "{directory: /var/lib/etcd, torn: 512}",
    overlap: Overlap::Exclusive,
    reports_effect: true,
    is_destructive: true,
};

impl Fault for PowerFailure {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn targets(&self) -> &Targets {
        &self.targets
    }

    fn describe(&self, nodes: &str) -> String {
        match self.torn {
            None => format!("power failure on {nodes}, with unsynced writes to {} lost", self.directory),
            Some(sector) => format!("power failure on {nodes}, with unsynced writes to {} torn at {sector} bytes", self.directory),
        }
    }

    fn needs(&self) -> &'static [Need] {
        &[Need::System]
    }

    fn check(&self, _: &Roster) -> Result<(), String> {
        if self.torn.is_some_and(|sector| ![512, 4096].contains(&sector)) {
            return Err("`torn` must be the size of a sector, 512 or 4096".into());
        }
        fuse_disk::check(&self.directory)
    }

    fn mounts(&self) -> Option<&dyn Mounts> {
        Some(self)
    }

    fn actions(&self, cluster: &Cluster, _: u32, injection: &Injection) -> Result<Vec<NodeActions>, NemesisError> {
        let (seed, sector) = (injection.seed.to_string(), self.torn.map(|sector| sector.to_string()));
        let words: Vec<&str> = ["disk", "order", &self.directory, "fail", &seed].into_iter().chain(sector.as_deref()).collect();
        let fail = agent::order(&words);
        remote_script::stopping(cluster, &injection.nodes, |daemon| {
            format!(": cut the power\n( {} ) || exit 1\n{fail} || exit 1\n", daemon.kill())
        })
    }

    fn undo_all(&self, cluster: &Cluster) -> Result<Vec<RemoteScript>, NemesisError> {
        remote_script::start_everywhere(cluster)
    }

    fn requirements(&self) -> Vec<Requirement> {
        fuse_disk::requirements()
    }
}

impl Mounts for PowerFailure {
    fn mount(&self, cluster: &Cluster) -> Vec<NodeActions> {
        fuse_disk::mount(cluster, &self.directory, Writes::Back)
    }

    fn unmount_all(&self, cluster: &Cluster) -> Vec<RemoteScript> {
        fuse_disk::unmount_all(cluster)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_and_sectors_are_checked() {
        let check = |yaml: &str| serde_yaml::from_str::<PowerFailure>(yaml).unwrap().check(&Roster::of(vec!["n1".into()]));
        assert_eq!(check("{directory: /var/lib/x, torn: 512}"), Ok(()));
        assert!(check("{directory: /var/lib/x, torn: 100}").is_err() && check("{}").is_err() && check("directory: x").is_err());
        assert!(check("directory: /var/lib").unwrap_err().contains("/var/lib/elenchus"));
    }
}
