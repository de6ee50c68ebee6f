//! An argument why a few transactions have no order: unit propagation, and case distinctions where nothing follows.

use std::collections::BTreeSet;

use super::super::counts::{Link, LinkKind};
use super::super::elements::NONE;
use super::super::graph::{REALTIME, SESSION, WR, WW};
use super::super::transactions::Transactions;
use super::super::walk::Rule;
use super::problem::{Clause, Problem};
use super::subhistory::{Constraints, SubHistory};
use super::topological_order::Precedence;

/// The maximum number of transactions; longer arguments would be unreadable.
const MAX_TRANSACTIONS: usize = 12;
/// The maximum depth of nested cases.
const MAX_DEPTH: usize = 6;

/// A derived precedence between two places.
#[derive(Clone)]
struct Fact {
    before: Precedence,
    /// The facts that it follows from; empty for a given or assumed fact.
    premises: Vec<usize>,
    /// The derivation; empty for a given or assumed fact.
    sentence: String,
    kind: LinkKind,
}

/// An argument, with the edges of its picture.
#[derive(Default)]
pub(super) struct Argument {
    pub(super) sentences: Vec<String>,
    pub(super) arrows: Vec<Link>,
}

/// A contradiction: its sentences, and the earlier facts that it uses.
struct Contradiction {
    sentences: Vec<String>,
    used: BTreeSet<usize>,
}

struct ArgumentBuilder<'p> {
    t: &'p Transactions,
    problem: Problem<'p>,
    clauses: Vec<Clause>,
    facts: Vec<Fact>,
    /// The edges that the sentences mention.
    arrows: BTreeSet<(u32, u32, LinkKind)>,
}

/// Argues that the transactions of a sub-history contradict one another. `given` describes an edge in a sentence. Returns an empty
/// argument if there are too many transactions.
pub(super) fn argue(t: &Transactions, constraints: Constraints, subhistory: &SubHistory, given: &dyn Fn(&Link) -> String) -> Argument {
    let accesses = &subhistory.accesses;
    if accesses.len() > MAX_TRANSACTIONS {
        return Argument::default();
    }
    let problem = Problem { accesses, walk: constraints.walk(&subhistory.graph, WR | WW) };
    let mut facts = Vec::new();
    for node in 0..accesses.len() as u32 {
        if constraints.rule != Rule::Free {
            facts.push(fact(Precedence { first: problem.begin(node), second: problem.commit(node) }, LinkKind::Process));
        }
        let is_order = |kind: u8| kind & (SESSION | REALTIME) != 0;
        for (target, kind) in subhistory.graph.out(node) {
            let (first, second) = (problem.commit(node), target);
            let second = match constraints.rule {
                Rule::Free => second,
                Rule::Prefix if kind != WR && !is_order(kind) => problem.commit(second),
                _ => problem.begin(second),
            };
            let kind = match kind {
                WR => LinkKind::Wr,
                SESSION => LinkKind::Process,
                REALTIME => LinkKind::Realtime,
                _ => LinkKind::Ww,
            };
            facts.push(fact(Precedence { first, second }, kind));
        }
    }
    let clauses = problem.clauses();
    let mut builder = ArgumentBuilder { t, problem, clauses, facts, arrows: BTreeSet::new() };
    let Some(Contradiction { sentences, used }) = builder.refute(0) else { return Argument::default() };
    let mut all: Vec<String> = Vec::new();
    for fact in used.iter().filter_map(|&at| builder.facts.get(at)) {
        let [from, to] =
            [fact.before.first, fact.before.second].map(|place| accesses.transactions[builder.problem.walk.node(place) as usize]);
        if from != to {
            let link = Link { from, to, kind: fact.kind };
            all.push(given(&link));
            builder.arrows.insert((from, to, fact.kind));
        }
    }
    all.extend(sentences);
    let arrows = builder.arrows.into_iter().map(|(from, to, kind)| Link { from, to, kind }).collect();
    Argument { sentences: all, arrows }
}

fn fact(before: Precedence, kind: LinkKind) -> Fact {
    Fact { before, premises: Vec::new(), sentence: String::new(), kind }
}

