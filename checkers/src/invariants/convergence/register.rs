//! A last-writer-wins register.

use elenchus_core::{EventIndex, Kind, NodeIndex, Operation, Value};
use rustc_hash::{FxHashMap, FxHashSet};

use super::super::report::short;
use super::super::{Evidence, Part, Report};
use super::{Finals, holds};

pub(super) fn judge(part: &Part<'_>, finals: &Finals<'_, '_>, report: &mut Report) {
    let writes = || finals.operations.iter().filter(|it| it.f == "write");
    let mut by_value: FxHashMap<&Value, Vec<&Operation<'_>>> = FxHashMap::default();
    let mut open: FxHashSet<&Value> = FxHashSet::default();
    // The last settled write that was invoked at each node.
    let mut last: FxHashMap<NodeIndex, (EventIndex, &Operation<'_>)> = FxHashMap::default();
    for write in writes() {
        by_value.entry(write.input).or_default().push(write);
        if finals.is_open(write) {
            open.insert(write.input);
        } else if write.kind == Kind::Ok {
            write.node.and_then(|node| last.insert(node, (write.invoked, write)));
        }
    }
    let later = |write: &Operation<'_>| {
        let after = |(asked, by): &(EventIndex, _)| (write.kind == Kind::Ok && write.completed < Some(*asked)).then_some(*by);
        write.node.and_then(|node| last.get(&node)).and_then(after)
    };
    let mut stable: Option<(&Value, &Operation<'_>)> = None;
    let mut has_diverged = false;
    for read in &finals.reads {
        let value = read.output.unwrap_or(&Value::Nil);
        if !open.contains(value) {
            match stable {
                None => stable = Some((value, read)),
                Some((other, first)) if other != value && !std::mem::replace(&mut has_diverged, true) => {
                    report.found("diverged", || {
                        Evidence::new(
                            format!("The final state of one replica is {}, that of another is {}.", short(other), short(value)),
                            [first, *read],
                        )
                    });
                }
                Some(_) => {}
            }
        }
        let shown = short(value);
        let candidates = by_value.get(value).map(Vec::as_slice).unwrap_or_default();
        let possible = || candidates.iter().filter(|write| write.kind != Kind::Fail && Some(write.invoked) < read.completed);
        if value.is_nil() {
            if let Some(write) = writes().find(|write| finals.is_settled(write)) {
                report.found("lost", || holds(part, read, &format!("is nil, although {} was written", short(write.input)), [write]));
            }
        } else if possible().next().is_none() {
            match candidates.iter().all(|write| write.kind == Kind::Fail).then(|| candidates.first()).flatten() {
                Some(failed) => report.found("aborted", || holds(part, read, &format!("is {shown}, whose write failed"), [*failed])),
                None => report.found("unexpected", || holds(part, read, &format!("is {shown}, which was never written"), [])),
            }
        } else if possible().all(|write| later(write).is_some()) {
            let proof = || possible().flat_map(|write| [Some(*write), later(write)]).flatten().take(8).collect::<Vec<_>>();
            report.found("overwritten", || {
                holds(part, read, &format!("is {shown}, which had been overwritten at the node that took the write"), proof())
            });
        }
    }
}
