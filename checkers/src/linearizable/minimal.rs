//! Reduction to minimal counterexamples.
//!
//! An operation is removed by setting it *free*: it may then take effect at any time or never. That only adds linearizations, so if the
//! history remains not linearizable, the operations that are still *bound* prove it, whatever the others did. Free observations constrain
//! nothing and are dropped. Where the model knows the values that an operation concerns ([`Model::affected_values`]), free operations that are not
//! linked to a bound one are dropped too; a link is a chain of operations, each of which shares a value with the next. A crashed take of an
//! unknown element is always kept and links nothing: whichever element it took, both can be removed together.
//!
//! Where a [monitor] reports the operations of a bad pattern, only these are bound at first, and only operations linked to them are kept.

use elenchus_core::{EventIndex, Kind, Model, Operation, Transfer, Value};
use rustc_hash::FxHashMap;

use super::budget::Budget;
use super::decide::decide;
use super::monitor;
use super::outcome::Outcome;
use super::problem::Problem;

/// The total limit for all attempts: configurations times the operations that may follow each, and operations in the problems built.
/// Neither depends on the machine.
const WORK: u64 = 100_000_000;
const OPERATIONS_BUILT: usize = 50_000_000;

/// A reduced counterexample.
pub(crate) struct Minimal<'h> {
    /// The operations that remain bound, in order of invocation. Those that had not returned at the failure count as crashed.
    pub(crate) operations: Vec<Operation<'h>>,
    /// The free operations linked to them, in order of invocation: whatever they did, no linearization exists.
    pub(crate) others: Vec<Operation<'h>>,
    /// Both together, as they were checked: the bound ones unchanged, the others free.
    pub(crate) proof: Vec<Operation<'h>>,
    /// Whether every bound operation is known to be necessary; false if a limit was reached first.
    pub(crate) is_minimal: bool,
}

impl Minimal<'_> {
    /// The invocations of the proof's operations. (In the proof, the invocations of the free ones are set to the beginning.)
    pub(crate) fn names(&self) -> impl Iterator<Item = EventIndex> + '_ {
        let mut bound = self.operations.iter().map(|operation| operation.invoked).peekable();
        let mut others = self.others.iter().map(|operation| operation.invoked);
        self.proof.iter().map(move |operation| {
            let is_bound = bound.next_if(|bound| *bound == operation.invoked);
            is_bound.or_else(|| others.next()).unwrap_or(operation.invoked)
        })
    }
}

/// Reduces a problem that cannot be linearized up to the completion of `broken`.
pub(crate) fn minimise<'h, M: Model>(model: &M, problem: &Problem<'h>, broken: u32, spent_visits: u64) -> Minimal<'h> {
    let end = problem.operation(broken).completed.unwrap_or(EventIndex(u32::MAX));
    let prefix = prefix(problem, end);
    let mut reduction = Reduction {
        model,
        work_left: WORK,
        prefix,
        operations_built: 0,
        per_attempt: 20_000_u64.saturating_add(spent_visits.saturating_mul(4)),
        gave_up: false,
    };
    let culprits = monitor::culprits(model, problem, broken);
    // Operations invoked after the prefix cannot contribute to its violation.
    let begun =
        |culprits: Vec<u32>| culprits.into_iter().filter(|&culprit| (culprit as usize) < reduction.prefix.len()).collect::<Vec<_>>();
    let mut bound = match culprits.map(begun).and_then(|culprits| reduction.confined_to(&culprits)) {
        Some(bound) => bound,
        None => (0..reduction.prefix.len() as u32).collect(),
    };
    reduction.free_unreturned(&mut bound);
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

/// The operations invoked before `end`; those that had not returned by then count as crashed.
fn prefix<'h>(problem: &Problem<'h>, end: EventIndex) -> Vec<Operation<'h>> {
    let begun = problem.operations.iter().filter(|operation| operation.invoked < end);
    begun
        .map(|operation| match operation.completed {
            Some(completed) if completed <= end => *operation,
            // Its later result still holds.
            _ => Operation { kind: Kind::Info, completed: None, ..*operation },
        })
        .collect()
}

struct Reduction<'a, 'h, M> {
    model: &'a M,
    prefix: Vec<Operation<'h>>,
    work_left: u64,
    operations_built: usize,
    per_attempt: u64,
    gave_up: bool,
}

impl<'h, M: Model> Reduction<'_, 'h, M> {
    /// Binds only these operations and keeps only those linked to them, if that is a proof; returns their new positions.
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

    /// Sets all operations free that had not returned, if that can be done at once: it usually can.
    fn free_unreturned(&mut self, bound: &mut Vec<u32>) {
        let returned: Vec<u32> = bound.iter().copied().filter(|&position| self.prefix[position as usize].kind == Kind::Ok).collect();
        if returned.len() < bound.len() && self.stays_broken(&returned) {
            *bound = returned;
        }
    }

    /// Tries to remove each run of `chunk` operations, starting from the end.
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
        let spent = self.work_left == 0 || self.operations_built > OPERATIONS_BUILT;
        self.gave_up |= spent;
        spent
    }

    /// Whether no linearization exists when only these operations are bound.
    fn stays_broken(&mut self, bound: &[u32]) -> bool {
        let operations = self.with_others_free(bound);
        self.operations_built += self.prefix.len();
        let problem = Problem::new(self.model, operations);
        let each = problem.operations.len().max(1) as u64;
        let visits = self.per_attempt.min(self.work_left / each + 1);
        let searched = decide(self.model, &problem, &Budget::of_visits(visits));
        self.work_left = self.work_left.saturating_sub(searched.spent.visits * each);
        self.gave_up |= matches!(searched.outcome, Outcome::Exhausted { .. });
        matches!(searched.outcome, Outcome::Broken(_))
    }

    /// The bound operations unchanged, and the operations linked to them set free.
    fn with_others_free(&self, bound: &[u32]) -> Vec<Operation<'h>> {
        let mut positions: Vec<(u32, bool)> = bound.iter().map(|&position| (position, true)).collect();
        positions.extend(self.linked(bound).into_iter().map(|position| (position, false)));
        positions.sort_unstable();
        let freed = |operation: Operation<'h>| Operation { kind: Kind::Info, invoked: EventIndex(0), completed: None, ..operation };
        let operations = positions.into_iter().map(|(position, is_bound)| (self.prefix[position as usize], is_bound));
        operations.map(|(operation, is_bound)| if is_bound { operation } else { freed(operation) }).collect()
    }

    /// The operations with an effect, none of them bound, that a chain of shared values links to a bound one. Near-linear in the prefix.
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
            self.model.affected_values(operation).or_else(|| is_unknown(operation).then(Vec::new))
        };
        // If one operation concerns all values, all operations are linked.
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
