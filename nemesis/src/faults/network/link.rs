//! Links between nodes that are slow, late or unreliable.
//!
//! Where the kernel can, it does this: packets to other nodes go through an HTB class, which has the rate, with netem behind it for everything else. Elsewhere the agent
//! does the same in user space. Packets to other hosts, and SSH, are not affected.

mod kernel;
mod userspace;

use elenchus_core::{Seed, Span};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use userspace::UserspaceLink;

use crate::fault::{About, Overlap};
use crate::means::remote_script::{self, PATH, RemoteScript};
use crate::{Cluster, Fault, Injection, NemesisError, NodeActions, Requirement, Roster, Targets};

/// Makes packets from nodes to other nodes slow, late, lost, duplicated, reordered or corrupt. For plain loss, the fault `loss` has fewer requirements.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Link {
    /// The sending nodes.
    pub targets: Targets,
    /// The receiving nodes; all others when empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub to: Vec<String>,
    /// The rate, in bits a second, as `tc` writes it: `512kbit`, `10mbit`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<String>,
    /// How much later packets arrive.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub delay: Option<Span>,
    /// The largest deviation from the delay. Packets may be reordered.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub jitter: Option<Span>,
    /// How the jitter is distributed.
    pub distribution: Distribution,
    /// The share that is lost, from 0 to 1.
    pub loss: f64,
    /// The correlation of the loss of a packet with that of the one before, from 0 to 1: bursts.
    pub burst: f64,
    /// The share that arrives twice, from 0 to 1.
    pub duplicate: f64,
    /// The share that is not delayed and so arrives early, from 0 to 1; needs a `delay`.
    pub reorder: f64,
    /// The share in which a bit is flipped, from 0 to 1. Checksums detect it.
    pub corrupt: f64,
}

/// How jitter is distributed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Distribution {
    /// All values are equally likely.
    #[default]
    Uniform,
    /// A normal distribution.
    Normal,
    /// A Pareto distribution: a few packets are much later.
    Pareto,
    /// A mixture of normal and Pareto.
    Paretonormal,
}

impl Distribution {
    /// The agent's type.
    fn to_agent(self) -> elenchus_agent::link::Distribution {
        match self {
            Distribution::Uniform => elenchus_agent::link::Distribution::Uniform,
            Distribution::Normal => elenchus_agent::link::Distribution::Normal,
            Distribution::Pareto => elenchus_agent::link::Distribution::Pareto,
            Distribution::Paretonormal => elenchus_agent::link::Distribution::Paretonormal,
        }
    }
}

const ABOUT: About = About {
    name: "link",
    what: "makes packets from nodes to other nodes slow (rate), late (delay, jitter), lost in bursts, duplicated, reordered or corrupt",
    how: "`tc`: an HTB class for the peers, with netem behind it for all but a rate; where the kernel lacks one of these, iptables, else nftables, pass the packets to the agent (NFQUEUE), which does the same",
    needs: "`tc` and `ip`, a kernel with HTB and u32, and netem for all but a rate, and no other queueing discipline; or iptables or nftables with NFQUEUE",
    verified: "the class has its rate, netem its settings, and each peer its filter; or every rule is listed and comes before all others, and the agent runs and takes packets",
    healed: "the queueing discipline, or the rules, are deleted and the agent's process is killed; none of them is listed",
    example: "{delay: 100ms, jitter: 10ms}",
    overlap: Overlap::Exclusive,
    reports_effect: false,
    is_destructive: false,
};

fn is_share(share: f64) -> bool {
    (0.0..=1.0).contains(&share)
}

/// The units of rates, as `tc` writes them, in bits a second.
const UNITS: [(&str, u64); 4] = [("bit", 1), ("kbit", 1_000), ("mbit", 1_000_000), ("gbit", 1_000_000_000)];

/// Parses a rate, as `tc` writes it: a number and a unit. Returns bits a second.
pub(crate) fn bits(text: &str) -> Option<u64> {
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let (_, unit) = UNITS.iter().find(|(unit, _)| *unit == &text[digits.len()..])?;
    digits.parse::<u32>().ok().filter(|&number| number > 0).map(|number| u64::from(number) * unit)
}

impl Fault for Link {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn targets(&self) -> &Targets {
        &self.targets
    }

