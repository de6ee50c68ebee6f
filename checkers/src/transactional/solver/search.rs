//! Conflict-driven search for an order that breaks no clause, with the order itself as the assignment.
//!
//! The search keeps a topological order of all current precedences. It replays the order in windows and examines only the clauses that it
//! breaks. A side of a clause is false if the opposite precedence already follows from a path. If all sides are false there is a
//! conflict: the precedences that it depends on are traced back to a single decision (first unique implication point; Marques-Silva &
//! Sakallah, "GRASP", 1999), a clause is learned, and the search backjumps. If one side is left it is propagated, otherwise one is
//! decided. Propagation and backjumps move the order as little as possible, so that it retains what earlier decisions established.

use std::collections::BTreeSet;

use rustc_hash::FxHashSet;

use super::limits::Limits;
use super::problem::{Clause, Problem, Replay};
use super::topological_order::{FIXED, Precedence, Step, TopologicalOrder};

/// The outcome of a search.
pub(super) enum Outcome {
    /// An order that breaks no clause.
    Holds(Vec<u32>),
    /// There is no order; the nodes contain a contradiction.
    Refuted(Vec<u32>),
    /// The limits were reached.
    GaveUp,
}

/// A learned clause: one of its sides must hold.
struct Learned {
    sides: Vec<Precedence>,
    origin: Origin,
}

/// The dependencies of a conclusion besides precedences that may be undone: nodes, and permanent precedences by their index in
/// [`Search::permanent`].
#[derive(Clone, Default)]
struct Origin {
    nodes: Vec<u32>,
    premises: Vec<u32>,
}

/// Why a precedence was added.
struct Reason {
    /// The last decision that it depends on; 0 if there is none. It may have been derived at a later level, and its position in the trail
    /// shows where.
    level: u32,
    /// The precedences that falsify the other sides of its clause, without permanent ones; empty for a decision.
    antecedents: Vec<u32>,
    origin: Origin,
}

/// A conflict: the precedences that it depends on.
struct Conflict {
    antecedents: Vec<u32>,
    origin: Origin,
}

/// The result of examining a clause.
enum Settled {
    /// The clause holds.
    Done,
    /// The clause needs a decision.
    Open,
    /// The clauses are unsatisfiable.
    Refuted(Vec<u32>),
}

/// The number of places to replay after the first broken clause before the broken clauses are resolved; more if resolving them moved
/// places far back. Undoing a decision also undoes later ones: few, if decisions are made in the order of time.
const WINDOW: u32 = 4096;

/// The state of a search.
pub(super) struct Search<'p, 'g> {
    problem: &'p Problem<'g>,
    order: TopologicalOrder,
    reasons: Vec<Reason>,
    /// The number of precedences at each decision.
    decisions: Vec<usize>,
    /// The origin of each permanent precedence (level 0). The reasons of current ones refer to it by index.
    permanent: Vec<Origin>,
    learned: Vec<Learned>,
    learned_bytes: usize,
}

impl<'p, 'g> Search<'p, 'g> {
    /// Creates a search that starts with a topological order of the problem's walk.
    pub(super) fn new(problem: &'p Problem<'g>, order: Vec<u32>) -> Search<'p, 'g> {
        let order = TopologicalOrder::new(&problem.walk, order);
        Search { problem, order, reasons: Vec::new(), decisions: Vec::new(), permanent: Vec::new(), learned: Vec::new(), learned_bytes: 0 }
    }

