//! Ready compositions of faults: gray failures, and well-known scenarios of other tools.
//!
//! A scenario is one injection: one choice of nodes, one line in the ledger, one heal. A job on the node does what changes meanwhile.

mod library;
mod parts;

use elenchus_core::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use library::{Entry, LIBRARY};

use crate::fault::{About, Need, Overlap};
use crate::faults::network::partition::grudge;
use crate::faults::process::pause::Pause;
use crate::faults::resource::io::Io;
use crate::means::job;
use crate::means::remote_script::{self, RemoteScript};
use crate::{Cluster, Fault, Injection, NemesisError, NodeActions, Requirement, Roster, Targets};

/// Injects a ready composition of faults.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Scenario {
    /// Nodes that can send to the others but not receive from them.
    #[serde(alias = "send-only")]
    SendOnly(SendOnly),
    /// Nodes that only answer health checks.
    #[serde(alias = "health-checks-only")]
    HealthChecksOnly(HealthChecksOnly),
    /// Nodes with a slow disk that lose a part of the packets that they receive.
    #[serde(alias = "slow-disk-and-loss")]
    SlowDiskAndLoss(SlowDiskAndLoss),
    /// Nodes that are paused, resume with old state and old clocks, and receive from the others only later.
    #[serde(alias = "late-wakers")]
    LateWakers(LateWakers),
    /// Nodes that repeatedly stop receiving from the others.
    #[serde(alias = "flapping-link")]
    FlappingLink(FlappingLink),
    /// Nodes that repeatedly stop receiving, and then send slowly at first, and faster step by step.
    #[serde(alias = "slow-start")]
    SlowStart(SlowStart),
    /// Nodes that lose a part of the packets that they receive, and now and then all of them.
    #[serde(alias = "flaky-network")]
    FlakyNetwork(FlakyNetwork),
    /// One node after the other is paused.
    #[serde(alias = "rolling-pause")]
    RollingPause(RollingPause),
    /// Nodes stop receiving one after the other, and resume one after the other in another order.
    Swizzle(Swizzle),
}

impl Default for Scenario {
    fn default() -> Scenario {
        Scenario::SendOnly(SendOnly::default())
    }
}

/// Settings of `send_only`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SendOnly {
    /// The nodes.
    pub targets: Targets,
}

/// Settings of `health_checks_only`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct HealthChecksOnly {
    /// The nodes.
    pub targets: Targets,
    /// The ports of the health checks.
    pub ports: Vec<u16>,
}

/// Settings of `slow_disk_and_loss`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SlowDiskAndLoss {
    /// The nodes.
    pub targets: Targets,
    /// A directory on the slow disk, such as the system's data directory.
    pub path: String,
    /// The most that is written, in KiB a second.
    pub write_kib: u64,
    /// The share of packets from other nodes that is lost, greater than 0 and at most 1.
    pub share: f64,
}

/// Settings of `late_wakers`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LateWakers {
    /// The nodes.
    pub targets: Targets,
    /// How long they are paused. They receive from the others when the line's `for` is over, which is longer.
    #[schemars(with = "String")]
    pub asleep: Span,
    /// Whether their clocks are behind by `asleep` when they resume. It needs what `clock` needs.
    pub old_clock: bool,
}

/// Settings of `slow_start`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SlowStart {
    /// The nodes.
    pub targets: Targets,
    /// How long they do not receive each time.
    #[schemars(with = "String")]
    pub cut: Span,
    /// The first rate at which they send to the others, as in `link`: `128kbit`.
    pub slowest: String,
    /// How often the rate doubles before it is unlimited.
    pub steps: u32,
    /// How long each step takes.
    #[schemars(with = "String")]
    pub step: Span,
    /// How long the rate is unlimited each time.
    #[schemars(with = "String")]
    pub whole: Span,
}

/// Settings of `flapping_link`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct FlappingLink {
    /// The nodes.
    pub targets: Targets,
    /// How long they do not receive each time.
    #[schemars(with = "String")]
    pub cut: Span,
    /// How long they receive each time.
    #[schemars(with = "String")]
    pub whole: Span,
}

/// Settings of `flaky_network`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct FlakyNetwork {
    /// The nodes.
    pub targets: Targets,
    /// The share of packets from other nodes that is lost, greater than 0 and at most 1.
    pub share: f64,
    /// How long all packets are lost each time.
    #[schemars(with = "String")]
    pub cut: Span,
    /// How long only a share is lost each time.
    #[schemars(with = "String")]
    pub whole: Span,
}

/// Settings of `rolling_pause`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RollingPause {
    /// The nodes, in an order that the seed decides.
    pub targets: Targets,
    /// How long each node is paused.
    #[schemars(with = "String")]
    pub asleep: Span,
    /// How long no node is paused before the next.
    #[schemars(with = "String")]
    pub awake: Span,
}

