//! Network partitions between nodes.
//!
//! Packets are dropped by the receiving node; a one-way partition needs rules on one side only. Rules name only addresses of nodes and exempt SSH, so that the control
//! node and its clients are never cut off.

pub(crate) mod grudge;
mod shape;

use std::net::{IpAddr, Ipv4Addr};

use elenchus_core::Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use shape::{Direction, Shape};

use crate::fault::{About, Overlap};
use crate::means::firewall::{self, Act, Only, Peers, Protocol, Rule, Verdict, Way};
use crate::means::remote_script::{self, RemoteScript};
use crate::means::requirement::Requirement;
use crate::{Cluster, Decision, Fault, Injection, NemesisError, NodeActions, Roster, Targets};

/// Cuts the network between nodes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Partition {
    /// Which nodes are cut from which.
    #[serde(default)]
    pub shape: Shape,
    /// Whether both sides drop packets, or one.
    #[serde(default)]
    pub direction: Direction,
    /// The protocol that is cut; all when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<Protocol>,
    /// Packets from or to these ports are cut; all when empty. At most 15.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<u16>,
    /// Whether the packets are dropped or rejected.
    #[serde(default)]
    pub by: Verdict,
    /// The fate of existing connections.
    #[serde(default)]
    pub connections: Connections,
}

/// The fate of connections that exist before the partition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Connections {
    /// Their packets are dropped like all others.
    #[default]
    Cut,
    /// They go on; only new ones are prevented. UDP, which has no connections, is dropped.
    Left,
}

const ABOUT: About = About {
    name: "partition",
    what: "drops packets between nodes: one node, halves, majority and minority, rings, a bridge, primaries, zones, groups or at random; one way or both; all or some ports; silently, with a rejection or a reset",
    how: "iptables rules, else nftables rules, on the receiving node; for a plain partition, else routing rules",
    needs: "`iptables`, `nft` or, for a plain partition, `ip`; IP addresses of nodes in the plan",
    verified: "every rule is listed, and comes before all others",
    healed: "the fault's chain or table is deleted; none of its rules is listed",
    example: "{shape: majority_minority}",
    overlap: Overlap::Independent,
    reports_effect: false,
    is_destructive: false,
};

impl Partition {
    /// The rule by which a node drops the packets of others.
    fn rule(&self, unheard: Vec<IpAddr>) -> Rule {
        Rule {
            protocol: self.protocol,
            ports: self.ports.clone(),
            only: if self.connections == Connections::Left { Only::New } else { Only::All },
            act: Act::Stop(self.by),
            ..Rule::stop(Way::In, Peers::These(unheard))
        }
    }

    fn suffix(&self) -> String {
        let mut said = Vec::new();
        said.extend(self.protocol.map(|protocol| format!("{protocol:?}").to_uppercase()));
        if !self.ports.is_empty() {
            let ports: Vec<String> = self.ports.iter().map(u16::to_string).collect();
            said.push(format!("port {}", ports.join(", ")));
        }
        match self.by {
            Verdict::Drop => {}
            Verdict::Reject => said.push("refused".into()),
            Verdict::Reset => said.push("reset".into()),
        }
        if self.connections == Connections::Left {
            said.push("connections left".into());
        }
        if said.is_empty() { String::new() } else { format!(" ({})", said.join(", ")) }
    }

    fn finish(&self, injection: Injection, seed: u64) -> Injection {
        Injection { description: injection.description.clone() + &self.suffix(), seed, ..injection }
    }
}

impl Fault for Partition {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    // The shape decides the nodes.
    fn targets(&self) -> &Targets {
        if self.shape == Shape::PrimariesApart { &Targets::Primary } else { &Targets::All }
    }

    fn describe(&self, nodes: &str) -> String {
        format!("{nodes} cut")
    }

    fn check(&self, roster: &Roster) -> Result<(), String> {
        firewall::check_ports(&self.ports)?;
        self.shape.check(self.direction, roster)
    }

    fn decide(&self, roster: &Roster, rng: &mut Rng) -> Decision {
        let decided = self.shape.decide(self.direction, roster, rng);
        let seed = rng.bits();
        decided.map_or(Decision::Primaries { seed }, |injection| Decision::Injection(self.finish(injection, seed)))
    }

    fn injection(&self, roster: &Roster, nodes: Vec<usize>, seed: u64) -> Injection {
        self.finish(shape::primaries_apart(self.direction, roster, &nodes), seed)
    }

    fn actions(&self, cluster: &Cluster, id: u32, injection: &Injection) -> Result<Vec<NodeActions>, NemesisError> {
        let mut actions = Vec::new();
        for (&deaf, unheard) in &injection.grudge {
            let Some(node) = cluster.nodes.get(deaf) else { continue };
            let stop = self.rule(remote_script::addresses(cluster, unheard.iter().copied())?);
            // Without IPv6 neighbour discovery, a node soon cannot send either.
            let mut rules = vec![Rule::exempt_ssh(Way::In, remote_script::ssh_ports(cluster, deaf)), Rule::exempt_neighbours(Way::In)];
            if self.by != Verdict::Drop {
                rules.push(Rule::exempt_refusals(Way::In));
            }
            rules.push(stop);
            actions.push(firewall::actions(&node.name, id, &rules));
        }
        Ok(actions)
    }

    fn undo_all(&self, cluster: &Cluster) -> Result<Vec<RemoteScript>, NemesisError> {
        Ok(remote_script::everywhere(cluster, &firewall::undo_all()))
    }

    fn requirements(&self) -> Vec<Requirement> {
        vec![firewall::requirement(&[self.rule(vec![Ipv4Addr::LOCALHOST.into()])])]
    }
}

#[cfg(test)]
mod tests;