    /// Searches until the problem is decided or the limits are reached. Exponential at worst, since the problem is NP-complete.
    pub(super) fn run(mut self, limits: &Limits) -> Outcome {
        let mut replay = Replay::new(self.problem.accesses);
        let mut broken: Vec<Clause> = Vec::new();
        let mut known: FxHashSet<Clause> = FxHashSet::default();
        let mut window = WINDOW;
        loop {
            broken.clear();
            known.clear();
            let begun = replay.rank();
            let mut first = u32::MAX;
            while first == u32::MAX || replay.rank() - first < window {
                let rank = replay.rank();
                let mut report = |clause| {
                    first = first.min(rank);
                    if known.insert(clause) {
                        broken.push(clause);
                    }
                };
                if !self.problem.replay_next(&self.order, &mut replay, &mut report) {
                    break;
                }
            }
            let broken_learned: Vec<usize> = (0..self.learned.len()).filter(|&at| self.is_broken(&self.learned[at].sides)).collect();
            if broken.is_empty() && broken_learned.is_empty() {
                return Outcome::Holds(self.order.places().to_vec());
            }
            // Propagate before deciding.
            for may_decide in [false, true] {
                for index in 0..broken_learned.len() + broken.len() {
                    if limits.are_reached(self.order.spent, self.order.bytes() + self.learned_bytes) {
                        return Outcome::GaveUp;
                    }
                    let settled = match broken_learned.get(index) {
                        Some(&index) => self.settle_learned(index, may_decide),
                        None => self.settle_clause(broken[index - broken_learned.len()], may_decide),
                    };
                    if let Settled::Refuted(nodes) = settled {
                        return Outcome::Refuted(nodes);
                    }
                }
            }
            // No clause is broken, and no place has moved, before this rank.
            replay.rewind(first.min(self.order.take_lowest()));
            window = WINDOW.max(2 * begun.saturating_sub(replay.rank()));
        }
    }

    fn is_broken(&self, sides: &[Precedence]) -> bool {
        !sides.iter().any(|&side| self.order.satisfies(side))
    }

    fn settle_clause(&mut self, clause: Clause, may_decide: bool) -> Settled {
        let nodes = match clause {
            Clause::Read { reader, source, other, .. } => vec![reader, source, other],
            Clause::Conflict { one, other, .. } => vec![one, other],
        };
        let sides: Vec<Precedence> = self.problem.sides(clause).into_iter().flatten().collect();
        self.settle(&sides, &Origin { nodes, premises: Vec::new() }, may_decide)
    }

    fn settle_learned(&mut self, index: usize, may_decide: bool) -> Settled {
        let Learned { sides, origin } = &self.learned[index];
        let (sides, origin) = (sides.clone(), origin.clone());
        self.settle(&sides, &origin, may_decide)
    }

    /// Makes a clause hold, by propagation, learning and, if allowed, a decision.
    fn settle(&mut self, sides: &[Precedence], origin: &Origin, may_decide: bool) -> Settled {
        let (mut sides, mut origin) = (sides.to_vec(), origin.clone());
        loop {
            if !self.is_broken(&sides) {
                return Settled::Done;
            }
            let mut open: Vec<Precedence> = Vec::new();
            let mut antecedents: Vec<u32> = Vec::new();
            let mut found = origin.clone();
            for &side in &sides {
                match self.order.path(side.second, side.first) {
                    None => open.push(side),
                    Some(path) => self.record_path(side.second, &path, &mut antecedents, &mut found),
                }
            }
            match open[..] {
                [] => match self.learn(Conflict { antecedents, origin: found }) {
                    Ok(index) => {
                        sides.clone_from(&self.learned[index].sides);
                        origin = self.learned[index].origin.clone();
                    }
                    Err(nodes) => return Settled::Refuted(nodes),
                },
                [side] => {
                    let level = antecedents.iter().map(|&precedence| self.reasons[precedence as usize].level).max().unwrap_or(0);
                    let origin = if level == 0 { self.make_permanent(found) } else { found };
                    self.add(side, Reason { level, antecedents, origin });
                    return Settled::Done;
                }
                _ if !may_decide => return Settled::Open,
                _ => {
                    let Some(&side) = open.iter().min_by_key(|&&side| self.order.distance(side)) else { return Settled::Open };
                    self.decisions.push(self.reasons.len());
                    let level = self.decisions.len() as u32;
                    self.add(side, Reason { level, antecedents: Vec::new(), origin: Origin::default() });
                    return Settled::Done;
                }
            }
        }
    }

