//! Tables of nftables.
//!
//! Each injection has a table of its own, `elenchus_<id>`, whose chains come before others. To undo it is to delete the table.

use super::rule::NEIGHBOURS;
use super::{Act, Family, Only, Peers, Protocol, Rule, Verdict, Way};

/// Succeeds where the tool works.
pub(super) fn works(_: Family) -> String {
    "nft list tables >/dev/null 2>&1".to_owned()
}

fn table(family: Family, id: u32) -> String {
    format!("{} elenchus_{id}", family.nft())
}

/// The rules of one way as nftables writes them.
fn lines(family: Family, way: Way, rules: &[Rule]) -> Vec<String> {
    let of_this_way = rules.iter().filter(|rule| rule.way == way);
    of_this_way
        .flat_map(|rule| {
            let ports: Vec<String> = rule.ports.iter().map(u16::to_string).collect();
            let ends = match ports.as_slice() {
                [] => vec![String::new()],
                ports => ["dport", "sport"].map(|end| format!("th {end} {{ {} }} ", ports.join(", "))).to_vec(),
            };
            ends.into_iter().map(|end| line(family, rule, &end)).collect::<Vec<_>>()
        })
        .collect()
}

fn line(family: Family, rule: &Rule, ports: &str) -> String {
    let (address, interface) = if rule.way == Way::In { ("saddr", "iifname") } else { ("daddr", "oifname") };
    let mut text = match &rule.peers {
        Peers::Any => String::new(),
        Peers::Loopback => format!("{interface} \"lo\" "),
        Peers::These(peers) => {
            let peers: Vec<String> = peers.iter().map(ToString::to_string).collect();
            format!("{} {address} {{ {} }} ", family.nft(), peers.join(", "))
        }
    };
    if let Some(protocol) = rule.protocol {
        text += &format!("meta l4proto {} ", protocol.name());
    }
    text += ports;
    let neighbours = format!("icmpv6 type {{ {} }} ", NEIGHBOURS.map(|kind| kind.to_string()).join(", "));
    text += match (rule.only, rule.protocol, family) {
        (Only::All, ..) => "",
        (Only::New, Some(Protocol::Tcp), _) => "tcp flags & (fin | syn | rst | ack) == syn ",
        (Only::New, ..) => "",
        (Only::Refusals, Some(_), _) => "tcp flags & rst == rst ",
        (Only::Refusals, None, Family::V4) => "icmp type destination-unreachable ",
        (Only::Refusals, None, Family::V6) => "icmpv6 type destination-unreachable ",
        (Only::Neighbours, ..) => &neighbours,
    };
    if let Some(share) = rule.share {
        text += &format!("numgen random mod 1000000 < {} ", (share * 1e6).round() as u32);
    }
    text + match rule.act {
        Act::Exempt => "return",
        Act::Stop(Verdict::Drop) => "drop",
        Act::Stop(Verdict::Reject) => "reject",
        Act::Stop(Verdict::Reset) => "reject with tcp reset",
    }
}

/// Adds the rules in one transaction.
pub(super) fn apply(family: Family, id: u32, rules: &[Rule]) -> String {
    let table = table(family, id);
    // The table is created before it is deleted, so that the deletion does not fail.
    let mut script = format!("nft -f - <<'END'\ntable {table} {{ }}\ndelete table {table}\ntable {table} {{\n");
    for (way, name) in [(Way::In, "input"), (Way::Out, "output")] {
        script += &format!("chain {name} {{\ntype filter hook {name} priority -300;\n");
        for line in lines(family, way, rules) {
            script += &format!("{line}\n");
        }
        script += "}\n";
    }
    script + "}\nEND\n"
}

/// Fails unless all rules are listed. No other table can accept a packet that one of these drops.
pub(super) fn assert_applied(family: Family, id: u32, rules: &[Rule]) -> String {
    let count = lines(family, Way::In, rules).len() + lines(family, Way::Out, rules).len();
    format!(
        "found=$(nft list table {} | grep -c -E '(drop|return|reject|reject with .*)$')\n\
         [ \"$found\" = {count} ] || fail \"found $found of {count} rules\"\n",
        table(family, id)
    )
}

/// Undoes [`apply`].
pub(super) fn remove(id: u32) -> String {
    format!("if {}; then for family in ip ip6; do nft delete table $family elenchus_{id} 2>/dev/null; done; fi\n", works(Family::V4))
}

/// Fails while a rule of [`apply`] is left.
pub(super) fn assert_removed(id: u32) -> String {
    none_left(&format!(" elenchus_{id}$"))
}

/// Deletes all our tables, of any injection.
pub(super) fn undo_all() -> String {
    let ours = "nft list tables | sed -n -E 's/^table (ip6?) (elenchus_[0-9]+)$/\\1 \\2/p'";
    format!("if {}; then {ours} | while read -r table; do nft delete table $table; done; fi\n", works(Family::V4))
}

/// Fails while a table of any injection is left.
pub(super) fn assert_all_removed() -> String {
    none_left(" elenchus_[0-9]+$")
}

fn none_left(pattern: &str) -> String {
    format!("if left=$(nft list tables 2>/dev/null | grep -E -e '{pattern}'); then echo \"nftables still has: $left\" >&2; exit 1; fi\n")
}