impl ArgumentBuilder<'_> {
    /// Propagates until there is a contradiction, otherwise distinguishes cases. Restores the facts. Returns `None` if the cases would be
    /// nested too deeply.
    fn refute(&mut self, depth: usize) -> Option<Contradiction> {
        let base = self.facts.len();
        let contradiction = match self.propagate() {
            Some(end) => Some(end),
            None if depth >= MAX_DEPTH => None,
            None => self.split_cases(depth),
        };
        let contradiction = contradiction.map(|end| self.keep_used(base, end));
        self.facts.truncate(base);
        contradiction
    }

    /// Keeps the facts since `base` that a contradiction uses, and puts their sentences before it.
    fn keep_used(&mut self, base: usize, mut end: Contradiction) -> Contradiction {
        let mut sentences = Vec::new();
        for at in (base..self.facts.len()).rev() {
            if end.used.remove(&at) {
                end.used.extend(&self.facts[at].premises);
                sentences.push(self.facts[at].sentence.clone());
                self.add_arrow(at);
            }
        }
        sentences.reverse();
        sentences.append(&mut end.sentences);
        Contradiction { sentences, used: end.used }
    }

    fn add_arrow(&mut self, at: usize) {
        let Fact { before, kind, .. } = self.facts[at];
        let [from, to] =
            [before.first, before.second].map(|place| self.problem.accesses.transactions[self.problem.walk.node(place) as usize]);
        self.arrows.insert((from, to, kind));
    }

    /// Adds everything that follows by unit propagation. Returns the contradiction, if there is one.
    fn propagate(&mut self) -> Option<Contradiction> {
        if let Some((_, path)) = self.facts.iter().find_map(|fact| Some((fact.before, self.path(fact.before.second, fact.before.first)?))) {
            let used = path.iter().copied().collect();
            return Some(Contradiction { sentences: vec![format!("this is a cycle: {}", self.format_path(&path))], used });
        }
        loop {
            let mut grew = false;
            for clause in self.clauses.clone() {
                let sides: Vec<(Precedence, LinkKind)> = self.sides(clause);
                if sides.iter().any(|&(side, _)| self.path(side.first, side.second).is_some()) {
                    continue;
                }
                let paths: Vec<Option<Vec<usize>>> = sides.iter().map(|&(side, _)| self.path(side.second, side.first)).collect();
                let premises: Vec<usize> = paths.iter().flatten().flatten().copied().collect();
                let but: Vec<String> = paths.iter().flatten().map(|path| self.format_path(path)).collect();
                let open: Vec<usize> = (0..sides.len()).filter(|&at| paths[at].is_none()).collect();
                match open[..] {
                    [] => {
                        let sentence = format!("{}; but {}", self.format_clause(clause), but.join(", and "));
                        return Some(Contradiction { sentences: vec![sentence], used: premises.into_iter().collect() });
                    }
                    [at] => {
                        let (before, kind) = sides[at];
                        let sentence = match but.is_empty() {
                            true => self.format_clause(clause),
                            false => {
                                format!("{}; as {}, {}", self.format_clause(clause), but.join(", and "), self.format_precedence(before))
                            }
                        };
                        self.facts.push(Fact { before, premises, sentence, kind });
                        grew = true;
                    }
                    _ => {}
                }
            }
            if !grew {
                return None;
            }
        }
    }

    /// Assumes each side of a clause in turn, choosing a clause of which the most sides are contradicted by propagation alone.
    fn split_cases(&mut self, depth: usize) -> Option<Contradiction> {
        let known = self.facts.len();
        let open: Vec<Clause> = self
            .clauses
            .iter()
            .copied()
            .filter(|&clause| self.sides(clause).iter().all(|&(side, _)| self.path(side.first, side.second).is_none()))
            .collect();
        let mut choice = None;
        for &clause in &open {
            let closing = self.sides(clause).into_iter().filter(|&side| {
                self.facts.push(fact(side.0, side.1));
                let closes = self.propagate().is_some();
                self.facts.truncate(known);
                closes
            });
            let closing = closing.count();
            if closing > choice.map_or(0, |(_, best)| best) {
                choice = Some((clause, closing));
            }
        }
        let clause = choice.map(|(clause, _)| clause).or(open.first().copied())?;
        let mut sentences = vec![self.format_clause(clause)];
        let mut used = BTreeSet::new();
        for (side, kind) in self.sides(clause) {
            self.facts.push(fact(side, kind));
            let half = self.refute(depth + 1);
            if half.as_ref().is_some_and(|half| half.used.contains(&known)) {
                self.add_arrow(known);
            }
            self.facts.truncate(known);
            let mut half = half?;
            if !half.used.remove(&known) {
                return Some(half);
            }
            sentences.push(format!("suppose that {}", self.format_precedence(side)));
            sentences.extend(half.sentences);
            used.extend(half.used);
        }
        Some(Contradiction { sentences, used })
    }

    fn sides(&self, clause: Clause) -> Vec<(Precedence, LinkKind)> {
        let kinds = match clause {
            Clause::Read { .. } => [LinkKind::Ww, LinkKind::Rw],
            Clause::Conflict { .. } => [LinkKind::Ww, LinkKind::Ww],
        };
        self.problem.sides(clause).into_iter().zip(kinds).filter_map(|(side, kind)| Some((side?, kind))).collect()
    }

    /// The facts on a path from one place to another.
    fn path(&self, from: u32, to: u32) -> Option<Vec<usize>> {
        let mut by = vec![usize::MAX; self.problem.accesses.len() * 2];
        let mut queue = vec![from];
        let mut next = 0;
        while let Some(&place) = queue.get(next) {
            next += 1;
            for (at, fact) in self.facts.iter().enumerate().filter(|(_, fact)| fact.before.first == place) {
                let target = fact.before.second;
                if by[target as usize] == usize::MAX && target != from {
                    by[target as usize] = at;
                    queue.push(target);
                }
                if target == to {
                    by[target as usize] = at;
                    let mut path = vec![at];
                    while let Some(&first) = path.last().filter(|&&first| self.facts[first].before.first != from) {
                        path.push(by[self.facts[first].before.first as usize]);
                    }
                    path.reverse();
                    return Some(path);
                }
            }
        }
        None
    }

    /// `T1 < T2 < T3`, or the same with begins and commits.
    fn format_path(&self, path: &[usize]) -> String {
        let first = path.first().map(|&at| self.facts[at].before.first);
        let places = first.into_iter().chain(path.iter().map(|&at| self.facts[at].before.second));
        places.map(|place| self.format_place(place)).collect::<Vec<_>>().join(" < ")
    }

    fn name(&self, node: u32) -> String {
        self.t.name(self.problem.accesses.transactions[node as usize])
    }

    fn format_place(&self, place: u32) -> String {
        let name = self.name(self.problem.walk.node(place));
        match (self.problem.walk.rule, place % 2) {
            (Rule::Free, _) => name,
            (_, 1) => format!("begin of {name}"),
            _ => format!("commit of {name}"),
        }
    }

    fn format_precedence(&self, before: Precedence) -> String {
        format!("{} < {}", self.format_place(before.first), self.format_place(before.second))
    }

    /// A clause and its reason.
    fn format_clause(&self, clause: Clause) -> String {
        let sides =
            self.problem.sides(clause).into_iter().flatten().map(|side| self.format_precedence(side)).collect::<Vec<_>>().join(" or ");
        match clause {
            Clause::Read { key, reader, source: NONE, other } => {
                format!("{} read {} in its initial state, and {} wrote it: {sides}", self.name(reader), self.t.key(key), self.name(other))
            }
            Clause::Read { key, reader, source, other } => {
                let [reader, source, other] = [reader, source, other].map(|node| self.name(node));
                format!("{reader} read {} as {source} wrote it, and {other} wrote it too: {sides}", self.t.key(key))
            }
            Clause::Conflict { key, one, other } => {
                format!("{} and {} both wrote {}: {sides}", self.name(one), self.name(other), self.t.key(key))
            }
        }
    }
}

impl Problem<'_> {
    /// All clauses: as many as pairs of accesses to the same key.
    fn clauses(&self) -> Vec<Clause> {
        let accesses = self.accesses;
        let nodes = || 0..accesses.len() as u32;
        let mut clauses = Vec::new();
        for other in nodes() {
            for &key in accesses.written(other) {
                for reader in nodes().filter(|&reader| reader != other) {
                    let sources = accesses.sources(reader).filter(|&(read, source)| read == key && source != other);
                    clauses.extend(sources.map(|(_, source)| Clause::Read { key, reader, source, other }));
                }
                if self.walk.rule == Rule::Snapshot {
                    let ones = (0..other).filter(|&one| accesses.written(one).contains(&key));
                    clauses.extend(ones.map(|one| Clause::Conflict { key, one, other }));
                }
            }
        }
        clauses
    }
}
