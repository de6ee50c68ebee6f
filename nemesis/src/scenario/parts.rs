//! What scenarios are made of, put together for each node.

use std::time::Duration;

use elenchus_control::command::quote;
use elenchus_core::{Seed, Span};

use super::{ABOUT, HealthChecksOnly, Io, Pause, Scenario, SlowDiskAndLoss, SlowStart};
use crate::clock::{Clock, How, Shift};
use crate::isolate::Isolate;
use crate::job::Job;
use crate::link::{self, Link};
use crate::loss::Loss;
use crate::partition::{Direction, Partition, Shape};
use crate::{Cluster, Deed, Fault, NemesisError, Targets, Work};

/// Nodes that do not hear the others; who they are, a deed's grudge says.
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

/// Clocks that have stood still for so long.
pub(super) fn old(asleep: Span) -> Clock {
    let behind = i64::try_from(asleep.0.as_nanos()).unwrap_or(i64::MAX);
    Clock { how: How::Bump(Shift(-behind)), ..Clock::default() }
}

/// A step of a slow start, counted from 0. A rate that cannot be read, it refuses.
pub(super) fn step(slow: &SlowStart, number: u32) -> Link {
    let rate = link::bits(&slow.slowest).map_or(slow.slowest.clone(), |bits| format!("{}kbit", (bits << number).div_ceil(1000)));
    Link { rate: Some(rate), ..Link::default() }
}

/// The numbers by which the second fault of a scenario that has rules of the firewall is told from its first.
const SECOND: u32 = 1 << 24;

/// What is done on each node of a deed.
pub(super) fn works(scenario: &Scenario, cluster: &Cluster, id: u32, deed: &Deed) -> Result<Vec<Work>, NemesisError> {
    let mut works = Vec::new();
    for (place, &at) in deed.nodes.iter().enumerate() {
        let alone = Deed {
            nodes: vec![at],
            grudge: deed.grudge.iter().filter(|(deaf, _)| **deaf == at).map(|(deaf, mute)| (*deaf, mute.clone())).collect(),
            ..deed.clone()
        };
        let of = |fault: &dyn Fault, id| fault.works(cluster, id, &alone);
        let cut = || of(&deaf(), id);
        let all = match scenario {
            Scenario::SendOnly(_) => cut()?,
            Scenario::HealthChecksOnly(health) => of(&healthy(health), id)?,
            Scenario::SlowDiskAndLoss(disk) => [of(&slow(disk), id)?, of(&lossy(disk.share), id)?].concat(),
            Scenario::LateWakers(late) => {
                let pause = of(&Pause::default(), id)?;
                let wake = pause.iter().map(|pause| then(late.asleep.0, &pause.undo)).collect::<String>();
                // Their clocks are set while they sleep: nobody sees them jump.
                let old: Vec<Work> = if late.old_clock { of(&old(late.asleep), id)? } else { Vec::new() };
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
                let turn = (pause.asleep.0 + pause.awake.0) * position(deed, "rolling", place);
                let paused = of(&Pause::default(), id)?;
                vec![driven(id, &once(turn, pause.asleep.0, &paused), together(paused), false)]
            }
            Scenario::Swizzle(swizzle) => {
                let count = deed.nodes.len() as u32;
                let (off, on) = (position(deed, "swizzle off", place), position(deed, "swizzle on", place));
                let (before, during) = (swizzle.step.0 * off, swizzle.step.0 * (count + on - off));
                vec![driven(id, &once(before, during, &cut()?), together(cut()?), false)]
            }
        };
        works.push(together(all));
    }
    Ok(works)
}

/// The place of a node, the `place`th of a deed, in an order that the seed decides.
fn position(deed: &Deed, stream: &str, place: usize) -> u32 {
    let mut order: Vec<usize> = (0..deed.nodes.len()).collect();
    Seed(deed.seed).stream(stream).shuffle(&mut order);
    order.iter().position(|&other| other == place).unwrap_or_default() as u32
}

/// Part of a job: waits, and runs a script.
fn then(wait: Duration, script: &str) -> String {
    format!("sleep {}; sh -c {}; ", wait.as_secs_f64(), quote(script))
}

/// Again and again: broken for a while, and whole.
fn forever(broken: Span, whole: Span, works: &[Work]) -> String {
    let turns: String = works
        .iter()
        .map(|work| format!("sh -c {}; {}sleep {}; ", quote(&work.inject), then(broken.0, &work.undo), whole.0.as_secs_f64()))
        .collect();
    format!("while :; do {turns}done; ")
}

/// Again and again: cut off, and then slow, less and less.
fn slowly(slow: &SlowStart, cuts: &[Work], links: &[Work]) -> String {
    let run = |works: &[Work], script: fn(&Work) -> &String| {
        works.iter().map(|work| format!("sh -c {}; ", quote(script(work)))).collect::<String>()
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

/// Once: whole for a while, broken, and whole.
fn once(before: Duration, during: Duration, works: &[Work]) -> String {
    works.iter().map(|work| then(before, &work.inject) + &then(during, &work.undo)).collect()
}

/// The work of a job that breaks and undoes by itself, after what is done at once. Its end comes before everything is undone.
fn driven(id: u32, command: &str, during: Work, is_done_at_once: bool) -> Work {
    let job = Job::new(ABOUT.name, id, format!("{command}sleep 100000000"));
    let first = |script: &str| if is_done_at_once { format!("( {script} ) && ") } else { String::new() };
    Work {
        inject: format!("{}( {} )", first(&during.inject), job.start()),
        verify: format!("{}( {} )", first(&during.verify), job.assert_running()),
        // What the job has just started is given the time to say who it is.
        undo: format!("( {} ) && sleep 0.5 && ( {} )", job.end(), during.undo),
        verify_undone: format!("( {} ) && ( {} )", job.assert_gone(), during.verify_undone),
        node: during.node,
    }
}

/// Several works on one node as one. Each is undone whatever becomes of the others, the last first.
fn together(works: Vec<Work>) -> Work {
    let all = |of: fn(&Work) -> &String| works.iter().map(|work| format!("( {} )", of(work))).collect::<Vec<String>>().join(" && ");
    let undo: String = works.iter().rev().map(|work| format!("( {} ) || failed=yes\n", work.undo)).collect();
    Work {
        node: works.first().map(|work| work.node.clone()).unwrap_or_default(),
        inject: all(|work| &work.inject),
        verify: all(|work| &work.verify),
        undo: format!(": end the scenario\nfailed=\n{undo}[ -z \"$failed\" ]\n"),
        verify_undone: all(|work| &work.verify_undone),
    }
}
