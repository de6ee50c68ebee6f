//! An observed-remove set: a remove cancels the adds that it has observed, and no others.

use elenchus_core::{EventIndex, Kind, NodeIndex, Operation, Value};
use rustc_hash::FxHashMap;

use super::super::interner::Interner;
use super::super::report::short;
use super::super::{Evidence, Part, Report};
use super::{Finals, holds};

/// The updates and final reads of one element.
#[derive(Clone, Copy)]
struct Element {
    /// Whether one of its updates is open.
    is_open: bool,
    /// An add that may have taken effect, and one that failed.
    added: Option<u32>,
    failed: Option<u32>,
    /// The settled add that was invoked last.
    last_add: Option<u32>,
    /// The completion of the last remove that may have taken effect; the greatest index if it crashed.
    removed: Option<EventIndex>,
    /// Whether every add that may have taken effect was observed by a remove.
    all_seen: bool,
    /// A final read that contains it, and one that does not.
    shown_by: Option<u32>,
    missed_by: Option<u32>,
    times: u32,
}

const UNKNOWN: Element = Element {
    is_open: false,
    added: None,
    failed: None,
    last_add: None,
    removed: None,
    all_seen: true,
    shown_by: None,
    missed_by: None,
    times: 0,
};

pub(super) fn judge(part: &Part<'_>, finals: &Finals<'_, '_>, report: &mut Report) {
    let operations = finals.operations;
    let mut interner = Interner::default();
    let mut elements: Vec<Element> = Vec::new();
    // The settled remove of an element that was invoked last at each node: it has observed the earlier adds at that node.
    let mut removes: FxHashMap<(usize, NodeIndex), u32> = FxHashMap::default();
    let updates = || (0_u32..).zip(operations).filter(|(_, it)| it.f == "add" || it.f == "remove");
    for (at, update) in updates() {
        let id = interner.intern(update.input);
        elements.resize(interner.len(), UNKNOWN);
        let element = &mut elements[id];
        element.is_open |= finals.is_open(update);
        match (update.f == "add", update.kind) {
            (true, Kind::Fail) => element.failed = Some(at),
            (false, Kind::Fail) => {}
            (true, _) => {
                element.added.get_or_insert(at);
                if finals.is_settled(update) {
                    element.last_add = Some(at);
                }
            }
            (false, _) => {
                element.removed = element.removed.max(Some(super::super::real_time::end(update)));
                if finals.is_settled(update) {
                    update.node.and_then(|node| removes.insert((id, node), at));
                }
            }
        }
    }
    let remover = |id: usize, add: &Operation<'_>| {
        let seen = |at: &&u32| add.kind == Kind::Ok && add.completed < Some(operations[**at as usize].invoked);
        add.node.and_then(|node| removes.get(&(id, node))).filter(seen).map(|at| &operations[*at as usize])
    };
    for (_, add) in updates().filter(|(_, it)| it.f == "add" && it.kind != Kind::Fail) {
        let id = interner.intern(add.input);
        elements[id].all_seen &= remover(id, add).is_some();
    }
    show(finals, &mut interner, &mut elements);
    for (id, element) in elements.iter().enumerate() {
        let value = || short(interner.value(id));
        let shown = element.shown_by.map(|number| finals.reads[number as usize]);
        let missed = element.missed_by.map(|number| finals.reads[number as usize]);
        if let (Some(shown), Some(missed), false) = (shown, missed, element.is_open) {
            report.found("diverged", || {
                Evidence::new(format!("The final state of one replica contains {}, that of another does not.", value()), [shown, missed])
            });
        }
        match (shown, element.added, element.failed) {
            (Some(read), None, Some(failed)) => report
                .found("aborted", || holds(part, read, &format!("contains {}, whose add failed", value()), [&operations[failed as usize]])),
            (Some(read), None, None) => {
                report.found("unexpected", || holds(part, read, &format!("contains {}, which was never added", value()), []))
            }
            (Some(read), Some(added), _) if element.all_seen => report.found("resurrected", || {
                let add = &operations[added as usize];
                holds(
                    part,
                    read,
                    &format!("contains {}, which was removed at the node that had added it", value()),
                    [Some(add), remover(id, add)].into_iter().flatten(),
                )
            }),
            _ => {}
        }
        if let (Some(read), Some(add)) = (missed, element.last_add.map(|at| &operations[at as usize]))
            && element.removed.is_none_or(|removed| removed < add.invoked)
        {
            report.found("lost", || holds(part, read, &format!("lacks {}, which was added and not removed afterwards", value()), [add]));
        }
    }
}

/// Records which final reads contain each element. O(total length of the reads + elements · reads).
fn show<'h>(finals: &Finals<'_, 'h>, interner: &mut Interner<'h>, elements: &mut Vec<Element>) {
    let mut latest: Vec<u32> = vec![u32::MAX; elements.len()];
    for (number, read) in (0_u32..).zip(&finals.reads) {
        for value in read.output.and_then(Value::as_list).unwrap_or_default() {
            let id = interner.intern(value);
            elements.resize(interner.len(), UNKNOWN);
            latest.resize(interner.len(), u32::MAX);
            if std::mem::replace(&mut latest[id], number) != number {
                elements[id].shown_by.get_or_insert(number);
                elements[id].times += 1;
            }
        }
    }
    for (number, read) in (0_u32..).zip(&finals.reads) {
        let partial =
            elements.iter().filter(|element| (element.times as usize) < finals.reads.len() && element.missed_by.is_none()).count();
        if partial == 0 {
            return;
        }
        let mut shown = vec![false; elements.len()];
        for value in read.output.and_then(Value::as_list).unwrap_or_default() {
            if let Some(id) = interner.find(value) {
                shown[id] = true;
            }
        }
        for (element, shown) in elements.iter_mut().zip(shown) {
            if !shown {
                element.missed_by.get_or_insert(number);
            }
        }
    }
}