    fn describe(&self, nodes: &str) -> String {
        let rate = self.rate.as_ref().map(|rate| format!(" rate {rate}")).unwrap_or_default();
        let to = if self.to.is_empty() { String::new() } else { format!(" to {}", self.to.join(", ")) };
        format!("{nodes} sending{to} with{rate}{}", self.netem())
    }

    fn check(&self, roster: &Roster) -> Result<(), String> {
        roster.positions(&self.to)?;
        if let Some(rate) = self.rate.as_ref().filter(|rate| bits(rate).is_none()) {
            return Err(format!("`rate: {rate}` is not a number with one of the units bit, kbit, mbit and gbit, like `10mbit`"));
        }
        let shares = [self.loss, self.burst, self.duplicate, self.reorder, self.corrupt];
        if !shares.into_iter().all(is_share) {
            return Err("`loss`, `burst`, `duplicate`, `reorder` and `corrupt` must be from 0 to 1".into());
        }
        if self.reorder > 0.0 && self.delay.is_none() {
            return Err("`reorder` lets some packets pass those that are delayed; set a `delay`".into());
        }
        if self.burst > 0.0 && self.loss == 0.0 {
            return Err("`burst` has packets lost together that would be lost one by one; set a `loss`".into());
        }
        if self.rate.is_none() && self.netem().is_empty() {
            return Err("no impairment is set; set `rate`, `delay`, `jitter`, `loss`, `duplicate` or `corrupt`".into());
        }
        Ok(())
    }

    fn actions(&self, cluster: &Cluster, id: u32, injection: &Injection) -> Result<Vec<NodeActions>, NemesisError> {
        let to = if self.to.is_empty() { cluster.all() } else { cluster.roster.positions(&self.to).map_err(NemesisError::Refused)? };
        let mut actions = Vec::new();
        for &at in &injection.nodes {
            let Some(node) = cluster.nodes.get(at) else { continue };
            let peers = remote_script::addresses(cluster, to.iter().copied().filter(|&peer| peer != at))?;
            if peers.is_empty() {
                continue;
            }
            let (ports, seed) = (remote_script::ssh_ports(cluster, at), Seed(injection.seed).stream(&node.name).bits());
            let userspace = UserspaceLink::new(self, id, seed, &ports, &peers);
            actions.push(NodeActions {
                node: node.name.clone(),
                inject: format!(
                    ": slow\n{PATH}if {}; then\n{}else\n{}fi\n",
                    self.is_kernels(),
                    self.inject_by_kernel(&ports, &peers),
                    userspace.inject()
                ),
                verify: format!(
                    ": is-slow\n{PATH}if {}; then\n{}else\n{}fi\n",
                    userspace.is_there(),
                    userspace.verify(),
                    self.verify_in_kernel(peers.len())
                ),
                undo: format!(": fast\n{PATH}{}{}", userspace.undo(), kernel::undo()),
                verify_undone: format!(": is-fast\n{PATH}{}{}", userspace.verify_undone(), kernel::verify_undone()),
            });
        }
        Ok(actions)
    }

    fn undo_all(&self, cluster: &Cluster) -> Result<Vec<RemoteScript>, NemesisError> {
        Ok(remote_script::everywhere(cluster, &format!(": fast\n{PATH}{}{}", userspace::undo_all(), kernel::undo())))
    }

    fn requirements(&self) -> Vec<Requirement> {
        vec![self.requirement(), self.trial()]
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
    fn netem_settings_are_written() {
        let link: Link =
            serde_yaml::from_str("{delay: 50ms, jitter: 10ms, distribution: normal, loss: 0.1, burst: 0.25, corrupt: 0.01}").unwrap();
        assert_eq!(link.netem(), " delay 50000us 10000us distribution normal loss 10% 25% corrupt 1%");
        assert_eq!(serde_yaml::from_str::<Link>("rate: 1mbit").unwrap().netem(), "");
    }

    #[test]
    fn invalid_settings_are_rejected() {
        assert!(complaint("{}").contains("no impairment is set"));
        assert!(complaint("rate: 5; reboot").contains("units"));
        assert!(complaint("rate: fast").contains("units"));
        assert!(complaint("loss: 1.5").contains("from 0 to 1"));
        assert!(complaint("burst: 0.8").contains("set a `loss`"));
        assert!(complaint("reorder: 0.5").contains("delay"));
        assert!(complaint("{rate: 1mbit, to: [n3]}").contains("no node `n3`"));
    }
}
