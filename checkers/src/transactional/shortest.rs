//! Shortest cycles through given edges, used as examples.

use rustc_hash::{FxHashMap, FxHashSet};

use super::counts::{Instance, Link, LinkKind};
use super::graph::{ANTI, PRW, REALTIME, RW, SESSION, WR};
use super::walk::{Rule, Scratch, Walk};

/// The maximum number of edges visited for the examples of one kind in one component. It bounds the search for the shortest cycle, not
/// the decision whether there is one.
const MAX_EDGES: u64 = 4_000_000;

/// Collects the shortest of the offered cycles.
pub(crate) struct Examples<'g> {
    walk: Walk<'g>,
    original: &'g [u32],
    limit: usize,
    /// The cycles, each with its sort key: whether it visits a transaction twice, and its length.
    best: Vec<(bool, usize, Vec<Link>)>,
    scratch: Scratch,
    spent: u64,
}

impl<'g> Examples<'g> {
    /// Creates an empty collection of cycles of a walk.
    pub(crate) fn new(walk: Walk<'g>, original: &'g [u32], limit: usize) -> Examples<'g> {
        Examples { walk, original, limit, best: Vec::new(), scratch: Scratch::default(), spent: 0 }
    }

    /// Offers the shortest cycle through an edge that lies on one, given by its tail and its number.
    pub(crate) fn offer(&mut self, tail: u32, place: u32) {
        let is_full = self.best.len() >= self.limit;
        if self.limit == 0 || (is_full && self.spent > MAX_EDGES) {
            return;
        }
        // Only a cycle that is shorter than the longest one kept is useful.
        let most = if is_full { self.best.last().map_or(0, |(_, length, _)| *length as u32).saturating_sub(2) } else { u32::MAX };
        if is_full && most == 0 {
            return;
        }
        let (head, kind) = self.walk.graph.edge(place);
        let (from, to) = match kind {
            anti if anti & ANTI != 0 => (self.walk.after_rw(head), self.walk.before_rw(tail)),
            _ => (self.walk.at(head, 0), self.walk.at(tail, 0)),
        };
        let Some(path) = self.walk.shortest((from, kind), to, most, &mut self.scratch, &mut self.spent) else { return };
        let cycle = shorten(links(&path, self.original), self.walk.rule);
        if self.best.iter().any(|(_, _, known)| is_rotation(known, &cycle)) {
            return;
        }
        self.best.push((repeats(&cycle), cycle.len(), cycle));
        self.best.sort_by_key(|&(repeats, length, _)| (repeats, length));
        self.best.truncate(self.limit);
    }

    /// Returns the cycles, shortest first.
    pub(crate) fn finish(self) -> Vec<Instance> {
        self.best.into_iter().map(|(_, _, cycle)| instance(cycle)).collect()
    }
}

/// The links of a closed path, which is given by the head of each edge: from its last transaction to its first, and on.
pub(crate) fn links(path: &[(u32, u8)], original: &[u32]) -> Vec<Link> {
    let name = |node: u32| original[node as usize];
    let Some(&(last, _)) = path.last() else { return Vec::new() };
    let tails = std::iter::once(last).chain(path.iter().map(|&(node, _)| node));
    tails.zip(path).map(|(from, &(to, kind))| Link { from: name(from), to: name(to), kind: link_kind(kind) }).collect()
}

/// Makes an instance of a cycle.
pub(crate) fn instance(cycle: Vec<Link>) -> Instance {
    Instance { transactions: cycle.iter().map(|link| link.from).collect(), cycle, ..Instance::default() }
}

fn link_kind(kind: u8) -> LinkKind {
    match kind {
        WR => LinkKind::Wr,
        RW => LinkKind::Rw,
        PRW => LinkKind::PredicateRw,
        SESSION => LinkKind::Process,
        REALTIME => LinkKind::Realtime,
        _ => LinkKind::Ww,
    }
}

fn repeats(cycle: &[Link]) -> bool {
    let mut seen = FxHashSet::default();
    !cycle.iter().all(|link| seen.insert(link.from))
}

fn is_rotation(one: &[Link], other: &[Link]) -> bool {
    let begin = other.first().and_then(|first| one.iter().position(|link| link == first));
    one.len() == other.len() && begin.is_some_and(|by| one[by..].iter().chain(&one[..by]).eq(other))
}

/// Splits a closed walk at a transaction that it visits twice. Under the rule against adjacent anti-dependencies, at least one part obeys
/// the rule too. A part with more than one anti-dependency replaces the walk, if there is one.
fn shorten(mut cycle: Vec<Link>, rule: Rule) -> Vec<Link> {
    while let Some(shorter) = (rule == Rule::Nonadjacent).then(|| split_shorter(&cycle)).flatten() {
        cycle = shorter;
    }
    cycle
}

/// Returns the shorter valid one of the two cycles that meet in a repeated transaction.
fn split_shorter(cycle: &[Link]) -> Option<Vec<Link>> {
    let mut seen = FxHashMap::default();
    let (start, end) = cycle.iter().enumerate().find_map(|(end, link)| seen.insert(link.from, end).map(|start| (start, end)))?;
    let inner = cycle[start..end].to_vec();
    let outer: Vec<Link> = cycle[end..].iter().chain(&cycle[..start]).copied().collect();
    let is_valid = |part: &Vec<Link>| part.iter().filter(|link| link.kind.is_anti()).count() > 1 && has_no_adjacent_anti(part);
    [inner, outer].into_iter().filter(is_valid).min_by_key(Vec::len)
}

fn has_no_adjacent_anti(cycle: &[Link]) -> bool {
    let before = cycle.iter().cycle().skip(cycle.len().saturating_sub(1));
    before.zip(cycle).all(|(before, link)| !before.kind.is_anti() || !link.kind.is_anti())
}
