//! What is to happen to which packets, whatever the tool.

use std::net::IpAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What happens to packets that are stopped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// They vanish, as in a real partition: the sender learns nothing.
    #[default]
    Drop,
    /// The sender is told that nobody listens there (ICMP port unreachable).
    Reject,
    /// A TCP connection is reset; what is not TCP vanishes.
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

/// Which way packets go, seen from the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    In,
    Out,
}

/// Who is at the other end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Peers {
    /// Whoever.
    Any,
    /// The node itself.
    Loopback,
    /// One of these.
    These(Vec<IpAddr>),
}

/// Which of the packets that a rule is about otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Only {
    All,
    /// Those that open a connection of TCP; what has no connections, like UDP, is all of it new. No connections are tracked for this: those that
    /// were there before would look new.
    New,
    /// Those by which somebody is told that he is refused: resets of TCP, and ICMP's unreachable.
    Refusals,
    /// Those of IPv6 by which neighbours and routers find each other, without which not even SSH arrives after a while. IPv4 has ARP, which is no IP.
    Neighbours,
}

/// ICMPv6's types of those: of listeners to groups, and of neighbours and routers (RFC 4890, section 4.4.1).
pub(super) const NEIGHBOURS: [u8; 8] = [130, 131, 132, 133, 134, 135, 136, 143];

/// What a rule does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// The packet is none of this injection's business; those that follow do not see it.
    Spare,
    Stop(Verdict),
}

/// What is to happen to which packets. Rules are tried in order; the first that fits decides.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Rule {
    pub(crate) way: Way,
    pub(crate) peers: Peers,
    /// Any, when absent.
    pub(crate) protocol: Option<Protocol>,
    /// Either end's port is one of these; any, when empty.
    pub(crate) ports: Vec<u16>,
    pub(crate) only: Only,
    /// This part of the packets, at random; all when absent.
    pub(crate) share: Option<f64>,
    pub(crate) act: Act,
}

impl Rule {
    /// Everything in one way, from or to these, vanishes.
    pub(crate) fn stop(way: Way, peers: Peers) -> Rule {
        Rule { way, peers, protocol: None, ports: Vec::new(), only: Only::All, share: None, act: Act::Stop(Verdict::Drop) }
    }

    /// Packets of SSH, by the ports on which the node's server may listen, are spared: by them faults are healed.
    pub(crate) fn spare_ssh(way: Way, ports: Vec<u16>) -> Rule {
        Rule { protocol: Some(Protocol::Tcp), ports, act: Act::Spare, ..Rule::stop(way, Peers::Any) }
    }

    /// What the node says to itself is spared.
    pub(crate) fn spare_loopback(way: Way) -> Rule {
        Rule { act: Act::Spare, ..Rule::stop(way, Peers::Loopback) }
    }

    /// What finds neighbours is spared.
    pub(crate) fn spare_neighbours(way: Way) -> Rule {
        Rule { only: Only::Neighbours, act: Act::Spare, ..Rule::stop(way, Peers::Any) }
    }

    /// Refusals are spared: where both sides refuse, each is to hear it.
    pub(crate) fn spare_refusals(way: Way) -> Rule {
        Rule { only: Only::Refusals, act: Act::Spare, ..Rule::stop(way, Peers::Any) }
    }

    /// The addresses of a family, when that is all there is to say.
    pub(super) fn plain_sources(&self) -> Option<&[IpAddr]> {
        let is_plain =
            self.way == Way::In && self.protocol.is_none() && self.ports.is_empty() && self.only == Only::All && self.share.is_none();
        match (&self.peers, self.act) {
            (Peers::These(sources), Act::Stop(Verdict::Drop)) if is_plain => Some(sources),
            _ => None,
        }
    }

    /// The same rule, once for each protocol that tools must be told apart: ports belong to a protocol, and only TCP can be reset.
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
