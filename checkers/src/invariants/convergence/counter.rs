//! A counter that any replica may add to.

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
            report.doubt(format!("event {}: `{}` adds no whole number", add.invoked, short(add)));
            return;
        };
        let settled = finals.is_settled(add);
        is_open |= !settled && amount != 0;
        lower += if settled { amount } else { amount.min(0) };
        upper += if settled { amount } else { amount.max(0) };
    }
    let told = |read: &Operation<'_>| read.output.and_then(Value::as_int);
    for read in &finals.reads {
        let Some(count) = told(read) else {
            report.doubt(format!("event {}: `{}` shows no whole number", read.invoked, short(*read)));
            return;
        };
        if !(lower..=upper).contains(&i128::from(count)) {
            let bounds = if lower == upper { lower.to_string() } else { format!("{lower} to {upper}") };
            report.found("wrong-count", || {
                holds(part, read, &format!("counts {count}"), []).because(format!("All updates that did not fail sum to {bounds}."))
            });
        }
    }
    if let Some((first, other)) =
        finals.reads.split_first().and_then(|(first, rest)| Some((first, rest.iter().find(|it| told(it) != told(first))?)))
        && !is_open
    {
        report.found("diverged", || Evidence::new("In the end two replicas count differently.", [*first, *other]));
    }
}
