//! Cutting the network between nodes.
//!
//! Packets are dropped where they arrive, so that the sender learns nothing, as in a real partition; what is cut in one way is cut at the deaf end alone. Only
//! addresses of nodes are named, so the control node and its clients are never cut. It is done with iptables, and where a node has none, with routing rules.

mod firewall;

use std::net::IpAddr;

use elenchus_core::{BoxFuture, Rng};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::cluster::listed;
use crate::errand::{self, Errand};
use crate::grudge::{self, Grudge};
use crate::target::{minority, positions};
use crate::{Aim, Cluster, Deed, Fault, NemesisError};

/// Cuts the network between nodes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Partition {
    /// Who is cut from whom.
    #[serde(default)]
    pub shape: Shape,
    /// Whether both sides are deaf, or one.
    #[serde(default)]
    pub direction: Direction,
}

/// Who is cut from whom. Who exactly is decided anew at each injection.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Shape {
    /// One node from all others.
    OneNode,
    /// Two halves; of an odd number of nodes, one is larger by one.
    #[default]
    Halves,
    /// The largest possible minority from the rest, who are always a majority.
    MajorityMinority,
    /// Every node hears a majority, and no two the same.
    MajoritiesRing,
    /// Two halves that are joined by one node alone.
    Bridge,
    /// Every node that is seen as primary from all others.
    PrimariesApart,
    /// These groups from each other. Nodes in no group hear and are heard by all.
    Groups(Vec<Vec<String>>),
}

/// Which side is deaf.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// Both.
    #[default]
    Both,
    /// The smaller, or first, side does not hear the others, and is heard by them.
    Inbound,
    /// The smaller, or first, side is not heard by the others, and hears them.
    Outbound,
}

impl Partition {
    /// The first group from the others, each group from each other.
    fn groups(&self, names: &[String], groups: &[Vec<usize>]) -> Deed {
        let [first, rest @ ..] = groups else { return Deed::default() };
        let others: Vec<usize> = rest.concat();
        let (few, many) = (listed(names, first), listed(names, &others));
        let (grudge, what) = match self.direction {
            Direction::Both => {
                let sides: Vec<String> = groups.iter().map(|group| listed(names, group)).collect();
                (grudge::apart(groups), sides.join(" | "))
            }
            Direction::Inbound => (grudge::one_way(first, &others), format!("{few} not hearing {many}")),
            Direction::Outbound => (grudge::one_way(&others, first), format!("{few} not heard by {many}")),
        };
        Deed { nodes: first.clone(), grudge, what }
    }

    fn split(&self, names: &[String], rng: &mut Rng, first: usize) -> Deed {
        let mut order = shuffled(names.len(), rng);
        let mut rest = order.split_off(first);
        order.sort_unstable();
        rest.sort_unstable();
        self.groups(names, &[order, rest])
    }
}

