//! Wrong clocks: ahead or behind, too fast or too slow, jumping or frozen.
//!
//! Either the clocks of the system's processes only: the agent replaces the vDSO code that returns the time. That works in a lab and in containers, which share their
//! host's clock, for Go and statically linked programs, and for running processes. It does not affect time in the kernel: time-outs, and timers set to a time of day.
//! Or the machine's clock, if the machine has its own.

mod machine;
mod ntp_services;
mod times;

use elenchus_agent::change::ClockChange;
use elenchus_core::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use times::{Date, Shift};

use crate::fault::{About, Need, Overlap};
use crate::means::agent;
use crate::means::job::{self, Job};
use crate::means::remote_script::{self, RemoteScript};
use crate::{Cluster, Fault, Injection, NemesisError, NodeActions, Requirement, Roster, Targets};

/// Shows the system's processes a wrong time of day.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Clock {
    /// The nodes.
    pub targets: Targets,
    /// How the clocks are wrong.
    pub how: How,
    /// Which clocks are wrong.
    pub of: Of,
}

/// Which clocks are wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Of {
    /// Those of the system's processes.
    #[default]
    Processes,
    /// The machine's clock, which must not be the control node's: refused in a lab and in containers.
    Machine,
}

/// How a clock is wrong.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// It is ahead by this much, or behind: `-30s`.
    Bump(#[schemars(with = "String")] Shift),
    /// It jumps forth and back.
    Strobe(Strobe),
    /// It gains this many seconds in each second, or loses: `0.05`, `-0.5`.
    Drift(f64),
    /// It is set to this date, and goes on from there: `2038-01-19T03:14:00Z`.
    Jump(#[schemars(with = "String")] Date),
    /// It is frozen.
    Freeze,
    /// It is set to two seconds before midnight (UTC), followed by a leap second.
    Leap(Leap),
}

/// How a clock jumps forth and back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Strobe {
    /// How far.
    #[schemars(with = "String")]
    pub by: Shift,
    /// How long it stays at each end.
    #[schemars(with = "String")]
    pub every: Span,
}

/// A leap second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Leap {
    /// The last second of the day comes twice, as the kernel shows it.
    Insert,
    /// The last second of the day is skipped.
    Delete,
}

impl Default for How {
    fn default() -> How {
        How::Bump(Shift(60_000_000_000))
    }
}

const ABOUT: About = About {
    name: "clock",
    what: "shows the system's processes, or the whole machine, a clock that is ahead or behind, too fast, too slow or frozen, jumps, or has a leap second",
    how: "the agent stops each process for some milliseconds and redirects the vDSO functions that return the time of day; a background job does so to new processes; with `of: machine`, NTP is stopped and the clock is set",
    needs: "a system in the plan; x86-64 or AArch64; permission to trace processes; `setsid`, `pkill`; for a machine no system, but a clock of its own",
    verified: "every process of the system is made to read the clock, and reads the wrong time; the job runs; a machine's clock is read",
    healed: "the agent restores the functions; the vDSO of every process is byte for byte the kernel's, the job is killed; a machine's clock is set from its monotonic clock, and NTP is started",
    example: "{how: {bump: -30s}}",
    overlap: Overlap::Exclusive,
    reports_effect: true,
    is_destructive: false,
};

/// The agent's directory of an injection that is in force.
fn trace(id: u32) -> String {
    format!("/run/elenchus/clocks/{id}")
}

/// The largest drift, in seconds a second, either way.
const MAX_DRIFT: f64 = 1000.0;

impl How {
    /// The change for the agent.
    fn change(&self) -> ClockChange {
        match self {
            How::Bump(by) => ClockChange::Bump(by.0),
            How::Strobe(Strobe { by, every }) => {
                ClockChange::Strobe { by: by.0, every: i64::try_from(every.0.as_nanos()).unwrap_or(i64::MAX) }
            }
            How::Drift(gain) => ClockChange::Drift(*gain),
            How::Jump(date) => ClockChange::Jump(date.0),
            How::Freeze => ClockChange::Freeze,
            How::Leap(leap) => ClockChange::Leap { inserted: *leap == Leap::Insert },
        }
    }

    fn check(&self) -> Result<(), String> {
        match self {
            How::Bump(Shift(0)) | How::Strobe(Strobe { by: Shift(0), .. }) => Err("an offset of 0s has no effect; set another".into()),
            How::Strobe(Strobe { every, .. }) if every.0.as_micros() < 1 => {
                Err("`every` of a strobe must be a microsecond or longer".into())
            }
            How::Drift(gain) if *gain == 0.0 || !gain.is_finite() || gain.abs() > MAX_DRIFT => {
                Err(format!("`drift`, in seconds a second, must be from -{MAX_DRIFT} to {MAX_DRIFT}, and not 0"))
            }
            _ => Ok(()),
        }
    }
}

impl Fault for Clock {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn targets(&self) -> &Targets {
        &self.targets
    }

