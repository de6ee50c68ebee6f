//! Named cycles, which depend on keys and on the order of steps in addition to the graph: fractured read, G-cursor, write skew, long fork
//! and others.
//!
//! All except write skew, long fork and G-update have exactly one anti-dependency, so only transactions at the tail of an anti-dependency
//! that closes such a cycle are examined.

use rustc_hash::{FxHashMap, FxHashSet};

use elenchus_core::Kind;

use super::components::Components;
use super::counts::{Counts, Instance, Link, LinkKind};
use super::cycles::Component;
use super::elements::NONE;
use super::graph::{DEPENDS, Graph, RW, SESSION, WR};
use super::inference::{Inference, as_write};
use super::phenomenon::Phenomenon;
use super::reach::{Query, answer};
use super::shortest::{Examples, instance, links};
use super::transactions::MicroOp;
use super::walk::{Scratch, Walk};

/// Finds the named cycles of a strongly connected component.
pub(crate) fn find(component: &Component, inference: &dyn Inference, limit: usize) -> Counts {
    let mut named = NamedCycles { component, inference, counts: Counts::new(limit), limit };
    if component.single.contains(&true) {
        named.fractured_reads();
        named.causality(WR, Phenomenon::CausalityViolation);
        named.causality(WR | SESSION, Phenomenon::CausalityViolationProcess);
        named.cursors();
        named.monotonic_views();
    }
    named.write_skews();
    named.long_forks();
    named.updates();
    named.counts
}

/// Returns a short path from the head of an anti-dependency back to its tail, among the first few candidates.
fn short_path(walk: &Walk<'_>, query: &Query, scratch: &mut Scratch, spent: &mut u64) -> Vec<(u32, u8)> {
    let pairs = query.from.iter().flat_map(|&from| query.to.iter().map(move |&to| (from, to)));
    let paths = pairs.filter_map(|(from, to)| walk.shortest((from, RW), to, u32::MAX, scratch, spent));
    paths.take(8).min_by_key(Vec::len).unwrap_or_default()
}

struct NamedCycles<'k> {
    component: &'k Component,
    inference: &'k dyn Inference,
    counts: Counts,
    limit: usize,
}

