//! Packet filter rules, independent of the tool.

use std::net::IpAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The treatment of packets that match.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// They are dropped silently, as in a real partition.
    #[default]
    Drop,
    /// The sender gets an ICMP error (port unreachable).
    Reject,
    /// TCP connections are reset; other packets are dropped.
    Reset,
}

/// A protocol above IP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

impl Protocol {
    pub(super) fn name(self) -> &'static str {
        match self {
            Protocol::Tcp => "tcp",
            Protocol::Udp => "udp",
        }
    }
}

/// The direction of packets, as seen from the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    In,
    Out,
}

/// The other end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Peers {
    /// Any host.
    Any,
    /// The node itself.
    Loopback,
    /// These hosts.
    These(Vec<IpAddr>),
}

/// A further condition on packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Only {
    All,
    /// Packets that open a TCP connection, and all packets without connections, like UDP. Connection tracking is not used, as existing connections would
    /// look new to it.
    New,
    /// Refusals: TCP resets and ICMP unreachable.
    Refusals,
    /// IPv6 neighbour discovery, without which even SSH fails after a while. IPv4 has ARP, which is not IP.
    Neighbours,
}

/// The ICMPv6 types of neighbour discovery and multicast listener discovery (RFC 4890, section 4.4.1).
pub(super) const NEIGHBOURS: [u8; 8] = [130, 131, 132, 133, 134, 135, 136, 143];

/// The action of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// Exempts the packet from the rules that follow.
    Exempt,
    Stop(Verdict),
}

/// A rule. Rules are tried in order; the first that matches decides.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Rule {
    pub(crate) way: Way,
    pub(crate) peers: Peers,
    /// Any, when absent.
    pub(crate) protocol: Option<Protocol>,
    /// Either end's port is one of these; any, when empty.
    pub(crate) ports: Vec<u16>,
    pub(crate) only: Only,
    /// This share of the packets, at random; all when absent.
    pub(crate) share: Option<f64>,
    pub(crate) act: Act,
}

impl Rule {
    /// Drops every packet in one direction, from or to these hosts.
    pub(crate) fn stop(way: Way, peers: Peers) -> Rule {
        Rule { way, peers, protocol: None, ports: Vec::new(), only: Only::All, share: None, act: Act::Stop(Verdict::Drop) }
    }

    /// Exempts SSH, by the ports on which the node's server may listen, as it is needed to heal faults.
    pub(crate) fn exempt_ssh(way: Way, ports: Vec<u16>) -> Rule {
        Rule { protocol: Some(Protocol::Tcp), ports, act: Act::Exempt, ..Rule::stop(way, Peers::Any) }
    }

    /// Exempts the loopback.
    pub(crate) fn exempt_loopback(way: Way) -> Rule {
        Rule { act: Act::Exempt, ..Rule::stop(way, Peers::Loopback) }
    }

    /// Exempts neighbour discovery.
    pub(crate) fn exempt_neighbours(way: Way) -> Rule {
        Rule { only: Only::Neighbours, act: Act::Exempt, ..Rule::stop(way, Peers::Any) }
    }

    /// Exempts refusals: where both sides refuse, each must receive them.
    pub(crate) fn exempt_refusals(way: Way) -> Rule {
        Rule { only: Only::Refusals, act: Act::Exempt, ..Rule::stop(way, Peers::Any) }
    }

    /// The source addresses of a rule that drops everything from them.
    pub(super) fn plain_sources(&self) -> Option<&[IpAddr]> {
        let is_plain =
            self.way == Way::In && self.protocol.is_none() && self.ports.is_empty() && self.only == Only::All && self.share.is_none();
        match (&self.peers, self.act) {
            (Peers::These(sources), Act::Stop(Verdict::Drop)) if is_plain => Some(sources),
            _ => None,
        }
    }

    /// Splits the rule by protocol where tools need that: ports belong to a protocol, and only TCP can be reset.
    pub(super) fn by_protocol(&self) -> Vec<Rule> {
        let of = |protocol| Rule { protocol: Some(protocol), ..self.clone() };
        if self.only == Only::Refusals {
            return vec![of(Protocol::Tcp), self.clone()];
        }
        if self.only == Only::Neighbours {
            return vec![self.clone()];
        }
        if (self.only, self.protocol) == (Only::New, None) {
            return [Protocol::Tcp, Protocol::Udp].into_iter().flat_map(|protocol| of(protocol).by_protocol()).collect();
        }
        match (self.protocol, self.act) {
            (Some(Protocol::Udp), Act::Stop(Verdict::Reset)) => vec![Rule { act: Act::Stop(Verdict::Drop), ..self.clone() }],
            (None, Act::Stop(Verdict::Reset)) if self.ports.is_empty() => {
                vec![of(Protocol::Tcp), Rule { act: Act::Stop(Verdict::Drop), ..self.clone() }]
            }
            (None, Act::Stop(Verdict::Reset)) => vec![of(Protocol::Tcp), Rule { act: Act::Stop(Verdict::Drop), ..of(Protocol::Udp) }],
            (None, _) if !self.ports.is_empty() => vec![of(Protocol::Tcp), of(Protocol::Udp)],
            _ => vec![self.clone()],
        }
    }
}
