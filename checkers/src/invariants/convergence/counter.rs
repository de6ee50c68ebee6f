//! A replicated counter.

use elenchus_core::{Kind, Operation, Value};

use super::super::counter::addend;
use super::super::report::short;
use super::super::{Evidence, Part, Report};
use super::{Finals, holds};

pub(super) fn judge(part: &Part<'_>, finals: &Finals<'_, '_>, report: &mut Report) {
    let adds = || finals.operations.iter().filter(|it| it.f != "read" && it.kind != Kind::Fail);
    let (mut lower, mut upper, mut is_open) = (0_i128, 0_i128, false);
    for add in adds() {
        let Some(amount) = addend(add) else {
            report.doubt(format!(
                "event {}: `{}` is not an update of a counter; expected `add n`, `increment` or `decrement`",
                add.invoked,
                short(add)
            ));
            return;
        };
        let settled = finals.is_settled(add);
        is_open |= !settled && amount != 0;
        lower += if settled { amount } else { amount.min(0) };
        upper += if settled { amount } else { amount.max(0) };
    }
    let result = |read: &Operation<'_>| read.output.and_then(Value::as_int);
    for read in &finals.reads {
        let Some(count) = result(read) else {
            report.doubt(format!("event {}: the result of `{}` is not an integer", read.invoked, short(*read)));
            return;
        };
        if !(lower..=upper).contains(&i128::from(count)) {
            let bounds = if lower == upper { lower.to_string() } else { format!("{lower} to {upper}") };
            report.found("wrong-count", || {
                holds(part, read, &format!("is {count}"), []).because(format!("The updates that did not fail sum to {bounds}."))
            });
        }
    }
    if let Some((first, other)) =
        finals.reads.split_first().and_then(|(first, rest)| Some((first, rest.iter().find(|it| result(it) != result(first))?)))
        && !is_open
    {
        report.found("diverged", || Evidence::new("The final counts of two replicas differ.", [*first, *other]));
    }
}
