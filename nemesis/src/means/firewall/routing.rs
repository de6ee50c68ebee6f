//! Rules of the routing policy database, where there is no iptables: a packet whose source has no route back is dropped when it arrives.
//!
//! The kernel asks the rules in order of preference, the table of local addresses first. That table is moved behind our rules while
//! there are any. Nodes that already have other rules are refused, as these would then come before it.

use super::{Act, Family, Protocol, Rule};

/// The preference of the rules of the first injection.
const FIRST: u32 = 1000;

/// The number of preferences for injections. Higher ids wrap around; no run has so many in force at once.
const PLACES: u32 = 30_000;

/// The preference of the table of local addresses meanwhile: behind ours, before all others.
const LOCAL: u32 = 32_000;

fn place(id: u32) -> u32 {
    FIRST + id % PLACES
}

/// The addresses whose packets are dropped: all that routing rules can do.
fn sources(rules: &[Rule]) -> impl Iterator<Item = String> {
    rules.iter().filter_map(Rule::plain_sources).flatten().map(ToString::to_string)
}

/// The exempt ports: those of SSH.
fn spared(rules: &[Rule]) -> impl Iterator<Item = u16> {
    let spared = rules.iter().filter(|rule| rule.act == Act::Exempt && rule.protocol == Some(Protocol::Tcp));
    spared.flat_map(|rule| rule.ports.iter().copied())
}

/// A pattern that matches only our rules that exempt a port.
const SPARES: &str = " ipproto tcp .*lookup local";

/// Drops packets from these addresses, but for SSH, if the tool and the kernel support ports in rules.
pub(super) fn apply(family: Family, id: u32, rules: &[Rule]) -> String {
    let (rule, place) = (family.ip_rule(), place(id));
    let mut script = format!(
        "command -v ip >/dev/null || {{ echo 'a partition needs iptables or ip; install iptables' >&2; exit 1; }}\n\
         r='{rule}'\n\
         others=$($r show | grep -vE -e '^(0|{LOCAL}):.*lookup local' -e '^3276[67]:' -e '^[0-9]+:.* blackhole' -e '{SPARES}' || :)\n\
         [ -z \"$others\" ] || {{ echo \"$r already has rules ($others) that a partition would disturb; install iptables\" >&2; exit 1; }}\n\
         $r show | grep -q '^{LOCAL}:' || $r add pref {LOCAL} lookup local\n\
         while $r del pref {place} 2>/dev/null; do :; done\n"
    );
    for source in sources(rules) {
        for port in spared(rules) {
            for end in ["dport", "sport"] {
                script += &format!("$r add pref {place} from {source} ipproto tcp {end} {port} lookup local 2>/dev/null || :\n");
            }
        }
        script += &format!("$r add pref {place} from {source} type blackhole\n");
    }
    script + "if $r show | grep -q '^0:'; then $r del pref 0; fi\n"
}

/// Fails unless each rule is listed and comes before the table of local addresses.
pub(super) fn assert_applied(family: Family, id: u32, rules: &[Rule]) -> String {
    let (rule, place) = (family.ip_rule(), place(id));
    // BusyBox prints a table too, which has no meaning.
    let mut script =
        format!("rules=$({rule} show | tr '\\t' ' ' | sed -e 's/ *$//' -e 's/ lookup [a-z]* blackhole$/ blackhole/') || exit 1\n");
    for source in sources(rules) {
        let needed = format!("{place}: from {source} blackhole");
        script += &format!("printf '%s\\n' \"$rules\" | grep -qxF -e '{needed}' || fail \"the rule '{needed}' is not there\"\n");
    }
    script + "case $rules in '0:'*) fail 'local addresses are looked up before the rules of the fault';; esac\n"
}

/// Loops over both families, where our rules may be.
fn each_family() -> String {
    format!(
        "for r in 'ip -4 rule' 'ip -6 rule'; do\n\
         \x20 command -v ip >/dev/null && $r show 2>/dev/null | grep -q '^{LOCAL}:.*lookup local' || continue\n"
    )
}

/// Moves the table of local addresses back when none of our rules is left.
fn restore() -> String {
    format!(
        "\x20 if ! $r show | grep -q ' blackhole'; then\n\
         \x20   $r show | grep -q '^0:' || $r add pref 0 lookup local\n\
         \x20   $r del pref {LOCAL}\n\
         \x20 fi\n\
         done\n"
    )
}

/// Undoes [`apply`].
pub(super) fn remove(id: u32) -> String {
    format!("{}\x20 while $r del pref {} 2>/dev/null; do :; done\n{}", each_family(), place(id), restore())
}

/// Fails while a rule of [`apply`] is left.
pub(super) fn assert_removed(id: u32) -> String {
    none_left(&format!("^{}:.* blackhole", place(id)))
}

/// Deletes all our rules, of any injection.
pub(super) fn undo_all() -> String {
    let ours = format!("$r show | sed -n -e 's/^\\([0-9]*\\):.* blackhole.*$/\\1/p' -e 's/^\\([0-9]*\\):.*{SPARES}.*$/\\1/p'");
    format!("{}\x20 for place in $({ours}); do $r del pref $place; done\n{}", each_family(), restore())
}

/// Fails while the table of local addresses is moved.
pub(super) fn assert_all_removed() -> String {
    none_left(&format!("^{LOCAL}:.*lookup local"))
}

fn none_left(pattern: &str) -> String {
    format!(
        "{}\x20 left=$($r show | grep -E -e '{pattern}') || continue\n\
         \x20 echo \"$r still has: $left\" >&2; exit 1\n\
         done\n",
        each_family()
    )
}
