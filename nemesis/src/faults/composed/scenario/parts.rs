//! The scripts of scenarios, composed for each node.

use std::time::Duration;

use elenchus_control::command::quote;
use elenchus_core::{Seed, Span};

use super::{ABOUT, HealthChecksOnly, Io, Pause, Scenario, SlowDiskAndLoss, SlowStart};
use crate::faults::network::isolate::Isolate;
use crate::faults::network::link::{self, Link};
use crate::faults::network::loss::Loss;
use crate::faults::network::partition::{Direction, Partition, Shape};
use crate::faults::time::clock::{Clock, How, Shift};
use crate::means::job::Job;
use crate::{Cluster, Fault, Injection, NemesisError, NodeActions, Targets};

/// A partition in which nodes do not receive from the others; the injection's grudge has the nodes.
pub(super) fn deaf() -> Partition {
    Partition { shape: Shape::OneNode, direction: Direction::Inbound, ..Partition::default() }
}

pub(super) fn healthy(health: &HealthChecksOnly) -> Isolate {
    Isolate { targets: health.targets.clone(), spare: health.ports.clone(), ..Isolate::default() }
}

pub(super) fn slow(slow: &SlowDiskAndLoss) -> Io {
    Io { path: slow.path.clone(), write_kib: Some(slow.write_kib), ..Io::default() }
}

pub(super) fn lossy(share: f64) -> Loss {
    Loss { targets: Targets::All, share, ..Loss::default() }
}

/// Clocks that are behind by this much.
pub(super) fn old(asleep: Span) -> Clock {
    let behind = i64::try_from(asleep.0.as_nanos()).unwrap_or(i64::MAX);
    Clock { how: How::Bump(Shift(-behind)), ..Clock::default() }
}

/// A step of a slow start, counted from 0. `Link` rejects an invalid rate.
pub(super) fn step(slow: &SlowStart, number: u32) -> Link {
    let rate = link::bits(&slow.slowest).map_or(slow.slowest.clone(), |bits| format!("{}kbit", (bits << number).div_ceil(1000)));
    Link { rate: Some(rate), ..Link::default() }
}

/// Added to the id of the second fault of a scenario that has firewall rules.
const SECOND: u32 = 1 << 24;

/// The actions on each target.
pub(super) fn actions(scenario: &Scenario, cluster: &Cluster, id: u32, injection: &Injection) -> Result<Vec<NodeActions>, NemesisError> {
    let mut actions = Vec::new();
    for (place, &at) in injection.nodes.iter().enumerate() {
        let alone = Injection {
            nodes: vec![at],
            grudge: injection.grudge.iter().filter(|(deaf, _)| **deaf == at).map(|(deaf, mute)| (*deaf, mute.clone())).collect(),
            ..injection.clone()
        };
        let of = |fault: &dyn Fault, id| fault.actions(cluster, id, &alone);
        let cut = || of(&deaf(), id);
        let all = match scenario {
            Scenario::SendOnly(_) => cut()?,
            Scenario::HealthChecksOnly(health) => of(&healthy(health), id)?,
            Scenario::SlowDiskAndLoss(disk) => [of(&slow(disk), id)?, of(&lossy(disk.share), id)?].concat(),
            Scenario::LateWakers(late) => {
                let pause = of(&Pause::default(), id)?;
                let wake = pause.iter().map(|pause| then(late.asleep.0, &pause.undo)).collect::<String>();
                // Clocks are changed while the processes are paused, so that no process sees the jump.
                let old: Vec<NodeActions> = if late.old_clock { of(&old(late.asleep), id)? } else { Vec::new() };
                vec![driven(id, &wake, together([cut()?, pause, old].concat()), true)]
            }
            Scenario::SlowStart(slow) => {
                let first = of(&step(slow, 0), id)?;
                vec![driven(id, &slowly(slow, &cut()?, &first), together([cut()?, first].concat()), false)]
            }
            Scenario::FlappingLink(link) => vec![driven(id, &forever(link.cut, link.whole, &cut()?), together(cut()?), false)],
            Scenario::FlakyNetwork(network) => {
                let comes_and_goes = of(&deaf(), id + SECOND)?;
                let job = driven(id, &forever(network.cut, network.whole, &comes_and_goes), together(comes_and_goes), false);
                [of(&lossy(network.share), id)?, vec![job]].concat()
            }
            Scenario::RollingPause(pause) => {
                let turn = (pause.asleep.0 + pause.awake.0) * position(injection, "rolling", place);
                let paused = of(&Pause::default(), id)?;
                vec![driven(id, &once(turn, pause.asleep.0, &paused), together(paused), false)]
            }
            Scenario::Swizzle(swizzle) => {
                let count = injection.nodes.len() as u32;
                let (off, on) = (position(injection, "swizzle off", place), position(injection, "swizzle on", place));
                let (before, during) = (swizzle.step.0 * off, swizzle.step.0 * (count + on - off));
                vec![driven(id, &once(before, during, &cut()?), together(cut()?), false)]
            }
        };
        actions.push(together(all));
    }
    Ok(actions)
}

