mod connection;

use std::process::{Command, Output};

use super::*;

/// What a node may have to cut its network with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tool {
    Iptables,
    Routing,
}

impl Tool {
    /// Run before each script: takes iptables out of its reach where it is to do without.
    fn prelude(self) -> &'static str {
        match self {
            Tool::Iptables => "",
            Tool::Routing => "iptables() { return 127; }; ip6tables() { return 127; }\n",
        }
    }

    /// Prints all rules, to compare them.
    fn show(self) -> &'static str {
        match self {
            Tool::Iptables => "iptables -S",
            Tool::Routing => "ip -4 rule; ip -6 rule",
        }
    }
}

/// Runs a script in a network namespace of its own, where it can do no harm, with each tool. None where that is not allowed.
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

fn sources() -> Vec<IpAddr> {
    ["10.0.0.1", "10.0.0.2"].iter().map(|address| address.parse().unwrap()).collect()
}

fn same_before_and_after(tool: Tool, script: &str) -> String {
    let show = tool.show();
    format!("before=$({show})\n{script}[ \"$before\" = \"$({show})\" ] || {{ {show}; exit 1; }} >&2\n")
}

#[test]
fn cuts_overlap_and_are_undone_one_by_one() {
    let (first, second) = (sources(), sources()[..1].to_vec());
    let step = |script: String| format!("( {script} ) || exit 1\n");
    let fails = |script: String| format!("( {script} ) 2>/dev/null && {{ echo 'should have failed' >&2; exit 1; }}\n");
    let script = [
        fails(assert_cut(1, &first)),
        step(join(1)),
        step(cut(1, &first)),
        step(cut(2, &second)),
        step(assert_cut(1, &first)),
        step(assert_cut(2, &second)),
        fails(assert_joined(1)),
        step(join(1)),
        step(assert_joined(1)),
        fails(assert_cut(1, &first)),
        step(assert_cut(2, &second)),
        step(join(2)),
        step(join(2)),
    ];
    for tool in [Tool::Iptables, Tool::Routing] {
        holds(tool, &same_before_and_after(tool, &script.concat()));
    }
    let theirs = "iptables -A INPUT -s 10.9.9.9 -j ACCEPT\n".to_owned();
    holds(Tool::Iptables, &(theirs + &same_before_and_after(Tool::Iptables, &script.concat())));
}

#[test]
fn a_sweep_takes_ours_and_nothing_else() {
    let twice = [cut(1, &sources()), cut(12, &sources()), sweep(), sweep()].map(|script| format!("( {script} ) || exit 1\n")).concat();
    holds(Tool::Routing, &same_before_and_after(Tool::Routing, &twice));
    let theirs = "iptables -N ELENCHUS-mine\niptables -A INPUT -s 10.9.9.9 -j ACCEPT\n".to_owned();
    holds(Tool::Iptables, &(theirs + &same_before_and_after(Tool::Iptables, &twice)));
}

#[test]
fn a_rule_put_before_ours_is_noticed() {
    let noticed = |tool, theirs: &str, said: &str| {
        holds(tool, &format!("( {} ) || exit 1\n{theirs}\n( {} ) 2>&1 | grep -q '{said}'", cut(3, &sources()), assert_cut(3, &sources())));
    };
    noticed(Tool::Iptables, "iptables -I INPUT 1 -j ACCEPT", "comes before");
    noticed(Tool::Routing, "ip rule add pref 0 lookup local", "are looked up before");
}

#[test]
fn rules_of_others_are_left_alone() {
    let theirs = "ip rule add pref 500 from 10.9.9.9 lookup main\n".to_owned();
    let refused = format!("( {} ) 2>&1 | grep -q 'install iptables' || exit 1\n", cut(3, &sources()));
    holds(Tool::Routing, &(theirs + &same_before_and_after(Tool::Routing, &refused)));
}

#[test]
fn both_families_are_cut() {
    let sources: Vec<IpAddr> = vec!["10.0.0.1".parse().unwrap(), "fd00::1".parse().unwrap()];
    for tool in [Tool::Iptables, Tool::Routing] {
        let script = [cut(1, &sources), assert_cut(1, &sources), join(1)].map(|script| format!("( {script} ) || exit 1\n")).concat();
        holds(tool, &same_before_and_after(tool, &script));
    }
}
