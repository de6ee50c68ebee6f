//! A link emulated by the kernel: an HTB class with the rate, for packets to the peers, and netem behind it.

use std::net::IpAddr;

use elenchus_core::Span;

use super::{Distribution, Link};
use crate::Requirement;
use crate::means::remote_script::PATH;

/// The handle of our queueing discipline, by which it is recognized.
const HANDLE: &str = "e1e";
/// The handle of netem behind it.
const NETEM: &str = "e1f";
/// No limit.
const UNLIMITED: &str = "100gbit";

impl Link {
    /// netem's arguments; empty when it is not needed.
    pub(super) fn netem(&self) -> String {
        let mut text = String::new();
        if self.delay.is_some() || self.jitter.is_some() {
            let micros = |span: Option<Span>| span.map_or(0, |span| span.0.as_micros());
            text += &format!(" delay {}us", micros(self.delay));
            if self.jitter.is_some() {
                text += &format!(" {}us", micros(self.jitter));
                if self.distribution != Distribution::Uniform {
                    text += &format!(" distribution {}", self.distribution.to_agent().name());
                }
            }
        }
        for (name, share) in [("loss", self.loss), ("duplicate", self.duplicate), ("reorder", self.reorder), ("corrupt", self.corrupt)] {
            if share > 0.0 {
                text += &format!(" {name} {}%", share * 100.0);
            }
            if name == "loss" && self.burst > 0.0 {
                text += &format!(" {}%", self.burst * 100.0);
            }
        }
        text
    }

    /// Succeeds if the kernel can do everything that is set: tried in a network namespace of its own.
    pub(super) fn is_kernels(&self) -> String {
        let mut steps = vec![
            "tc qdisc add dev lo root handle 1: htb",
            "tc class add dev lo parent 1: classid 1:2 htb rate 1mbit",
            "tc filter add dev lo parent 1: protocol ip u32 match ip dst 127.0.0.1/32 flowid 1:2",
        ];
        if !self.netem().is_empty() {
            steps.push("tc qdisc add dev lo parent 1:2 netem delay 1ms");
        }
        format!("unshare --net sh -c 'ip link set lo up && {}' >/dev/null 2>&1", steps.join(" && "))
    }

    /// Adds the discipline to every device that leads to a peer.
    pub(super) fn inject_by_kernel(&self, ssh_ports: &[u16], peers: &[IpAddr]) -> String {
        let mut script = format!(
            ": slow\nset -e\nseen=\n\
             to() {{\n\
             \x20 dev=$(ip -o route get \"$1\" | sed -n 's/.* dev \\([^ ]*\\).*/\\1/p' | head -n 1)\n\
             \x20 [ -n \"$dev\" ] && [ \"$dev\" != lo ] || {{ echo \"no device leads to $1\" >&2; exit 1; }}\n\
             \x20 case \" $seen \" in *\" $dev \"*) return;; esac\n\
             \x20 seen=\"$seen $dev\"\n\
             \x20 tc qdisc add dev \"$dev\" root handle {HANDLE}: htb default 1\n\
             \x20 tc class add dev \"$dev\" parent {HANDLE}: classid {HANDLE}:1 htb rate {UNLIMITED} quantum 60000\n\
             \x20 tc class add dev \"$dev\" parent {HANDLE}: classid {HANDLE}:2 htb rate {rate} quantum 60000\n",
            rate = self.rate.as_deref().unwrap_or(UNLIMITED)
        );
        let netem = self.netem();
        if !netem.is_empty() {
            script += &format!("\x20 tc qdisc add dev \"$dev\" parent {HANDLE}:2 handle {NETEM}: netem limit 100000{netem}\n");
        }
        for port in ssh_ports {
            for (protocol, ip) in [("ip", "ip"), ("ipv6", "ip6")] {
                let prio = if ip == "ip" { 1 } else { 2 };
                script += &format!(
                    "\x20 tc filter add dev \"$dev\" parent {HANDLE}: protocol {protocol} prio {prio} u32 match {ip} protocol 6 0xff match {ip} sport {port} 0xffff flowid {HANDLE}:1\n"
                );
            }
        }
        script += "}\n";
        for peer in peers {
            let (protocol, ip, length, prio) = if peer.is_ipv4() { ("ip", "ip", 32, 3) } else { ("ipv6", "ip6", 128, 4) };
            script += &format!(
                "to {peer}\ntc filter add dev \"$dev\" parent {HANDLE}: protocol {protocol} prio {prio} u32 match {ip} dst {peer}/{length} flowid {HANDLE}:2\n"
            );
        }
        script
    }

    /// Changes the rate of an existing link atomically.
    pub(crate) fn change_rate(&self) -> String {
        let rate = self.rate.as_deref().unwrap_or(UNLIMITED);
        format!(
            "{PATH}{OURS}for dev in $(ours); do tc class change dev \"$dev\" parent {HANDLE}: classid {HANDLE}:2 htb rate {rate} quantum 60000; done\n"
        )
    }

    /// Requires that the kernel can do everything that is set.
    pub(crate) fn kernel_requirement(&self) -> Requirement {
        let advice = "the kernel has no HTB or u32, or `tc` or `ip` is missing; load the modules sch_htb and cls_u32, and install iproute2";
        Requirement::test(self.is_kernels(), advice)
    }

    pub(super) fn verify_in_kernel(&self, peers: usize) -> String {
        let netem = if self.netem().is_empty() {
            String::new()
        } else {
            format!("tc qdisc show | grep -q 'netem {NETEM}: ' || {{ echo 'netem is not there' >&2; exit 1; }}\n")
        };
        format!(
            ": is-slow\n{OURS}\
             found=0\n\
             for dev in $(ours); do\n\
             \x20 tc class show dev \"$dev\" | grep -q '^class htb {HANDLE}:2 ' || {{ echo \"$dev has no class\" >&2; exit 1; }}\n\
             \x20 found=$((found + $(tc filter show dev \"$dev\" parent {HANDLE}: | grep -c 'flowid {HANDLE}:2')))\n\
             done\n\
             [ $found -ge {peers} ] || {{ echo \"found $found of {peers} filters\" >&2; exit 1; }}\n{netem}"
        )
    }
}

/// Lists the devices that have our discipline.
const OURS: &str = "ours() { tc qdisc show 2>/dev/null | sed -n 's/^qdisc htb e1e: dev \\([^ ]*\\) root.*/\\1/p'; }\n";

pub(super) fn undo() -> String {
    format!(": fast\n{OURS}for dev in $(ours); do tc qdisc del dev \"$dev\" root; done\n{}", verify_undone())
}

pub(super) fn verify_undone() -> String {
    format!(
        ": is-fast\n{OURS}\
         left=$(ours)\n[ -z \"$left\" ] || {{ echo \"still slow: $left\" >&2; exit 1; }}\n"
    )
}
