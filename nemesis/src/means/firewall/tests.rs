mod connection;
mod redirect;

use std::process::{Command, Output};

use super::*;

/// The tools that a node may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tool {
    Iptables,
    Nftables,
    Routing,
}

const TOOLS: [Tool; 3] = [Tool::Iptables, Tool::Nftables, Tool::Routing];

impl Tool {
    /// A prelude for each script that hides the other tools.
    fn prelude(self) -> &'static str {
        match self {
            Tool::Iptables => "",
            Tool::Nftables => "iptables() { return 127; }; ip6tables() { return 127; }\n",
            Tool::Routing => "iptables() { return 127; }; ip6tables() { return 127; }; nft() { return 127; }\n",
        }
    }

    /// Prints all rules, to compare them.
    fn show(self) -> &'static str {
        match self {
            Tool::Iptables => "iptables -S",
            Tool::Nftables => "nft list ruleset",
            Tool::Routing => "ip -4 rule; ip -6 rule",
        }
    }
}

/// Runs a script in a network namespace of its own. Returns `None` where that is not allowed.
fn in_own_namespace(tool: Tool, script: &str) -> Option<Output> {
    let unshared = |script: &str| Command::new("unshare").args(["--map-root-user", "--net", "sh", "-c", script]).output().ok();
    let allowed = unshared(&format!("{{ {}; }} >/dev/null", tool.show())).is_some_and(|output| output.status.success());
    if !allowed {
        println!("skipped: no network namespace with {tool:?} can be made here");
        return None;
    }
    unshared(&format!("{}{script}", tool.prelude()))
}

fn holds(tool: Tool, script: &str) {
    if let Some(output) = in_own_namespace(tool, script) {
        assert!(output.status.success(), "{tool:?}: {}\n{script}", String::from_utf8_lossy(&output.stderr));
    }
}

fn from(sources: &[&str]) -> Vec<Rule> {
    let sources = sources.iter().map(|address| address.parse().unwrap()).collect();
    vec![Rule::exempt_ssh(Way::In, vec![22]), Rule::stop(Way::In, Peers::These(sources))]
}

fn sources() -> Vec<Rule> {
    from(&["10.0.0.1", "10.0.0.2"])
}

fn same_before_and_after(tool: Tool, script: &str) -> String {
    let show = tool.show();
    format!("before=$({show})\n{script}[ \"$before\" = \"$({show})\" ] || {{ {show}; exit 1; }} >&2\n")
}

#[test]
fn injections_overlap_and_are_undone_one_by_one() {
    let (first, second) = (sources(), from(&["10.0.0.1"]));
    let step = |script: String| format!("( {script} ) || exit 1\n");
    let fails = |script: String| format!("( {script} ) 2>/dev/null && {{ echo 'should have failed' >&2; exit 1; }}\n");
    let script = [
        fails(assert_applied(1, &first)),
        step(remove(1)),
        step(apply(1, &first)),
        step(apply(2, &second)),
        step(assert_applied(1, &first)),
        step(assert_applied(2, &second)),
        fails(assert_removed(1)),
        step(remove(1)),
        step(assert_removed(1)),
        fails(assert_applied(1, &first)),
        step(assert_applied(2, &second)),
        step(remove(2)),
        step(remove(2)),
    ];
    for tool in TOOLS {
        holds(tool, &same_before_and_after(tool, &script.concat()));
    }
    let theirs = "iptables -A INPUT -s 10.9.9.9 -j ACCEPT\n".to_owned();
    holds(Tool::Iptables, &(theirs + &same_before_and_after(Tool::Iptables, &script.concat())));
}

