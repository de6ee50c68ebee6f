//! Rules that redirect packets to a program on the node.
//!
//! They are at another hook than the rules that drop packets: each injection has a chain of its own in one of iptables' tables, called first from the kernel's chain;
//! or else an nftables table with a chain at the same hook.

use super::{Family, iptables};

/// A hook in the kernel at which packets are redirected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hook {
    /// The fault, after which chains and tables are named.
    pub(crate) fault: &'static str,
    /// iptables' table.
    pub(crate) table: &'static str,
    /// The kernel's chain, as iptables names it.
    pub(crate) chain: &'static str,
    /// The same hook, as nftables writes it.
    pub(crate) base: &'static str,
}

/// A rule, as each tool writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ToolRule {
    /// The arguments after `-A <chain>`.
    pub(crate) iptables: String,
    /// A line within a chain.
    pub(crate) nft: String,
}

/// The rules for each IP version.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ToolRules {
    pub(crate) v4: Vec<ToolRule>,
    pub(crate) v6: Vec<ToolRule>,
}

impl ToolRules {
    fn by_family(&self) -> impl Iterator<Item = (Family, &[ToolRule])> {
        [(Family::V4, &*self.v4), (Family::V6, &*self.v6)].into_iter().filter(|(_, lines)| !lines.is_empty())
    }
}

impl Hook {
    fn own_chain(&self, id: u32) -> String {
        format!("ELENCHUS-{}-{id}", self.fault.to_uppercase())
    }

    fn own_table(&self, id: u32) -> String {
        format!("elenchus_{}_{id}", self.fault)
    }

    fn tool(&self, family: Family) -> String {
        format!("{} -w 10 -t {}", family.iptables(), self.table)
    }

    /// Succeeds where iptables has this table.
    fn works(&self, family: Family) -> String {
        format!("{} -S >/dev/null 2>&1", self.tool(family))
    }

    fn with_what_works(
        &self,
        lines: &ToolRules,
        iptables: impl Fn(Family, &[ToolRule]) -> String,
        nft: impl Fn(Family, &[ToolRule]) -> String,
    ) -> String {
        let branches = lines.by_family().map(|(family, lines)| {
            let branches = format!("if {}; then\n{}else\n{}fi\n", self.works(family), iptables(family, lines), nft(family, lines));
            // As with rules that stop packets.
            if family == Family::V4 { branches } else { format!("if [ -e /proc/net/if_inet6 ]; then\n{branches}fi\n") }
        });
        branches.collect()
    }

    /// Adds the rules, under this number. The chain is complete before it is called.
    pub(crate) fn apply(&self, id: u32, lines: &ToolRules) -> String {
        let (own, kernel) = (self.own_chain(id), self.chain);
        let by_iptables = |family, lines: &[ToolRule]| {
            let rules: String = lines.iter().map(|line| format!("$t -A {own} {}\n", line.iptables)).collect();
            format!(
                "t='{}'\n$t -N {own} 2>/dev/null || $t -F {own}\n{rules}$t -C {kernel} -j {own} 2>/dev/null || $t -I {kernel} 1 -j {own}\n",
                self.tool(family)
            )
        };
        let by_nft = |family: Family, lines: &[ToolRule]| {
            let table = format!("{} {}", family.nft(), self.own_table(id));
            let rules: String = lines.iter().map(|line| format!("{}\n", line.nft)).collect();
            format!(
                "nft -f - <<'END'\ntable {table} {{ }}\ndelete table {table}\ntable {table} {{\nchain own {{\n{}\n{rules}}}\n}}\nEND\n",
                self.base
            )
        };
        format!(": redirect {id}\nset -e\n{}", self.with_what_works(lines, by_iptables, by_nft))
    }

