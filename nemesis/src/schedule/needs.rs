//! The requirements of a plan's lines on the system and the nodes.

use elenchus_control::system::Definition;

use crate::fault::{Fault, Need};
use crate::means::requirement::Requirement;
use crate::schedule::line::{Scheduled, When};

/// A need of a line that the system under test does not meet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnmetNeed {
    /// The line's position in the plan's list, from 0.
    pub line: usize,
    /// The line's key that has the need: the fault's name, or `when`.
    pub key: &'static str,
    /// The missing requirement.
    pub need: Need,
    /// The message for the user: what is missing and what to do.
    pub message: String,
}

/// Returns the first need of these lines that a system with this definition does not meet. `None` stands for a plan without a system.
pub fn unmet(lines: &[Scheduled], system: Option<&Definition>) -> Option<UnmetNeed> {
    let is_met = |need| match need {
        Need::System => system.is_some(),
        Need::Primary => system.is_some_and(|definition| definition.primary.is_some()),
        Need::Membership => system.is_some_and(|definition| definition.membership.is_some()),
    };
    lines.iter().enumerate().find_map(|(line, scheduled)| {
        let of_faults = scheduled.faults().into_iter().flat_map(|(fault, _)| of_fault(fault).into_iter().map(|need| (fault.name(), need)));
        let of_event = scheduled.when.map(|When::PrimaryChanges| ("when", Need::Primary));
        let (key, need) = of_faults.chain(of_event).find(|(_, need)| !is_met(*need))?;
        Some(UnmetNeed { line, key, need, message: message(key, need) })
    })
}

/// The requirements of a fault on the system, with those of its targets.
fn of_fault(fault: &dyn Fault) -> Vec<Need> {
    let by_role: &[Need] = if fault.targets().by_role() { &[Need::System, Need::Primary] } else { &[] };
    [by_role, fault.needs()].concat()
}

fn message(key: &str, need: Need) -> String {
    match need {
        Need::System => format!("`{key}` needs a system, to find its processes; set `system` in the plan"),
        Need::Primary => format!("`{key}` needs to find the primary, but the system's definition has no `primary` command"),
        Need::Membership => format!("`{key}` adds and removes members, but the system's definition has no `membership` commands"),
    }
}

/// Returns what these lines need of every node before anything is uploaded, without duplicates.
pub fn requirements(lines: &[Scheduled]) -> Vec<Requirement> {
    // Every fault arms a dead man's switch, which runs in a session of its own.
    let switch = (!lines.is_empty()).then(|| Requirement::command(&["setsid"]));
    of_lines(lines, false, switch)
}

/// Returns what these lines need that is tried with the agent, without duplicates.
pub(crate) fn trials(lines: &[Scheduled]) -> Vec<Requirement> {
    of_lines(lines, true, None)
}

fn of_lines(lines: &[Scheduled], by_agent: bool, more: Option<Requirement>) -> Vec<Requirement> {
    let faults = lines.iter().flat_map(Scheduled::faults);
    let all = faults.flat_map(|(fault, _)| fault.requirements()).filter(|requirement| requirement.by_agent == by_agent);
    let mut all: Vec<Requirement> = all.chain(more).collect();
    all.sort();
    all.dedup();
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(yaml: &str) -> Scheduled {
        serde_yaml::from_str(yaml).unwrap()
    }

    fn definition(yaml: &str) -> Definition {
        serde_yaml::from_str(&format!("{{name: sys, start: {{command: 'true'}}{yaml}}}")).unwrap()
    }

    #[test]
    fn needs_follow_from_faults_targets_and_events() {
        let need = |yaml: &str, system: Option<&Definition>| unmet(&[line("{cpu: {}, every: 9s, for: 2s}"), line(yaml)], system);
        let at = |yaml: &str, system: Option<&Definition>| need(yaml, system).map(|unmet| (unmet.line, unmet.key, unmet.need));
        let (plain, led) = (definition(""), definition(", primary: 'echo n1'"));
        let kill = "{kill: {}, every: 9s, for: 2s}";
        assert_eq!(at(kill, None), Some((1, "kill", Need::System)));
        assert_eq!(at(kill, Some(&plain)), None);
        let primary = "{kill: {targets: primary}, every: 9s, for: 2s}";
        assert_eq!(at(primary, Some(&plain)), Some((1, "kill", Need::Primary)));
        assert_eq!(at(primary, Some(&led)), None);
        assert_eq!(at("{cpu: {}, when: primary_changes, for: 2s}", Some(&plain)), Some((1, "when", Need::Primary)));
        assert_eq!(at("{membership: {targets: minority}, every: 9s, for: 2s}", Some(&led)), Some((1, "membership", Need::Membership)));
        assert!(need(kill, None).unwrap().message.contains("set `system` in the plan"));
    }
}
