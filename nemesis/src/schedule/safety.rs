//! Limits for all faults of a plan together.

use std::time::Duration;

use elenchus_core::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::roster::{Roster, minority};
use crate::schedule::active::ActiveFault;
use crate::schedule::line::Scheduled;

/// Limits for all faults of a plan together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Safety {
    /// The most nodes that may be targets at the same time, of all faults together. An injection that would exceed it is skipped.
    pub at_most: AtMost,
    /// The most injections that may be in force at the same time. An injection that would exceed it is skipped.
    pub at_once: Option<u32>,
    /// How long before the end of the run every fault is healed and none is injected.
    #[schemars(with = "String")]
    pub quiet: Span,
    /// How long the control node may be silent before a node heals itself.
    #[schemars(with = "String")]
    pub lease: Span,
    /// Whether faults that may lose data are allowed.
    pub allow_destructive: bool,
}

impl Default for Safety {
    fn default() -> Safety {
        Safety { at_most: AtMost::All, at_once: None, quiet: Span::secs(0), lease: Span::secs(30), allow_destructive: false }
    }
}

/// How many nodes may be targets at the same time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AtMost {
    /// One node.
    One,
    /// Fewer than half.
    Minority,
    /// All nodes.
    #[default]
    All,
    /// This many nodes.
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

/// The shortest lease that a busy machine renews in time.
const SHORTEST_LEASE: Duration = Duration::from_secs(5);

impl Safety {
    /// Checks these limits, and these lines against them.
    ///
    /// # Errors
    /// The position of the line, if the error is in a line, and a message.
    pub fn check(&self, lines: &[Scheduled], roster: &Roster, duration: Duration) -> Result<(), (Option<usize>, String)> {
        if self.lease.0 < SHORTEST_LEASE {
            let shortest = Span(SHORTEST_LEASE);
            return Err((None, format!("`lease: {}` is too short to be renewed in time; use {shortest} or more", self.lease)));
        }
        if !lines.is_empty() && self.quiet.0 >= duration {
            return Err((None, format!("`quiet: {}` leaves no time for faults in a run of {}", self.quiet, Span(duration))));
        }
        if self.at_most.of(roster.count()) == 0 && !lines.is_empty() {
            return Err((None, format!("`at_most` allows no target among {} nodes", roster.count())));
        }
        for (line, scheduled) in lines.iter().enumerate() {
            let destructive = scheduled.faults().into_iter().find(|(fault, _)| fault.about().is_destructive);
            if let Some((fault, _)) = destructive.filter(|_| !self.allow_destructive) {
                let advice =
                    "on a cluster that you can afford to lose, set `safety: {allow_destructive: true}` or run with `--allow-destructive`";
                return Err((Some(line), format!("`{}` may lose data; {advice}", fault.name())));
            }
        }
        Ok(())
    }

