//! A refutation in one pass that needs no search.
//!
//! Whoever found a value found what some operation put there. If every operation that put it there, and had begun before it was found,
//! was certainly over before another operation began that saw or left a different value, and that one was over before the finder began,
//! then there is no linearization. The test is sound and far from complete; it catches most stale reads and every invented value at once.

use elenchus_core::Kind;

use super::accesses::{Accesses, Act, ValueId};
use crate::linearizable::problem::{Moment, Problem};

/// Neither one value nor another: a compare-and-set saw one and left another, so it differs from each.
const BOTH: ValueId = ValueId::MAX;

/// Before everything.
const BEGINNING: i64 = i64::MIN;

/// The first completion that this test proves impossible: its place among the moments, and its operation.
pub(super) fn refute(problem: &Problem<'_>, accesses: &Accesses) -> Option<(usize, u32)> {
    let sources = sources(problem, accesses);
    let mut latest = Latest::default();
    // By position: when it began, and when the latest operation began that was over by then and showed another value.
    let mut began = vec![(0_i64, BEGINNING); problem.operations.len()];
    for (at, &moment) in problem.moments.iter().enumerate() {
        match moment {
            Moment::Call(position) => {
                let needed = accesses.acts[position as usize].finds();
                began[position as usize] = (at as i64, latest.other_than(needed));
            }
            Moment::Return(position) => {
                let act = accesses.acts[position as usize];
                let (call, overwritten) = began[position as usize];
                if !matches!(act, Act::Write(_)) && !has_source(&sources, act.finds(), at as i64, overwritten) {
                    return Some((at, position));
                }
                latest.note(call, shown(act));
            }
        }
    }
    None
}

/// Whether some operation put the value there, having begun before `found` and not being over before `overwritten`.
fn has_source(sources: &Sources, value: ValueId, found: i64, overwritten: i64) -> bool {
    let sources = &sources[value as usize];
    let begun = sources.partition_point(|&(call, _)| call < found);
    begun > 0 && sources[begun - 1].1 >= overwritten
}

/// By value: when each operation that puts it there begins, and when the last of those up to it is over.
type Sources = Vec<Vec<(i64, i64)>>;

fn sources(problem: &Problem<'_>, accesses: &Accesses) -> Sources {
    let returns = problem.returns();
    // The initial value was put there before everything, and may be overwritten by anything.
    let mut sources: Sources = vec![Vec::new(); accesses.values.len()];
    sources[0].push((BEGINNING, BEGINNING));
    for (at, &moment) in problem.moments.iter().enumerate() {
        let Moment::Call(position) = moment else { continue };
        let Some(value) = accesses.acts[position as usize].puts() else { continue };
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
        Act::Cas(..) => BOTH,
    }
}

/// For the two values whose completed operations began last: when.
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
