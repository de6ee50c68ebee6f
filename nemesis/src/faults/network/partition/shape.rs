//! The shapes of partitions, and the grudges that they make.

use elenchus_core::Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::fault::Grudge;
use crate::faults::network::partition::grudge;
use crate::roster::minority;
use crate::{Injection, Roster};

/// The shape of a partition. Nodes are chosen anew for each injection.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// One node from all others.
    #[serde(alias = "one-node")]
    OneNode,
    /// Two halves; with an odd number of nodes, one is larger by one.
    #[default]
    Halves,
    /// The largest minority from the rest, a majority.
    #[serde(alias = "majority-minority")]
    MajorityMinority,
    /// Every node receives from a majority, and no two from the same.
    #[serde(alias = "majorities-ring")]
    MajoritiesRing,
    /// Every node receives from a random majority, some from more than others, and not always mutually.
    #[serde(alias = "uneven-majorities")]
    UnevenMajorities,
    /// Two halves that are connected by a single node.
    Bridge,
    /// Every node that is seen as primary from all others.
    #[serde(alias = "primaries-apart")]
    PrimariesApart,
    /// Every zone of the plan from every other.
    Zones,
    /// One zone of the plan, chosen at random, from all other nodes.
    #[serde(alias = "one-zone")]
    OneZone,
    /// These groups from each other. Nodes in no group are not cut off.
    Groups(Vec<Vec<String>>),
    /// Each link in each direction with this probability, greater than 0 and at most 1.
    Random(f64),
}

/// The side that drops packets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Both sides.
    #[default]
    Both,
    /// The smaller, or first, side does not receive from the others, but can send to them.
    Inbound,
    /// The smaller, or first, side cannot send to the others, but receives from them.
    Outbound,
}

impl Shape {
    /// Checks the shape against the nodes.
    pub(super) fn check(&self, direction: Direction, roster: &Roster) -> Result<(), String> {
        let least = match self {
            Shape::MajoritiesRing | Shape::UnevenMajorities | Shape::Bridge | Shape::MajorityMinority => 3,
            Shape::Groups(groups) => return check_groups(groups, roster),
            Shape::Zones if roster.zones.len() < 2 => return Err("`zones` needs two `zones` or more in the plan".into()),
            Shape::OneZone if roster.zones.is_empty() => return Err("`one_zone` needs `zones` in the plan".into()),
            Shape::Random(probability) if !(*probability > 0.0 && *probability <= 1.0) => {
                return Err(format!("`random` must be greater than 0 and at most 1, not {probability}"));
            }
            _ => 2,
        };
        if roster.count() < least {
            return Err(format!("a partition of this shape needs {least} nodes or more; the plan has {}", roster.count()));
        }
        let has_no_side = matches!(self, Shape::MajoritiesRing | Shape::UnevenMajorities | Shape::Bridge | Shape::Random(_));
        if direction != Direction::Both && has_no_side {
            return Err("this shape has no first side, so `direction` has no meaning; remove it, or use another shape".into());
        }
        Ok(())
    }

    /// Chooses the nodes; `None` when they depend on the primary.
    pub(super) fn decide(&self, direction: Direction, roster: &Roster, rng: &mut Rng) -> Option<Injection> {
        let count = roster.count();
        Some(match self {
            Shape::OneNode => split(direction, roster, rng, 1),
            Shape::Halves => split(direction, roster, rng, count / 2),
            Shape::MajorityMinority => split(direction, roster, rng, minority(count)),
            Shape::MajoritiesRing => {
                let order = shuffled(count, rng);
                let description = format!("majorities ring {}", ring(&roster.nodes, &order));
                Injection { nodes: (0..count).collect(), grudge: grudge::majorities_ring(&order), description, ..Injection::default() }
            }
            Shape::UnevenMajorities => uneven(roster, grudge::uneven_majorities(count, rng)),
            Shape::Random(probability) => uneven(roster, grudge::random(count, *probability, rng)),
            Shape::Bridge => bridge(roster, &shuffled(count, rng)),
            Shape::PrimariesApart => return None,
            Shape::Zones => apart(direction, roster, &roster.zones.values().cloned().collect::<Vec<_>>()),
            Shape::OneZone => {
                let zones: Vec<&Vec<usize>> = roster.zones.values().collect();
                let zone = rng.choose(&zones).map(|zone| zone.to_vec()).unwrap_or_default();
                let others = (0..count).filter(|node| !zone.contains(node)).collect();
                apart(direction, roster, &[zone, others])
            }
            Shape::Groups(groups) => {
                let groups: Vec<Vec<usize>> = groups.iter().map(|group| roster.positions(group).unwrap_or_default()).collect();
                apart(direction, roster, &groups)
            }
        })
    }
}

