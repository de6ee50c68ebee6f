//! Which nodes a fault is done to.

use elenchus_core::{Rng, words};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which nodes. Who exactly is decided anew at each injection.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Targets {
    /// One node.
    #[default]
    One,
    /// As many as can be spared: fewer than half.
    Minority,
    /// Just more than half.
    Majority,
    /// All of them.
    All,
    /// Every node that is seen as primary at the moment.
    Primary,
    /// These.
    Nodes(Vec<String>),
}

impl Targets {
    /// Whether these can be had of a cluster of such nodes, and else why not.
    pub fn check(&self, nodes: &[String]) -> Result<(), String> {
        match self {
            Targets::Minority if nodes.len() < 3 => {
                Err(format!("a minority of {} nodes is nobody; it takes three nodes or more", nodes.len()))
            }
            Targets::Nodes(names) if names.is_empty() => Err("`nodes` is empty; name at least one".into()),
            Targets::Nodes(names) => positions(nodes, names).map(drop),
            _ if nodes.is_empty() => Err("the plan has no nodes".into()),
            _ => Ok(()),
        }
    }

    /// Their positions, ascending; none when they are the primaries, whom only the moment knows.
    pub fn choose(&self, nodes: &[String], rng: &mut Rng) -> Option<Vec<usize>> {
        let count = match self {
            Targets::One => 1,
            Targets::Minority => minority(nodes.len()),
            Targets::Majority => nodes.len() / 2 + 1,
            Targets::All => nodes.len(),
            Targets::Primary => return None,
            Targets::Nodes(names) => return Some(positions(nodes, names).unwrap_or_default()),
        };
        let mut order: Vec<usize> = (0..nodes.len()).collect();
        rng.shuffle(&mut order);
        order.truncate(count);
        order.sort_unstable();
        Some(order)
    }
}

/// The largest number of nodes without which the rest is still a majority.
pub(crate) fn minority(nodes: usize) -> usize {
    nodes.saturating_sub(1) / 2
}

/// Where these names are among the nodes, ascending; the first that is not there is told with the nearest that is.
pub(crate) fn positions(nodes: &[String], names: &[String]) -> Result<Vec<usize>, String> {
    let mut found = Vec::new();
    for name in names {
        let at = nodes.iter().position(|node| node == name).ok_or_else(|| {
            let hint =
                words::nearest(name, nodes.iter().map(String::as_str)).map(|word| format!("; did you mean `{word}`?")).unwrap_or_default();
            format!("there is no node `{name}`{hint} (nodes: {})", nodes.join(", "))
        })?;
        found.push(at);
    }
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use elenchus_core::Seed;
    use proptest::prelude::*;

    use super::*;

    fn names(count: usize) -> Vec<String> {
        (1..=count).map(|number| format!("n{number}")).collect()
    }

    proptest! {
        #[test]
        fn sizes_are_what_the_words_say(count in 3usize..12, seed: u64) {
            let nodes = names(count);
            let chosen = |targets: Targets| targets.choose(&nodes, &mut Seed(seed).stream("t")).unwrap();
            let size = |targets: Targets| chosen(targets).len();
            prop_assert_eq!(size(Targets::One), 1);
            prop_assert_eq!(size(Targets::All), count);
            let (minority, majority) = (size(Targets::Minority), size(Targets::Majority));
            prop_assert!(minority >= 1 && minority * 2 < count && (minority + 1) * 2 >= count);
            prop_assert!(majority * 2 > count && (majority - 1) * 2 <= count);
            prop_assert!(chosen(Targets::Majority).windows(2).all(|pair| pair[0] < pair[1]));
            prop_assert_eq!(chosen(Targets::Minority), chosen(Targets::Minority));
        }
    }

    #[test]
    fn names_are_checked() {
        let named = Targets::Nodes(vec!["n3".into(), "n1".into(), "n3".into()]);
        assert_eq!(named.choose(&names(3), &mut Seed(1).stream("t")), Some(vec![0, 2]));
        let wrong = Targets::Nodes(vec!["n33".into()]).check(&names(3)).unwrap_err();
        assert!(wrong.contains("did you mean `n3`?"), "{wrong}");
        assert!(Targets::Minority.check(&names(2)).is_err());
        assert_eq!(Targets::Primary.choose(&names(3), &mut Seed(1).stream("t")), None);
    }
}
