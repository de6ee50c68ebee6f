//! Packet loss between nodes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::fault::{About, Overlap};
use crate::means::firewall::{self, Peers, Protocol, Rule, Way};
use crate::means::remote_script::{self, RemoteScript};
use crate::means::requirement::Requirement;
use crate::{Cluster, Fault, Injection, NemesisError, NodeActions, Roster, Targets};

/// Drops a part of the packets that nodes receive from other nodes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Loss {
    /// The receiving nodes.
    pub targets: Targets,
    /// The share of packets that is dropped, greater than 0 and at most 1.
    pub share: f64,
    /// The protocol that is affected; all when absent.
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
    what: "drops a part of the packets that nodes receive from other nodes, at random",
    how: "iptables' `statistic` match, else nftables' `numgen`, on the receiving node",
    needs: "`iptables` with `statistic`, or `nft`; IP addresses of nodes in the plan",
    verified: "every rule is listed, and comes before all others",
    healed: "the fault's chain or table is deleted; none of its rules is listed",
    example: "{share: 0.3}",
    overlap: Overlap::Independent,
    reports_effect: false,
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

    fn describe(&self, nodes: &str) -> String {
        format!("{nodes} losing {} % of packets", self.share * 100.0)
    }

    fn check(&self, roster: &Roster) -> Result<(), String> {
        if !(self.share > 0.0 && self.share <= 1.0) {
            return Err(format!("`share` must be greater than 0 and at most 1, not {}", self.share));
        }
        firewall::check_ports(&self.ports)?;
        if roster.count() < 2 { Err("packets are dropped between nodes; use 2 nodes or more".into()) } else { Ok(()) }
    }

    fn actions(&self, cluster: &Cluster, id: u32, injection: &Injection) -> Result<Vec<NodeActions>, NemesisError> {
        let mut actions = Vec::new();
        for &at in &injection.nodes {
            let Some(node) = cluster.nodes.get(at) else { continue };
            let others = remote_script::addresses(cluster, cluster.others(at))?;
            let rules = [Rule::exempt_ssh(Way::In, remote_script::ssh_ports(cluster, at)), self.rule(others)];
            actions.push(firewall::actions(&node.name, id, &rules));
        }
        Ok(actions)
    }

    fn undo_all(&self, cluster: &Cluster) -> Result<Vec<RemoteScript>, NemesisError> {
        Ok(remote_script::everywhere(cluster, &firewall::undo_all()))
    }

    fn requirements(&self) -> Vec<Requirement> {
        vec![firewall::requirement(&[self.rule(vec![std::net::Ipv4Addr::LOCALHOST.into()])])]
    }
}