impl NamedCycles<'_> {
    /// The transactions with an anti-dependency that closes a cycle without another one, with their nodes.
    fn tails(&self) -> impl Iterator<Item = (u32, u32)> + use<'_> {
        let component = self.component;
        (0..component.graph.len() as u32)
            .filter(|&node| component.single[node as usize] && !component.graph.is_auxiliary(node))
            .map(|node| (node, component.original[node as usize]))
    }

    /// Pairs of reads of which one saw a transaction and the other a version that this transaction overwrote.
    fn fractured_reads(&mut self) {
        let inference = self.inference;
        let t = inference.transactions();
        let mut found: Vec<(Phenomenon, u32, u32, usize)> = Vec::new();
        for (_, reader) in self.tails().collect::<Vec<_>>() {
            let steps = t.steps(reader);
            for (saw, step) in steps.iter().enumerate() {
                let Some(version) = t.version(step).filter(|&version| version != NONE) else { continue };
                let writer = t.elements.writer(version);
                if writer == NONE || writer == reader || t.kind(writer) == Kind::Fail {
                    continue;
                }
                for (missed, other) in steps.iter().enumerate().filter(|(at, other)| *at > saw || other.key != step.key) {
                    if t.writes(writer).any(|(key, element)| key == other.key && inference.is_later(other, element)) {
                        let vanished = missed > saw;
                        found.push((Phenomenon::FracturedRead, reader, writer, missed));
                        if vanished {
                            found.push((Phenomenon::ObservedTransactionVanishes, reader, writer, missed));
                        }
                    }
                }
            }
        }
        for (phenomenon, reader, writer, _) in found {
            let cycle = [(reader, writer, LinkKind::Rw), (writer, reader, LinkKind::Wr)];
            self.counts.add(phenomenon, || instance(cycle.map(|(from, to, kind)| Link { from, to, kind }).to_vec()));
        }
    }

    /// Reads that missed a write in their causal past along these kinds of edges.
    fn causality(&mut self, mask: u8, phenomenon: Phenomenon) {
        let (component, inference) = (self.component, self.inference);
        let t = inference.transactions();
        let walk = Walk::free(&component.graph, mask);
        let mut asked: Vec<u32> = Vec::new();
        let mut queries: Vec<Query> = Vec::new();
        for (node, reader) in self.tails() {
            let mut keys: Vec<u32> = Vec::new();
            for step in t.steps(reader).iter().filter(|step| t.version(step).is_some()) {
                if keys.contains(&step.key) {
                    continue;
                }
                let mut from = Vec::new();
                inference.later_writers(step, &mut |writer| from.extend(component.node(writer).filter(|_| writer != reader)));
                if !from.is_empty() {
                    keys.push(step.key);
                    asked.push(node);
                    queries.push(Query { from, to: vec![node] });
                }
            }
        }
        let answers = answer(&walk, &Components::find(&walk), &queries);
        let (mut scratch, mut spent) = (Scratch::default(), 0);
        for ((reader, query), _) in asked.into_iter().zip(queries).zip(answers).filter(|(_, holds)| *holds) {
            self.counts.add(phenomenon, || {
                let mut paths =
                    query.from.iter().filter_map(|&writer| walk.shortest((writer, RW), reader, u32::MAX, &mut scratch, &mut spent));
                let first = paths.next();
                let shortest = paths.take(16).chain(first).min_by_key(Vec::len).unwrap_or_default();
                instance(links(&shortest, &component.original))
            });
        }
    }

    /// Transactions that overwrote a key which had been overwritten since they read it.
    fn cursors(&mut self) {
        let inference = self.inference;
        let t = inference.transactions();
        for (_, reader) in self.tails().collect::<Vec<_>>() {
            let steps = t.steps(reader);
            let mut keys: Vec<u32> = Vec::new();
            for (at, read) in steps.iter().enumerate().filter(|(_, step)| t.version(step).is_some()) {
                let own = steps[at..].iter().filter(|step| step.key == read.key).find_map(as_write);
                let between = own.and_then(|own| inference.overtaken(read, own, reader));
                if let Some(writer) = between.filter(|_| !keys.contains(&read.key)) {
                    keys.push(read.key);
                    self.counts.add(Phenomenon::GCursor, || Instance {
                        key: Some(read.key),
                        ..instance(vec![
                            Link { from: reader, to: writer, kind: LinkKind::Rw },
                            Link { from: writer, to: reader, kind: LinkKind::Ww },
                        ])
                    });
                }
            }
        }
    }

    /// Reads from which a cycle leads back to an earlier step of the same transaction.
    fn monotonic_views(&mut self) {
        let (component, inference) = (self.component, self.inference);
        let t = inference.transactions();
        let walk = Walk::free(&component.graph, DEPENDS);
        let mut asked: Vec<u32> = Vec::new();
        let mut queries: Vec<Query> = Vec::new();
        for (node, reader) in self.tails() {
            let mut before: Vec<u32> = Vec::new();
            for step in t.steps(reader) {
                let source = |step: &MicroOp| match as_write(step) {
                    Some(element) => inference.before(step.key, element),
                    None => t.version(step).filter(|&version| version != NONE).map(|version| t.elements.writer(version)),
                };
                if t.version(step).is_some() && !before.is_empty() {
                    let mut from = Vec::new();
                    inference.later_writers(step, &mut |writer| from.extend(component.node(writer).filter(|_| writer != reader)));
                    if !from.is_empty() {
                        asked.push(node);
                        queries.push(Query { from, to: before.clone() });
                    }
                }
                before.extend(source(step).filter(|&source| source != reader).and_then(|source| component.node(source)));
            }
        }
        let answers = answer(&walk, &Components::find(&walk), &queries);
        let (mut scratch, mut spent) = (Scratch::default(), 0);
        for ((reader, query), _) in asked.into_iter().zip(queries).zip(answers).filter(|(_, holds)| *holds) {
            self.counts.add(Phenomenon::GMonotonic, || {
                let mut path = short_path(&walk, &query, &mut scratch, &mut spent);
                let kinds = path.last().map(|&(last, _)| {
                    component.graph.out(last).filter(|&(to, kind)| to == reader && kind & DEPENDS != 0).map(|(_, kind)| kind)
                });
                let kind = kinds.and_then(Iterator::max).unwrap_or(WR);
                path.push((reader, kind));
                instance(links(&path, &component.original))
            });
        }
    }

    /// Pairs of transactions with anti-dependencies in both directions.
    fn write_skews(&mut self) {
        let component = self.component;
        let overwrote = |from: u32| component.graph.out(from).filter(|&(_, kind)| kind == RW).map(|(to, _)| to);
        for node in 0..component.graph.len() as u32 {
            for other in overwrote(node).filter(|&other| other > node && overwrote(other).any(|back| back == node)) {
                let (one, other) = (component.original[node as usize], component.original[other as usize]);
                self.counts.add(Phenomenon::WriteSkew, || {
                    instance(vec![Link { from: one, to: other, kind: LinkKind::Rw }, Link { from: other, to: one, kind: LinkKind::Rw }])
                });
            }
        }
    }

    /// Pairs of readers that each saw a writer which the other missed.
    fn long_forks(&mut self) {
        let graph = &self.component.graph;
        let back = graph.reversed();
        let sources = |node: u32, kind: u8| back.out(node).filter(move |&(_, each)| each == kind).map(|(from, _)| from);
        let targets = |node: u32, kind: u8| graph.out(node).filter(move |&(_, each)| each == kind).map(|(to, _)| to);
        for writer in 0..graph.len() as u32 {
            // The transactions that readers of this writer missed, each with one such reader.
            let mut missed: FxHashMap<u32, u32> = FxHashMap::default();
            for reader in targets(writer, WR) {
                for other in targets(reader, RW) {
                    missed.entry(other).or_insert(reader);
                }
            }
            if missed.is_empty() {
                continue;
            }
            let mut seen: FxHashSet<u32> = FxHashSet::default();
            for reader in sources(writer, RW).filter(|&reader| seen.insert(reader)) {
                let fork = sources(reader, WR).find_map(|source| missed.get(&source).map(|&other| (source, other)));
                if let Some((source, other)) = fork.filter(|&(source, other)| other != reader && source != writer) {
                    let name = |node: u32| self.component.original[node as usize];
                    let round = [
                        (reader, writer, LinkKind::Rw),
                        (writer, other, LinkKind::Wr),
                        (other, source, LinkKind::Rw),
                        (source, reader, LinkKind::Wr),
                    ];
                    self.counts.add(Phenomenon::LongFork, || {
                        instance(round.map(|(from, to, kind)| Link { from: name(from), to: name(to), kind }).to_vec())
                    });
                }
            }
        }
    }

    /// Cycles of update transactions and at most one read-only transaction.
    fn updates(&mut self) {
        let component = self.component;
        let t = self.inference.transactions();
        let reads_only: Vec<bool> = (0..component.graph.len() as u32)
            .map(|node| !component.graph.is_auxiliary(node) && t.writes(component.original[node as usize]).next().is_none())
            .collect();
        let walk = Walk { excluded: Some(&reads_only), ..Walk::free(&component.graph, DEPENDS | RW) };
        let components = Components::find(&walk);
        let mut examples = Examples::new(walk, &component.original, self.limit);
        let mut count = 0;
        for (place, from, to, kind) in component.edges() {
            if kind == RW && components.joins(from, to) && !reads_only[from as usize] {
                count += 1;
                examples.offer(from, place);
            }
        }
        let back = component.graph.reversed();
        let readers: Vec<u32> = (0..component.graph.len() as u32).filter(|&node| reads_only[node as usize]).collect();
        let ends = |graph: &Graph, node: u32, kind: u8| -> Vec<u32> {
            graph.out(node).filter(|&(_, each)| each == kind).map(|(other, _)| other).collect()
        };
        let queries: Vec<Query> =
            readers.iter().map(|&node| Query { from: ends(&component.graph, node, RW), to: ends(&back, node, WR) }).collect();
        let answers = answer(&walk, &components, &queries);
        self.counts.add_all(Phenomenon::GUpdate, count, examples.finish());
        let (mut scratch, mut spent) = (Scratch::default(), 0);
        for ((reader, query), _) in readers.into_iter().zip(queries).zip(answers).filter(|(_, holds)| *holds) {
            self.counts.add(Phenomenon::GUpdate, || {
                let mut path = short_path(&walk, &query, &mut scratch, &mut spent);
                path.push((reader, WR));
                instance(links(&path, &component.original))
            });
        }
    }
}