#[test]
fn a_sweep_takes_ours_and_nothing_else() {
    let twice =
        [apply(1, &sources()), apply(12, &sources()), undo_all(), undo_all()].map(|script| format!("( {script} ) || exit 1\n")).concat();
    holds(Tool::Routing, &same_before_and_after(Tool::Routing, &twice));
    let theirs = "iptables -N ELENCHUS-mine\niptables -A INPUT -s 10.9.9.9 -j ACCEPT\n".to_owned();
    holds(Tool::Iptables, &(theirs + &same_before_and_after(Tool::Iptables, &twice)));
}

#[test]
fn a_rule_before_ours_is_detected() {
    let noticed = |tool, theirs: &str, said: &str| {
        holds(
            tool,
            &format!("( {} ) || exit 1\n{theirs}\n( {} ) 2>&1 | grep -q '{said}'", apply(3, &sources()), assert_applied(3, &sources())),
        );
    };
    noticed(Tool::Iptables, "iptables -I INPUT 1 -j ACCEPT", "comes before");
    noticed(Tool::Routing, "ip rule add pref 0 lookup local", "are looked up before");
}

#[test]
fn other_rules_are_left_alone() {
    let theirs = "ip rule add pref 500 from 10.9.9.9 lookup main\n".to_owned();
    let refused = format!("( {} ) 2>&1 | grep -q 'install iptables' || exit 1\n", apply(3, &sources()));
    holds(Tool::Routing, &(theirs + &same_before_and_after(Tool::Routing, &refused)));
}

#[test]
fn both_families_are_cut() {
    let sources = from(&["10.0.0.1", "fd00::1"]);
    for tool in TOOLS {
        let script =
            [apply(1, &sources), assert_applied(1, &sources), remove(1)].map(|script| format!("( {script} ) || exit 1\n")).concat();
        holds(tool, &same_before_and_after(tool, &script));
    }
}

/// Every kind of rule.
fn of_all_kinds() -> Vec<Rule> {
    let peers = Peers::These(vec!["10.0.0.1".parse().unwrap(), "fd00::1".parse().unwrap()]);
    let mut rules = vec![
        Rule::exempt_ssh(Way::In, vec![22, 2222]),
        Rule::exempt_loopback(Way::In),
        Rule::exempt_loopback(Way::Out),
        Rule::exempt_refusals(Way::In),
        Rule::exempt_neighbours(Way::In),
        Rule::exempt_neighbours(Way::Out),
    ];
    for way in [Way::In, Way::Out] {
        for verdict in [Verdict::Drop, Verdict::Reject, Verdict::Reset] {
            for (protocol, ports) in [(None, vec![]), (None, vec![53]), (Some(Protocol::Tcp), vec![1, 2]), (Some(Protocol::Udp), vec![])] {
                let rule = Rule { protocol, ports, act: Act::Stop(verdict), ..Rule::stop(way, peers.clone()) };
                rules.extend([Rule { only: Only::New, ..rule.clone() }, Rule { share: Some(0.25), ..rule.clone() }]);
                rules.push(Rule { peers: Peers::Any, ..rule });
            }
        }
    }
    rules
}

#[test]
fn rules_of_every_kind_come_and_go() {
    let rules = of_all_kinds();
    let script =
        [apply(4, &rules), assert_applied(4, &rules), remove(4), remove(4)].map(|script| format!("( {script} ) || exit 1\n")).concat();
    for tool in [Tool::Iptables, Tool::Nftables] {
        holds(tool, &same_before_and_after(tool, &script));
    }
    let refused = format!("( {} ) 2>&1 | grep -q 'install iptables' || exit 1\n", apply(4, &rules));
    holds(Tool::Routing, &same_before_and_after(Tool::Routing, &refused));
}

#[test]
fn a_missing_rule_is_detected() {
    let (all, few) = (of_all_kinds(), of_all_kinds()[..10].to_vec());
    for tool in [Tool::Iptables, Tool::Nftables] {
        holds(tool, &format!("( {} ) || exit 1\n( {} ) 2>/dev/null && exit 1\nexit 0\n", apply(4, &few), assert_applied(4, &all)));
    }
}
