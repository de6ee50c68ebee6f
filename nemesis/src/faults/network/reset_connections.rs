//! TCP connections that are reset.

use elenchus_control::command::quote;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::fault::{About, Overlap};
use crate::means::remote_script::{self, PATH, RemoteScript};
use crate::{Cluster, Fault, Injection, NemesisError, NodeActions, Requirement, Roster, Targets};

/// Resets, once, the TCP connections of nodes to other nodes. They can be made again at once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ResetConnections {
    /// The nodes whose connections are reset.
    pub targets: Targets,
}

const ABOUT: About = About {
    name: "sever",
    what: "resets, once, the TCP connections between nodes, but for SSH; they can be made again at once",
    how: "`ss --kill`",
    needs: "`ss`, `awk`; a kernel with `INET_DIAG_DESTROY`; IP addresses of nodes in the plan",
    verified: "none of the connections is left; if there was none, the injection fails",
    healed: "there is nothing to heal",
    example: "{targets: all}",
    overlap: Overlap::Independent,
    reports_effect: true,
    is_destructive: false,
};

/// Resets the connections that a filter of `ss` finds, and verifies that they are gone. Prints nothing when there were none.
pub(crate) fn script(filter: &str) -> String {
    let filter = quote(filter);
    // Connections are identified by both ends: one that is made again has another port.
    format!(
        "{PATH}\
         list() {{ ss -Htn state established {filter} | awk '{{ print $3, $4 }}' | sort; }}\n\
         before=$(list) || exit 1\n[ -n \"$before\" ] || exit 0\n\
         ss -HKt state established {filter} >/dev/null\n\
         after=$(list) || exit 1\n\
         printf '%s\\n' \"$before\" | while read -r own other; do\n\
         \x20 if printf '%s\\n' \"$after\" | grep -qxF \"$own $other\"; then echo \"$own $other is still there\" >&2; exit 1; fi\n\
         done || exit 1\n\
         echo severed\n"
    )
}

impl Fault for ResetConnections {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn targets(&self) -> &Targets {
        &self.targets
    }

    fn describe(&self, nodes: &str) -> String {
        format!("connections of {nodes} reset")
    }

    fn check(&self, roster: &Roster) -> Result<(), String> {
        if roster.count() < 2 { Err("connections are between nodes; use 2 nodes or more".into()) } else { Ok(()) }
    }

    fn actions(&self, cluster: &Cluster, _id: u32, injection: &Injection) -> Result<Vec<NodeActions>, NemesisError> {
        let mut actions = Vec::new();
        for &at in &injection.nodes {
            let Some(node) = cluster.nodes.get(at) else { continue };
            let peers = remote_script::addresses(cluster, cluster.others(at))?;
            let peers: Vec<String> = peers.iter().map(|peer| format!("dst [{peer}]")).collect();
            let ssh: Vec<String> =
                remote_script::ssh_ports(cluster, at).iter().map(|port| format!("sport != :{port} and dport != :{port}")).collect();
            let filter = format!("( {} ) and {}", peers.join(" or "), ssh.join(" and "));
            actions.push(NodeActions {
                node: node.name.clone(),
                inject: format!(": sever\n{}", script(&filter)),
                verify: ": is-severed\n".into(),
                undo: ": nothing to undo\n".into(),
                verify_undone: ": nothing to undo\n".into(),
            });
        }
        Ok(actions)
    }

    fn undo_all(&self, _: &Cluster) -> Result<Vec<RemoteScript>, NemesisError> {
        Ok(Vec::new())
    }

    fn requirements(&self) -> Vec<Requirement> {
        // A kernel whose configuration cannot be read passes.
        let made = "{ zcat /proc/config.gz || cat \"/boot/config-$(uname -r)\"; } 2>/dev/null";
        let test = format!("! {made} | grep -q '^# CONFIG_INET_DIAG_DESTROY is not set'");
        let destroy = Requirement::test(test, "the kernel cannot reset connections: it was built without CONFIG_INET_DIAG_DESTROY");
        vec![Requirement::command(&["ss"]), Requirement::command(&["awk"]), destroy]
    }
}
