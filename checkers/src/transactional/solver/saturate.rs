//! Saturation: the levels below prefix consistency, which need no search.
//!
//! If a reader saw a transaction that wrote a key, and read another version of this key, then that transaction wrote the earlier version.
//! The meaning of "saw" (visibility) depends on the level. The level holds if and only if the inferred version order together with the
//! read dependencies is acyclic (Biswas & Enea, "On the complexity of checking transactional consistency", OOPSLA 2019; complexity:
//! Møldrup & Pavlogiannis, "AWDIT", PLDI 2025). Session order is included only for levels that require it.

use rayon::prelude::*;

use super::super::components::{Components, Digraph};
use super::super::counts::{Instance, LinkKind};
use super::super::elements::NONE;
use super::super::graph::{Graph, WR, WW};
use super::super::proof::topological_sort;
use super::super::shortest::Examples;
use super::super::transactions::{Action, Transactions};
use super::super::walk::{Scratch, Walk};
use super::limits::Limits;
use super::problem::Accesses;

/// Which transactions are visible to a reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Visibility {
    /// Those it read from in earlier steps: monotonic atomic view, which Biswas & Enea call read committed.
    Earlier,
    /// Those it read from in any step: read atomic.
    Direct,
    /// Those from which edges of these kinds lead to it: causal consistency.
    Causal(u8),
}

/// An inferred write dependency, with the reader and the key that imply it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Inferred {
    before: u32,
    after: u32,
    reader: u32,
    key: u32,
}

/// The result of saturation.
pub(super) enum Saturated {
    /// The level holds, as far as reads are known.
    Holds,
    /// The number of inferred write dependencies on cycles, example cycles, and the reasons of their write dependencies.
    Refuted { count: u64, examples: Vec<Instance>, why: Vec<((u32, u32), String)> },
    /// The limits were reached.
    GaveUp,
}

/// The number of transactions whose visibility is propagated at once, one bit each.
const BLOCK: usize = 512;

/// The maximum number of inferred write dependencies.
const MAX_INFERRED: usize = 32 << 20;

type Bits = [u64; BLOCK / 64];

/// Decides whether a version order exists for a visibility. O(steps); for causal visibility O(edges · transactions / 512).
pub(super) fn saturate(
    t: &Transactions,
    accesses: &Accesses,
    graph: &Graph,
    visibility: Visibility,
    examples: usize,
    limits: &Limits,
) -> Saturated {
    let order = if let Visibility::Causal(kinds) = visibility { kinds } else { WR };
    let inferred = match visibility {
        Visibility::Earlier => Some(earlier(t, accesses)),
        Visibility::Direct => Some(direct(accesses)),
        Visibility::Causal(kinds) => causal(accesses, graph, kinds, limits),
    };
    let Some(mut inferred) = inferred else { return Saturated::GaveUp };
    inferred.sort_unstable();
    inferred.dedup_by_key(|one| (one.before, one.after));
    let extended = Graph::build(graph.len(), |sink| {
        for node in 0..graph.len() as u32 {
            graph.out(node).filter(|&(_, kind)| kind & order != 0).for_each(|(to, kind)| sink.edge(node, to, kind));
        }
        inferred.iter().for_each(|one| sink.edge(one.before, one.after, WW));
    });
    let walk = Walk::free(&extended, order | WW);
    let components = Components::find(&walk);
    if components.len() == walk.len() {
        return Saturated::Holds;
    }
    let original: Vec<u32> = (0..graph.len() as u32).collect();
    let mut best = Examples::new(walk, &original, examples.max(1));
    let mut count = 0;
    for from in 0..extended.len() as u32 {
        for place in extended.edge_range(from) {
            let (to, kind) = extended.edge(place);
            if kind == WW && components.joins(from, to) {
                count += 1;
                best.offer(from, place);
            }
        }
    }
    let found = best.finish();
    let mut why: Vec<((u32, u32), String)> = Vec::new();
    for link in found.iter().flat_map(|instance| &instance.cycle).filter(|link| link.kind == LinkKind::Ww) {
        if let Ok(at) = inferred.binary_search_by_key(&(link.from, link.to), |one| (one.before, one.after)) {
            why.push(((link.from, link.to), explain(t, &Walk::free(&extended, order), &inferred[at])));
        }
    }
    Saturated::Refuted { count, examples: found, why }
}

/// The reason of an inferred write dependency.
fn explain(t: &Transactions, walk: &Walk<'_>, one: &Inferred) -> String {
    let [before, after, reader] = [one.before, one.after, one.reader].map(|transaction| t.name(transaction));
    let path = walk.shortest((one.before, WR), one.reader, u32::MAX, &mut Scratch::default(), &mut 0).unwrap_or_default();
    let route = match path.len() {
        0..=2 => String::new(),
        _ => format!(" (through {})", path[1..path.len() - 1].iter().map(|&(node, _)| t.name(node)).collect::<Vec<_>>().join(", ")),
    };
    let key = t.key(one.key);
    format!(
        "{before} and {after} both wrote {key}, and {reader}, which saw {before}{route}, read {key} as {after} wrote it: so {before} precedes {after}"
    )
}

