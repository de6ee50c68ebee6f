//! Phenomena of single transactions on sets and counters.

use elenchus_core::Kind;

use super::super::elements::{Element, NONE};
use super::super::inference::as_write;
use super::super::lists::ListRef;
use super::super::phenomenon::Phenomenon;
use super::super::transactions::{Action, MicroOp};
use super::ChunkCheck;

impl ChunkCheck<'_> {
    /// Checks the reads of one set: garbage, aborted and intermediate versions; whether each read contains what the transaction had added
    /// and read before, and nothing that it added later.
    pub(super) fn check_set(&mut self, transaction: u32, steps: &[MicroOp], run: &[u32]) {
        if self.transactions.kind(transaction) != Kind::Ok {
            return;
        }
        let mut seen: Option<(&MicroOp, ListRef)> = None;
        let mut own: Vec<Element> = Vec::new();
        let mut wrote = false;
        for (place, &at) in run.iter().enumerate() {
            let step = &steps[at as usize];
            match step.action {
                Action::Write(element) => {
                    own.push(element);
                    wrote = true;
                }
                Action::List(observed) => {
                    if self.is_suspect(step.key, observed) {
                        self.check_suspect_set(transaction, step, observed);
                    }
                    if !self.set_agrees(step, observed, seen.map(|(_, observed)| observed), &own) {
                        self.report_internal(transaction, step, seen.map(|(seen, _)| seen), wrote);
                    }
                    let t = self.transactions;
                    let mut later = run[place + 1..].iter().filter_map(|&at| as_write(&steps[at as usize]));
                    if let Some(element) = later.find(|&element| t.lists.holds(step.key, observed, element)) {
                        let why = || format!(", but added {} only afterwards", t.value(element));
                        self.add(Phenomenon::FutureRead, transaction, transaction, step, why);
                    }
                    seen = Some((step, observed));
                    own.clear();
                }
                _ => {}
            }
        }
    }

    /// Checks a set element by element.
    fn check_suspect_set(&mut self, transaction: u32, step: &MicroOp, observed: ListRef) {
        let t = self.transactions;
        let set = t.lists.list(step.key, observed);
        let writer = |element: Element| Some(t.elements.writer(element)).filter(|&writer| writer != NONE);
        if let Some((element, failed)) =
            set.iter().find_map(|&element| Some((element, writer(element).filter(|&writer| t.kind(writer) == Kind::Fail)?)))
        {
            let why = || format!(", but {}, which added {}, failed", t.name(failed), t.value(element));
            self.add(Phenomenon::G1a, transaction, failed, step, why);
        }
        if let Some(&element) = set.iter().find(|&&element| writer(element).is_none()) {
            self.add(Phenomenon::GarbageRead, transaction, NONE, step, || format!(", but {} was never added", t.value(element)));
        }
        let partial = set.iter().filter(|&&element| t.elements.is_intermediate(element)).find_map(|&element| {
            let other = writer(element).filter(|&other| other != transaction && t.kind(other) != Kind::Fail)?;
            let mut rest = t.writes(other).filter(|&(key, _)| key == step.key).map(|(_, element)| element);
            rest.find(|&rest| !t.lists.holds(step.key, observed, rest)).map(|missing| (other, element, missing))
        });
        if let Some((other, element, missing)) = partial {
            let why = || format!(", but {}, which added {}, also added {}", t.name(other), t.value(element), t.value(missing));
            self.add(Phenomenon::G1b, transaction, other, step, why);
        }
    }

    /// Returns whether a set equals the previous read plus the transaction's additions since; for the first read, whether it contains
    /// these additions.
    fn set_agrees(&self, read: &MicroOp, observed: ListRef, seen: Option<ListRef>, own: &[Element]) -> bool {
        let t = self.transactions;
        let holds_own = own.iter().all(|&element| t.lists.holds(read.key, observed, element));
        let grew_by_own = |seen: ListRef| {
            let before = t.lists.list(read.key, seen);
            let new = own.iter().filter(|&&element| !t.lists.holds(read.key, seen, element)).count();
            let kept = match (seen, observed) {
                (ListRef::Chain(before), ListRef::Chain(now)) => before <= now,
                _ => before.iter().all(|&element| t.lists.holds(read.key, observed, element)),
            };
            kept && before.len() + new == t.lists.list(read.key, observed).len()
        };
        holds_own && seen.is_none_or(grew_by_own)
    }

    /// Checks that each read of one counter equals the previous read plus the transaction's own additions since.
    pub(super) fn check_counter(&mut self, transaction: u32, steps: &[MicroOp], run: &[u32]) {
        let t = self.transactions;
        let (mut seen, mut wrote): (Option<&MicroOp>, bool) = (None, false);
        let mut expected: Option<i64> = None;
        for step in run.iter().map(|&at| &steps[at as usize]) {
            if let Some(element) = as_write(step) {
                let amount = t.value(element).as_int().unwrap_or_default();
                expected = expected.map(|before| before.saturating_add(amount));
                wrote = true;
            }
            let Some(observed) = t.sum(step) else { continue };
            if expected.is_some_and(|expected| expected != observed) {
                self.report_internal(transaction, step, seen, wrote);
            }
            (expected, seen) = (Some(observed), Some(step));
        }
    }

    /// Reports a read that disagrees with the transaction's own earlier reads and additions.
    fn report_internal(&mut self, transaction: u32, step: &MicroOp, seen: Option<&MicroOp>, wrote: bool) {
        let t = self.transactions;
        let before = seen.map_or("added to it".to_owned(), |seen| format!("read {}", t.read_value(seen)));
        let since = if wrote && seen.is_some() { " and made its own additions" } else { "" };
        let why = || format!(", although it previously {before}{since}");
        self.add(Phenomenon::Internal, transaction, transaction, step, why);
        if !wrote {
            self.add(Phenomenon::NonrepeatableRead, transaction, transaction, step, why);
        }
    }
}