/// Cuts every primary from all others.
pub(super) fn primaries_apart(direction: Direction, roster: &Roster, primaries: &[usize]) -> Injection {
    let others: Vec<usize> = (0..roster.count()).filter(|node| !primaries.contains(node)).collect();
    if direction == Direction::Both {
        let mut groups: Vec<Vec<usize>> = primaries.iter().map(|&primary| vec![primary]).collect();
        groups.push(others);
        groups.retain(|group| !group.is_empty());
        return Injection { nodes: primaries.to_vec(), ..apart(direction, roster, &groups) };
    }
    apart(direction, roster, &[primaries.to_vec(), others])
}

/// Cuts the groups from each other, or one way the first from the others.
fn apart(direction: Direction, roster: &Roster, groups: &[Vec<usize>]) -> Injection {
    let [first, rest @ ..] = groups else { return Injection::default() };
    let others: Vec<usize> = rest.concat();
    let (few, many) = (roster.listed(first), roster.listed(&others));
    let (nodes, grudge, description) = match direction {
        Direction::Both => {
            let sides: Vec<String> = groups.iter().map(|group| roster.listed(group)).collect();
            (all_but_the_largest(groups), grudge::apart(groups), sides.join(" | "))
        }
        Direction::Inbound => (first.clone(), grudge::one_way(first, &others), format!("{few} not receiving from {many}")),
        Direction::Outbound => (first.clone(), grudge::one_way(&others, first), format!("{few} not sending to {many}")),
    };
    Injection { nodes, grudge, description, ..Injection::default() }
}

/// The targets of a partition into groups: all but the largest group, the last of several.
fn all_but_the_largest(groups: &[Vec<usize>]) -> Vec<usize> {
    let largest = groups.iter().enumerate().max_by_key(|(_, group)| group.len()).map(|(at, _)| at);
    let others = groups.iter().enumerate().filter(|(at, _)| Some(*at) != largest);
    others.flat_map(|(_, group)| group.iter().copied()).collect()
}

fn split(direction: Direction, roster: &Roster, rng: &mut Rng, first: usize) -> Injection {
    let mut order = shuffled(roster.count(), rng);
    let mut rest = order.split_off(first);
    order.sort_unstable();
    rest.sort_unstable();
    apart(direction, roster, &[order, rest])
}

fn bridge(roster: &Roster, order: &[usize]) -> Injection {
    let [middle, rest @ ..] = order else { return Injection::default() };
    let (left, right) = rest.split_at(rest.len() / 2);
    let description = format!("{} | {}, with {} between them", roster.listed(left), roster.listed(right), roster.listed(&[*middle]));
    Injection {
        nodes: (0..roster.count()).filter(|node| node != middle).collect(),
        grudge: grudge::bridge(order),
        description,
        ..Injection::default()
    }
}

/// A grudge without sides: `n1 not receiving from n2 and n3; n4 not receiving from n1`.
fn uneven(roster: &Roster, grudge: Grudge) -> Injection {
    let said = grudge.iter().map(|(&deaf, unheard)| {
        let unheard: Vec<usize> = unheard.iter().copied().collect();
        format!("{} not receiving from {}", roster.listed(&[deaf]), roster.listed(&unheard))
    });
    let description = said.collect::<Vec<_>>().join("; ");
    Injection {
        nodes: grudge.keys().copied().collect(),
        description: if description.is_empty() { "no link cut".into() } else { description },
        grudge,
        ..Injection::default()
    }
}

fn check_groups(groups: &[Vec<String>], roster: &Roster) -> Result<(), String> {
    if groups.len() < 2 || groups.iter().any(Vec::is_empty) {
        return Err("`groups` needs two groups or more, none of them empty".into());
    }
    let named = groups.concat();
    if roster.positions(&named)?.len() < named.len() {
        return Err("`groups` names a node twice".into());
    }
    Ok(())
}

fn ring(names: &[String], order: &[usize]) -> String {
    order.iter().chain(order.first()).filter_map(|&at| names.get(at)).map(String::as_str).collect::<Vec<_>>().join("–")
}

fn shuffled(count: usize, rng: &mut Rng) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).collect();
    rng.shuffle(&mut order);
    order
}