/// Write dependencies under [`Visibility::Earlier`]. Of the later reads of a key only the nearest is needed: the same rule orders it
/// before the ones after it.
fn earlier(t: &Transactions, accesses: &Accesses) -> Vec<Inferred> {
    let mut inferred = Vec::new();
    // By key: the reader, and the sources of its nearest later read and of the nearest read of another version.
    let mut later: Vec<(u32, [u32; 2])> = vec![(NONE, [NONE; 2]); t.keys()];
    let mut touched: Vec<u32> = Vec::new();
    for &reader in &accesses.transactions {
        if accesses.sources(reader).nth(1).is_none() {
            continue;
        }
        touched.clear();
        for step in t.steps(reader).iter().rev() {
            let Some(version) = t.version(step).filter(|_| !matches!(step.action, Action::Write(_))) else { continue };
            let source = if version == NONE { NONE } else { t.elements.writer(version) };
            if source == reader || source != NONE && !accesses.has(source) {
                continue;
            }
            if source != NONE {
                let mut infer = |key: u32| {
                    let (of, sources) = later[key as usize];
                    let next = sources.into_iter().find(|&next| next != source).filter(|&next| of == reader && next != NONE);
                    inferred.extend(next.map(|after| Inferred { before: source, after, reader, key }));
                };
                match accesses.written(source) {
                    written if written.len() <= touched.len() => written.iter().for_each(|&key| infer(key)),
                    written => touched.iter().filter(|key| written.binary_search(key).is_ok()).for_each(|&key| infer(key)),
                }
            }
            let (of, sources) = &mut later[step.key as usize];
            if *of != reader {
                (*of, *sources) = (reader, [source, source]);
                touched.push(step.key);
            } else if sources[0] != source {
                *sources = [source, sources[0]];
            }
        }
    }
    inferred
}

/// Write dependencies under [`Visibility::Direct`].
fn direct(accesses: &Accesses) -> Vec<Inferred> {
    let mut inferred = Vec::new();
    for reader in accesses.transactions.iter().copied() {
        let reads: Vec<(u32, u32)> = accesses.sources(reader).collect();
        let mut sources: Vec<u32> = reads.iter().map(|&(_, source)| source).filter(|&source| source != NONE).collect();
        sources.sort_unstable();
        sources.dedup();
        for before in sources {
            let written = accesses.written(before);
            let missed = reads.iter().filter(|&&(key, after)| after != before && after != NONE && written.binary_search(&key).is_ok());
            inferred.extend(missed.map(|&(key, after)| Inferred { before, after, reader, key }));
        }
    }
    inferred
}

/// Write dependencies under [`Visibility::Causal`]. Returns `None` if the limits are reached.
fn causal(accesses: &Accesses, graph: &Graph, kinds: u8, limits: &Limits) -> Option<Vec<Inferred>> {
    let order = topological_sort(&Walk::free(graph, kinds), |place| place)?;
    let blocks: Vec<usize> = (0..order.len()).step_by(BLOCK).collect();
    let found: Option<Vec<Vec<Inferred>>> = blocks
        .into_par_iter()
        .map(|from| {
            (!limits.are_reached(0, 0))
                .then(|| propagate_block(accesses, graph, kinds, &order[from..]))
                .filter(|found| found.len() < MAX_INFERRED)
        })
        .collect();
    Some(found?.concat())
}

/// Write dependencies that follow from seeing one of the first transactions, a block of them, of an order.
fn propagate_block(accesses: &Accesses, graph: &Graph, kinds: u8, order: &[u32]) -> Vec<Inferred> {
    let block = &order[..order.len().min(BLOCK)];
    let mut seen: Vec<Bits> = vec![[0; BLOCK / 64]; graph.len()];
    let mut writers: rustc_hash::FxHashMap<u32, Bits> = rustc_hash::FxHashMap::default();
    for (bit, &node) in block.iter().enumerate().filter(|&(_, &node)| accesses.has(node)) {
        for &key in accesses.written(node) {
            writers.entry(key).or_insert([0; BLOCK / 64])[bit / 64] |= 1 << (bit % 64);
        }
    }
    let mut inferred = Vec::new();
    for (at, &node) in order.iter().enumerate() {
        let mut own = seen[node as usize];
        if own != [0; BLOCK / 64] && accesses.has(node) {
            for (key, after) in accesses.sources(node).filter(|&(_, after)| after != NONE) {
                let Some(writers) = writers.get(&key) else { continue };
                // Everything that the writer of this version saw is ordered before it already. The bit of the writer itself is set by now.
                let known = &seen[after as usize];
                for (word, bits) in own.iter().enumerate() {
                    let mut bits = bits & writers[word] & !known[word];
                    while bits != 0 {
                        let before = block[word * 64 + bits.trailing_zeros() as usize];
                        inferred.push(Inferred { before, after, reader: node, key });
                        bits &= bits - 1;
                    }
                }
            }
        }
        if at < block.len() {
            own[at / 64] |= 1 << (at % 64);
            seen[node as usize] = own;
        }
        if own != [0; BLOCK / 64] {
            for (target, _) in graph.out(node).filter(|&(_, kind)| kind & kinds != 0) {
                seen[target as usize].iter_mut().zip(own).for_each(|(seen, own)| *seen |= own);
            }
        }
    }
    inferred
}
