//! Grudges of network partitions, as pure functions.

use std::collections::BTreeSet;

use elenchus_core::Rng;

use crate::fault::Grudge;

/// Cuts groups from each other. Nodes in no group are not cut off.
pub(crate) fn apart(groups: &[Vec<usize>]) -> Grudge {
    let mut grudge = Grudge::new();
    for (at, group) in groups.iter().enumerate() {
        for (_, other) in groups.iter().enumerate().filter(|(other_at, _)| *other_at != at) {
            deafen(&mut grudge, group, other);
        }
    }
    grudge
}

/// The nodes of `deaf` drop the packets of those of `mute`, but not the other way round.
pub(crate) fn one_way(deaf: &[usize], mute: &[usize]) -> Grudge {
    let mut grudge = Grudge::new();
    deafen(&mut grudge, deaf, mute);
    grudge
}

/// Cuts two halves from each other; the first node of `order` reaches both.
pub(crate) fn bridge(order: &[usize]) -> Grudge {
    match order {
        [] => Grudge::new(),
        [_, rest @ ..] => {
            let (left, right) = rest.split_at(rest.len() / 2);
            apart(&[left.to_vec(), right.to_vec()])
        }
    }
}

/// Every node receives from a majority, and no two from the same: in a ring, each receives from as many neighbours on both sides as that takes. Three nodes make a
/// chain, where the middle one receives from all; fewer than three are not cut.
pub(crate) fn majorities_ring(order: &[usize]) -> Grudge {
    let count = order.len();
    if count == 3 {
        return bridge(order);
    }
    let reach = (count / 2).div_ceil(2);
    let mut grudge = Grudge::new();
    for (at, &node) in order.iter().enumerate() {
        let unheard = order.iter().enumerate().filter(|(other, _)| {
            let around = at.abs_diff(*other);
            around.min(count - around) > reach
        });
        let unheard: BTreeSet<usize> = unheard.map(|(_, &other)| other).collect();
        if !unheard.is_empty() {
            grudge.insert(node, unheard);
        }
    }
    grudge
}

/// Every node receives from a random majority, some from more than others, and not always mutually.
pub(crate) fn uneven_majorities(count: usize, rng: &mut Rng) -> Grudge {
    let majority = count / 2 + 1;
    let mut grudge = Grudge::new();
    for node in 0..count {
        let mut others: Vec<usize> = (0..count).filter(|&other| other != node).collect();
        rng.shuffle(&mut others);
        // The node itself counts.
        let heard = majority - 1 + rng.below((count - majority + 1) as u64) as usize;
        let unheard: BTreeSet<usize> = others.into_iter().skip(heard).collect();
        if !unheard.is_empty() {
            grudge.insert(node, unheard);
        }
    }
    grudge
}

/// Each link in each direction is cut independently with this probability.
pub(crate) fn random(count: usize, probability: f64, rng: &mut Rng) -> Grudge {
    let mut grudge = Grudge::new();
    for node in 0..count {
        let unheard: BTreeSet<usize> = (0..count).filter(|&other| other != node && rng.chance(probability)).collect();
        if !unheard.is_empty() {
            grudge.insert(node, unheard);
        }
    }
    grudge
}

fn deafen(grudge: &mut Grudge, deaf: &[usize], mute: &[usize]) {
    for &node in deaf {
        let unheard: Vec<usize> = mute.iter().copied().filter(|&other| other != node).collect();
        if !unheard.is_empty() {
            grudge.entry(node).or_default().extend(unheard);
        }
    }
}

#[cfg(test)]
mod tests {
    use elenchus_core::Seed;
    use proptest::prelude::*;

    use super::*;

    /// All nodes that `node` receives from, itself included.
    fn heard(grudge: &Grudge, count: usize, node: usize) -> BTreeSet<usize> {
        (0..count).filter(|other| !grudge.get(&node).is_some_and(|unheard| unheard.contains(other))).collect()
    }

    fn is_mutual(grudge: &Grudge) -> bool {
        grudge.iter().all(|(node, unheard)| unheard.iter().all(|other| grudge.get(other).is_some_and(|back| back.contains(node))))
    }

    fn orders() -> impl Strategy<Value = Vec<usize>> {
        (3usize..16).prop_flat_map(|count| Just((0..count).collect::<Vec<_>>()).prop_shuffle())
    }

    proptest! {
        #[test]
        fn in_a_majorities_ring_majorities_are_distinct(order in orders()) {
            let (grudge, count) = (majorities_ring(&order), order.len());
            let views: Vec<_> = (0..count).map(|node| heard(&grudge, count, node)).collect();
            prop_assert!(views.iter().all(|view| view.len() * 2 > count), "{:?}", views);
            let distinct: BTreeSet<_> = views.iter().collect();
            prop_assert_eq!(distinct.len(), count, "{:?}", views);
            prop_assert!(is_mutual(&grudge));
        }

        #[test]
        fn uneven_majorities_are_majorities(count in 1usize..16, seed: u64) {
            let grudge = uneven_majorities(count, &mut Seed(seed).stream("t"));
            prop_assert!((0..count).all(|node| heard(&grudge, count, node).contains(&node)));
            prop_assert!((0..count).all(|node| heard(&grudge, count, node).len() * 2 > count));
        }

        #[test]
        fn a_random_grudge_cuts_its_share(seed: u64) {
            let cut = random(40, 0.25, &mut Seed(seed).stream("t")).values().map(BTreeSet::len).sum::<usize>();
            // Ten deviations to both sides of the mean of 390.
            prop_assert!((220..=560).contains(&cut), "{cut}");
        }

        #[test]
        fn groups_receive_only_from_themselves(order in orders(), cut in 1usize..3) {
            let (left, right) = order.split_at(cut);
            let grudge = apart(&[left.to_vec(), right.to_vec()]);
            for group in [left, right] {
                for &node in group {
                    prop_assert_eq!(heard(&grudge, order.len(), node), group.iter().copied().collect::<BTreeSet<_>>());
                }
            }
        }

        #[test]
        fn a_bridge_is_the_only_connection(order in orders()) {
            let (grudge, count) = (bridge(&order), order.len());
            prop_assert_eq!(heard(&grudge, count, order[0]).len(), count);
            prop_assert!(is_mutual(&grudge));
            let (left, right) = order[1..].split_at((count - 1) / 2);
            for &node in left {
                prop_assert!(right.iter().all(|other| !heard(&grudge, count, node).contains(other)));
            }
        }

        #[test]
        fn one_way_is_one_way(order in orders()) {
            let (deaf, mute) = order.split_at(1);
            let grudge = one_way(deaf, mute);
            prop_assert_eq!(grudge.len(), 1);
            prop_assert_eq!(heard(&grudge, order.len(), deaf[0]).len(), 1);
        }
    }

    #[test]
    fn small_clusters_are_not_cut() {
        assert!(majorities_ring(&[]).is_empty() && majorities_ring(&[0]).is_empty() && majorities_ring(&[0, 1]).is_empty());
        assert!(bridge(&[]).is_empty() && bridge(&[0, 1]).is_empty());
    }
}
