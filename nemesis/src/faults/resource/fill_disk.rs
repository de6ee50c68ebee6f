//! Full disks.

use elenchus_control::command::quote;
use elenchus_core::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::fault::{About, Overlap};
use crate::means::remote_script::{self, RemoteScript};
use crate::{Cluster, Fault, Injection, NemesisError, NodeActions, Requirement, Roster, Targets};

/// Fills the disk of a directory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct FillDisk {
    /// The nodes.
    pub targets: Targets,
    /// A directory on the disk.
    pub path: String,
    /// How much space is left free, in KiB.
    pub leave_kib: u64,
}

const ABOUT: About = About {
    name: "fill_disk",
    what: "fills the disk of a directory, so that writes fail with ENOSPC",
    how: "a file `.elenchus-fill-…` in the directory, as large as the free space",
    needs: "the directory; `stat`, `fallocate` or `dd`",
    verified: "the file exists, and no more space is free than `leave_kib`, or no more can be written",
    healed: "the file is deleted",
    example: "{path: /var/lib/etcd}",
    overlap: Overlap::Exclusive,
    reports_effect: false,
    is_destructive: false,
};

/// How much may be free on a full disk, in KiB: file systems reserve some space.
const SLACK_KIB: u64 = 1024;

impl FillDisk {
    fn file(&self, id: &str) -> String {
        format!("{}/.elenchus-fill-{id}", self.path.trim_end_matches('/'))
    }

    /// Sets `$free`: the free space in KiB, with the part reserved for root, as servers may run as root.
    fn free(&self) -> String {
        format!("set -- $(stat -f -c '%f %S' {}) && free=$(($1 * ($2 / 512) / 2)) || exit 1\n", quote(&self.path))
    }
}

impl Fault for FillDisk {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn targets(&self) -> &Targets {
        &self.targets
    }

    fn describe(&self, nodes: &str) -> String {
        format!("{nodes} with the disk of {} full", self.path)
    }

    fn check(&self, _: &Roster) -> Result<(), String> {
        if self.path.starts_with('/') {
            Ok(())
        } else {
            Err(format!("`path` must be the absolute path of a directory, not `{}`", self.path))
        }
    }

    fn actions(&self, cluster: &Cluster, id: u32, injection: &Injection) -> Result<Vec<NodeActions>, NemesisError> {
        let (file, free, leave) = (quote(&self.file(&id.to_string())), self.free(), self.leave_kib);
        let nodes = cluster.at(&injection.nodes);
        let actions = nodes.map(|node| NodeActions {
            node: node.name.clone(),
            // Where `fallocate` is not supported, `dd` is used; that it ends with ENOSPC is intended.
            inject: format!(
                ": fill\n{free}take=$((free - {leave}))\n[ $take -gt 0 ] || {{ : >{file}; exit 0; }}\n\
                 fallocate -l ${{take}}K {file} 2>/dev/null || dd if=/dev/zero of={file} bs=1024 count=$take 2>/dev/null\n\
                 [ -e {file} ] || {{ echo 'the file cannot be written' >&2; exit 1; }}\n"
            ),
            // A file system may count space as free that it does not give out, so writing is tried.
            verify: format!(
                ": is-full\n[ -e {file} ] || {{ echo 'the file is not there' >&2; exit 1; }}\n\
                 {free}[ $free -gt $(({leave} + {SLACK_KIB})) ] || exit 0\n\
                 dd if=/dev/zero of={file}-tried bs=1024 count=$(({leave} + {SLACK_KIB})) 2>/dev/null; is_full=$?\nrm -f {file}-tried\n\
                 [ $is_full != 0 ] || {{ echo \"$free KiB are free\" >&2; exit 1; }}\n"
            ),
            undo: format!(": empty\nrm -f {file} {file}-tried\n"),
            verify_undone: format!(": is-empty\nif [ -e {file} ]; then echo 'the file is still there' >&2; exit 1; fi\n"),
        });
        Ok(actions.collect())
    }

    fn time_limit(&self, _: &Cluster) -> Span {
        // `dd` writes every byte.
        remote_script::LONGEST
    }

    fn undo_all(&self, cluster: &Cluster) -> Result<Vec<RemoteScript>, NemesisError> {
        if self.path.is_empty() {
            return Ok(Vec::new());
        }
        let files = format!("{}/.elenchus-fill-", quote(self.path.trim_end_matches('/')));
        Ok(remote_script::everywhere(cluster, &format!(": empty\nrm -f {files}*\n")))
    }

    fn requirements(&self) -> Vec<Requirement> {
        vec![
            Requirement::command(&["stat"]),
            Requirement::command(&["fallocate", "dd"]),
            Requirement::test(format!("test -d {}", quote(&self.path)), format!("the directory {} does not exist", self.path)),
        ]
    }
}
