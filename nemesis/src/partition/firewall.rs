//! The scripts that change a node's firewall, as pure text.

use std::net::IpAddr;

/// Called first from INPUT; calls the chains of the injections in force.
const CHAIN: &str = "ELENCHUS";

fn chain(id: u32) -> String {
    format!("{CHAIN}-{id}")
}

/// For each tool that some of the addresses need, the sources to drop with it, as the tool itself would print them.
fn by_tool(sources: &[IpAddr]) -> Vec<(&'static str, Vec<String>)> {
    let v4 = sources.iter().filter(|address| address.is_ipv4()).map(|address| format!("{address}/32")).collect::<Vec<_>>();
    let v6 = sources.iter().filter(|address| address.is_ipv6()).map(|address| format!("{address}/128")).collect::<Vec<_>>();
    [("iptables", v4), ("ip6tables", v6)].into_iter().filter(|(_, sources)| !sources.is_empty()).collect()
}

/// Drops what comes from these. The rules are complete before they are called.
pub(super) fn cut(id: u32, sources: &[IpAddr]) -> String {
    let own = chain(id);
    let mut script = format!(": cut {own}\nset -e\n");
    for (tool, sources) in by_tool(sources) {
        script +=
            &format!("t='{tool} -w 10'\n$t -N {CHAIN} 2>/dev/null || $t -S {CHAIN} >/dev/null\n$t -N {own} 2>/dev/null || $t -F {own}\n");
        for source in sources {
            script += &format!("$t -A {own} -s {source} -j DROP\n");
        }
        script += &format!("$t -C {CHAIN} -j {own} 2>/dev/null || $t -A {CHAIN} -j {own}\n");
        script += &format!("$t -C INPUT -j {CHAIN} 2>/dev/null || $t -I INPUT 1 -j {CHAIN}\n");
    }
    script
}

/// Fails unless each of these is dropped, and before anything else is decided.
pub(super) fn assert_cut(id: u32, sources: &[IpAddr]) -> String {
    let own = chain(id);
    let mut script = format!(": is-cut {own}\n")
        + "need() { printf '%s\\n' \"$rules\" | grep -qxF -e \"$1\" || { echo \"the rule '$1' is not there\" >&2; exit 1; }; }\n";
    for (tool, sources) in by_tool(sources) {
        script += &format!("rules=$({tool} -w 10 -S) || exit 1\nneed '-A {CHAIN} -j {own}'\n");
        for source in sources {
            script += &format!("need '-A {own} -s {source} -j DROP'\n");
        }
        script += &format!(
            "first=$(printf '%s\\n' \"$rules\" | grep -m 1 -e '^-A INPUT ')\n\
             if [ \"$first\" != '-A INPUT -j {CHAIN}' ]; then echo \"'$first' comes before the rules of the partition\" >&2; exit 1; fi\n"
        );
    }
    script
}

/// Both tools, where they work: what is to be undone may have been done with either, or never.
const EACH_TOOL: &str = "for tool in iptables ip6tables; do\n\
                         \x20 t=\"$tool -w 10\"\n\
                         \x20 command -v $tool >/dev/null && rules=$($t -S 2>/dev/null) || continue\n";

/// Undoes [`cut`].
pub(super) fn join(id: u32) -> String {
    let own = chain(id);
    format!(
        ": join {own}\n{EACH_TOOL}\
         \x20 while $t -D {CHAIN} -j {own} 2>/dev/null; do :; done\n\
         \x20 $t -F {own} 2>/dev/null; $t -X {own} 2>/dev/null\n\
         \x20 if ! $t -S {CHAIN} 2>/dev/null | grep -q -e '^-A'; then\n\
         \x20   while $t -D INPUT -j {CHAIN} 2>/dev/null; do :; done\n\
         \x20   $t -X {CHAIN} 2>/dev/null\n\
         \x20 fi\n\
         done\n{}",
        assert_joined(id)
    )
}

/// Fails while anything of [`cut`] is there.
pub(super) fn assert_joined(id: u32) -> String {
    none_left(&format!(" {}( |$)", chain(id)))
}