    /// Fails unless all rules are in force and come before all others.
    pub(crate) fn assert_applied(&self, id: u32, lines: &ToolRules) -> String {
        let (own, kernel) = (self.own_chain(id), self.chain);
        let by_iptables = |family, lines: &[ToolRule]| {
            let rules = lines.iter().map(|line| format!("{own} {}", line.iptables)).chain([format!("{kernel} -j {own}")]);
            let looks: String =
                rules.map(|rule| format!("$t -C {rule} 2>/dev/null || fail \"the rule '{rule}' is not there\"\n")).collect();
            format!(
                "t='{}'\n{looks}\
                 before=$($t -S {kernel} | grep -e '^-A {kernel} ' | sed '/ -j {own}$/q' | grep -v -e ' -j ELENCHUS-' || :)\n\
                 [ -z \"$before\" ] || fail \"'$before' comes before the rules of the fault\"\n",
                self.tool(family)
            )
        };
        let by_nft = |family: Family, lines: &[ToolRule]| {
            format!(
                "found=$(nft list table {} {} 2>/dev/null | grep -c -v -E -e '^table' -e 'chain' -e 'type .* hook' -e '^[[:space:]]*}}?$')\n\
                 [ \"$found\" = {count} ] || fail \"found $found of {count} rules\"\n",
                family.nft(),
                self.own_table(id),
                count = lines.len()
            )
        };
        format!(": is redirected {id}\nfail() {{ echo \"$1\" >&2; exit 1; }}\n{}exit 0\n", self.with_what_works(lines, by_iptables, by_nft))
    }

    /// Stops redirecting, but keeps the empty chain, so that the kernel still tracks redirected connections.
    pub(crate) fn stop_redirecting(&self, id: u32) -> String {
        let (own, table) = (self.own_chain(id), self.own_table(id));
        format!(
            ": stop_redirecting {id}\n{}\x20 $t -F {own} 2>/dev/null\ndone\n\
             if command -v nft >/dev/null; then for family in ip ip6; do nft flush chain $family {table} own 2>/dev/null; done; fi\n:\n",
            self.each_tool()
        )
    }

    /// Undoes [`Hook::apply`].
    pub(crate) fn remove(&self, id: u32) -> String {
        let (own, kernel, table) = (self.own_chain(id), self.chain, self.own_table(id));
        format!(
            ": redirect no more {id}\n{each}\
             \x20 while $t -D {kernel} -j {own} 2>/dev/null; do :; done\n\
             \x20 $t -F {own} 2>/dev/null; $t -X {own} 2>/dev/null\n\
             done\n\
             if command -v nft >/dev/null; then for family in ip ip6; do nft delete table $family {table} 2>/dev/null; done; fi\n\
             {looks}",
            each = self.each_tool(),
            looks = self.assert_removed(id)
        )
    }

    /// Fails while a rule of [`Hook::apply`] is left.
    pub(crate) fn assert_removed(&self, id: u32) -> String {
        format!(
            ": is not redirected {id}\n{}exit 0\n",
            self.none_left(&format!(" {}( |$)", self.own_chain(id)), &format!(" {}$", self.own_table(id)))
        )
    }

    /// Undoes every injection.
    pub(crate) fn undo_all(&self) -> String {
        let (kernel, fault, name) = (self.chain, self.fault, self.fault.to_uppercase());
        format!(
            ": redirect nothing\n{each}\
             \x20 for chain in $(printf '%s\\n' \"$rules\" | sed -n -E 's/^-N (ELENCHUS-{name}-[0-9]+)$/\\1/p'); do\n\
             \x20   while $t -D {kernel} -j $chain 2>/dev/null; do :; done\n\
             \x20   $t -F $chain; $t -X $chain\n\
             \x20 done\n\
             done\n\
             if command -v nft >/dev/null; then\n\
             \x20 nft list tables 2>/dev/null | sed -n -E 's/^table (ip6?) (elenchus_{fault}_[0-9]+)$/\\1 \\2/p' | while read -r table; do nft delete table $table; done\n\
             fi\n\
             {looks}exit 0\n",
            each = self.each_tool(),
            looks = self.none_left(&format!(" ELENCHUS-{name}-[0-9]+( |$)"), &format!(" elenchus_{fault}_[0-9]+$"))
        )
    }

    fn none_left(&self, chain: &str, table: &str) -> String {
        format!(
            "{each}\
             \x20 left=$(printf '%s\\n' \"$rules\" | grep -E -e '{chain}') || continue\n\
             \x20 echo \"$tool still has: $left\" >&2; exit 1\n\
             done\n\
             if left=$(nft list tables 2>/dev/null | grep -E -e '{table}'); then echo \"nftables still has: $left\" >&2; exit 1; fi\n",
            each = self.each_tool()
        )
    }

    /// As [`iptables::EACH_TOOL`], in this table.
    fn each_tool(&self) -> String {
        iptables::EACH_TOOL.replace(" -w 10", &format!(" -w 10 -t {}", self.table))
    }
}