/// The position of the `place`th target in an order that the seed decides.
fn position(injection: &Injection, stream: &str, place: usize) -> u32 {
    let mut order: Vec<usize> = (0..injection.nodes.len()).collect();
    Seed(injection.seed).stream(stream).shuffle(&mut order);
    order.iter().position(|&other| other == place).unwrap_or_default() as u32
}

/// Part of a job: waits, then runs a script.
fn then(wait: Duration, script: &str) -> String {
    format!("sleep {}; sh -c {}; ", wait.as_secs_f64(), quote(script))
}

/// Part of a job: repeatedly injects, waits, undoes and waits.
fn forever(broken: Span, whole: Span, actions: &[NodeActions]) -> String {
    let turns: String = actions
        .iter()
        .map(|node_actions| {
            format!("sh -c {}; {}sleep {}; ", quote(&node_actions.inject), then(broken.0, &node_actions.undo), whole.0.as_secs_f64())
        })
        .collect();
    format!("while :; do {turns}done; ")
}

/// Part of a job: repeatedly cuts off, then limits the rate, less and less.
fn slowly(slow: &SlowStart, cuts: &[NodeActions], links: &[NodeActions]) -> String {
    let run = |actions: &[NodeActions], script: fn(&NodeActions) -> &String| {
        actions.iter().map(|node_actions| format!("sh -c {}; ", quote(script(node_actions)))).collect::<String>()
    };
    let pause = format!("sleep {}; ", slow.step.0.as_secs_f64());
    let faster: String =
        (1..slow.steps).map(|number| pause.clone() + &format!("sh -c {}; ", quote(&step(slow, number).change_rate()))).collect();
    format!(
        "while :; do {cut}sleep {down}; {slow}{join}{faster}{pause}{fast}sleep {whole}; done; ",
        cut = run(cuts, |cut| &cut.inject),
        down = slow.cut.0.as_secs_f64(),
        slow = run(links, |link| &link.inject),
        join = run(cuts, |cut| &cut.undo),
        fast = run(links, |link| &link.undo),
        whole = slow.whole.0.as_secs_f64()
    )
}

/// Part of a job: waits, injects, waits and undoes, once.
fn once(before: Duration, during: Duration, actions: &[NodeActions]) -> String {
    actions.iter().map(|node_actions| then(before, &node_actions.inject) + &then(during, &node_actions.undo)).collect()
}

/// The actions of a job that injects and undoes `during` by itself; with `is_done_at_once`, `during` is injected before the job is started. The job is killed before
/// everything is undone.
fn driven(id: u32, command: &str, during: NodeActions, is_done_at_once: bool) -> NodeActions {
    let job = Job::new(ABOUT.name, id, format!("{command}sleep 100000000"));
    let first = |script: &str| if is_done_at_once { format!("( {script} ) && ") } else { String::new() };
    NodeActions {
        inject: format!("{}( {} )", first(&during.inject), job.start()),
        verify: format!("{}( {} )", first(&during.verify), job.assert_running()),
        // Gives a process that the job has just started the time to write its pidfile.
        undo: format!("( {} ) && sleep 0.5 && ( {} )", job.end(), during.undo),
        verify_undone: format!("( {} ) && ( {} )", job.assert_gone(), during.verify_undone),
        node: during.node,
    }
}

/// Combines several actions on one node. Each is undone even if others fail, the last first.
fn together(actions: Vec<NodeActions>) -> NodeActions {
    let all = |of: fn(&NodeActions) -> &String| {
        actions.iter().map(|node_actions| format!("( {} )", of(node_actions))).collect::<Vec<String>>().join(" && ")
    };
    let undo: String = actions.iter().rev().map(|node_actions| format!("( {} ) || failed=yes\n", node_actions.undo)).collect();
    NodeActions {
        node: actions.first().map(|node_actions| node_actions.node.clone()).unwrap_or_default(),
        inject: all(|node_actions| &node_actions.inject),
        verify: all(|node_actions| &node_actions.verify),
        undo: format!(": end the scenario\nfailed=\n{undo}[ -z \"$failed\" ]\n"),
        verify_undone: all(|node_actions| &node_actions.verify_undone),
    }
}