impl Fault for Partition {
    fn name(&self) -> &'static str {
        "partition"
    }

    fn check(&self, nodes: &[String]) -> Result<(), String> {
        let least = match &self.shape {
            Shape::MajoritiesRing | Shape::Bridge | Shape::MajorityMinority => 3,
            Shape::Groups(groups) => return check_groups(groups, nodes),
            _ => 2,
        };
        if nodes.len() < least {
            return Err(format!("a partition of this shape takes {least} nodes or more; the plan has {}", nodes.len()));
        }
        if self.direction != Direction::Both && matches!(self.shape, Shape::MajoritiesRing | Shape::Bridge) {
            return Err(
                "a majorities-ring or a bridge has no first side to be deaf or unheard; leave `direction` out, or take another shape"
                    .into(),
            );
        }
        Ok(())
    }

    fn needs_primary(&self) -> bool {
        self.shape == Shape::PrimariesApart
    }

    fn needs_system(&self) -> bool {
        self.needs_primary()
    }

    fn aim(&self, nodes: &[String], rng: &mut Rng) -> Aim {
        Aim::Deed(match &self.shape {
            Shape::OneNode => self.split(nodes, rng, 1),
            Shape::Halves => self.split(nodes, rng, nodes.len() / 2),
            Shape::MajorityMinority => self.split(nodes, rng, minority(nodes.len())),
            Shape::MajoritiesRing => {
                let order = shuffled(nodes.len(), rng);
                let what = format!("majorities ring {}", ring(nodes, &order));
                Deed { nodes: (0..nodes.len()).collect(), grudge: grudge::majorities_ring(&order), what }
            }
            Shape::Bridge => bridge(nodes, &shuffled(nodes.len(), rng)),
            Shape::PrimariesApart => return Aim::Primaries,
            Shape::Groups(groups) => {
                let groups: Vec<Vec<usize>> = groups.iter().map(|group| positions(nodes, group).unwrap_or_default()).collect();
                self.groups(nodes, &groups)
            }
        })
    }

    fn at_primaries(&self, nodes: &[String], primaries: &[usize]) -> Deed {
        let others: Vec<usize> = (0..nodes.len()).filter(|node| !primaries.contains(node)).collect();
        if self.direction == Direction::Both {
            let mut groups: Vec<Vec<usize>> = primaries.iter().map(|&primary| vec![primary]).collect();
            groups.push(others);
            groups.retain(|group| !group.is_empty());
            return Deed { nodes: primaries.to_vec(), ..self.groups(nodes, &groups) };
        }
        self.groups(nodes, &[primaries.to_vec(), others])
    }

    fn inject<'a>(&'a self, cluster: &'a Cluster, id: u32, deed: &'a Deed) -> BoxFuture<'a, Result<(), NemesisError>> {
        Box::pin(async move {
            let errands = on_the_deaf(cluster, &deed.grudge, |sources| firewall::cut(id, sources))?;
            let _one_at_a_time = cluster.firewall.lock().await;
            errand::run(&cluster.nodes, &errands).await.map(drop)
        })
    }

    fn verify<'a>(&'a self, cluster: &'a Cluster, id: u32, deed: &'a Deed) -> BoxFuture<'a, Result<(), NemesisError>> {
        Box::pin(async move {
            let errands = on_the_deaf(cluster, &deed.grudge, |sources| firewall::assert_cut(id, sources))?;
            errand::run(&cluster.nodes, &errands).await.map(drop)
        })
    }

    fn inverse(&self, cluster: &Cluster, id: u32, deed: &Deed) -> Result<Vec<Errand>, NemesisError> {
        on_the_deaf(cluster, &deed.grudge, |_| firewall::join(id))
    }

    fn proof(&self, cluster: &Cluster, id: u32, deed: &Deed) -> Result<Vec<Errand>, NemesisError> {
        on_the_deaf(cluster, &deed.grudge, |_| firewall::assert_joined(id))
    }

    fn sweep(&self, cluster: &Cluster) -> Result<Vec<Errand>, NemesisError> {
        Ok(cluster.nodes.iter().map(|node| Errand { node: node.name.clone(), script: firewall::sweep() }).collect())
    }

    fn requirements(&self) -> &'static [&'static [&'static str]] {
        &[&["iptables", "ip"]]
    }

    fn heal<'a>(&'a self, cluster: &'a Cluster, id: u32, deed: &'a Deed) -> BoxFuture<'a, Result<(), NemesisError>> {
        Box::pin(async move {
            let errands = self.inverse(cluster, id, deed)?;
            let _one_at_a_time = cluster.firewall.lock().await;
            errand::run(&cluster.nodes, &errands).await.map(drop)
        })
    }
}

/// An errand for each node that is to be deaf, made from the addresses it is to be deaf to.
fn on_the_deaf(cluster: &Cluster, grudge: &Grudge, script: impl Fn(&[IpAddr]) -> String) -> Result<Vec<Errand>, NemesisError> {
    let mut errands = Vec::new();
    for (&deaf, unheard) in grudge {
        let Some(node) = cluster.nodes.get(deaf) else { continue };
        let unheard = unheard.iter().filter_map(|&other| cluster.nodes.get(other));
        let sources = unheard.map(|other| {
            let unreadable = |_| {
                NemesisError::Refused(format!(
                    "{}'s address `{}` is a name; a partition needs its IP address in the plan",
                    other.name, other.address
                ))
            };
            other.address.parse().map_err(unreadable)
        });
        errands.push(Errand { node: node.name.clone(), script: script(&sources.collect::<Result<Vec<IpAddr>, _>>()?) });
    }
    Ok(errands)
}