/// Settings of `swizzle`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Swizzle {
    /// The nodes, in orders that the seed decides.
    pub targets: Targets,
    /// The time from one node to the next. All nodes are back after twice as many steps as there are nodes.
    #[schemars(with = "String")]
    pub step: Span,
}

impl Default for SendOnly {
    fn default() -> SendOnly {
        SendOnly { targets: Targets::Primary }
    }
}

impl Default for HealthChecksOnly {
    fn default() -> HealthChecksOnly {
        HealthChecksOnly { targets: Targets::One, ports: Vec::new() }
    }
}

impl Default for SlowDiskAndLoss {
    fn default() -> SlowDiskAndLoss {
        SlowDiskAndLoss { targets: Targets::One, path: String::new(), write_kib: 256, share: 0.3 }
    }
}

impl Default for LateWakers {
    fn default() -> LateWakers {
        LateWakers { targets: Targets::Minority, asleep: Span::secs(5), old_clock: true }
    }
}

impl Default for SlowStart {
    fn default() -> SlowStart {
        let second = Span::secs(1);
        SlowStart { targets: Targets::One, cut: second, slowest: "128kbit".into(), steps: 4, step: second, whole: Span::secs(5) }
    }
}

impl Default for FlappingLink {
    fn default() -> FlappingLink {
        FlappingLink { targets: Targets::One, cut: Span::secs(1), whole: Span::secs(1) }
    }
}

impl Default for FlakyNetwork {
    fn default() -> FlakyNetwork {
        FlakyNetwork { targets: Targets::All, share: 0.2, cut: Span::millis(500), whole: Span::secs(5) }
    }
}

impl Default for RollingPause {
    fn default() -> RollingPause {
        RollingPause { targets: Targets::All, asleep: Span::secs(2), awake: Span::secs(2) }
    }
}

impl Default for Swizzle {
    fn default() -> Swizzle {
        Swizzle { targets: Targets::Majority, step: Span::secs(1) }
    }
}

const ABOUT: About = About {
    name: "scenario",
    what: "injects a ready composition of faults, listed below",
    how: "the faults that it is composed of, and a background job on the node where they come and go",
    needs: "the requirements of its parts; `setsid` and `pkill` for a job",
    verified: "as the faults that it is composed of; where they come and go, the job runs",
    healed: "the job is killed; each of the faults is undone and verified",
    example: "{flapping_link: {cut: 500ms}}",
    overlap: Overlap::Exclusive,
    reports_effect: false,
    is_destructive: false,
};

/// The shortest time that a job on a busy node can keep.
const SHORTEST_MS: u128 = 100;

/// The most steps of a slow start: each doubles the rate.
const MAX_STEPS: u32 = 10;

impl Scenario {
    /// The durations among the settings, by name.
    fn spans(&self) -> Vec<(&'static str, Span)> {
        match self {
            Scenario::LateWakers(late) => vec![("asleep", late.asleep)],
            Scenario::FlappingLink(link) => vec![("cut", link.cut), ("whole", link.whole)],
            Scenario::FlakyNetwork(network) => vec![("cut", network.cut), ("whole", network.whole)],
            Scenario::SlowStart(slow) => vec![("cut", slow.cut), ("step", slow.step), ("whole", slow.whole)],
            Scenario::RollingPause(pause) => vec![("asleep", pause.asleep), ("awake", pause.awake)],
            Scenario::Swizzle(swizzle) => vec![("step", swizzle.step)],
            _ => Vec::new(),
        }
    }

    /// The faults that it is composed of, which decide its checks, requirements and undo.
    fn faults(&self) -> Vec<Box<dyn Fault>> {
        let cut = || Box::new(parts::deaf()) as Box<dyn Fault>;
        match self {
            Scenario::SendOnly(_) | Scenario::FlappingLink(_) | Scenario::Swizzle(_) => vec![cut()],
            Scenario::HealthChecksOnly(health) => vec![Box::new(parts::healthy(health))],
            Scenario::SlowDiskAndLoss(slow) => vec![Box::new(parts::slow(slow)), Box::new(parts::lossy(slow.share))],
            Scenario::LateWakers(late) if late.old_clock => vec![cut(), Box::new(parts::old(late.asleep)), Box::new(Pause::default())],
            Scenario::LateWakers(_) => vec![cut(), Box::new(Pause::default())],
            Scenario::SlowStart(slow) => vec![cut(), Box::new(parts::step(slow, 0))],
            Scenario::FlakyNetwork(network) => vec![cut(), Box::new(parts::lossy(network.share))],
            Scenario::RollingPause(_) => vec![Box::new(Pause::default())],
        }
    }
}