    fn describe(&self, nodes: &str) -> String {
        match &self.how {
            How::Bump(Shift(by)) if *by < 0 => format!("{nodes} with clocks {} behind", Shift(-by)),
            How::Bump(by) => format!("{nodes} with clocks {by} ahead"),
            How::Strobe(Strobe { by, every }) => format!("{nodes} with clocks that jump by {by} and back every {every}"),
            How::Drift(gain) if *gain < 0.0 => format!("{nodes} with clocks that lose {} s in each second", -gain),
            How::Drift(gain) => format!("{nodes} with clocks that gain {gain} s in each second"),
            How::Jump(date) => format!("{nodes} with clocks set to {date}"),
            How::Freeze => format!("{nodes} with frozen clocks"),
            How::Leap(Leap::Insert) => format!("{nodes} with an inserted leap second"),
            How::Leap(Leap::Delete) => format!("{nodes} with a deleted leap second"),
        }
    }

    fn needs(&self) -> &'static [Need] {
        if self.of == Of::Processes { &[Need::System] } else { &[] }
    }

    fn check(&self, _: &Roster) -> Result<(), String> {
        self.how.check()
    }

    fn actions(&self, cluster: &Cluster, id: u32, injection: &Injection) -> Result<Vec<NodeActions>, NemesisError> {
        let (number, change) = (id.to_string(), self.how.change().to_string());
        let change: Vec<&str> = change.split(' ').collect();
        if self.of == Of::Machine {
            return machine::actions(cluster, id, injection, &change);
        }
        let order = |what: &str| agent::order(&["clock", what, &number]);
        let undo = |what: &str| agent::order_to_undo(&["clock", what, &number], &trace(id));
        let job = Job::new(ABOUT.name, id, format!("exec {}", order("keep")));
        remote_script::on_daemons(cluster, &injection.nodes, |node, daemon| {
            let begin = agent::order(&[&["clock", "begin", &number, &daemon.members()], change.as_slice()].concat());
            NodeActions {
                node,
                inject: format!(": wrong clocks\n{begin} || exit 1\n{}", job.start()),
                verify: format!(": are-wrong\n{} || exit 1\n{}", order("verify"), job.assert_running()),
                undo: format!(": right clocks\n{}{}", undo("end"), job.end()),
                verify_undone: format!(": are-right\n{}{}", undo("verify-ended"), job.assert_gone()),
            }
        })
    }

    fn undo_all(&self, cluster: &Cluster) -> Result<Vec<RemoteScript>, NemesisError> {
        if self.of == Of::Machine {
            return machine::undo_all(cluster);
        }
        let undo = agent::order_to_undo(&["clock", "end-all"], &trace_of_any());
        Ok(remote_script::everywhere(cluster, &format!(": right all clocks\n{undo}{}", job::undo_all(ABOUT.name))))
    }

    fn requirements(&self) -> Vec<Requirement> {
        let mut all = [Requirement::commands(&["setsid", "pkill"]), vec![agent::requirement()]].concat();
        match self.of {
            Of::Machine => all.extend([machine::requirement(), machine::trial()]),
            Of::Processes => all.push(Requirement::trial(
                agent::order(&["clock", "trial"]),
                "the clock of a process could not be changed on this node, as was tried; run as root, without seccomp or a hardened kernel that forbids tracing",
            )),
        }
        all
    }
}

/// A shell pattern that matches the directory of every injection.
fn trace_of_any() -> String {
    "/run/elenchus/clocks/[0-9]*".into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(yaml: &str) -> Clock {
        serde_yaml::from_str(yaml).unwrap()
    }

    #[test]
    fn all_changes_are_read_and_described() {
        let told = |how: &str| {
            let clock = read(&format!("{{how: {how}}}"));
            assert_eq!(clock.check(&Roster::of(vec!["n1".into()])), Ok(()));
            assert_eq!(serde_json::from_str::<Clock>(&serde_json::to_string(&clock).unwrap()).unwrap(), clock);
            (clock.describe("n1"), clock.how.change().to_string())
        };
        let both = |what: &str, change: &str| (what.to_owned(), change.to_owned());
        assert_eq!(told("{bump: -30s}"), both("n1 with clocks 30s behind", "bump -30000000000"));
        assert_eq!(
            told("{strobe: {by: 200ms, every: 10ms}}"),
            both("n1 with clocks that jump by 200ms and back every 10ms", "strobe 200000000 10000000")
        );
        assert_eq!(told("{drift: -0.5}"), both("n1 with clocks that lose 0.5 s in each second", "drift -0.5"));
        assert_eq!(told("{jump: '1970-01-02T00:00:00Z'}"), both("n1 with clocks set to 1970-01-02T00:00:00Z", "jump 86400000000000"));
        assert_eq!(told("freeze"), both("n1 with frozen clocks", "freeze"));
        assert_eq!(told("{leap: insert}"), both("n1 with an inserted leap second", "leap insert"));
    }

    #[test]
    fn the_agent_parses_every_change() {
        for how in ["{bump: 1ms}", "{strobe: {by: -1h, every: 1ms}}", "{drift: 0.1}", "freeze", "{leap: delete}"] {
            let change = read(&format!("{{how: {how}}}")).how.change();
            assert_eq!(ClockChange::from_words(&change.to_string().split(' ').collect::<Vec<_>>()), Ok(change));
        }
    }

    #[test]
    fn changes_without_effect_or_beyond_bounds_are_rejected() {
        for how in ["{bump: 0s}", "{drift: 0}", "{drift: 1001}", "{drift: .nan}", "{strobe: {by: 1s, every: 0s}}"] {
            assert!(read(&format!("{{how: {how}}}")).check(&Roster::of(vec!["n1".into()])).is_err(), "{how}");
        }
    }
}
