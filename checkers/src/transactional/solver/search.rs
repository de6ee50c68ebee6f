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
use super::problem::{Clause, Problem, Stage};
use super::timeline::{Before, FIXED, Step, Timeline};

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
    sides: Vec<Before>,
    origin: Origin,
}

/// What a conclusion depends on besides precedences that may be undone: nodes, and permanent precedences by their index in
/// [`Search::certain`].
#[derive(Clone, Default)]
struct Origin {
    nodes: Vec<u32>,
    grounds: Vec<u32>,
}

/// Why a precedence was added.
struct Reason {
    /// The last decision that it depends on; 0 if there is none. It may have been derived at a later level, and its position in the trail
    /// shows where.
    level: u32,
    /// The precedences that falsify the other sides of its clause, without permanent ones; empty for a decision.
    because: Vec<u32>,
    origin: Origin,
}

/// A conflict: the precedences that it depends on.
struct Conflict {
    because: Vec<u32>,
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
    timeline: Timeline,
    reasons: Vec<Reason>,
    /// The number of precedences at each decision.
    choices: Vec<usize>,
    /// The origin of each permanent precedence (level 0). The reasons of current ones refer to it by index.
    certain: Vec<Origin>,
    learned: Vec<Learned>,
    learned_bytes: usize,
}

impl<'p, 'g> Search<'p, 'g> {
    /// Creates a search that starts with a topological order of the problem's walk.
    pub(super) fn new(problem: &'p Problem<'g>, order: Vec<u32>) -> Search<'p, 'g> {
        let timeline = Timeline::new(&problem.walk, order);
        Search { problem, timeline, reasons: Vec::new(), choices: Vec::new(), certain: Vec::new(), learned: Vec::new(), learned_bytes: 0 }
    }

    /// Searches until the problem is decided or the limits are reached. Exponential at worst, since the problem is NP-complete.
    pub(super) fn run(mut self, limits: &Limits) -> Outcome {
        let mut stage = Stage::new(self.problem.accesses);
        let mut broken: Vec<Clause> = Vec::new();
        let mut known: FxHashSet<Clause> = FxHashSet::default();
        let mut window = WINDOW;
        loop {
            broken.clear();
            known.clear();
            let begun = stage.rank();
            let mut first = u32::MAX;
            while first == u32::MAX || stage.rank() - first < window {
                let rank = stage.rank();
                let mut say = |clause| {
                    first = first.min(rank);
                    if known.insert(clause) {
                        broken.push(clause);
                    }
                };
                if !self.problem.play(&self.timeline, &mut stage, &mut say) {
                    break;
                }
            }
            let lessons: Vec<usize> = (0..self.learned.len()).filter(|&at| self.is_broken(&self.learned[at].sides)).collect();
            if broken.is_empty() && lessons.is_empty() {
                return Outcome::Holds(self.timeline.order().to_vec());
            }
            // Propagate before deciding.
            for may_choose in [false, true] {
                for lesson in 0..lessons.len() + broken.len() {
                    if limits.are_reached(self.timeline.spent, self.timeline.bytes() + self.learned_bytes) {
                        return Outcome::GaveUp;
                    }
                    let settled = match lessons.get(lesson) {
                        Some(&lesson) => self.recall(lesson, may_choose),
                        None => self.settle_clause(broken[lesson - lessons.len()], may_choose),
                    };
                    if let Settled::Refuted(nodes) = settled {
                        return Outcome::Refuted(nodes);
                    }
                }
            }
            // No clause is broken, and no place has moved, before this rank.
            stage.back_to(first.min(self.timeline.take_lowest()));
            window = WINDOW.max(2 * begun.saturating_sub(stage.rank()));
        }
    }

    fn is_broken(&self, sides: &[Before]) -> bool {
        !sides.iter().any(|&side| self.timeline.has(side))
    }

    fn settle_clause(&mut self, clause: Clause, may_choose: bool) -> Settled {
        let nodes = match clause {
            Clause::Read { reader, source, other, .. } => vec![reader, source, other],
            Clause::Conflict { one, other, .. } => vec![one, other],
        };
        let sides: Vec<Before> = self.problem.sides(clause).into_iter().flatten().collect();
        self.settle(&sides, &Origin { nodes, grounds: Vec::new() }, may_choose)
    }

    fn recall(&mut self, lesson: usize, may_choose: bool) -> Settled {
        let Learned { sides, origin } = &self.learned[lesson];
        let (sides, origin) = (sides.clone(), origin.clone());
        self.settle(&sides, &origin, may_choose)
    }