impl Fault for Scenario {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn targets(&self) -> &Targets {
        match self {
            Scenario::SendOnly(SendOnly { targets })
            | Scenario::HealthChecksOnly(HealthChecksOnly { targets, .. })
            | Scenario::SlowDiskAndLoss(SlowDiskAndLoss { targets, .. })
            | Scenario::LateWakers(LateWakers { targets, .. })
            | Scenario::FlappingLink(FlappingLink { targets, .. })
            | Scenario::SlowStart(SlowStart { targets, .. })
            | Scenario::FlakyNetwork(FlakyNetwork { targets, .. })
            | Scenario::RollingPause(RollingPause { targets, .. })
            | Scenario::Swizzle(Swizzle { targets, .. }) => targets,
        }
    }

    fn describe(&self, nodes: &str) -> String {
        match self {
            Scenario::SendOnly(_) => format!("{nodes} sending to the others, but not receiving from them"),
            Scenario::HealthChecksOnly(health) => {
                let ports: Vec<String> = health.ports.iter().map(u16::to_string).collect();
                format!("{nodes} answering on port {} only", ports.join(", "))
            }
            Scenario::SlowDiskAndLoss(slow) => {
                format!("{nodes} with {} KiB/s for {} and {} % of packets lost", slow.write_kib, slow.path, slow.share * 100.0)
            }
            Scenario::LateWakers(late) => {
                let clocks = if late.old_clock { " with old clocks and" } else { "" };
                format!("{nodes} paused for {}, and resumed{clocks} without receiving from the others", late.asleep)
            }
            Scenario::SlowStart(slow) => {
                format!(
                    "{nodes} not receiving from the others for {}, then sending at {} and faster in {} steps",
                    slow.cut, slow.slowest, slow.steps
                )
            }
            Scenario::FlappingLink(link) => {
                format!("{nodes} not receiving from the others for {} in each {}", link.cut, Span(link.cut.0 + link.whole.0))
            }
            Scenario::FlakyNetwork(network) => {
                format!(
                    "{nodes} losing {} % of packets, and all of them for {} after each {}",
                    network.share * 100.0,
                    network.cut,
                    network.whole
                )
            }
            Scenario::RollingPause(pause) => format!("{nodes} paused for {} one after the other", pause.asleep),
            Scenario::Swizzle(swizzle) => {
                format!("{nodes} cut off one after the other, a {} apart, and joined in another order", swizzle.step)
            }
        }
    }

    fn lasts_until_healed(&self) -> bool {
        // The nodes resume by themselves.
        !matches!(self, Scenario::LateWakers(_))
    }

    fn needs(&self) -> &'static [Need] {
        if self.faults().iter().any(|fault| fault.needs().contains(&Need::System)) { &[Need::System] } else { &[] }
    }

    fn check(&self, roster: &Roster) -> Result<(), String> {
        if let Some((name, span)) = self.spans().into_iter().find(|(_, span)| span.0.as_millis() < SHORTEST_MS) {
            return Err(format!("`{name}: {span}` must be 100ms or longer"));
        }
        match self {
            Scenario::HealthChecksOnly(health) if health.ports.is_empty() => {
                Err("`ports` is empty; set the ports of the health checks".into())
            }
            Scenario::SlowStart(slow) if !(1..=MAX_STEPS).contains(&slow.steps) => Err(format!("`steps` must be from 1 to {MAX_STEPS}")),
            _ if roster.count() < 2 => Err("a scenario needs 2 nodes or more".into()),
            _ => self.faults().iter().try_for_each(|fault| fault.check(roster)),
        }
    }

    fn injection(&self, roster: &Roster, nodes: Vec<usize>, seed: u64) -> Injection {
        let others: Vec<usize> = (0..roster.count()).collect();
        Injection { description: self.describe(&roster.listed(&nodes)), grudge: grudge::one_way(&nodes, &others), nodes, seed }
    }

    fn actions(&self, cluster: &Cluster, id: u32, injection: &Injection) -> Result<Vec<NodeActions>, NemesisError> {
        parts::actions(self, cluster, id, injection)
    }

    fn undo_all(&self, cluster: &Cluster) -> Result<Vec<RemoteScript>, NemesisError> {
        let mut scripts = remote_script::everywhere(cluster, &job::undo_all(ABOUT.name));
        for fault in self.faults().iter().rev() {
            scripts.extend(fault.undo_all(cluster)?);
        }
        Ok(scripts)
    }

    fn parts(&self) -> Vec<&'static About> {
        self.faults().iter().map(|fault| fault.about()).collect()
    }

    fn requirements(&self) -> Vec<Requirement> {
        let mut all: Vec<Requirement> = self.faults().iter().flat_map(|fault| fault.requirements()).collect();
        if let Scenario::SlowStart(slow) = self {
            all.push(parts::step(slow, 0).kernel_requirement());
        }
        all.extend(["setsid", "pkill"].map(|command| Requirement::command(&[command])));
        all
    }
}

#[cfg(test)]
mod tests;
