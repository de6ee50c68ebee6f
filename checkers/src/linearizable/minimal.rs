//! Counterexamples from which nothing can be taken away.
//!
//! An operation is taken away by setting it *free*: it may then take effect at any time or never. That only adds linearizations, so a
//! history that stays broken was broken by the operations that remain bound, whatever all the others did. Free observations constrain
//! nothing and vanish. Where the model knows what operations are about ([`Model::subjects`]), free operations that nothing links to a bound
//! one vanish too: a chain of operations, each of which shares a subject with the next, is a link. A crashed operation that took nobody
//! knows what out of a collection is always kept, and links nothing: whatever it took, both can be erased.
//!
//! Where a [monitor] knows the culprits, only they are bound to begin with, and only what is linked to them is looked at.

use elenchus_core::{EventIndex, Kind, Model, Operation, Transfer, Value};
use rustc_hash::FxHashMap;

use super::budget::Budget;
use super::decide::decide;
use super::monitor;
use super::outcome::Outcome;
use super::problem::Problem;

/// What all attempts together may spend: configurations, each times the operations that may follow it; and operations laid out. Neither
/// depends on the machine.
const WORK: u64 = 100_000_000;
const LAID_OUT: usize = 50_000_000;

/// What was found by taking operations away.
pub(crate) struct Minimal<'h> {
    /// The operations that remain bound, in order of invocation. Those that had not returned where it breaks are crashed.
    pub(crate) operations: Vec<Operation<'h>>,
    /// The free ones that are linked to them, in order of invocation: whatever they did, it does not help.
    pub(crate) others: Vec<Operation<'h>>,
    /// Both together, as they were judged: the bound ones as they were, the others free.
    pub(crate) proof: Vec<Operation<'h>>,
    /// Whether every one of them is known to be needed: false when the effort ran out first.
    pub(crate) is_minimal: bool,
}

impl Minimal<'_> {
    /// The invocations of the operations of the proof, of the free ones too, which there seem to be invoked before everything.
    pub(crate) fn names(&self) -> impl Iterator<Item = EventIndex> + '_ {
        let mut bound = self.operations.iter().map(|operation| operation.invoked).peekable();
        let mut others = self.others.iter().map(|operation| operation.invoked);
        self.proof.iter().map(move |operation| {
            let is_bound = bound.next_if(|bound| *bound == operation.invoked);
            is_bound.or_else(|| others.next()).unwrap_or(operation.invoked)
        })
    }
}

/// Takes away what can be taken away from a problem that cannot be linearized up to the completion of `broken`.
pub(crate) fn minimise<'h, M: Model>(model: &M, problem: &Problem<'h>, broken: u32, spent_visits: u64) -> Minimal<'h> {
    let end = problem.operation(broken).completed.unwrap_or(EventIndex(u32::MAX));
    let prefix = prefix(problem, end);
    let mut reduction = Reduction {
        model,
        work_left: WORK,
        prefix,
        laid_out: 0,
        per_attempt: 20_000_u64.saturating_add(spent_visits.saturating_mul(4)),
        gave_up: false,
    };
    let culprits = monitor::culprits(model, problem, broken);
    // Of an operation that began later, what breaks the prefix cannot be the fault.
    let begun =
        |culprits: Vec<u32>| culprits.into_iter().filter(|&culprit| (culprit as usize) < reduction.prefix.len()).collect::<Vec<_>>();
    let mut bound = match culprits.map(begun).and_then(|culprits| reduction.confined_to(&culprits)) {
        Some(bound) => bound,
        None => (0..reduction.prefix.len() as u32).collect(),
    };
    reduction.forget_unreturned(&mut bound);
    let mut chunk = bound.len().div_ceil(2).max(1);
    loop {
        let before = bound.len();
        reduction.pass(&mut bound, chunk);
        if chunk > 1 {
            chunk = chunk.div_ceil(2).min(bound.len().max(1));
        } else if bound.len() == before || reduction.spent() {
            break;
        }
    }
    let at = |positions: &[u32]| positions.iter().map(|&position| reduction.prefix[position as usize]).collect();
    Minimal {
        operations: at(&bound),
        others: at(&reduction.linked(&bound)),
        proof: reduction.with_others_free(&bound),
        is_minimal: !reduction.gave_up,
    }
}

/// The operations invoked before `end`; those that had not returned by then may or may not have taken effect.
fn prefix<'h>(problem: &Problem<'h>, end: EventIndex) -> Vec<Operation<'h>> {
    let begun = problem.operations.iter().filter(|operation| operation.invoked < end);
    begun
        .map(|operation| match operation.completed {
            Some(completed) if completed <= end => *operation,
            // What it was told later still holds.
            _ => Operation { kind: Kind::Info, completed: None, ..*operation },
        })
        .collect()
}

struct Reduction<'a, 'h, M> {
    model: &'a M,
    prefix: Vec<Operation<'h>>,
    work_left: u64,
    laid_out: usize,
    per_attempt: u64,
    gave_up: bool,
}

