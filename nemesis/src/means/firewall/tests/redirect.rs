//! Rules that hand packets over, where nobody takes them.

use super::{Tool, holds};
use crate::means::firewall::{Line, Lines, Place};

const PLACE: Place =
    Place { fault: "proxy", table: "nat", chain: "PREROUTING", base: "type nat hook prerouting priority -110; policy accept;" };

fn lines() -> Lines {
    let line = |iptables: &str, nft: &str| Line { iptables: iptables.into(), nft: nft.into() };
    let both = vec![
        line("-i lo -j RETURN", "iifname \"lo\" return"),
        line("-p tcp --dport 80 --syn -j REDIRECT --to-ports 9", "tcp dport 80 redirect to :9"),
    ];
    Lines { v4: both.clone(), v6: both }
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
            (PLACE.apply(7, &lines()), PLACE.assert_applied(7, &lines()), PLACE.remove(7), PLACE.assert_removed(7));
        holds(tool, &then(&[is_not.clone(), fails(&is), remove.clone(), apply.clone(), is.clone(), apply, is, fails(&is_not)]));
        holds(
            tool,
            &then(&[PLACE.apply(7, &lines()), PLACE.apply(8, &lines()), remove.clone(), is_not, PLACE.assert_applied(8, &lines()), remove]),
        );
    }
}

#[test]
fn what_ceases_is_not_in_force() {
    for tool in [Tool::Iptables, Tool::Nftables] {
        let is = PLACE.assert_applied(7, &lines());
        holds(tool, &then(&[PLACE.cease(7), PLACE.apply(7, &lines()), PLACE.cease(7), fails(&is), PLACE.remove(7)]));
    }
}

#[test]
fn all_are_swept() {
    for tool in [Tool::Iptables, Tool::Nftables] {
        let all = [
            PLACE.undo_all(),
            PLACE.apply(7, &lines()),
            PLACE.apply(12, &lines()),
            PLACE.undo_all(),
            PLACE.assert_removed(7),
            PLACE.assert_removed(12),
        ];
        holds(tool, &then(&all));
    }
}

#[test]
fn who_comes_before_is_noticed() {
    let before = "iptables -t nat -I PREROUTING 1 -p tcp --dport 80 -j ACCEPT".to_owned();
    holds(Tool::Iptables, &then(&[PLACE.apply(7, &lines()), before, fails(&PLACE.assert_applied(7, &lines()))]));
    let behind = "iptables -t nat -A PREROUTING -p tcp --dport 80 -j ACCEPT".to_owned();
    holds(Tool::Iptables, &then(&[PLACE.apply(7, &lines()), PLACE.apply(8, &lines()), behind, PLACE.assert_applied(7, &lines())]));
}
