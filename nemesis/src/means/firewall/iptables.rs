//! Chains of iptables.
//!
//! Each injection has a chain of its own, `ELENCHUS-<id>`, called from our chain `ELENCHUS`, called first from `INPUT`; what goes out has `ELENCHUS-OUT-<id>`,
//! `ELENCHUS-OUT` and `OUTPUT`. No chain that is not ours is ever flushed.

use super::rule::NEIGHBOURS;
use super::{Act, Family, Only, Peers, Protocol, Rule, Verdict, Way};

const IN: &str = "ELENCHUS";
const OUT: &str = "ELENCHUS-OUT";

/// The kernel's chain, and ours, which is called first from it and calls the chains of the injections in force.
fn chains(way: Way) -> (&'static str, &'static str) {
    match way {
        Way::In => ("INPUT", IN),
        Way::Out => ("OUTPUT", OUT),
    }
}

/// Succeeds where the tool works for this family.
pub(super) fn works(family: Family) -> String {
    format!("{} -w 10 -S >/dev/null 2>&1", family.iptables())
}

/// The rules of one way, as the tool's arguments behind `-A <chain>`.
fn arguments(family: Family, way: Way, rules: &[Rule]) -> Vec<String> {
    let of_this_way = rules.iter().filter(|rule| rule.way == way);
    of_this_way
        .flat_map(|rule| {
            let (address, interface) = if way == Way::In { ("-s", "-i") } else { ("-d", "-o") };
            let ends: Vec<String> = match &rule.peers {
                Peers::Any => vec![String::new()],
                Peers::Loopback => vec![format!("{interface} lo ")],
                Peers::These(peers) => peers.iter().map(|peer| format!("{address} {} ", family.network(peer))).collect(),
            };
            ends.into_iter()
                .flat_map(|end| match_and_target(family, rule).into_iter().map(move |rest| format!("{end}{rest}")))
                .collect::<Vec<_>>()
        })
        .collect()
}

/// The arguments of a rule after its end; the tool may need several rules.
fn match_and_target(family: Family, rule: &Rule) -> Vec<String> {
    if rule.only == Only::Neighbours {
        return NEIGHBOURS.map(|kind| format!("-p ipv6-icmp --icmpv6-type {kind} -j RETURN")).to_vec();
    }
    let mut text = String::new();
    if let Some(protocol) = rule.protocol {
        text += &format!("-p {} ", protocol.name());
    }
    if !rule.ports.is_empty() {
        let ports: Vec<String> = rule.ports.iter().map(u16::to_string).collect();
        text += &format!("-m multiport --ports {} ", ports.join(","));
    }
    text += match (rule.only, rule.protocol, family) {
        (Only::All | Only::Neighbours, ..) => "",
        (Only::New, Some(Protocol::Tcp), _) => "--syn ",
        (Only::New, ..) => "",
        (Only::Refusals, Some(_), _) => "--tcp-flags RST RST ",
        (Only::Refusals, None, Family::V4) => "-p icmp --icmp-type destination-unreachable ",
        (Only::Refusals, None, Family::V6) => "-p ipv6-icmp --icmpv6-type destination-unreachable ",
    };
    if let Some(share) = rule.share {
        text += &format!("-m statistic --mode random --probability {share:.6} ");
    }
    text += match rule.act {
        Act::Exempt => "-j RETURN",
        Act::Stop(Verdict::Drop) => "-j DROP",
        Act::Stop(Verdict::Reject) => "-j REJECT",
        Act::Stop(Verdict::Reset) => "-j REJECT --reject-with tcp-reset",
    };
    vec![text]
}

/// The arguments of the rules for each direction that has any.
fn by_way(family: Family, rules: &[Rule]) -> Vec<(Way, Vec<String>)> {
    let ways = [Way::In, Way::Out].map(|way| (way, arguments(family, way, rules)));
    ways.into_iter().filter(|(_, arguments)| !arguments.is_empty()).collect()
}

