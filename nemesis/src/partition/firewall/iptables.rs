//! Chains of iptables.
//!
//! Each injection has a chain of its own, `ELENCHUS-<id>`, called from our chain `ELENCHUS`, called first from `INPUT`. No chain that is not ours is ever flushed.

use super::Family;

/// Called first from INPUT; calls the chains of the injections in force.
const CHAIN: &str = "ELENCHUS";

fn chain(id: u32) -> String {
    format!("{CHAIN}-{id}")
}

/// Succeeds where the tool works for this family.
pub(super) fn works(family: Family) -> String {
    format!("{} -w 10 -S >/dev/null 2>&1", family.iptables())
}

/// Drops what comes from these. The rules are complete before they are called.
pub(super) fn cut(family: Family, id: u32, sources: &[String]) -> String {
    let (tool, own) = (family.iptables(), chain(id));
    let mut script =
        format!("t='{tool} -w 10'\n$t -N {CHAIN} 2>/dev/null || $t -S {CHAIN} >/dev/null\n$t -N {own} 2>/dev/null || $t -F {own}\n");
    for source in sources {
        script += &format!("$t -A {own} -s {source} -j DROP\n");
    }
    script += &format!("$t -C {CHAIN} -j {own} 2>/dev/null || $t -A {CHAIN} -j {own}\n");
    script + &format!("$t -C INPUT -j {CHAIN} 2>/dev/null || $t -I INPUT 1 -j {CHAIN}\n")
}

/// Fails unless each of these is dropped, and before anything else is decided.
pub(super) fn assert_cut(family: Family, id: u32, sources: &[String]) -> String {
    let (tool, own) = (family.iptables(), chain(id));
    let mut script = format!("rules=$({tool} -w 10 -S) || exit 1\nneed '-A {CHAIN} -j {own}'\n");
    for source in sources {
        script += &format!("need '-A {own} -s {source} -j DROP'\n");
    }
    script
        + &format!(
            "first=$(printf '%s\\n' \"$rules\" | grep -m 1 -e '^-A INPUT ')\n\
             if [ \"$first\" != '-A INPUT -j {CHAIN}' ]; then echo \"'$first' comes before the rules of the partition\" >&2; exit 1; fi\n"
        )
}

/// Both tools, where they work: what is to be undone may have been done with either, or never.
const EACH_TOOL: &str = "for tool in iptables ip6tables; do\n\
                         \x20 t=\"$tool -w 10\"\n\
                         \x20 command -v $tool >/dev/null && rules=$($t -S 2>/dev/null) || continue\n";

/// Undoes [`cut`].
pub(super) fn join(id: u32) -> String {
    let own = chain(id);
    format!(
        "{EACH_TOOL}\
         \x20 while $t -D {CHAIN} -j {own} 2>/dev/null; do :; done\n\
         \x20 $t -F {own} 2>/dev/null; $t -X {own} 2>/dev/null\n\
         \x20 if ! $t -S {CHAIN} 2>/dev/null | grep -q -e '^-A'; then\n\
         \x20   while $t -D INPUT -j {CHAIN} 2>/dev/null; do :; done\n\
         \x20   $t -X {CHAIN} 2>/dev/null\n\
         \x20 fi\n\
         done\n"
    )
}

/// Fails while anything of [`cut`] is there.
pub(super) fn assert_joined(id: u32) -> String {
    none_left(&format!(" {}( |$)", chain(id)))
}

/// Takes all our chains away, whosever injections they were.
pub(super) fn sweep() -> String {
    format!(
        "{EACH_TOOL}\
         \x20 while $t -D INPUT -j {CHAIN} 2>/dev/null; do :; done\n\
         \x20 chains=$(printf '%s\\n' \"$rules\" | sed -n 's/^-N \\({CHAIN}\\)$/\\1/p; s/^-N \\({CHAIN}-[0-9]*\\)$/\\1/p')\n\
         \x20 for chain in $chains; do $t -F $chain; done\n\
         \x20 for chain in $chains; do $t -X $chain; done\n\
         done\n"
    )
}

/// Fails while anything of any injection is there.
pub(super) fn assert_swept() -> String {
    none_left(&format!(" {CHAIN}(-[0-9]+)?( |$)"))
}

fn none_left(pattern: &str) -> String {
    format!(
        "{EACH_TOOL}\
         \x20 left=$(printf '%s\\n' \"$rules\" | grep -E -e '{pattern}') || continue\n\
         \x20 echo \"$tool still has: $left\" >&2; exit 1\n\
         done\n"
    )
}
