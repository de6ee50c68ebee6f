//! Nodes that can be reached by SSH only.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::fault::{About, Overlap};
use crate::faults::network::partition::Direction;
use crate::means::firewall::{self, Act, Peers, Rule, Verdict, Way};
use crate::means::remote_script::{self, RemoteScript};
use crate::means::requirement::Requirement;
use crate::{Cluster, Fault, Injection, NemesisError, NodeActions, Roster, Targets};

/// Cuts nodes off from every host, or from clients only. SSH still works.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Isolate {
    /// The nodes that are cut off.
    #[serde(default)]
    pub targets: Targets,
    /// From which hosts.
    #[serde(default)]
    pub from: From,
    /// Whether packets to the nodes, from them, or both are dropped. A process that sends UDP from a node whose outgoing packets are dropped may see an error.
    #[serde(default)]
    pub direction: Direction,
    /// Whether the packets are dropped or rejected.
    #[serde(default)]
    pub by: Verdict,
    /// Ports that still work, like that of a health check. At most 13.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub spare: Vec<u16>,
}

/// The hosts that a node is cut off from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum From {
    /// Every host.
    #[default]
    Everybody,
    /// Every host that is not a node of the cluster: clients.
    Clients,
}

const ABOUT: About = About {
    name: "isolate",
    what: "cuts nodes off from every host, or from clients only, but for SSH",
    how: "iptables rules, else nftables rules, that exempt SSH, the loopback and IPv6 neighbour discovery, and drop everything else",
    needs: "`iptables` or `nft`",
    verified: "every rule is listed, and comes before all others",
    healed: "the fault's chain or table is deleted; none of its rules is listed",
    example: "{from: clients}",
    overlap: Overlap::Independent,
    reports_effect: false,
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
            rules.push(Rule::exempt_ssh(way, [ssh_ports, &self.spare].concat()));
            rules.extend([Rule::exempt_loopback(way), Rule::exempt_neighbours(way)]);
            if self.by != Verdict::Drop {
                rules.push(Rule::exempt_refusals(way));
            }
            if self.from == From::Clients {
                rules.push(Rule { act: Act::Exempt, ..Rule::stop(way, Peers::These(others.to_vec())) });
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

    fn describe(&self, nodes: &str) -> String {
        let whom = if self.from == From::Clients { "clients" } else { "every host" };
        match self.direction {
            Direction::Both => format!("{nodes} cut off from {whom}"),
            Direction::Inbound => format!("{nodes} not receiving from {whom}"),
            Direction::Outbound => format!("{nodes} not sending to {whom}"),
        }
    }

    fn check(&self, _: &Roster) -> Result<(), String> {
        // SSH may take two more.
        firewall::check_ports(&[self.spare.as_slice(), &[22, 22]].concat())
            .map_err(|why| why.replace("`ports`", "`spare`, with the ports of SSH,"))
    }

    fn actions(&self, cluster: &Cluster, id: u32, injection: &Injection) -> Result<Vec<NodeActions>, NemesisError> {
        let others = match self.from {
            From::Everybody => Vec::new(),
            From::Clients => remote_script::addresses(cluster, cluster.all().into_iter())?,
        };
        let nodes = injection.nodes.iter().filter_map(|&at| Some((at, cluster.nodes.get(at)?)));
        Ok(nodes
            .map(|(at, node)| firewall::actions(&node.name, id, &self.rules(&remote_script::ssh_ports(cluster, at), &others)))
            .collect())
    }

    fn undo_all(&self, cluster: &Cluster) -> Result<Vec<RemoteScript>, NemesisError> {
        Ok(remote_script::everywhere(cluster, &firewall::undo_all()))
    }

    fn requirements(&self) -> Vec<Requirement> {
        vec![firewall::requirement(&self.rules(&[22], &[std::net::Ipv4Addr::LOCALHOST.into()]))]
    }
}
