//! Rules that redirect packets, without a program that takes them.

use super::{Tool, holds};
use crate::means::firewall::{Hook, ToolRule, ToolRules};

const HOOK: Hook =
    Hook { fault: "proxy", table: "nat", chain: "PREROUTING", base: "type nat hook prerouting priority -110; policy accept;" };

fn lines() -> ToolRules {
    let line = |iptables: &str, nft: &str| ToolRule { iptables: iptables.into(), nft: nft.into() };
    let both = vec![
        line("-i lo -j RETURN", "iifname \"lo\" return"),
        line("-p tcp --dport 80 --syn -j REDIRECT --to-ports 9", "tcp dport 80 redirect to :9"),
    ];
    ToolRules { v4: both.clone(), v6: both }
}

/// Each script is a script of its own, as on a node.
fn then(scripts: &[String]) -> String {
    scripts.iter().map(|script| format!("( {script} ) || exit 1\n")).collect()
}

fn fails(script: &str) -> String {
    format!("if ( {script} ) 2>/dev/null; then echo 'it succeeds' >&2; exit 1; fi\n")
}

#[test]
fn rules_come_and_go() {
    for tool in [Tool::Iptables, Tool::Nftables] {
        let (apply, is, remove, is_not) =
            (HOOK.apply(7, &lines()), HOOK.assert_applied(7, &lines()), HOOK.remove(7), HOOK.assert_removed(7));
        holds(tool, &then(&[is_not.clone(), fails(&is), remove.clone(), apply.clone(), is.clone(), apply, is, fails(&is_not)]));
        holds(
            tool,
            &then(&[HOOK.apply(7, &lines()), HOOK.apply(8, &lines()), remove.clone(), is_not, HOOK.assert_applied(8, &lines()), remove]),
        );
    }
}

#[test]
fn what_ceases_is_not_in_force() {
    for tool in [Tool::Iptables, Tool::Nftables] {
        let is = HOOK.assert_applied(7, &lines());
        holds(tool, &then(&[HOOK.stop_redirecting(7), HOOK.apply(7, &lines()), HOOK.stop_redirecting(7), fails(&is), HOOK.remove(7)]));
    }
}

#[test]
fn all_are_swept() {
    for tool in [Tool::Iptables, Tool::Nftables] {
        let all = [
            HOOK.undo_all(),
            HOOK.apply(7, &lines()),
            HOOK.apply(12, &lines()),
            HOOK.undo_all(),
            HOOK.assert_removed(7),
            HOOK.assert_removed(12),
        ];
        holds(tool, &then(&all));
    }
}

#[test]
fn a_listener_on_the_port_before_the_proxy_is_detected() {
    let before = "iptables -t nat -I PREROUTING 1 -p tcp --dport 80 -j ACCEPT".to_owned();
    holds(Tool::Iptables, &then(&[HOOK.apply(7, &lines()), before, fails(&HOOK.assert_applied(7, &lines()))]));
    let behind = "iptables -t nat -A PREROUTING -p tcp --dport 80 -j ACCEPT".to_owned();
    holds(Tool::Iptables, &then(&[HOOK.apply(7, &lines()), HOOK.apply(8, &lines()), behind, HOOK.assert_applied(7, &lines())]));
}
