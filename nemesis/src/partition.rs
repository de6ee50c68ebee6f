//! Cutting the network between nodes.
//!
//! Packets are stopped where they arrive; what is cut in one way is cut at the deaf end alone. Only addresses of nodes are named, and SSH is spared, so that the
//! control node and its clients are never cut.

mod shape;

use std::net::{IpAddr, Ipv4Addr};

use elenchus_core::Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use shape::{Direction, Shape};

use crate::about::{About, Overlap};
use crate::errand::{self, Errand};
use crate::firewall::{self, Act, Only, Peers, Protocol, Rule, Verdict, Way};
use crate::requirement::Requirement;
use crate::{Aim, Cluster, Deed, Fault, NemesisError, Roster, Targets, Work};

/// Cuts the network between nodes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Partition {
    /// Who is cut from whom.
    #[serde(default)]
    pub shape: Shape,
    /// Whether both sides are deaf, or one.
    #[serde(default)]
    pub direction: Direction,
    /// The protocol that is cut; all when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<Protocol>,
    /// Packets from or to these ports are cut; all when empty. At most 15.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<u16>,
    /// What becomes of the packets that are cut.
    #[serde(default)]
    pub by: Verdict,
    /// What becomes of connections that are there already.
    #[serde(default)]
    pub connections: Connections,
}

/// What becomes of connections that are there when the network is cut.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Connections {
    /// Their packets are cut like all others.
    #[default]
    Cut,
    /// They go on; only new ones are not made. UDP, which has no connections, is cut.
    Left,
}

const ABOUT: About = About {
    name: "partition",
    what: "cuts the network between nodes: one node, halves, majority and minority, rings, a bridge, primaries, zones, groups or at random; one way or both; all or some \
           ports; silently, with a refusal or a reset",
    how: "rules of iptables, else of nftables, that stop packets where they arrive; for a plain cut, else routing rules",
    needs: "`iptables`, `nft` or, for a plain cut, `ip`; addresses of nodes as numbers",
    verified: "each rule is there, and before all others",
    healed: "the fault's own chain or table is deleted; nothing of it is listed",
    overlap: Overlap::Apart,
    is_destructive: false,
};

impl Partition {
    /// What a node that no longer hears these does with their packets.
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

    fn finish(&self, deed: Deed, seed: u64) -> Deed {
        Deed { what: deed.what.clone() + &self.suffix(), seed, ..deed }
    }
}

impl Fault for Partition {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    // Its shape says whom it strikes.
    fn targets(&self) -> &Targets {
        if self.shape == Shape::PrimariesApart { &Targets::Primary } else { &Targets::All }
    }

    fn what(&self, nodes: &str) -> String {
        format!("{nodes} cut")
    }

    fn check(&self, roster: &Roster) -> Result<(), String> {
        firewall::check_ports(&self.ports)?;
        self.shape.check(self.direction, roster)
    }

    fn aim(&self, roster: &Roster, rng: &mut Rng) -> Aim {
        let decided = self.shape.decide(self.direction, roster, rng);
        let seed = rng.bits();
        decided.map_or(Aim::Primaries { seed }, |deed| Aim::Deed(self.finish(deed, seed)))
    }

    fn at_primaries(&self, roster: &Roster, primaries: &[usize], seed: u64) -> Deed {
        self.finish(shape::primaries_apart(self.direction, roster, primaries), seed)
    }

    fn works(&self, cluster: &Cluster, id: u32, deed: &Deed) -> Result<Vec<Work>, NemesisError> {
        let mut works = Vec::new();
        for (&deaf, unheard) in &deed.grudge {
            let Some(node) = cluster.nodes.get(deaf) else { continue };
            let stop = self.rule(errand::addresses(cluster, unheard.iter().copied())?);
            // By IPv6, who does not hear of neighbours cannot send to them either after a while.
            let mut rules = vec![Rule::spare_ssh(Way::In, errand::ssh_ports(cluster, deaf)), Rule::spare_neighbours(Way::In)];
            if self.by != Verdict::Drop {
                rules.push(Rule::spare_refusals(Way::In));
            }
            rules.push(stop);
            works.push(errand::with_rules(&node.name, id, &rules));
        }
        Ok(works)
    }

    fn sweep(&self, cluster: &Cluster) -> Result<Vec<Errand>, NemesisError> {
        Ok(errand::everywhere(cluster, &firewall::sweep()))
    }

    fn requirements(&self) -> Vec<Requirement> {
        vec![firewall::requirement(&[self.rule(vec![Ipv4Addr::LOCALHOST.into()])])]
    }
}

#[cfg(test)]
mod tests;
