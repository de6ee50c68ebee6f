//! A link emulated by the agent, where the kernel has no netem: firewall rules pass it the packets to the peers, before all other rules.

use std::net::IpAddr;

use elenchus_agent::link::{self, QUEUE, Settings};

use super::{ABOUT, Link};
use crate::Requirement;
use crate::means::agent;
use crate::means::firewall::{Hook, ToolRule, ToolRules};
use crate::means::job::{self, Job};

/// Before connection tracking, NAT and filtering, as packets that the agent sends again still have to go through these.
const HOOK: Hook = Hook { fault: "link", table: "raw", chain: "OUTPUT", base: "type filter hook output priority -300; policy accept;" };

/// One injection on one node.
pub(super) struct UserspaceLink {
    id: u32,
    job: Job,
    lines: ToolRules,
}

impl UserspaceLink {
    pub(super) fn new(link: &Link, id: u32, seed: u64, ssh_ports: &[u16], peers: &[IpAddr]) -> UserspaceLink {
        let (seed, settings) = (seed.to_string(), link.settings().to_string());
        let words: Vec<&str> = ["link", "run", &seed].into_iter().chain(settings.split(' ')).collect();
        UserspaceLink { id, job: Job::new(ABOUT.name, id, format!("exec {}", agent::order(&words))), lines: lines(ssh_ports, peers) }
    }

    /// Succeeds if the injection was made this way.
    pub(super) fn is_there(&self) -> String {
        format!("[ -e {} ]", self.job.pidfile())
    }

    /// Rules are added only after the agent takes packets.
    pub(super) fn inject(&self) -> String {
        format!(
            "( {start} ) || exit 1\n\
             tries=0\n\
             until {IS_BOUND}; do\n\
             \x20 tries=$((tries + 1))\n\
             \x20 if [ $tries -gt 250 ]; then echo 'the agent does not take packets:' >&2; tail -n 3 {log} >&2; exit 1; fi\n\
             \x20 sleep 0.02\n\
             done\n{rules}",
            start = self.job.start(),
            log = self.job.log(),
            rules = HOOK.apply(self.id, &self.lines)
        )
    }

    pub(super) fn verify(&self) -> String {
        format!(
            "( {} ) || exit 1\n{IS_BOUND} || {{ echo 'the agent takes no packets' >&2; exit 1; }}\n{}",
            self.job.assert_running(),
            HOOK.assert_applied(self.id, &self.lines)
        )
    }

    /// Rules are removed before the agent is killed.
    pub(super) fn undo(&self) -> String {
        format!("( {} ) || exit 1\n( {} ) || exit 1\n", HOOK.remove(self.id), self.job.end())
    }

    pub(super) fn verify_undone(&self) -> String {
        format!("( {} ) || exit 1\n( {} ) || exit 1\n", HOOK.assert_removed(self.id), self.job.assert_gone())
    }
}

/// Succeeds if a process takes packets from our queue.
const IS_BOUND: &str = "grep -q '^ *3614 ' /proc/net/netfilter/nfnetlink_queue";

/// Undoes every injection.
pub(super) fn undo_all() -> String {
    format!("( {} ) || exit 1\n( {} ) || exit 1\n", HOOK.undo_all(), job::undo_all(ABOUT.name))
}

/// Rules for packets to the peers, but for SSH and what the agent sends.
fn lines(ssh_ports: &[u16], peers: &[IpAddr]) -> ToolRules {
    let ports: Vec<String> = ssh_ports.iter().map(u16::to_string).collect();
    let mut spared = vec![ToolRule {
        iptables: format!("-m mark --mark {:#x} -j RETURN", link::MARK),
        nft: format!("meta mark {:#x} return", link::MARK),
    }];
    for end in ["sport", "dport"] {
        spared.extend(
            ports
                .iter()
                .map(|port| ToolRule { iptables: format!("-p tcp --{end} {port} -j RETURN"), nft: format!("tcp {end} {port} return") }),
        );
    }
    let handed = |is_v4: bool| {
        let peers: Vec<&IpAddr> = peers.iter().filter(|peer| peer.is_ipv4() == is_v4).collect();
        let (length, ip) = if is_v4 { (32, "ip") } else { (128, "ip6") };
        let handed: Vec<ToolRule> = peers
            .iter()
            .map(|peer| ToolRule {
                iptables: format!("-d {peer}/{length} -j NFQUEUE --queue-num {QUEUE} --queue-bypass"),
                nft: format!("{ip} daddr {peer} queue num {QUEUE} bypass"),
            })
            .collect();
        if handed.is_empty() { handed } else { [spared.clone(), handed].concat() }
    };
    ToolRules { v4: handed(true), v6: handed(false) }
}

impl Link {
    /// The settings for the agent.
    pub(super) fn settings(&self) -> Settings {
        let span = |span: Option<elenchus_core::Span>| span.map_or_else(Default::default, |span| span.0);
        Settings {
            delay: span(self.delay),
            jitter: span(self.jitter),
            distribution: self.distribution.to_agent(),
            loss: self.loss,
            burst: self.burst,
            duplicate: self.duplicate,
            reorder: self.reorder,
            corrupt: self.corrupt,
            rate: self.rate.as_deref().and_then(super::bits),
        }
    }

    /// Requires that the kernel can do it, or that packets can be passed to the agent.
    pub(super) fn requirement(&self) -> Requirement {
        let rules = HOOK.apply(1, &lines(&[22], &[std::net::Ipv4Addr::LOCALHOST.into()]));
        Requirement::test(
            format!(
                "{} || {{ {} && command -v pkill && unshare --net sh -c {}; }} >/dev/null 2>&1",
                self.is_kernels(),
                agent::requirement().test,
                elenchus_control::command::quote(&rules)
            ),
            "the kernel has no netem (or no HTB, or `tc` is missing), and packets cannot be passed to the agent either; load the modules sch_htb, cls_u32 and \
             sch_netem, or install iptables and load xt_NFQUEUE, or use `loss` for plain loss",
        )
    }

    /// Requires that the kernel can do it, or that the agent can.
    pub(super) fn trial(&self) -> Requirement {
        Requirement::trial(
            format!("{} || {}", self.is_kernels(), agent::order(&["link", "trial"])),
            "the agent could not take packets from the firewall on this node; run as root, with CAP_NET_ADMIN and CAP_NET_RAW, on a kernel with NFQUEUE",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_agent_parses_its_settings() {
        let link: Link =
            serde_yaml::from_str("{delay: 50ms, jitter: 10ms, distribution: pareto, loss: 0.1, burst: 0.5, rate: 4mbit}").unwrap();
        let told = link.settings().to_string();
        assert_eq!(Settings::from_words(&told.split(' ').collect::<Vec<_>>()), Ok(link.settings()));
        assert_eq!(link.settings().rate, Some(4_000_000));
        assert!(IS_BOUND.contains(&QUEUE.to_string()));
    }

    #[test]
    fn ssh_and_packets_of_the_agent_are_exempt_first() {
        let lines = lines(&[2222], &["10.0.0.1".parse().unwrap()]);
        assert!(lines.v6.is_empty());
        let rules: Vec<&str> = lines.v4.iter().map(|line| line.iptables.as_str()).collect();
        assert_eq!(
            rules,
            [
                "-m mark --mark 0xe1e -j RETURN",
                "-p tcp --sport 2222 -j RETURN",
                "-p tcp --dport 2222 -j RETURN",
                "-d 10.0.0.1/32 -j NFQUEUE --queue-num 3614 --queue-bypass"
            ]
        );
    }
}
