//! Links between nodes that are slow, late or untrustworthy.
//!
//! What a node sends to other nodes goes through a class of its own (HTB), which has the rate; where more than a rate is asked for, netem is behind it. What it
//! sends to anybody else, and SSH, goes past it.

use std::net::IpAddr;

use elenchus_core::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::about::{About, Overlap};
use crate::errand::{self, Errand};
use crate::{Cluster, Deed, Fault, NemesisError, Requirement, Roster, Targets, Work};

/// Makes what nodes send to other nodes slow, late, or otherwise than it was sent. For plain loss, `loss` needs less of a node.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Link {
    /// Which nodes' packets.
    pub targets: Targets,
    /// Only those to these nodes; to all others when empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub to: Vec<String>,
    /// At most so many bits a second, as `tc` writes them: `512kbit`, `10mbit`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<String>,
    /// How much later they arrive.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub delay: Option<Span>,
    /// By how much more or less the delay varies. Packets may overtake each other.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub jitter: Option<Span>,
    /// How the jitter is distributed.
    pub distribution: Distribution,
    /// The part that is lost, from 0 to 1.
    pub loss: f64,
    /// How much the loss of a packet depends on that of the one before, from 0 to 1: bursts.
    pub burst: f64,
    /// The part that arrives twice, from 0 to 1.
    pub duplicate: f64,
    /// The part that is not delayed and so overtakes, from 0 to 1; it takes a `delay`.
    pub reorder: f64,
    /// The part in which a bit is flipped, from 0 to 1. Checksums notice it.
    pub corrupt: f64,
}

/// How jitter is distributed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Distribution {
    /// All values alike.
    #[default]
    Uniform,
    /// As errors of measurement are.
    Normal,
    /// Few are much later.
    Pareto,
    /// Between both.
    Paretonormal,
}

const ABOUT: About = About {
    name: "link",
    what: "makes what nodes send to other nodes slow (rate), late (delay, jitter), lost in bursts, doubled, out of order or corrupt",
    how: "`tc`: an HTB class for the peers, with netem behind it for all but a rate",
    needs: "`tc` and `ip`; a kernel with HTB and u32, and netem for all but a rate; no queueing discipline of somebody else",
    verified: "the class has its rate, netem its settings, and each peer its filter",
    healed: "the queueing discipline is deleted; nothing of it is listed",
    overlap: Overlap::Never,
    is_destructive: false,
};

/// The number of our queueing discipline, by which it is known again.
const HANDLE: &str = "e1e";
/// And that of netem behind it.
const NETEM: &str = "e1f";
/// What is not limited.
const UNLIMITED: &str = "100gbit";

