//! The firewall rules that redirect connections to a proxy.

use std::net::IpAddr;

use elenchus_control::command::quote;

use super::From;
use crate::Requirement;
use crate::means::firewall::{Hook, ToolRule, ToolRules};

/// The NAT hook, which decides once for each connection.
pub(super) const HOOK: Hook =
    Hook { fault: "proxy", table: "nat", chain: "PREROUTING", base: "type nat hook prerouting priority -110; policy accept;" };

/// Redirects new connections to a port to the proxy's port. Connections within the node, as those of the proxy, come in by the loopback and are exempt.
///
/// New connections are recognized by their SYN, not by connection tracking: where that was not active before, existing connections would look new, and break.
pub(super) fn lines(from: From, own: &[IpAddr], peers: &[IpAddr], port: u16, proxy: u16) -> ToolRules {
    let of_family = |is_v4: bool| {
        let (length, ip) = if is_v4 { (32, "ip") } else { (128, "ip6") };
        let peers: Vec<&IpAddr> = peers.iter().filter(|peer| peer.is_ipv4() == is_v4).collect();
        // Clients use the IP version of the nodes.
        if peers.is_empty() && (from == From::Nodes || own.iter().all(|own| own.is_ipv4() != is_v4)) {
            return Vec::new();
        }
        let redirect = |source: Option<&IpAddr>| ToolRule {
            iptables: format!(
                "{}-p tcp --dport {port} --syn -j REDIRECT --to-ports {proxy}",
                source.map(|source| format!("-s {source}/{length} ")).unwrap_or_default()
            ),
            nft: format!(
                "{}tcp dport {port} tcp flags & (fin | syn | rst | ack) == syn redirect to :{proxy}",
                source.map(|source| format!("{ip} saddr {source} ")).unwrap_or_default()
            ),
        };
        let loopback = ToolRule { iptables: "-i lo -j RETURN".into(), nft: "iifname \"lo\" return".into() };
        let spared =
            |source: &&IpAddr| ToolRule { iptables: format!("-s {source}/{length} -j RETURN"), nft: format!("{ip} saddr {source} return") };
        let rest: Vec<ToolRule> = match from {
            From::Clients => peers.iter().map(spared).chain([redirect(None)]).collect(),
            From::Nodes => peers.iter().map(|peer| redirect(Some(peer))).collect(),
            From::All => vec![redirect(None)],
        };
        [vec![loopback], rest].concat()
    };
    ToolRules { v4: of_family(true), v6: of_family(false) }
}

/// A filter for `ss` that matches the connections to a port.
pub(super) fn filter(from: From, own: &[IpAddr], peers: &[IpAddr], port: u16) -> String {
    let of = |addresses: &[IpAddr], relation: &str, joint: &str| {
        addresses.iter().map(|address| format!("{relation} [{address}]")).collect::<Vec<_>>().join(joint)
    };
    let but = |addresses: &[IpAddr]| of(addresses, "not dst", " and ");
    let sources = match from {
        From::Nodes => of(peers, "dst", " or "),
        From::All => but(own),
        From::Clients => but(&[own, peers].concat()),
    };
    format!("sport = :{port} and ( {sources} ) and not dst 127.0.0.0/8 and not dst [::1]")
}

/// Requires that such rules can be added: tried in a network namespace of its own.
pub(super) fn requirement() -> Requirement {
    let trial = HOOK.apply(1, &lines(From::All, &[std::net::Ipv4Addr::LOCALHOST.into()], &[], 1, 2));
    Requirement::test(
        format!("unshare --net sh -c {}", quote(&trial)),
        "neither iptables nor nftables can redirect connections on this node; install iptables, on a kernel with NAT (nf_nat, xt_REDIRECT)",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn iptables(from: From) -> Vec<String> {
        let (own, peers): ([IpAddr; 1], [IpAddr; 1]) = (["10.0.0.1".parse().unwrap()], ["10.0.0.2".parse().unwrap()]);
        let lines = lines(from, &own, &peers, 80, 9);
        assert!(lines.v6.is_empty());
        lines.v4.into_iter().map(|line| line.iptables).collect()
    }

    #[test]
    fn filters_match_the_right_connections() {
        let (own, peers): ([IpAddr; 1], [IpAddr; 2]) =
            (["10.0.0.1".parse().unwrap()], ["10.0.0.2".parse().unwrap(), "fd00::3".parse().unwrap()]);
        let sources = |from| filter(from, &own, &peers, 80).split(['(', ')']).nth(1).unwrap().trim().to_owned();
        assert_eq!(sources(From::Nodes), "dst [10.0.0.2] or dst [fd00::3]");
        assert_eq!(sources(From::Clients), "not dst [10.0.0.1] and not dst [10.0.0.2] and not dst [fd00::3]");
        assert_eq!(sources(From::All), "not dst [10.0.0.1]");
    }

    #[test]
    fn the_loopback_is_exempt_first() {
        assert_eq!(
            iptables(From::Clients),
            ["-i lo -j RETURN", "-s 10.0.0.2/32 -j RETURN", "-p tcp --dport 80 --syn -j REDIRECT --to-ports 9"]
        );
        assert_eq!(iptables(From::Nodes), ["-i lo -j RETURN", "-s 10.0.0.2/32 -p tcp --dport 80 --syn -j REDIRECT --to-ports 9"]);
        assert_eq!(iptables(From::All), ["-i lo -j RETURN", "-p tcp --dport 80 --syn -j REDIRECT --to-ports 9"]);
    }
}