impl<'h, M: Model> Reduction<'_, 'h, M> {
    /// Binds only these operations and looks only at what is linked to them, if they are a proof; gives their new positions.
    fn confined_to(&mut self, culprits: &[u32]) -> Option<Vec<u32>> {
        let mut kept = self.linked(culprits);
        kept.extend(culprits);
        kept.sort_unstable();
        let whole = std::mem::take(&mut self.prefix);
        self.prefix = kept.iter().map(|&position| whole[position as usize]).collect();
        let bound: Vec<u32> =
            (0..).zip(&kept).filter_map(|(at, position)| culprits.binary_search(position).is_ok().then_some(at)).collect();
        if self.stays_broken(&bound) {
            return Some(bound);
        }
        self.prefix = whole;
        None
    }

    /// Sets free all that had not returned, if that can be done at once: it usually can.
    fn forget_unreturned(&mut self, bound: &mut Vec<u32>) {
        let returned: Vec<u32> = bound.iter().copied().filter(|&position| self.prefix[position as usize].kind == Kind::Ok).collect();
        if returned.len() < bound.len() && self.stays_broken(&returned) {
            *bound = returned;
        }
    }

    /// Tries to do without each run of `chunk` operations, from the end.
    fn pass(&mut self, bound: &mut Vec<u32>, chunk: usize) {
        let mut end = bound.len();
        while end > 0 && !self.spent() {
            let start = end.saturating_sub(chunk);
            let rest: Vec<u32> = bound[..start].iter().chain(&bound[end..]).copied().collect();
            if !rest.is_empty() && self.stays_broken(&rest) {
                *bound = rest;
            }
            end = start;
        }
    }

    fn spent(&mut self) -> bool {
        let spent = self.work_left == 0 || self.laid_out > LAID_OUT;
        self.gave_up |= spent;
        spent
    }

    /// Whether no linearization exists when only these operations are bound.
    fn stays_broken(&mut self, bound: &[u32]) -> bool {
        let operations = self.with_others_free(bound);
        self.laid_out += self.prefix.len();
        let problem = Problem::new(self.model, operations);
        let each = problem.operations.len().max(1) as u64;
        let visits = self.per_attempt.min(self.work_left / each + 1);
        let searched = decide(self.model, &problem, &Budget::of_visits(visits));
        self.work_left = self.work_left.saturating_sub(searched.spent.visits * each);
        self.gave_up |= matches!(searched.outcome, Outcome::Exhausted { .. });
        matches!(searched.outcome, Outcome::Broken(_))
    }

    /// The bound operations as they were, and those linked to them set free.
    fn with_others_free(&self, bound: &[u32]) -> Vec<Operation<'h>> {
        let mut positions: Vec<(u32, bool)> = bound.iter().map(|&position| (position, true)).collect();
        positions.extend(self.linked(bound).into_iter().map(|position| (position, false)));
        positions.sort_unstable();
        let freed = |operation: Operation<'h>| Operation { kind: Kind::Info, invoked: EventIndex(0), completed: None, ..operation };
        let operations = positions.into_iter().map(|(position, is_bound)| (self.prefix[position as usize], is_bound));
        operations.map(|(operation, is_bound)| if is_bound { operation } else { freed(operation) }).collect()
    }

    /// The operations with an effect, none of them bound, that a chain of shared subjects links to a bound one. Near-linear in the prefix.
    fn linked(&self, bound: &[u32]) -> Vec<u32> {
        let mut next = bound.iter().copied().peekable();
        let candidates: Vec<u32> = (0..self.prefix.len() as u32)
            .filter(|position| next.next_if_eq(position).is_none() && !self.model.observes(&self.prefix[*position as usize]))
            .collect();
        let is_unknown = |operation: &Operation<'_>| {
            let collection = self.model.as_collection();
            operation.kind != Kind::Ok && collection.is_some_and(|model| model.transfer(operation) == Some(Transfer::Take(None)))
        };
        let subjects = |position: &u32| {
            let operation = &self.prefix[*position as usize];
            self.model.subjects(operation).or_else(|| is_unknown(operation).then(Vec::new))
        };
        // Where one operation is about everything, all are linked.
        let Some(mut reached) =
            bound.iter().map(subjects).collect::<Option<Vec<_>>>().map(|all| all.into_iter().flatten().collect::<Vec<_>>())
        else {
            return candidates;
        };
        let mut about: FxHashMap<Value, Vec<usize>> = FxHashMap::default();
        let mut subjects_of = Vec::with_capacity(candidates.len());
        for (at, position) in candidates.iter().enumerate() {
            let Some(own) = subjects(position) else { return candidates };
            for subject in &own {
                about.entry(subject.clone()).or_default().push(at);
            }
            subjects_of.push(own);
        }
        let mut linked: Vec<bool> = candidates.iter().map(|&position| is_unknown(&self.prefix[position as usize])).collect();
        while let Some(subject) = reached.pop() {
            for at in about.remove(&subject).unwrap_or_default() {
                if !std::mem::replace(&mut linked[at], true) {
                    reached.extend(subjects_of[at].iter().cloned());
                }
            }
        }
        candidates.into_iter().zip(linked).filter_map(|(position, linked)| linked.then_some(position)).collect()
    }
}
