//! Limits of open files.

use elenchus_control::command::quote;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::fault::{About, Need, Overlap};
use crate::means::remote_script::{self, RemoteScript};
use crate::{Cluster, Fault, Injection, NemesisError, NodeActions, Requirement, Roster, Targets};

/// Lowers the limit of open files of the system's processes. Files that are open stay open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Descriptors {
    /// The nodes.
    pub targets: Targets,
    /// The most file descriptors that each process may have.
    pub limit: u32,
}

impl Default for Descriptors {
    fn default() -> Descriptors {
        Descriptors { targets: Targets::One, limit: 8 }
    }
}

const ABOUT: About = About {
    name: "descriptors",
    what: "lowers the limit of open files and sockets of the system's processes",
    how: "`prlimit` sets the soft limit of every process of the system",
    needs: "a system in the plan; `prlimit`",
    verified: "`/proc/<pid>/limits` of every process of the system",
    healed: "`prlimit` restores the limit of each process; `/proc/<pid>/limits` of those still alive",
    example: "{limit: 16}",
    overlap: Overlap::Exclusive,
    reports_effect: false,
    is_destructive: false,
};

/// The file with the former limits, a line for each process: pid, start time, limit.
fn saved(id: u32) -> String {
    format!("/run/elenchus/descriptors-{id}")
}

/// Functions that print the soft limit of a process and its start time.
const SOFT: &str = "soft() { sed -n 's/^Max open files  *\\([^ ]*\\) .*/\\1/p' \"/proc/$1/limits\" 2>/dev/null; }\n\
                    born() { line=; { read -r line <\"/proc/$1/stat\"; } 2>/dev/null || return 1; set -- ${line##*) }; echo \"${20}\"; }\n";

impl Fault for Descriptors {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn targets(&self) -> &Targets {
        &self.targets
    }

    fn describe(&self, nodes: &str) -> String {
        format!("{nodes} with at most {} open files", self.limit)
    }

    fn needs(&self) -> &'static [Need] {
        &[Need::System]
    }

    fn check(&self, _: &Roster) -> Result<(), String> {
        if self.limit == 0 { Err("`limit` must be 1 or more".into()) } else { Ok(()) }
    }

    fn actions(&self, cluster: &Cluster, id: u32, injection: &Injection) -> Result<Vec<NodeActions>, NemesisError> {
        let (limit, file) = (self.limit, saved(id));
        remote_script::on_daemons(cluster, &injection.nodes, |node, daemon| {
            let members = format!("sh -c {} | cut -d' ' -f1", quote(&daemon.members()));
            NodeActions {
                node,
                inject: format!(
                    ": few files\nset -e\nmkdir -p /run/elenchus\n{SOFT}: >{file}\n\
                     pids=$({members})\n[ -n \"$pids\" ] || {{ echo 'the system does not run' >&2; exit 1; }}\n\
                     for pid in $pids; do\n\
                     \x20 echo \"$pid $(born $pid) $(soft $pid)\" >>{file}\n\
                     \x20 prlimit --pid \"$pid\" --nofile={limit}:\n\
                     done\n"
                ),
                verify: format!(
                    ": is-few\n{SOFT}pids=$({members})\n[ -n \"$pids\" ] || {{ echo 'the system does not run' >&2; exit 1; }}\n\
                     for pid in $pids; do\n\
                     \x20 [ \"$(soft $pid)\" = {limit} ] || {{ echo \"$pid may open $(soft $pid)\" >&2; exit 1; }}\n\
                     done\n"
                ),
                undo: restore(&file),
                verify_undone: format!(": is-many\nif [ -e {file} ]; then echo 'limits are not restored' >&2; exit 1; fi\n"),
            }
        })
    }

    fn undo_all(&self, cluster: &Cluster) -> Result<Vec<RemoteScript>, NemesisError> {
        let each = format!("for file in /run/elenchus/descriptors-*; do\n{}done\n", restore("\"$file\"").replace('\n', "\n "));
        Ok(remote_script::everywhere(cluster, &each))
    }

    fn requirements(&self) -> Vec<Requirement> {
        vec![Requirement::command(&["prlimit"])]
    }
}

/// Restores the limit of every process that is still alive, and deletes the file.
fn restore(file: &str) -> String {
    format!(
        ": many files\n{SOFT}if [ -r {file} ]; then\n\
         while read -r pid since before; do\n\
         \x20 [ \"$(born $pid)\" = \"$since\" ] || continue\n\
         \x20 prlimit --pid \"$pid\" --nofile=\"$before:\"\n\
         \x20 [ \"$(soft $pid)\" = \"$before\" ] || [ \"$(born $pid)\" != \"$since\" ] || {{ echo \"$pid may open $(soft $pid), not $before\" >&2; exit 1; }}\n\
         done <{file}\n\
         rm -f {file}\n\
         fi\n"
    )
}
