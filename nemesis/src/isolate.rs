//! A node that answers SSH and nothing else.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::about::{About, Overlap};
use crate::errand::{self, Errand};
use crate::firewall::{self, Act, Peers, Rule, Verdict, Way};
use crate::partition::Direction;
use crate::requirement::Requirement;
use crate::{Cluster, Deed, Fault, NemesisError, Roster, Targets, Work};

/// Cuts nodes off from everybody, or from clients alone; all but SSH.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Isolate {
    /// Which nodes.
    #[serde(default)]
    pub targets: Targets,
    /// From whom.
    #[serde(default)]
    pub from: From,
    /// Whether they neither hear nor are heard, or one of it. Who sends UDP from a node that is not heard may be told so by the kernel.
    #[serde(default)]
    pub direction: Direction,
    /// What becomes of the packets.
    #[serde(default)]
    pub by: Verdict,
    /// Ports that are not cut, like that of a health check. At most 13.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub spare: Vec<u16>,
}

/// From whom a node is cut off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum From {
    /// From all.
    #[default]
    Everybody,
    /// From all that is not a node of the cluster: clients.
    Clients,
}

const ABOUT: About = About {
    name: "isolate",
    what: "cuts nodes off from everybody, or from clients alone, but for SSH",
    how: "rules of iptables, else of nftables, that spare SSH, the loopback and what finds neighbours of IPv6, and stop all else",
    needs: "`iptables` or `nft`",
    verified: "each rule is there, and before all others",
    healed: "the fault's own chain or table is deleted; nothing of it is listed",
    overlap: Overlap::Apart,
    is_destructive: false,
};

impl Isolate {
    fn rules(&self, ssh_ports: &[u16], others: &[std::net::IpAddr]) -> Vec<Rule> {
        let ways: &[Way] = match self.direction {
            Direction::Both => &[Way::In, Way::Out],
            Direction::Inbound => &[Way::In],
            Direction::Outbound => &[Way::Out],
        };
        let mut rules = Vec::new();
        for &way in ways {
            rules.push(Rule::spare_ssh(way, [ssh_ports, &self.spare].concat()));
            rules.extend([Rule::spare_loopback(way), Rule::spare_neighbours(way)]);
            if self.by != Verdict::Drop {
                rules.push(Rule::spare_refusals(way));
            }
            if self.from == From::Clients {
                rules.push(Rule { act: Act::Spare, ..Rule::stop(way, Peers::These(others.to_vec())) });
            }
            rules.push(Rule { act: Act::Stop(self.by), ..Rule::stop(way, Peers::Any) });
        }
        rules
    }
}

impl Fault for Isolate {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn targets(&self) -> &Targets {
        &self.targets
    }

    fn what(&self, nodes: &str) -> String {
        let whom = if self.from == From::Clients { "clients" } else { "anybody" };
        match self.direction {
            Direction::Both => format!("{nodes} cut off from {whom}"),
            Direction::Inbound => format!("{nodes} not hearing {whom}"),
            Direction::Outbound => format!("{nodes} not heard by {whom}"),
        }
    }

    fn check(&self, _: &Roster) -> Result<(), String> {
        // SSH's own may be two.
        firewall::check_ports(&[self.spare.as_slice(), &[22, 22]].concat())
            .map_err(|why| why.replace("`ports`", "`spare`, with those of SSH,"))
    }

    fn works(&self, cluster: &Cluster, id: u32, deed: &Deed) -> Result<Vec<Work>, NemesisError> {
        let others = match self.from {
            From::Everybody => Vec::new(),
            From::Clients => errand::addresses(cluster, cluster.all().into_iter())?,
        };
        let nodes = deed.nodes.iter().filter_map(|&at| Some((at, cluster.nodes.get(at)?)));
        Ok(nodes.map(|(at, node)| errand::with_rules(&node.name, id, &self.rules(&errand::ssh_ports(cluster, at), &others))).collect())
    }

    fn sweep(&self, cluster: &Cluster) -> Result<Vec<Errand>, NemesisError> {
        Ok(errand::everywhere(cluster, &firewall::sweep()))
    }

    fn requirements(&self) -> Vec<Requirement> {
        vec![firewall::requirement(&self.rules(&[22], &[std::net::Ipv4Addr::LOCALHOST.into()]))]
    }
}
