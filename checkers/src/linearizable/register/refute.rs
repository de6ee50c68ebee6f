//! A refutation in one pass, without a search.
//!
//! An operation that found a value requires a source: an operation that stored it, and that was called before the value was found. If every
//! source certainly ended before the call of another operation that read or left a different value, and that operation in turn ended before
//! the call of the one that found the value, no linearization exists. The test is sound but incomplete; it finds most stale reads and every
//! value that was never written.

use elenchus_core::Kind;

use super::accesses::{Accesses, Act, ValueId};
use crate::linearizable::problem::{Moment, Problem};

/// Matches no value: a compare-and-set found one value and stored another, so it differs from each.
const NO_VALUE: ValueId = ValueId::MAX;

/// Before all moments.
const BEGINNING: i64 = i64::MIN;

/// The first return that this test proves impossible: its index among the moments, and the operation's position.
pub(super) fn refute(problem: &Problem<'_>, accesses: &Accesses) -> Option<(usize, u32)> {
    let sources = sources(problem, accesses);
    let mut latest = Latest::default();
    // By position: the call, and the latest call of an operation that had returned by then and showed another value.
    let mut began = vec![(0_i64, BEGINNING); problem.operations.len()];
    for (at, &moment) in problem.moments.iter().enumerate() {
        match moment {
            Moment::Call(position) => {
                let needed = accesses.acts[position as usize].expected();
                began[position as usize] = (at as i64, latest.other_than(needed));
            }
            Moment::Return(position) => {
                let act = accesses.acts[position as usize];
                let (call, overwritten) = began[position as usize];
                if !matches!(act, Act::Write(_)) && !has_source(&sources, act.expected(), at as i64, overwritten) {
                    return Some((at, position));
                }
                latest.note(call, shown(act));
            }
        }
    }
    None
}

/// Whether the value has a source that was called before `found` and did not return before `overwritten`.
fn has_source(sources: &Sources, value: ValueId, found: i64, overwritten: i64) -> bool {
    let sources = &sources[value as usize];
    let begun = sources.partition_point(|&(call, _)| call < found);
    begun > 0 && sources[begun - 1].1 >= overwritten
}

/// By value: the call of each source, and the latest return of the sources up to it.
type Sources = Vec<Vec<(i64, i64)>>;

fn sources(problem: &Problem<'_>, accesses: &Accesses) -> Sources {
    let returns = problem.returns();
    // The initial value was stored before all moments, and any operation may overwrite it.
    let mut sources: Sources = vec![Vec::new(); accesses.values.len()];
    sources[0].push((BEGINNING, BEGINNING));
    for (at, &moment) in problem.moments.iter().enumerate() {
        let Moment::Call(position) = moment else { continue };
        let Some(value) = accesses.acts[position as usize].stored() else { continue };
        let over = match problem.operation(position).kind {
            Kind::Ok => i64::from(returns[position as usize]),
            _ => i64::MAX,
        };
        let known = &mut sources[value as usize];
        let last = known.last().map_or(BEGINNING, |&(_, over)| over);
        known.push((at as i64, over.max(last)));
    }
    sources
}

fn shown(act: Act) -> ValueId {
    match act {
        Act::Read(value) | Act::Write(value) => value,
        Act::Cas(..) => NO_VALUE,
    }
}

/// The two values whose completed operations have the latest calls, with these calls.
#[derive(Default)]
struct Latest([Option<(i64, ValueId)>; 2]);

impl Latest {
    fn note(&mut self, began: i64, value: ValueId) {
        let [first, second] = &mut self.0;
        match (*first, *second) {
            (Some((known, same)), _) if same == value => *first = Some((known.max(began), value)),
            (Some((known, _)), _) if known > began => {
                if second.is_none_or(|(known, same)| same == value || known < began) {
                    *second = Some((second.map_or(began, |(known, same)| if same == value { known.max(began) } else { began }), value));
                }
            }
            _ => {
                *second = *first;
                *first = Some((began, value));
            }
        }
    }

    fn other_than(&self, value: ValueId) -> i64 {
        self.0.iter().flatten().find(|&&(_, shown)| shown != value).map_or(BEGINNING, |&(began, _)| began)
    }
}