impl Link {
    /// The settings of netem, nothing when it is not needed.
    fn netem(&self) -> String {
        let mut text = String::new();
        if self.delay.is_some() || self.jitter.is_some() {
            let micros = |span: Option<Span>| span.map_or(0, |span| span.0.as_micros());
            text += &format!(" delay {}us", micros(self.delay));
            if self.jitter.is_some() {
                text += &format!(" {}us", micros(self.jitter));
                text += match self.distribution {
                    Distribution::Uniform => "",
                    Distribution::Normal => " distribution normal",
                    Distribution::Pareto => " distribution pareto",
                    Distribution::Paretonormal => " distribution paretonormal",
                };
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

    fn rate(&self) -> &str {
        self.rate.as_deref().unwrap_or(UNLIMITED)
    }

    /// Sets the discipline up on every device by which one of the peers is reached.
    fn inject(&self, ssh_ports: &[u16], peers: &[IpAddr]) -> String {
        let mut script = format!(
            ": slow\nset -e\nPATH=$PATH:/usr/sbin:/sbin\nseen=\n\
             to() {{\n\
             \x20 dev=$(ip -o route get \"$1\" | sed -n 's/.* dev \\([^ ]*\\).*/\\1/p' | head -n 1)\n\
             \x20 [ -n \"$dev\" ] && [ \"$dev\" != lo ] || {{ echo \"no device leads to $1\" >&2; exit 1; }}\n\
             \x20 case \" $seen \" in *\" $dev \"*) return;; esac\n\
             \x20 seen=\"$seen $dev\"\n\
             \x20 tc qdisc add dev \"$dev\" root handle {HANDLE}: htb default 1\n\
             \x20 tc class add dev \"$dev\" parent {HANDLE}: classid {HANDLE}:1 htb rate {UNLIMITED} quantum 60000\n\
             \x20 tc class add dev \"$dev\" parent {HANDLE}: classid {HANDLE}:2 htb rate {rate} quantum 60000\n",
            rate = self.rate()
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

    fn verify(&self, peers: usize) -> String {
        let netem = if self.netem().is_empty() {
            String::new()
        } else {
            format!("tc qdisc show | grep -q 'netem {NETEM}: ' || {{ echo 'netem is not there' >&2; exit 1; }}\n")
        };
        format!(
            ": is-slow\nPATH=$PATH:/usr/sbin:/sbin\n{OURS}\
             found=0\n\
             for dev in $(ours); do\n\
             \x20 tc class show dev \"$dev\" | grep -q '^class htb {HANDLE}:2 ' || {{ echo \"$dev has no class\" >&2; exit 1; }}\n\
             \x20 found=$((found + $(tc filter show dev \"$dev\" parent {HANDLE}: | grep -c 'flowid {HANDLE}:2')))\n\
             done\n\
             [ $found -ge {peers} ] || {{ echo \"of {peers} filters $found are there\" >&2; exit 1; }}\n{netem}"
        )
    }
}

/// The devices that have our discipline.
const OURS: &str = "ours() { tc qdisc show 2>/dev/null | sed -n 's/^qdisc htb e1e: dev \\([^ ]*\\) root.*/\\1/p'; }\n";

fn undo() -> String {
    format!(": fast\nPATH=$PATH:/usr/sbin:/sbin\n{OURS}for dev in $(ours); do tc qdisc del dev \"$dev\" root; done\n{}", verify_undone())
}

fn verify_undone() -> String {
    format!(
        ": is-fast\nPATH=$PATH:/usr/sbin:/sbin\n{OURS}\
         left=$(ours)\n[ -z \"$left\" ] || {{ echo \"still slow: $left\" >&2; exit 1; }}\n"
    )
}

fn is_share(share: f64) -> bool {
    (0.0..=1.0).contains(&share)
}

/// Whether `tc` takes this for a rate: a number and a unit.
fn is_rate(text: &str) -> bool {
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let unit = &text[digits.len()..];
    digits.parse::<u32>().is_ok_and(|number| number > 0) && ["bit", "kbit", "mbit", "gbit"].contains(&unit)
}

impl Fault for Link {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn targets(&self) -> &Targets {
        &self.targets
    }

    fn what(&self, nodes: &str) -> String {
        let rate = self.rate.as_ref().map(|rate| format!(" rate {rate}")).unwrap_or_default();
        let to = if self.to.is_empty() { String::new() } else { format!(" to {}", self.to.join(", ")) };
        format!("{nodes} sending{to} with{rate}{}", self.netem())
    }

    fn check(&self, roster: &Roster) -> Result<(), String> {
        roster.positions(&self.to)?;
        if let Some(rate) = self.rate.as_ref().filter(|rate| !is_rate(rate)) {
            return Err(format!("`rate: {rate}` is not a number with one of the units bit, kbit, mbit and gbit, like `10mbit`"));
        }
        let shares = [self.loss, self.burst, self.duplicate, self.reorder, self.corrupt];
        if !shares.into_iter().all(is_share) {
            return Err("`loss`, `burst`, `duplicate`, `reorder` and `corrupt` are from 0 to 1".into());
        }
        if self.reorder > 0.0 && self.delay.is_none() {
            return Err("`reorder` lets some packets pass those that are delayed; set a `delay`".into());
        }
        if self.rate.is_none() && self.netem().is_empty() {
            return Err("nothing is set that would be done to packets: `rate`, `delay`, `jitter`, `loss`, `duplicate`, `corrupt`".into());
        }
        Ok(())
    }

    fn works(&self, cluster: &Cluster, _id: u32, deed: &Deed) -> Result<Vec<Work>, NemesisError> {
        let to = if self.to.is_empty() { cluster.all() } else { cluster.roster.positions(&self.to).map_err(NemesisError::Refused)? };
        let mut works = Vec::new();
        for &at in &deed.nodes {
            let Some(node) = cluster.nodes.get(at) else { continue };
            let peers = errand::addresses(cluster, to.iter().copied().filter(|&peer| peer != at))?;
            if peers.is_empty() {
                continue;
            }
            works.push(Work {
                node: node.name.clone(),
                inject: self.inject(&errand::ssh_ports(cluster, at), &peers),
                verify: self.verify(peers.len()),
                undo: undo(),
                verify_undone: verify_undone(),
            });
        }
        Ok(works)
    }

    fn sweep(&self, cluster: &Cluster) -> Result<Vec<Errand>, NemesisError> {
        Ok(errand::everywhere(cluster, &undo()))
    }

    fn requirements(&self) -> Vec<Requirement> {
        let in_own_network = |commands: &str| format!("unshare --net sh -c 'ip link set lo up && {commands}'");
        let htb = "tc qdisc add dev lo root handle 1: htb && tc class add dev lo parent 1: classid 1:2 htb rate 1mbit && \
                   tc filter add dev lo parent 1: protocol ip u32 match ip dst 127.0.0.1/32 flowid 1:2";
        let mut needs = vec![
            Requirement::command(&["tc"]),
            Requirement::command(&["ip"]),
            Requirement::test(in_own_network(htb), "the kernel has no HTB or no u32 filter; load the modules sch_htb and cls_u32"),
        ];
        if !self.netem().is_empty() {
            let netem = "tc qdisc add dev lo root netem delay 1ms";
            let advice =
                "the kernel has no netem, which all of `link` but `rate` needs; load the module sch_netem, or use `loss` for plain loss";
            needs.push(Requirement::test(in_own_network(netem), advice));
        }
        needs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaint(yaml: &str) -> String {
        let roster = Roster::of(vec!["n1".into(), "n2".into()]);
        serde_yaml::from_str::<Link>(yaml).unwrap().check(&roster).unwrap_err()
    }

    #[test]
    fn settings_are_netems() {
        let link: Link =
            serde_yaml::from_str("{delay: 50ms, jitter: 10ms, distribution: normal, loss: 0.1, burst: 0.25, corrupt: 0.01}").unwrap();
        assert_eq!(link.netem(), " delay 50000us 10000us distribution normal loss 10% 25% corrupt 1%");
        assert_eq!(serde_yaml::from_str::<Link>("rate: 1mbit").unwrap().netem(), "");
    }

    #[test]
    fn senseless_settings_are_refused() {
        assert!(complaint("{}").contains("nothing is set"));
        assert!(complaint("rate: 5; reboot").contains("units"));
        assert!(complaint("rate: fast").contains("units"));
        assert!(complaint("loss: 1.5").contains("from 0 to 1"));
        assert!(complaint("reorder: 0.5").contains("delay"));
        assert!(complaint("{rate: 1mbit, to: [n3]}").contains("no node `n3`"));
    }
}
