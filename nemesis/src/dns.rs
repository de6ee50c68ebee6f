//! Names that are not found.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::about::{About, Overlap};
use crate::errand::{self, Errand};
use crate::firewall::{self, Act, Peers, Rule, Verdict, Way};
use crate::requirement::Requirement;
use crate::{Cluster, Deed, Fault, NemesisError, Targets, Work};

/// Has nodes ask for names in vain. What `/etc/hosts` says is found all the same.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Dns {
    /// Which nodes.
    #[serde(default)]
    pub targets: Targets,
    /// What becomes of their questions: without an answer (`drop`) they are waited for, a refusal is seen at once.
    #[serde(default)]
    pub by: Verdict,
}

const ABOUT: About = About {
    name: "dns",
    what: "has nodes ask for names in vain, without an answer or with a refusal",
    how: "rules of iptables, else of nftables, that stop what comes from port 53, or refuse what goes there, the loopback included",
    needs: "`iptables` or `nft`",
    verified: "each rule is there, and before all others",
    healed: "the fault's own chain or table is deleted; nothing of it is listed",
    overlap: Overlap::Apart,
    is_destructive: false,
};

impl Dns {
    fn rules(&self) -> Vec<Rule> {
        // A packet that is stopped on its way out is known to its sender; without an answer is without an answer.
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

    fn what(&self, nodes: &str) -> String {
        format!("{nodes} without names")
    }

    fn works(&self, cluster: &Cluster, id: u32, deed: &Deed) -> Result<Vec<Work>, NemesisError> {
        let nodes = deed.nodes.iter().filter_map(|&at| cluster.nodes.get(at));
        Ok(nodes.map(|node| errand::with_rules(&node.name, id, &self.rules())).collect())
    }

    fn sweep(&self, cluster: &Cluster) -> Result<Vec<Errand>, NemesisError> {
        Ok(errand::everywhere(cluster, &firewall::sweep()))
    }

    fn requirements(&self) -> Vec<Requirement> {
        vec![firewall::requirement(&self.rules())]
    }
}
