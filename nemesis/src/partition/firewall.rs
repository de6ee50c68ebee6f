//! The scripts that change what a node hears, as pure text: with iptables where it works, else with routing rules.

mod iptables;
mod routing;

use std::net::IpAddr;

/// A version of the Internet protocol, which has tools of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    V4,
    V6,
}

impl Family {
    fn iptables(self) -> &'static str {
        match self {
            Family::V4 => "iptables",
            Family::V6 => "ip6tables",
        }
    }

    fn ip_rule(self) -> &'static str {
        match self {
            Family::V4 => "ip -4 rule",
            Family::V6 => "ip -6 rule",
        }
    }
}

/// For each family that some of the addresses belong to, those, as both tools would print networks.
fn by_family(sources: &[IpAddr]) -> Vec<(Family, Vec<String>)> {
    let v4 = sources.iter().filter(|address| address.is_ipv4()).map(|address| format!("{address}/32")).collect::<Vec<_>>();
    let v6 = sources.iter().filter(|address| address.is_ipv6()).map(|address| format!("{address}/128")).collect::<Vec<_>>();
    [(Family::V4, v4), (Family::V6, v6)].into_iter().filter(|(_, sources)| !sources.is_empty()).collect()
}

type OfTool = fn(Family, u32, &[String]) -> String;

fn with_what_works(id: u32, sources: &[IpAddr], first: OfTool, else_by: OfTool) -> String {
    let scripts = by_family(sources).into_iter().map(|(family, sources)| {
        let (works, first, other) = (iptables::works(family), first(family, id, &sources), else_by(family, id, &sources));
        format!("if {works}; then\n{first}else\n{other}fi\n")
    });
    scripts.collect()
}

/// Drops what comes from these.
pub(super) fn cut(id: u32, sources: &[IpAddr]) -> String {
    format!(": cut {id}\nset -e\n{}", with_what_works(id, sources, iptables::cut, routing::cut))
}

/// Fails unless each of these is dropped, and before anything else is decided.
pub(super) fn assert_cut(id: u32, sources: &[IpAddr]) -> String {
    format!(
        ": is-cut {id}\n\
         need() {{ printf '%s\\n' \"$rules\" | sed 's/ *$//' | grep -qxF -e \"$1\" || {{ echo \"the rule '$1' is not there\" >&2; exit 1; }}; }}\n{}",
        with_what_works(id, sources, iptables::assert_cut, routing::assert_cut)
    )
}

/// Undoes [`cut`].
pub(super) fn join(id: u32) -> String {
    format!(": join {id}\n{}{}{}", iptables::join(id), routing::join(id), assert_joined(id))
}

/// Fails while anything of [`cut`] is there.
pub(super) fn assert_joined(id: u32) -> String {
    format!(": is-joined {id}\n{}{}exit 0\n", iptables::assert_joined(id), routing::assert_joined(id))
}

/// Undoes every injection, whosever it was.
pub(super) fn sweep() -> String {
    let undone = [iptables::sweep(), routing::sweep(), iptables::assert_swept(), routing::assert_swept()];
    format!(": join all\n{}exit 0\n", undone.concat())
}

#[cfg(test)]
mod tests;