    /// Returns why an injection may not be made while others are in force, if it may not.
    pub(crate) fn objection<'a>(&self, others: impl Iterator<Item = &'a ActiveFault>, new: &ActiveFault, nodes: usize) -> Option<String> {
        let mut targets = new.nodes.clone();
        let mut count = 1;
        for other in others {
            if new.group.is_some() && new.group == other.group {
                return Some(format!("{} {} of the same group is in force", other.name, other.id));
            }
            let shares = other.nodes.iter().any(|node| new.nodes.contains(node));
            if shares && new.exclusive_names.iter().any(|name| other.exclusive_names.contains(name)) {
                return Some(format!("{} {} is in force on the same node", other.name, other.id));
            }
            if let Some(down) = other.nodes.iter().find(|node| other.takes_down && new.reach.contains(node)) {
                return Some(format!("{} {} has taken node {} down", other.name, other.id, down + 1));
            }
            targets.extend(&other.nodes);
            count += 1;
        }
        targets.sort_unstable();
        targets.dedup();
        let limit = self.at_most.of(nodes);
        if targets.len() > limit && !new.nodes.is_empty() {
            return Some(format!("{} nodes would be targets at once; `at_most` allows {limit}", targets.len()));
        }
        match self.at_once {
            Some(limit) if count > limit => Some(format!("{count} faults would be in force at once; `at_once` allows {limit}")),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::Overlap;

    fn active(name: &'static str, overlap: Overlap, group: Option<&str>, nodes: &[usize]) -> ActiveFault {
        let exclusive_names = if overlap == Overlap::Exclusive { vec![name] } else { Vec::new() };
        let (group, nodes) = (group.map(str::to_owned), nodes.to_vec());
        ActiveFault { id: 1, name, exclusive_names, group, reach: nodes.clone(), nodes, takes_down: false }
    }

    fn objection(safety: &Safety, others: &[ActiveFault], new: &ActiveFault) -> Option<String> {
        safety.objection(others.iter(), new, 5)
    }

    #[test]
    fn limits_apply_to_all_faults_together() {
        let (one, two) = (active("kill", Overlap::Shared, None, &[0]), active("pause", Overlap::Shared, None, &[1, 2]));
        let minority = Safety { at_most: AtMost::Minority, ..Safety::default() };
        assert_eq!(objection(&minority, &[], &two), None);
        assert!(objection(&minority, std::slice::from_ref(&one), &two).unwrap().contains("3 nodes would be targets"));
        let single = Safety { at_once: Some(1), ..Safety::default() };
        assert!(objection(&single, std::slice::from_ref(&one), &two).unwrap().contains("at_once"));
        assert_eq!(objection(&Safety::default(), &[one], &two), None);
    }

    #[test]
    fn groups_and_exclusive_kinds_do_not_overlap() {
        let (one, two) = (active("kill", Overlap::Shared, Some("a"), &[0]), active("pause", Overlap::Shared, Some("a"), &[1]));
        assert!(objection(&Safety::default(), &[one], &two).unwrap().contains("same group"));
        let never = |nodes: &[usize]| active("rate", Overlap::Exclusive, None, nodes);
        assert!(objection(&Safety::default(), &[never(&[0, 1])], &never(&[1])).unwrap().contains("same node"));
        assert_eq!(objection(&Safety::default(), &[never(&[0])], &never(&[1])), None);
        let made_of_it = ActiveFault { exclusive_names: vec!["scenario", "rate"], ..active("scenario", Overlap::Exclusive, None, &[1]) };
        assert!(objection(&Safety::default(), &[made_of_it], &never(&[1])).unwrap().contains("scenario 1 is in force on the same node"));
    }

    #[test]
    fn nothing_is_injected_into_a_node_that_is_down() {
        let down = ActiveFault { takes_down: true, ..active("power_off", Overlap::Exclusive, None, &[1]) };
        let new = active("pause", Overlap::Shared, None, &[0, 1]);
        assert_eq!(objection(&Safety::default(), std::slice::from_ref(&down), &new).unwrap(), "power_off 1 has taken node 2 down");
        let beside = ActiveFault { nodes: vec![0], reach: vec![0, 1], ..new.clone() };
        assert!(objection(&Safety::default(), std::slice::from_ref(&down), &beside).is_some(), "nor for an injection into other nodes");
        // A node may be taken down while other faults are in force there: they end with it.
        assert_eq!(objection(&Safety::default(), &[new], &down), None);
    }

    #[test]
    fn invalid_limits_are_rejected() {
        let roster = Roster::of(vec!["n1".into(), "n2".into()]);
        let line: Scheduled = serde_yaml::from_str("{kill: {}, every: 9s, for: 2s}").unwrap();
        let error = |safety: Safety| safety.check(std::slice::from_ref(&line), &roster, Duration::from_secs(60)).unwrap_err().1;
        assert!(error(Safety { lease: Span::secs(1), ..Safety::default() }).contains("too short"));
        assert!(error(Safety { quiet: Span::secs(60), ..Safety::default() }).contains("no time for faults"));
        assert!(error(Safety { at_most: AtMost::Minority, ..Safety::default() }).contains("no target among 2 nodes"));
        assert_eq!(Safety::default().check(&[line], &roster, Duration::from_secs(60)), Ok(()));
    }
}
