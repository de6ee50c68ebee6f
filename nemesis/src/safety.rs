//! How far a test may go: what holds for all of a plan's faults together.

use std::time::Duration;

use elenchus_core::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Scheduled;
use crate::roster::{Roster, minority};

/// What holds for all faults of a plan together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Safety {
    /// How many nodes may be struck at the same time, by all faults together. What would strike more is left out.
    pub at_most: AtMost,
    /// How many injections may be in force at the same time. What would be one more is left out.
    pub at_once: Option<u32>,
    /// This long before the clients end, everything is healed and nothing is injected any more.
    #[schemars(with = "String")]
    pub quiet: Span,
    /// A node that has not heard from the control node for this long heals itself.
    #[schemars(with = "String")]
    pub lease: Span,
    /// Whether faults that may cost data are allowed.
    pub allow_destructive: bool,
}

impl Default for Safety {
    fn default() -> Safety {
        Safety { at_most: AtMost::All, at_once: None, quiet: Span::secs(0), lease: Span::secs(30), allow_destructive: false }
    }
}

/// How many nodes may be struck at the same time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AtMost {
    /// One.
    One,
    /// Fewer than half.
    Minority,
    /// All of them.
    #[default]
    All,
    /// This many.
    Nodes(u32),
}

impl AtMost {
    fn of(self, nodes: usize) -> usize {
        match self {
            AtMost::One => 1,
            AtMost::Minority => minority(nodes),
            AtMost::All => nodes,
            AtMost::Nodes(count) => count as usize,
        }
    }
}

/// The shortest lease that a loaded machine renews in time.
const SHORTEST_LEASE: Duration = Duration::from_secs(5);

impl Safety {
    /// Whether these lines may be carried out on such a cluster, and else which of them (if it is one) may not, and why.
    pub fn check(&self, lines: &[Scheduled], roster: &Roster, duration: Duration) -> Result<(), (Option<usize>, String)> {
        if self.lease.0 < SHORTEST_LEASE {
            let shortest = Span(SHORTEST_LEASE);
            return Err((None, format!("`lease: {}` is too short to be renewed in time; take {shortest} or more", self.lease)));
        }
        if !lines.is_empty() && self.quiet.0 >= duration {
            return Err((None, format!("`quiet: {}` leaves no time for faults in a run of {}", self.quiet, Span(duration))));
        }
        if self.at_most.of(roster.count()) == 0 && !lines.is_empty() {
            return Err((None, format!("`at_most` lets no node of {} be struck", roster.count())));
        }
        for (line, scheduled) in lines.iter().enumerate() {
            let destructive = scheduled.faults().into_iter().find(|(fault, _)| fault.about().is_destructive);
            if let Some((fault, _)) = destructive.filter(|_| !self.allow_destructive) {
                let advice = "set `safety: {allow_destructive: true}`, or run with `--allow-destructive`, on a cluster that you can lose";
                return Err((Some(line), format!("`{}` may cost data; {advice}", fault.name())));
            }
        }
        Ok(())
    }

    /// Why an injection may not be made beside others that are in force, if it may not.
    pub(crate) fn objection<'a>(&self, others: impl Iterator<Item = &'a Held>, new: &Held, nodes: usize) -> Option<String> {
        let mut struck = new.nodes.clone();
        let mut count = 1;
        for other in others {
            if new.group.is_some() && new.group == other.group {
                return Some(format!("{} {} of the same group is in force", other.fault, other.id));
            }
            let shares = other.nodes.iter().any(|node| new.nodes.contains(node));
            if shares && new.alone.iter().any(|name| other.alone.contains(name)) {
                return Some(format!("{} {} is in force on the same node", other.fault, other.id));
            }
            if let Some(down) = other.nodes.iter().find(|node| other.takes_down && new.reach.contains(node)) {
                return Some(format!("{} {} has taken node {} down", other.fault, other.id, down + 1));
            }
            struck.extend(&other.nodes);
            count += 1;
        }
        struck.sort_unstable();
        struck.dedup();
        let limit = self.at_most.of(nodes);
        if struck.len() > limit && !new.nodes.is_empty() {
            return Some(format!("{} nodes would be struck at once; `at_most` allows {limit}", struck.len()));
        }
        match self.at_once {
            Some(limit) if count > limit => Some(format!("{count} faults would be in force at once; `at_once` allows {limit}")),
            _ => None,
        }
    }
}