    /// Makes a clause hold, by propagation, learning and, if allowed, a decision.
    fn settle(&mut self, sides: &[Before], origin: &Origin, may_choose: bool) -> Settled {
        let (mut sides, mut origin) = (sides.to_vec(), origin.clone());
        loop {
            if !self.is_broken(&sides) {
                return Settled::Done;
            }
            let mut open: Vec<Before> = Vec::new();
            let mut because: Vec<u32> = Vec::new();
            let mut found = origin.clone();
            for &side in &sides {
                match self.timeline.path(side.second, side.first) {
                    None => open.push(side),
                    Some(path) => self.note(side.second, &path, &mut because, &mut found),
                }
            }
            match open[..] {
                [] => match self.learn(Conflict { because, origin: found }) {
                    Ok(lesson) => {
                        sides.clone_from(&self.learned[lesson].sides);
                        origin = self.learned[lesson].origin.clone();
                    }
                    Err(nodes) => return Settled::Refuted(nodes),
                },
                [side] => {
                    let level = because.iter().map(|&way| self.reasons[way as usize].level).max().unwrap_or(0);
                    let origin = if level == 0 { self.make_certain(found) } else { found };
                    self.add(side, Reason { level, because, origin });
                    return Settled::Done;
                }
                _ if !may_choose => return Settled::Open,
                _ => {
                    let Some(&side) = open.iter().min_by_key(|&&side| self.timeline.distance(side)) else { return Settled::Open };
                    self.choices.push(self.reasons.len());
                    let level = self.choices.len() as u32;
                    self.add(side, Reason { level, because: Vec::new(), origin: Origin::default() });
                    return Settled::Done;
                }
            }
        }
    }

    /// Records what a path depends on: added precedences, and the nodes that it visits.
    fn note(&self, start: u32, path: &[Step], because: &mut Vec<u32>, origin: &mut Origin) {
        for way in path.iter().map(|&(_, way)| way).filter(|&way| way != FIXED) {
            match &self.reasons[way as usize] {
                Reason { level: 0, origin: certain, .. } => origin.grounds.extend(&certain.grounds),
                _ => because.push(way),
            }
        }
        origin.nodes.push(self.problem.walk.node(start));
        origin.nodes.extend(path.iter().map(|&(place, _)| self.problem.walk.node(place)));
    }

    /// Stores the origin of a permanent precedence.
    fn make_certain(&mut self, origin: Origin) -> Origin {
        self.certain.push(origin);
        Origin { nodes: Vec::new(), grounds: vec![self.certain.len() as u32 - 1] }
    }

    fn add(&mut self, side: Before, reason: Reason) {
        self.timeline.add(side);
        self.reasons.push(reason);
    }

    /// Undoes all decisions above a level and the precedences added since, except permanent ones.
    fn back_to(&mut self, level: u32) {
        if let Some(&count) = self.choices.get(level as usize) {
            self.choices.truncate(level as usize);
            let ways = self.timeline.added()[count..].to_vec();
            let kept: Vec<(Before, Reason)> =
                ways.into_iter().zip(self.reasons.drain(count..)).filter(|(_, reason)| reason.level == 0).collect();
            self.timeline.keep(count);
            kept.into_iter().for_each(|(way, reason)| self.add(way, reason));
        }
    }

    /// Learns a clause from a conflict and backjumps. Returns its index, or, if no decision is involved, the nodes that contradict one
    /// another.
    fn learn(&mut self, conflict: Conflict) -> Result<usize, Vec<u32>> {
        let Conflict { because, mut origin } = conflict;
        let level_of = |way: u32| self.reasons[way as usize].level;
        let Some(level) = because.iter().map(|&way| level_of(way)).max() else { return Err(self.gather(origin)) };
        // Precedences of the current level that are still to be resolved, by number, and those of lower levels.
        let (mut open, mut rest): (BTreeSet<u32>, BTreeSet<u32>) = because.into_iter().partition(|&way| level_of(way) == level);
        while open.len() > 1 {
            let Some(way) = open.pop_last() else { break };
            let reason = &self.reasons[way as usize];
            for &way in &reason.because {
                if level_of(way) == level {
                    open.insert(way)
                } else {
                    rest.insert(way)
                };
            }
            origin.nodes.extend(&reason.origin.nodes);
            origin.grounds.extend(&reason.origin.grounds);
        }
        rest.append(&mut open);
        for list in [&mut origin.nodes, &mut origin.grounds] {
            list.sort_unstable();
            list.dedup();
        }
        let sides: Vec<Before> = rest.iter().map(|&way| self.timeline.added()[way as usize].turned()).collect();
        let back = rest.iter().map(|&way| level_of(way)).filter(|&other| other != level).max().unwrap_or(0);
        self.back_to(back);
        self.learned_bytes += sides.len() * 8 + (origin.nodes.len() + origin.grounds.len()) * 4 + size_of::<Learned>();
        self.learned.push(Learned { sides, origin });
        Ok(self.learned.len() - 1)
    }

    /// All nodes that a conclusion from permanent precedences depends on.
    fn gather(&self, origin: Origin) -> Vec<u32> {
        let mut nodes = origin.nodes;
        let mut seen: FxHashSet<u32> = FxHashSet::default();
        let mut open = origin.grounds;
        while let Some(way) = open.pop() {
            if seen.insert(way) {
                let origin = &self.certain[way as usize];
                nodes.extend(&origin.nodes);
                open.extend(&origin.grounds);
            }
        }
        let transactions = self.problem.accesses.len() as u32;
        nodes.retain(|&node| node < transactions);
        nodes.sort_unstable();
        nodes.dedup();
        nodes
    }
}
