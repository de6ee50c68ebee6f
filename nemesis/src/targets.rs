//! The nodes that a fault is injected into.

use elenchus_core::Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::roster::{Roster, minority};

/// The nodes that a fault is injected into. Nodes are chosen anew for each injection.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Targets {
    /// No node: the fault has no effect, for comparison.
    None,
    /// One node.
    #[default]
    One,
    /// The largest minority: fewer than half.
    Minority,
    /// The smallest majority: more than half.
    Majority,
    /// All nodes.
    All,
    /// From one to all nodes; every number is equally likely.
    Random,
    /// Every node that is seen as primary at that time.
    Primary,
    /// Every node that is not seen as primary at that time.
    Followers,
    /// All nodes of one of the plan's zones, chosen at random.
    #[serde(alias = "one-zone")]
    OneZone,
    /// All nodes of this zone.
    Zone(String),
    /// These nodes.
    Nodes(Vec<String>),
}

impl Targets {
    /// Checks these against the nodes.
    pub fn check(&self, roster: &Roster) -> Result<(), String> {
        let count = roster.count();
        match self {
            Targets::Minority if count < 3 => Err(format!("{count} nodes have no minority; use 3 or more")),
            Targets::Nodes(names) if names.is_empty() => Err("`nodes` is empty; name at least one".into()),
            Targets::Nodes(names) => roster.positions(names).map(drop),
            Targets::Zone(name) => roster.zone(name).map(drop),
            Targets::OneZone if roster.zones.is_empty() => Err("`one_zone` needs `zones` in the plan".into()),
            _ if count == 0 => Err("the plan has no nodes".into()),
            _ => Ok(()),
        }
    }

    /// Whether these may be all nodes.
    pub fn may_be_all(&self, roster: &Roster) -> bool {
        let count = roster.count();
        match self {
            Targets::None | Targets::Minority => false,
            Targets::One => count < 2,
            Targets::Majority => count < 3,
            // Usually there is one primary.
            Targets::Primary | Targets::Followers => count < 2,
            Targets::All | Targets::Random => true,
            Targets::OneZone => roster.zones.values().any(|zone| zone.len() == count),
            Targets::Zone(name) => roster.zone(name).is_ok_and(|zone| zone.len() == count),
            Targets::Nodes(names) => roster.positions(names).is_ok_and(|nodes| nodes.len() == count),
        }
    }

    /// Whether they depend on the primary.
    pub fn by_role(&self) -> bool {
        matches!(self, Targets::Primary | Targets::Followers)
    }

    /// Chooses nodes, and returns their positions, ascending; `None` when they depend on the primary.
    pub fn choose(&self, roster: &Roster, rng: &mut Rng) -> Option<Vec<usize>> {
        let nodes = roster.count();
        let count = match self {
            Targets::None => 0,
            Targets::One => 1,
            Targets::Minority => minority(nodes),
            Targets::Majority => nodes / 2 + 1,
            Targets::All => nodes,
            Targets::Random => 1 + rng.below(nodes as u64) as usize,
            Targets::Primary | Targets::Followers => return None,
            Targets::OneZone => {
                let zones: Vec<&Vec<usize>> = roster.zones.values().collect();
                return Some(rng.choose(&zones).map(|zone| zone.to_vec()).unwrap_or_default());
            }
            Targets::Zone(name) => return Some(roster.zone(name).unwrap_or_default().to_vec()),
            Targets::Nodes(names) => return Some(roster.positions(names).unwrap_or_default()),
        };
        let mut order: Vec<usize> = (0..nodes).collect();
        rng.shuffle(&mut order);
        order.truncate(count);
        order.sort_unstable();
        Some(order)
    }

    /// Returns the nodes when these are the primaries.
    pub fn at_primaries(&self, roster: &Roster, primaries: &[usize]) -> Vec<usize> {
        match self {
            Targets::Followers => (0..roster.count()).filter(|node| !primaries.contains(node)).collect(),
            _ => primaries.to_vec(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use elenchus_core::Seed;
    use proptest::prelude::*;

    use super::*;

    fn roster(count: usize) -> Roster {
        Roster::of((1..=count).map(|number| format!("n{number}")).collect())
    }

    proptest! {
        #[test]
        fn sizes_are_as_documented(count in 3usize..12, seed: u64) {
            let roster = roster(count);
            let chosen = |targets: Targets| targets.choose(&roster, &mut Seed(seed).stream("t")).unwrap();
            let size = |targets: Targets| chosen(targets).len();
            prop_assert_eq!((size(Targets::None), size(Targets::One), size(Targets::All)), (0, 1, count));
            let (minority, majority) = (size(Targets::Minority), size(Targets::Majority));
            prop_assert!(minority >= 1 && minority * 2 < count && (minority + 1) * 2 >= count);
            prop_assert!(majority * 2 > count && (majority - 1) * 2 <= count);
            prop_assert!((1..=count).contains(&size(Targets::Random)));
            prop_assert!(chosen(Targets::Majority).windows(2).all(|pair| pair[0] < pair[1]));
            prop_assert_eq!(chosen(Targets::Minority), chosen(Targets::Minority));
        }
    }

    #[test]
    fn names_are_checked() {
        let named = Targets::Nodes(vec!["n3".into(), "n1".into(), "n3".into()]);
        assert_eq!(named.choose(&roster(3), &mut Seed(1).stream("t")), Some(vec![0, 2]));
        let wrong = Targets::Nodes(vec!["n33".into()]).check(&roster(3)).unwrap_err();
        assert!(wrong.contains("did you mean `n3`?"), "{wrong}");
        assert!(Targets::Minority.check(&roster(2)).is_err() && Targets::OneZone.check(&roster(3)).is_err());
    }

    #[test]
    fn roles_depend_on_the_primary() {
        assert_eq!(Targets::Primary.choose(&roster(3), &mut Seed(1).stream("t")), None);
        assert_eq!(Targets::Primary.at_primaries(&roster(3), &[1]), [1]);
        assert_eq!(Targets::Followers.at_primaries(&roster(3), &[1]), [0, 2]);
    }

    #[test]
    fn a_zone_is_chosen_as_a_whole() {
        let zones = BTreeMap::from([("a".to_owned(), vec![0, 2]), ("b".to_owned(), vec![1])]);
        let roster = Roster { zones, ..roster(3) };
        let chosen = |targets: Targets, seed| targets.choose(&roster, &mut Seed(seed).stream("t")).unwrap();
        assert_eq!(chosen(Targets::Zone("b".into()), 1), [1]);
        let any: Vec<Vec<usize>> = (0..20).map(|seed| chosen(Targets::OneZone, seed)).collect();
        assert!(any.contains(&vec![0, 2]) && any.contains(&vec![1]));
    }
}