/// Adds the rules. A chain is complete before it is called.
pub(super) fn apply(family: Family, id: u32, rules: &[Rule]) -> String {
    let mut script = format!("t='{} -w 10'\n", family.iptables());
    for (way, arguments) in by_way(family, rules) {
        let (kernel, ours) = chains(way);
        let own = format!("{ours}-{id}");
        script += &format!("$t -N {ours} 2>/dev/null || $t -S {ours} >/dev/null\n$t -N {own} 2>/dev/null || $t -F {own}\n");
        for argument in arguments {
            script += &format!("$t -A {own} {argument}\n");
        }
        script += &format!("$t -C {ours} -j {own} 2>/dev/null || $t -A {ours} -j {own}\n");
        script += &format!("$t -C {kernel} -j {ours} 2>/dev/null || $t -I {kernel} 1 -j {ours}\n");
    }
    script
}

/// Fails unless each rule is listed and comes before all others.
pub(super) fn assert_applied(family: Family, id: u32, rules: &[Rule]) -> String {
    let mut script = format!("t='{} -w 10'\n", family.iptables());
    for (way, arguments) in by_way(family, rules) {
        let (kernel, ours) = chains(way);
        let own = format!("{ours}-{id}");
        for rule in arguments.iter().map(|argument| format!("{own} {argument}")).chain([format!("{ours} -j {own}")]) {
            script += &format!("$t -C {rule} 2>/dev/null || fail \"the rule '{rule}' is not there\"\n");
        }
        script += &format!(
            "first=$($t -S {kernel} | grep -m 1 -e '^-A {kernel} ')\n\
             [ \"$first\" = '-A {kernel} -j {ours}' ] || fail \"'$first' comes before the rules of the fault\"\n"
        );
    }
    script
}

/// Loops over both tools, where they work: the rules may have been added with either, or never.
pub(super) const EACH_TOOL: &str = "for tool in iptables ip6tables; do\n\
                         \x20 t=\"$tool -w 10\"\n\
                         \x20 command -v $tool >/dev/null && rules=$($t -S 2>/dev/null) || continue\n";

/// Undoes [`apply`].
pub(super) fn remove(id: u32) -> String {
    let mut script = EACH_TOOL.to_owned();
    for (kernel, ours) in [chains(Way::In), chains(Way::Out)] {
        let own = format!("{ours}-{id}");
        script += &format!(
            "\x20 while $t -D {ours} -j {own} 2>/dev/null; do :; done\n\
             \x20 $t -F {own} 2>/dev/null; $t -X {own} 2>/dev/null\n\
             \x20 if ! $t -S {ours} 2>/dev/null | grep -q -e '^-A'; then\n\
             \x20   while $t -D {kernel} -j {ours} 2>/dev/null; do :; done\n\
             \x20   $t -X {ours} 2>/dev/null\n\
             \x20 fi\n"
        );
    }
    script + "done\n"
}

/// Fails while a rule of [`apply`] is left.
pub(super) fn assert_removed(id: u32) -> String {
    none_left(&format!(" ELENCHUS(-OUT)?-{id}( |$)"))
}

/// Deletes all our chains, of any injection.
pub(super) fn undo_all() -> String {
    format!(
        "{EACH_TOOL}\
         \x20 while $t -D INPUT -j {IN} 2>/dev/null; do :; done\n\
         \x20 while $t -D OUTPUT -j {OUT} 2>/dev/null; do :; done\n\
         \x20 chains=$(printf '%s\\n' \"$rules\" | sed -n -E 's/^-N (ELENCHUS(-OUT)?(-[0-9]+)?)$/\\1/p')\n\
         \x20 for chain in $chains; do $t -F $chain; done\n\
         \x20 for chain in $chains; do $t -X $chain; done\n\
         done\n"
    )
}

/// Fails while a chain of any injection is left.
pub(super) fn assert_all_removed() -> String {
    none_left(" ELENCHUS(-OUT)?(-[0-9]+)?( |$)")
}

fn none_left(pattern: &str) -> String {
    format!(
        "{EACH_TOOL}\
         \x20 left=$(printf '%s\\n' \"$rules\" | grep -E -e '{pattern}') || continue\n\
         \x20 echo \"$tool still has: $left\" >&2; exit 1\n\
         done\n"
    )
}
