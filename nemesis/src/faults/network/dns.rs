//! DNS lookups that fail.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::fault::{About, Overlap};
use crate::means::firewall::{self, Act, Peers, Rule, Verdict, Way};
use crate::means::remote_script::{self, RemoteScript};
use crate::means::requirement::Requirement;
use crate::{Cluster, Fault, Injection, NemesisError, NodeActions, Targets};

/// Makes DNS lookups of nodes fail. Names in `/etc/hosts` are still found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Dns {
    /// The nodes whose lookups fail.
    #[serde(default)]
    pub targets: Targets,
    /// How lookups fail: by time-out (`drop`), or at once.
    #[serde(default)]
    pub by: Verdict,
}

const ABOUT: About = About {
    name: "dns",
    what: "makes DNS lookups fail, by time-out or with an error",
    how: "iptables rules, else nftables rules, that drop replies from port 53, or reject requests to it, the loopback included",
    needs: "`iptables` or `nft`",
    verified: "every rule is listed, and comes before all others",
    healed: "the fault's chain or table is deleted; none of its rules is listed",
    example: "{by: reject}",
    overlap: Overlap::Independent,
    reports_effect: false,
    is_destructive: false,
};

impl Dns {
    fn rules(&self) -> Vec<Rule> {
        // A sender notices that an outgoing packet is dropped (EPERM), so replies are dropped instead.
        let way = if self.by == Verdict::Drop { Way::In } else { Way::Out };
        vec![Rule { ports: vec![53], act: Act::Stop(self.by), ..Rule::stop(way, Peers::Any) }]
    }
}

impl Fault for Dns {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn targets(&self) -> &Targets {
        &self.targets
    }

    fn describe(&self, nodes: &str) -> String {
        format!("{nodes} without DNS")
    }

    fn actions(&self, cluster: &Cluster, id: u32, injection: &Injection) -> Result<Vec<NodeActions>, NemesisError> {
        let nodes = cluster.at(&injection.nodes);
        Ok(nodes.map(|node| firewall::actions(&node.name, id, &self.rules())).collect())
    }

    fn undo_all(&self, cluster: &Cluster) -> Result<Vec<RemoteScript>, NemesisError> {
        Ok(remote_script::everywhere(cluster, &firewall::undo_all()))
    }

    fn requirements(&self) -> Vec<Requirement> {
        vec![firewall::requirement(&self.rules())]
    }
}