/// What matters of an injection to others at the same time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) id: u32,
    pub(crate) fault: &'static str,
    /// As [`Fault::alone`](crate::Fault).
    pub(crate) alone: Vec<&'static str>,
    pub(crate) group: Option<String>,
    /// The nodes that are struck.
    pub(crate) nodes: Vec<usize>,
    /// The nodes on which something is done for it, as to hear the struck no longer.
    pub(crate) reach: Vec<usize>,
    /// Whether the nodes are down, or may be.
    pub(crate) takes_down: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::about::Overlap;

    fn held(fault: &'static str, overlap: Overlap, group: Option<&str>, nodes: &[usize]) -> Held {
        let alone = if overlap == Overlap::Never { vec![fault] } else { Vec::new() };
        Held { id: 1, fault, alone, group: group.map(str::to_owned), nodes: nodes.to_vec(), reach: nodes.to_vec(), takes_down: false }
    }

    fn objection(safety: &Safety, others: &[Held], new: &Held) -> Option<String> {
        safety.objection(others.iter(), new, 5)
    }

    #[test]
    fn limits_hold_for_all_together() {
        let (one, two) = (held("kill", Overlap::Shared, None, &[0]), held("pause", Overlap::Shared, None, &[1, 2]));
        let minority = Safety { at_most: AtMost::Minority, ..Safety::default() };
        assert_eq!(objection(&minority, &[], &two), None);
        assert!(objection(&minority, std::slice::from_ref(&one), &two).unwrap().contains("3 nodes would be struck"));
        let alone = Safety { at_once: Some(1), ..Safety::default() };
        assert!(objection(&alone, std::slice::from_ref(&one), &two).unwrap().contains("at_once"));
        assert_eq!(objection(&Safety::default(), &[one], &two), None);
    }

    #[test]
    fn groups_and_kinds_exclude_each_other() {
        let (one, two) = (held("kill", Overlap::Shared, Some("a"), &[0]), held("pause", Overlap::Shared, Some("a"), &[1]));
        assert!(objection(&Safety::default(), &[one], &two).unwrap().contains("same group"));
        let never = |nodes: &[usize]| held("rate", Overlap::Never, None, nodes);
        assert!(objection(&Safety::default(), &[never(&[0, 1])], &never(&[1])).unwrap().contains("same node"));
        assert_eq!(objection(&Safety::default(), &[never(&[0])], &never(&[1])), None);
        let made_of_it = Held { alone: vec!["scenario", "rate"], ..held("scenario", Overlap::Never, None, &[1]) };
        assert!(objection(&Safety::default(), &[made_of_it], &never(&[1])).unwrap().contains("scenario 1 is in force on the same node"));
    }

    #[test]
    fn nothing_else_is_done_to_who_is_down() {
        let down = Held { takes_down: true, ..held("power_off", Overlap::Never, None, &[1]) };
        let new = held("pause", Overlap::Shared, None, &[0, 1]);
        assert_eq!(objection(&Safety::default(), std::slice::from_ref(&down), &new).unwrap(), "power_off 1 has taken node 2 down");
        let beside = Held { nodes: vec![0], reach: vec![0, 1], ..new.clone() };
        assert!(objection(&Safety::default(), std::slice::from_ref(&down), &beside).is_some(), "nor for the sake of others");
        // Whatever is in force when a node goes down ends with that.
        assert_eq!(objection(&Safety::default(), &[new], &down), None);
    }

    #[test]
    fn senseless_limits_are_refused() {
        let roster = Roster::of(vec!["n1".into(), "n2".into()]);
        let line: Scheduled = serde_yaml::from_str("{kill: {}, every: 9s, for: 2s}").unwrap();
        let refusal = |safety: Safety| safety.check(std::slice::from_ref(&line), &roster, Duration::from_secs(60)).unwrap_err().1;
        assert!(refusal(Safety { lease: Span::secs(1), ..Safety::default() }).contains("too short"));
        assert!(refusal(Safety { quiet: Span::secs(60), ..Safety::default() }).contains("no time for faults"));
        assert!(refusal(Safety { at_most: AtMost::Minority, ..Safety::default() }).contains("no node of 2"));
        assert_eq!(Safety::default().check(&[line], &roster, Duration::from_secs(60)), Ok(()));
    }
}