    /// Records what a path depends on: added precedences, and the nodes that it visits.
    fn record_path(&self, start: u32, path: &[Step], antecedents: &mut Vec<u32>, origin: &mut Origin) {
        for precedence in path.iter().map(|&(_, precedence)| precedence).filter(|&precedence| precedence != FIXED) {
            match &self.reasons[precedence as usize] {
                Reason { level: 0, origin: permanent, .. } => origin.premises.extend(&permanent.premises),
                _ => antecedents.push(precedence),
            }
        }
        origin.nodes.push(self.problem.walk.node(start));
        origin.nodes.extend(path.iter().map(|&(place, _)| self.problem.walk.node(place)));
    }

    /// Stores the origin of a permanent precedence.
    fn make_permanent(&mut self, origin: Origin) -> Origin {
        self.permanent.push(origin);
        Origin { nodes: Vec::new(), premises: vec![self.permanent.len() as u32 - 1] }
    }

    fn add(&mut self, side: Precedence, reason: Reason) {
        self.order.add(side);
        self.reasons.push(reason);
    }

    /// Undoes all decisions above a level and the precedences added since, except permanent ones.
    fn backjump(&mut self, level: u32) {
        if let Some(&count) = self.decisions.get(level as usize) {
            self.decisions.truncate(level as usize);
            let precedences = self.order.added()[count..].to_vec();
            let kept: Vec<(Precedence, Reason)> =
                precedences.into_iter().zip(self.reasons.drain(count..)).filter(|(_, reason)| reason.level == 0).collect();
            self.order.truncate(count);
            kept.into_iter().for_each(|(precedence, reason)| self.add(precedence, reason));
        }
    }

    /// Learns a clause from a conflict and backjumps. Returns its index, or, if no decision is involved, the nodes that contradict one
    /// another.
    fn learn(&mut self, conflict: Conflict) -> Result<usize, Vec<u32>> {
        let Conflict { antecedents, mut origin } = conflict;
        let level_of = |precedence: u32| self.reasons[precedence as usize].level;
        let Some(level) = antecedents.iter().map(|&precedence| level_of(precedence)).max() else { return Err(self.collect_nodes(origin)) };
        // Precedences of the current level that are still to be resolved, by number, and those of lower levels.
        let (mut open, mut rest): (BTreeSet<u32>, BTreeSet<u32>) =
            antecedents.into_iter().partition(|&precedence| level_of(precedence) == level);
        while open.len() > 1 {
            let Some(precedence) = open.pop_last() else { break };
            let reason = &self.reasons[precedence as usize];
            for &precedence in &reason.antecedents {
                if level_of(precedence) == level {
                    open.insert(precedence)
                } else {
                    rest.insert(precedence)
                };
            }
            origin.nodes.extend(&reason.origin.nodes);
            origin.premises.extend(&reason.origin.premises);
        }
        rest.append(&mut open);
        for list in [&mut origin.nodes, &mut origin.premises] {
            list.sort_unstable();
            list.dedup();
        }
        let sides: Vec<Precedence> = rest.iter().map(|&precedence| self.order.added()[precedence as usize].reversed()).collect();
        let back = rest.iter().map(|&precedence| level_of(precedence)).filter(|&other| other != level).max().unwrap_or(0);
        self.backjump(back);
        self.learned_bytes += sides.len() * 8 + (origin.nodes.len() + origin.premises.len()) * 4 + size_of::<Learned>();
        self.learned.push(Learned { sides, origin });
        Ok(self.learned.len() - 1)
    }

    /// All nodes that a conclusion from permanent precedences depends on.
    fn collect_nodes(&self, origin: Origin) -> Vec<u32> {
        let mut nodes = origin.nodes;
        let mut seen: FxHashSet<u32> = FxHashSet::default();
        let mut open = origin.premises;
        while let Some(precedence) = open.pop() {
            if seen.insert(precedence) {
                let origin = &self.permanent[precedence as usize];
                nodes.extend(&origin.nodes);
                open.extend(&origin.premises);
            }
        }
        let transactions = self.problem.accesses.len() as u32;
        nodes.retain(|&node| node < transactions);
        nodes.sort_unstable();
        nodes.dedup();
        nodes
    }
}
