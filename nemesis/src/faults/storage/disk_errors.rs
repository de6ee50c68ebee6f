//! Disk errors and delays, for some operations on some files.

use elenchus_agent::disk::Writes;
use elenchus_agent::disk::faults::{Operation, Rule, error_names};
use elenchus_core::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::fault::{About, Overlap};
use crate::means::fuse_disk;
use crate::{Cluster, Fault, Injection, Mounts, NemesisError, NodeActions, RemoteScript, Requirement, Roster, Targets};

/// Makes operations on the files of a directory fail, or take longer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DiskErrors {
    /// The nodes.
    pub targets: Targets,
    /// The directory, like `/var/lib/etcd`. A file system is mounted over it on every node while the system runs.
    pub directory: String,
    /// The effect.
    pub how: How,
    /// The operations: `read`, `write`, `sync`, `open`, `create`, `remove`, `rename`, `truncate`, `list`, `attribute`.
    pub operations: Vec<String>,
    /// The files: a pattern of paths below the directory, like `wal/*.log`. A `*` matches slashes too.
    pub files: String,
    /// The probability, greater than 0 and at most 1.
    pub probability: f64,
}

/// The effect on an operation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// It fails with this error, by the kernel's name: `EIO`, `ENOSPC`, `EROFS` …
    Error(String),
    /// It takes this much longer.
    Delay(#[schemars(with = "String")] Span),
}

impl Default for DiskErrors {
    fn default() -> DiskErrors {
        let operations = ["read", "write", "sync"].map(str::to_owned).to_vec();
        let how = How::Error("EIO".into());
        DiskErrors { targets: Targets::default(), directory: String::new(), how, operations, files: "*".into(), probability: 1.0 }
    }
}

const ABOUT: About = About {
    name: "disk",
    what: "makes operations on the files of a directory fail with an error such as EIO, ENOSPC or EROFS, or take longer",
    how: fuse_disk::HOW,
    needs: fuse_disk::NEEDS,
    verified: "the file system confirms that the rule is in force; the page cache was dropped before",
    healed: "the rule is removed, and the file system confirms it; a system that ended because of an error is started; after the run the directory is unmounted",
    example: "{directory: /var/lib/etcd, how: {error: EIO}, probability: 0.1}",
    overlap: Overlap::Independent,
    reports_effect: false,
    is_destructive: false,
};

impl DiskErrors {
    /// The rule for the agent.
    fn rule(&self) -> Result<Rule, String> {
        let (effect, argument) = match &self.how {
            How::Error(name) if !error_names().contains(&name.as_str()) => {
                return Err(format!("`error` must be one of {}, not `{name}`", error_names().join(", ")));
            }
            How::Error(name) => ("error", name.clone()),
            How::Delay(delay) if delay.0.is_zero() => return Err("`delay` must be greater than zero".into()),
            How::Delay(delay) => ("delay", delay.0.as_nanos().to_string()),
        };
        if let Some(wrong) = self.operations.iter().find(|word| Operation::of(word).is_none()) {
            return Err(format!("`operations` must be among {}, not `{wrong}`", Operation::WORDS.join(", ")));
        }
        if self.operations.is_empty() {
            return Err(format!("`operations` is empty; use some of {}", Operation::WORDS.join(", ")));
        }
        fuse_disk::rule(self.probability, &self.operations.join(","), &self.files, effect, &argument)
    }
}

impl Fault for DiskErrors {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn targets(&self) -> &Targets {
        &self.targets
    }

    fn describe(&self, nodes: &str) -> String {
        let operations = self.operations.join(", ");
        let place = format!("{} in {}", self.files, self.directory);
        match &self.how {
            How::Error(name) => format!("{nodes} with {name} for {operations} of {place}"),
            How::Delay(delay) => format!("{nodes} with {delay} more for {operations} of {place}"),
        }
    }

    fn check(&self, _: &Roster) -> Result<(), String> {
        fuse_disk::check(&self.directory)?;
        self.rule().map(drop)
    }

    fn mounts(&self) -> Option<&dyn Mounts> {
        Some(self)
    }

    fn actions(&self, cluster: &Cluster, id: u32, injection: &Injection) -> Result<Vec<NodeActions>, NemesisError> {
        let rule = self.rule().map_err(NemesisError::Refused)?;
        Ok(fuse_disk::ruled(cluster, id, &injection.nodes, injection.seed, &self.directory, &rule))
    }

    fn undo_all(&self, cluster: &Cluster) -> Result<Vec<RemoteScript>, NemesisError> {
        Ok(fuse_disk::calm(cluster))
    }

    fn requirements(&self) -> Vec<Requirement> {
        fuse_disk::requirements()
    }
}

impl Mounts for DiskErrors {
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
    fn rules_that_the_agent_cannot_parse_are_rejected() {
        let check = |yaml: &str| serde_yaml::from_str::<DiskErrors>(yaml).unwrap().check(&Roster::of(vec!["n1".into()]));
        assert_eq!(check("{directory: /var/lib/x, how: {delay: 1s}, operations: [sync], files: 'wal/*', probability: 0.1}"), Ok(()));
        assert!(check("{directory: /var/lib/x, how: {error: EGAL}}").unwrap_err().contains("EIO, ENOSPC"));
        assert!(check("{directory: /var/lib/x, operations: [reed]}").unwrap_err().contains("read, write"));
        for wrong in ["probability: 2", "probability: 0", "operations: []", "files: '$(reboot)'", "files: /x", "how: {delay: 0s}"] {
            assert!(check(&format!("{{directory: /var/lib/x, {wrong}}}")).is_err(), "{wrong}");
        }
    }
}
