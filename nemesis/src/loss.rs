//! Packets that are lost on the way between nodes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::about::{About, Overlap};
use crate::errand::{self, Errand};
use crate::firewall::{self, Peers, Protocol, Rule, Way};
use crate::requirement::Requirement;
use crate::{Cluster, Deed, Fault, NemesisError, Roster, Targets, Work};

/// Loses a part of the packets that nodes get from other nodes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Loss {
    /// Which nodes do not get them.
    pub targets: Targets,
    /// The part that is lost, above 0 and at most 1.
    pub share: f64,
    /// The protocol that is lossy; all when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol: Option<Protocol>,
    /// Only packets from or to these ports; all when empty. At most 15.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<u16>,
}

impl Default for Loss {
    fn default() -> Loss {
        Loss { targets: Targets::One, share: 0.2, protocol: None, ports: Vec::new() }
    }
}

const ABOUT: About = About {
    name: "loss",
    what: "loses a part of the packets that nodes get from other nodes, at random",
    how: "iptables' `statistic` match, else nftables' `numgen`, where packets arrive",
    needs: "`iptables` with `statistic`, or `nft`; addresses of nodes as numbers",
    verified: "each rule is there, and before all others",
    healed: "the fault's own chain or table is deleted; nothing of it is listed",
    overlap: Overlap::Apart,
    is_destructive: false,
};

impl Loss {
    fn rule(&self, sources: Vec<std::net::IpAddr>) -> Rule {
        Rule { protocol: self.protocol, ports: self.ports.clone(), share: Some(self.share), ..Rule::stop(Way::In, Peers::These(sources)) }
    }
}

impl Fault for Loss {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn targets(&self) -> &Targets {
        &self.targets
    }

    fn what(&self, nodes: &str) -> String {
        format!("{nodes} losing {} % of packets", self.share * 100.0)
    }

    fn check(&self, roster: &Roster) -> Result<(), String> {
        if !(self.share > 0.0 && self.share <= 1.0) {
            return Err(format!("`share` must be above 0 and at most 1, not {}", self.share));
        }
        firewall::check_ports(&self.ports)?;
        if roster.count() < 2 { Err("packets are lost between nodes; it takes two or more".into()) } else { Ok(()) }
    }

    fn works(&self, cluster: &Cluster, id: u32, deed: &Deed) -> Result<Vec<Work>, NemesisError> {
        let mut works = Vec::new();
        for &at in &deed.nodes {
            let Some(node) = cluster.nodes.get(at) else { continue };
            let others = errand::addresses(cluster, cluster.all().into_iter().filter(|&other| other != at))?;
            let rules = [Rule::spare_ssh(Way::In, errand::ssh_ports(cluster, at)), self.rule(others)];
            works.push(errand::with_rules(&node.name, id, &rules));
        }
        Ok(works)
    }

    fn sweep(&self, cluster: &Cluster) -> Result<Vec<Errand>, NemesisError> {
        Ok(errand::everywhere(cluster, &firewall::sweep()))
    }

    fn requirements(&self) -> Vec<Requirement> {
        vec![firewall::requirement(&[self.rule(vec![std::net::Ipv4Addr::LOCALHOST.into()])])]
    }
}
