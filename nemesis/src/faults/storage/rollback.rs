//! Files that are rolled back, as when a backup or a snapshot is restored.

use std::time::Duration;

use elenchus_control::command::quote;
use elenchus_control::system::daemon::Daemon;
use elenchus_core::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::fault::{About, Need, Overlap};
use crate::means::node_lock;
use crate::means::remote_script::{self, RemoteScript};
use crate::{Cluster, Fault, Injection, NemesisError, NodeActions, Requirement, Roster, Targets};

/// Kills the system, and starts it on an older copy of a file or a directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Rollback {
    /// The nodes.
    pub targets: Targets,
    /// The absolute path of the file or directory: `/var/lib/etcd`.
    pub path: String,
    /// The age of the copy, up to 15s. It is made this long before the system is killed, while the system is paused, so that its files are consistent.
    #[schemars(with = "String")]
    pub age: Span,
    /// Whether the heal kills the system again and restores the newer files. Otherwise the old copy stays.
    pub restore: bool,
}

impl Default for Rollback {
    fn default() -> Rollback {
        Rollback { targets: Targets::default(), path: String::new(), age: Span(Duration::from_secs(5)), restore: false }
    }
}

const ABOUT: About = About {
    name: "rollback",
    what: "kills the system, and starts it on a copy of its files that is some seconds old",
    how: "`cp` while the system is paused; seconds later the system is killed and the copy replaces the files, which are kept on the node until the heal",
    needs: "a system in the plan; `cp`, `find`, `diff`; space in `/var/tmp` for two copies of the files",
    verified: "before the system is started, the files are equal to the old copy and differ from the newer files",
    healed: "with `restore`, the system is killed and the newer files are put back and compared; the system is started, but may not survive on old files",
    example: "{path: /var/lib/etcd, age: 5s}",
    overlap: Overlap::Exclusive,
    reports_effect: false,
    is_destructive: true,
};

/// The greatest age: the injection takes as long.
const MAX_AGE: Duration = Duration::from_secs(15);

/// `older` and `newer`: the copies; `done`: there when the system was started on the older.
fn folder(id: u32) -> String {
    format!("/var/tmp/elenchus-rollback-{id}")
}

impl Rollback {
    /// Copies the file or directory.
    fn copy(&self, to: &str) -> String {
        format!("cp -a {path} {to}\n", path = quote(&self.path))
    }

    /// Puts a copy in place. A directory itself is kept, as it may be a mount point.
    fn put(&self, from: &str) -> String {
        let path = quote(&self.path);
        format!(
            "if [ -d {from} ]; then find {path} -mindepth 1 -delete && cp -a {from}/. {path}; else rm -f {path} && cp -a {from} {path}; fi || exit 1\n\
             diff -r {from} {path} >/dev/null || {{ echo {differs} >&2; exit 1; }}\n\
             sync\n",
            differs = quote(&format!("{} differs from its copy", self.path)),
        )
    }

    fn inject(&self, daemon: &Daemon, id: u32) -> String {
        let folder = folder(id);
        let (older, newer) = (format!("{folder}/older"), format!("{folder}/newer"));
        format!(
            ": roll back\n[ -e {path} ] || {{ echo {none} >&2; exit 1; }}\n\
             rm -rf {folder}; mkdir -p {folder} && chmod 700 {folder} || exit 1\n\
             ( {pause} ) >/dev/null || exit 1\n\
             {copy_older}copied=$?\n\
             ( {resume} ) >/dev/null && [ $copied = 0 ] || exit 1\n\
             sleep {age}\n\
             ( {kill} ) >/dev/null || exit 1\n\
             {copy_newer}[ $? = 0 ] && : >{folder}/whole || exit 1\n\
             if diff -r {older} {newer} >/dev/null; then echo {same} >&2; exit 1; fi\n\
             {put}( {start} ) || exit 1\n: >{folder}/done\n",
            path = quote(&self.path),
            none = quote(&format!("{} does not exist", self.path)),
            same = quote(&format!("{} has not changed within {}", self.path, self.age)),
            pause = daemon.pause(),
            resume = daemon.resume(),
            copy_older = self.copy(&older),
            copy_newer = self.copy(&newer),
            age = self.age.0.as_secs_f64(),
            kill = daemon.kill(),
            put = self.put(&older),
            start = daemon.start(),
        )
    }

    fn undo(&self, daemon: &Daemon, id: u32) -> String {
        let folder = folder(id);
        // If the copy was not finished, the files were not replaced.
        let restore = format!(
            "if [ -e {folder}/whole ]; then\n( {} ) >/dev/null || exit 1\n{}fi\n",
            daemon.kill(),
            self.put(&format!("{folder}/newer"))
        );
        // An injection that stopped half-way is undone in any case.
        let when = if self.restore { restore } else { format!("if [ ! -e {folder}/done ]; then\n{restore}fi\n") };
        let put_back = format!(
            "if [ -e {folder} ]; then\n( {resume} ) >/dev/null || exit 1\n{when}fi\n( {start} ) 8>&- || exit 1\nrm -rf {folder}\n",
            resume = daemon.resume(),
            start = daemon.start(),
        );
        format!(": put back\n{}", node_lock::with_copy_lock(&put_back))
    }
}

impl Fault for Rollback {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn targets(&self) -> &Targets {
        &self.targets
    }

    fn describe(&self, nodes: &str) -> String {
        format!("{nodes} with {} rolled back by {}", self.path, self.age)
    }

    fn needs(&self) -> &'static [Need] {
        &[Need::System]
    }

    fn check(&self, _: &Roster) -> Result<(), String> {
        if !self.path.starts_with('/') || self.path.len() < 2 || self.path.ends_with('/') {
            return Err(format!("`path` must be the absolute path of a file or a directory, not `{}`", self.path));
        }
        if self.age.0.is_zero() || self.age.0 > MAX_AGE {
            return Err(format!("`age` must be greater than zero and at most {}", Span(MAX_AGE)));
        }
        Ok(())
    }

    fn actions(&self, cluster: &Cluster, id: u32, injection: &Injection) -> Result<Vec<NodeActions>, NemesisError> {
        let folder = folder(id);
        remote_script::on_daemons(cluster, &injection.nodes, |node, daemon| NodeActions {
            node,
            inject: self.inject(daemon, id),
            verify: format!(": is-rolled-back\n[ -e {folder}/done ] || {{ echo 'nothing was rolled back' >&2; exit 1; }}\n"),
            undo: self.undo(daemon, id),
            verify_undone: format!(": is-put-back\nif [ -e {folder} ]; then echo 'the files were not restored' >&2; exit 1; fi\n"),
        })
    }

    fn time_limit(&self, _: &Cluster) -> Span {
        // Copying large files takes time.
        remote_script::LONGEST
    }

    fn undo_all(&self, cluster: &Cluster) -> Result<Vec<RemoteScript>, NemesisError> {
        remote_script::start_everywhere(cluster)
    }

    fn requirements(&self) -> Vec<Requirement> {
        Requirement::commands(&["cp", "find", "diff"])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_and_paths_are_checked() {
        let check = |yaml: &str| serde_yaml::from_str::<Rollback>(yaml).unwrap().check(&Roster::of(vec!["n1".into()]));
        assert_eq!(check("{path: /var/lib/x, age: 2s}"), Ok(()));
        assert!(check("{path: x}").is_err() && check("{path: /}").is_err() && check("{path: /x, age: 1m}").unwrap_err().contains("15s"));
    }
}