/// Takes all our chains away, whosever injections they were.
pub(super) fn sweep() -> String {
    format!(
        ": join all\n{EACH_TOOL}\
         \x20 while $t -D INPUT -j {CHAIN} 2>/dev/null; do :; done\n\
         \x20 chains=$(printf '%s\\n' \"$rules\" | sed -n 's/^-N \\({CHAIN}\\)$/\\1/p; s/^-N \\({CHAIN}-[0-9]*\\)$/\\1/p')\n\
         \x20 for chain in $chains; do $t -F $chain; done\n\
         \x20 for chain in $chains; do $t -X $chain; done\n\
         done\n{}",
        none_left(&format!(" {CHAIN}(-[0-9]+)?( |$)"))
    )
}

fn none_left(pattern: &str) -> String {
    format!(
        ": is-joined\n{EACH_TOOL}\
         \x20 left=$(printf '%s\\n' \"$rules\" | grep -E -e '{pattern}') || continue\n\
         \x20 echo \"$tool still has: $left\" >&2; exit 1\n\
         done\n\
         exit 0\n"
    )
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Output};

    use super::*;

    /// Runs a script in a network namespace of its own, where it can do no harm. None where that is not allowed.
    fn in_own_namespace(script: &str) -> Option<Output> {
        let unshared = |script: &str| Command::new("unshare").args(["--map-root-user", "--net", "sh", "-c", script]).output().ok();
        let allowed = unshared("iptables -w 10 -S").is_some_and(|output| output.status.success());
        if !allowed {
            println!("skipped: no network namespace with iptables can be made here");
            return None;
        }
        unshared(script)
    }

    fn holds(script: &str) {
        if let Some(output) = in_own_namespace(script) {
            assert!(output.status.success(), "{}\n{script}", String::from_utf8_lossy(&output.stderr));
        }
    }

    fn sources() -> Vec<IpAddr> {
        ["10.0.0.1", "10.0.0.2"].iter().map(|address| address.parse().unwrap()).collect()
    }

    #[test]
    fn cuts_overlap_and_are_undone_one_by_one() {
        let (first, second) = (sources(), sources()[..1].to_vec());
        let step = |script: String| format!("( {script} ) || exit 1\n");
        let fails = |script: String| format!("( {script} ) 2>/dev/null && {{ echo 'should have failed' >&2; exit 1; }}\n");
        let script = [
            "iptables -A INPUT -s 10.9.9.9 -j ACCEPT\n".into(),
            "before=$(iptables -S)\n".into(),
            fails(assert_cut(1, &first)),
            step(join(1)),
            step(cut(1, &first)),
            step(cut(2, &second)),
            step(assert_cut(1, &first)),
            step(assert_cut(2, &second)),
            fails(assert_joined(1)),
            step(join(1)),
            step(assert_joined(1)),
            step(assert_cut(2, &second)),
            step(join(2)),
            step(join(2)),
            "[ \"$before\" = \"$(iptables -S)\" ] || { iptables -S >&2; exit 1; }\n".into(),
        ];
        holds(&script.concat());
    }

    #[test]
    fn a_sweep_takes_ours_and_nothing_else() {
        let script = format!(
            "iptables -N ELENCHUS-mine\niptables -A INPUT -s 10.9.9.9 -j ACCEPT\nbefore=$(iptables -S)\n( {} ) && ( {} ) || exit 1\n( {} ) || exit 1\n( {} ) || exit 1\n\
             [ \"$before\" = \"$(iptables -S)\" ] || {{ iptables -S >&2; exit 1; }}\n",
            cut(1, &sources()),
            cut(12, &sources()),
            sweep(),
            sweep()
        );
        holds(&script);
    }

    #[test]
    fn a_rule_put_before_ours_is_noticed() {
        let script = format!(
            "( {} ) || exit 1\niptables -I INPUT 1 -j ACCEPT\n( {} ) 2>&1 | grep -q 'comes before'",
            cut(3, &sources()),
            assert_cut(3, &sources())
        );
        holds(&script);
    }

    #[test]
    fn both_families_are_cut() {
        let sources: Vec<IpAddr> = vec!["10.0.0.1".parse().unwrap(), "fd00::1".parse().unwrap()];
        holds(&format!("( {} ) && ( {} ) && ( {} )", cut(1, &sources), assert_cut(1, &sources), join(1)));
    }
}
