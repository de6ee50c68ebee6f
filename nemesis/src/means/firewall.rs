//! Scripts that filter a node's packets, as pure text: with iptables where it works, else with nftables, else, for plain rules, with routing rules; and scripts that
//! redirect packets to a program on the node.

mod iptables;
mod nftables;
mod redirect;
mod routing;
mod rule;

use std::net::IpAddr;

use crate::means::remote_script::NodeActions;
use crate::means::requirement::Requirement;

pub(crate) use redirect::{Hook, ToolRule, ToolRules};
pub(crate) use rule::{Act, Only, Peers, Rule, Way};
pub use rule::{Protocol, Verdict};

/// An IP version, which has its own tools.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    V4,
    V6,
}

impl Family {
    fn iptables(self) -> &'static str {
        match self {
            Family::V4 => "iptables",
            Family::V6 => "ip6tables",
        }
    }

    fn nft(self) -> &'static str {
        match self {
            Family::V4 => "ip",
            Family::V6 => "ip6",
        }
    }

    fn ip_rule(self) -> &'static str {
        match self {
            Family::V4 => "ip -4 rule",
            Family::V6 => "ip -6 rule",
        }
    }

    fn has(self, address: &IpAddr) -> bool {
        address.is_ipv6() == (self == Family::V6)
    }

    /// An address as tools print it.
    fn network(self, address: &IpAddr) -> String {
        match self {
            Family::V4 => format!("{address}/32"),
            Family::V6 => format!("{address}/128"),
        }
    }
}

/// The rules that apply to a family, with the addresses of that family; none if all of them are exemptions.
fn of_family(family: Family, rules: &[Rule]) -> Vec<Rule> {
    let of_family = rules.iter().filter_map(|rule| match &rule.peers {
        Peers::These(peers) => {
            let peers: Vec<IpAddr> = peers.iter().filter(|peer| family.has(peer)).copied().collect();
            (!peers.is_empty()).then(|| Rule { peers: Peers::These(peers), ..rule.clone() })
        }
        _ => (rule.only != Only::Neighbours || family == Family::V6).then(|| rule.clone()),
    });
    let of_family: Vec<Rule> = of_family.flat_map(|rule| rule.by_protocol()).collect();
    if of_family.iter().all(|rule| rule.act == Act::Exempt) { Vec::new() } else { of_family }
}

type OfTool = fn(Family, u32, &[Rule]) -> String;

fn with_what_works(id: u32, rules: &[Rule], iptables: OfTool, nftables: OfTool, routing: OfTool) -> String {
    let mut script = String::new();
    for family in [Family::V4, Family::V6] {
        let rules = of_family(family, rules);
        if rules.is_empty() {
            continue;
        }
        let stopping: Vec<&Rule> = rules.iter().filter(|rule| rule.act != Act::Exempt).collect();
        let last = if stopping.iter().all(|rule| rule.plain_sources().is_some()) {
            routing(family, id, &rules)
        } else {
            "echo 'this needs iptables or nftables; install iptables' >&2; exit 1\n".to_owned()
        };
        let branches = format!(
            "if {}; then\n{}elif {}; then\n{}else\n{last}fi\n",
            iptables::works(family),
            iptables(family, id, &rules),
            nftables::works(family),
            nftables(family, id, &rules)
        );
        // Rules for any peer must not fail where IPv6 is disabled.
        script += &match family {
            Family::V4 => branches,
            Family::V6 => format!("if [ -e /proc/net/if_inet6 ]; then\n{branches}fi\n"),
        };
    }
    script
}

/// Adds these rules, under this number.
pub(crate) fn apply(id: u32, rules: &[Rule]) -> String {
    format!(": cut {id}\nset -e\n{}", with_what_works(id, rules, iptables::apply, nftables::apply, routing::apply))
}

/// Fails unless each of these rules is in force and comes before all others.
pub(crate) fn assert_applied(id: u32, rules: &[Rule]) -> String {
    let looks = with_what_works(id, rules, iptables::assert_applied, nftables::assert_applied, routing::assert_applied);
    format!(": is-cut {id}\nfail() {{ echo \"$1\" >&2; exit 1; }}\n{looks}exit 0\n")
}

/// Undoes [`apply`].
pub(crate) fn remove(id: u32) -> String {
    format!(": join {id}\n{}{}{}{}", iptables::remove(id), nftables::remove(id), routing::remove(id), assert_removed(id))
}

/// Fails while a rule of [`apply`] is left.
pub(crate) fn assert_removed(id: u32) -> String {
    let looks = [iptables::assert_removed(id), nftables::assert_removed(id), routing::assert_removed(id)];
    format!(": is-joined {id}\n{}exit 0\n", looks.concat())
}

/// Undoes every injection.
pub(crate) fn undo_all() -> String {
    let undone = [iptables::undo_all(), nftables::undo_all(), routing::undo_all()];
    let looks = [iptables::assert_all_removed(), nftables::assert_all_removed(), routing::assert_all_removed()];
    format!(": join all\n{}{}exit 0\n", undone.concat(), looks.concat())
}

/// The actions of an injection that is nothing but rules.
pub(crate) fn actions(node: &str, id: u32, rules: &[Rule]) -> NodeActions {
    NodeActions {
        node: node.to_owned(),
        inject: apply(id, rules),
        verify: assert_applied(id, rules),
        undo: remove(id),
        verify_undone: assert_removed(id),
    }
}

/// The most ports that one rule of iptables can name.
const MAX_PORTS: usize = 15;

/// Checks that a rule can name these ports.
pub(crate) fn check_ports(ports: &[u16]) -> Result<(), String> {
    if ports.len() > MAX_PORTS {
        return Err(format!("`ports` has {} ports; use at most {MAX_PORTS}", ports.len()));
    }
    if ports.contains(&0) { Err("`ports` has port 0, which is invalid".into()) } else { Ok(()) }
}

/// Requires that rules like these can be added: tried in a separate network namespace, where they affect no other process.
pub(crate) fn requirement(rules: &[Rule]) -> Requirement {
    let trial = elenchus_control::command::quote(&apply(1, rules));
    if rules.iter().all(|rule| rule.act == Act::Exempt || rule.plain_sources().is_some()) {
        let advice = "neither iptables, nftables nor routing rules can drop packets on this node; install iptables";
        let test = format!(
            "if command -v unshare; then unshare --net sh -c {trial}; else command -v iptables || command -v nft || command -v ip; fi"
        );
        return Requirement::test(format!("{{ {test}; }} >/dev/null 2>&1"), advice);
    }
    let advice =
        "neither iptables nor nftables can add the rules of this fault on this node; install iptables, on a kernel with its usual matches";
    Requirement::test(format!("unshare --net sh -c {trial}"), advice)
}

#[cfg(test)]
mod tests;