fn check_groups(groups: &[Vec<String>], nodes: &[String]) -> Result<(), String> {
    if groups.len() < 2 || groups.iter().any(Vec::is_empty) {
        return Err("`groups` takes two groups or more, none of them empty".into());
    }
    let named = groups.concat();
    if positions(nodes, &named)?.len() < named.len() {
        return Err("`groups` names a node twice".into());
    }
    Ok(())
}

fn bridge(names: &[String], order: &[usize]) -> Deed {
    let [middle, rest @ ..] = order else { return Deed::default() };
    let (left, right) = rest.split_at(rest.len() / 2);
    let what = format!("{} | {}, with {} between them", listed(names, left), listed(names, right), listed(names, &[*middle]));
    Deed { nodes: (0..names.len()).filter(|node| node != middle).collect(), grudge: grudge::bridge(order), what }
}

fn ring(names: &[String], order: &[usize]) -> String {
    order.iter().chain(order.first()).filter_map(|&at| names.get(at)).map(String::as_str).collect::<Vec<_>>().join("–")
}

fn shuffled(count: usize, rng: &mut Rng) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).collect();
    rng.shuffle(&mut order);
    order
}

#[cfg(test)]
mod tests {
    use elenchus_core::Seed;

    use super::*;

    fn names() -> Vec<String> {
        (1..=5).map(|number| format!("n{number}")).collect()
    }

    fn deed(yaml: &str) -> Deed {
        let partition: Partition = serde_yaml::from_str(yaml).unwrap();
        partition.check(&names()).unwrap();
        match partition.aim(&names(), &mut Seed(7).stream("t")) {
            Aim::Deed(deed) => deed,
            Aim::Primaries => partition.at_primaries(&names(), &[1, 3]),
        }
    }

    #[test]
    fn shapes_cut_what_they_say() {
        assert_eq!(deed("shape: one-node").nodes.len(), 1);
        assert_eq!(deed("{}").nodes.len(), 2);
        assert_eq!(deed("shape: majorities-ring").nodes.len(), 5);
        assert_eq!(deed("shape: bridge").nodes.len(), 4);
        assert_eq!(deed("shape: primaries-apart").what, "n2 | n4 | n1, n3 and n5");
        let groups = deed("shape: {groups: [[n1, n2], [n5]]}");
        assert_eq!((groups.what.as_str(), groups.grudge.len()), ("n1 and n2 | n5", 3));
    }

    #[test]
    fn one_way_is_cut_at_the_deaf_end() {
        let deaf = deed("{shape: {groups: [[n1], [n2, n3]]}, direction: inbound}");
        assert_eq!((deaf.what.as_str(), deaf.grudge.len()), ("n1 not hearing n2 and n3", 1));
        let mute = deed("{shape: {groups: [[n1], [n2, n3]]}, direction: outbound}");
        assert_eq!((mute.what.as_str(), mute.grudge.len()), ("n1 not heard by n2 and n3", 2));
        let primaries = deed("{shape: primaries-apart, direction: inbound}");
        assert_eq!(primaries.grudge.len(), 2);
    }

    #[test]
    fn what_cannot_be_cut_is_refused() {
        let refusal = |yaml: &str, count: usize| serde_yaml::from_str::<Partition>(yaml).unwrap().check(&names()[..count]).unwrap_err();
        assert!(refusal("shape: bridge", 2).contains("takes 3 nodes"));
        assert!(refusal("{shape: bridge, direction: inbound}", 5).contains("no first side"));
        assert!(refusal("shape: {groups: [[n1], [n1]]}", 5).contains("twice"));
        assert!(refusal("shape: {groups: [[n1]]}", 5).contains("two groups"));
        assert!(refusal("shape: {groups: [[n1], [n9]]}", 5).contains("no node `n9`"));
    }
}
