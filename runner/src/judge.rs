//! From a history to findings.

use elenchus_checkers::BuildError;
use elenchus_core::exchange::Skipped;
use elenchus_core::{CheckSpec, Checker, Event, Finding, History, Kind, Process, Verdict};
use rayon::prelude::*;
use serde::Serialize;

use crate::conductor::Tally;

/// Runs the checks on a history in parallel, and counts its operations by outcome.
///
/// # Errors
/// When a check names a checker or an option that does not exist.
pub fn judge(history: &History, checks: &[CheckSpec]) -> Result<Vec<Finding>, BuildError> {
    let checkers = checks.iter().map(elenchus_checkers::build).collect::<Result<Vec<_>, _>>()?;
    let mut findings = run(&checkers, history);
    findings.push(Outcomes::of(history).finding());
    Ok(findings)
}

/// Runs checkers on a history in parallel. One that panics yields an `unknown` finding and does not affect the others.
pub fn run(checkers: &[Box<dyn Checker>], history: &History) -> Vec<Finding> {
    checkers
        .par_iter()
        .map(|checker| {
            let judged = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| checker.check(history)));
            judged
                .unwrap_or_else(|_| finding(checker.name(), Verdict::Unknown, "the checker panicked; this is a bug in Elenchus".to_owned()))
        })
        .collect()
}

/// A finding without anomalies.
pub fn finding(checker: &str, verdict: Verdict, summary: String) -> Finding {
    Finding { checker: checker.to_owned(), verdict, summary, anomalies: Vec::new(), details: serde_json::Value::Null }
}

/// The checkers' names under which a run reports on itself. `elenchus check` repeats these findings, as judging again must not improve a verdict.
pub const OF_RUNS: &[&str] = &["run", "faults", "final-operations", "clean-up", "node-logs"];

/// A finding where a part of the history's file could not be read; none where it was read whole.
pub fn completeness(skipped: &Skipped) -> Option<Finding> {
    let bytes = skipped.unreadable_bytes;
    let summary = || format!("the journal is damaged or cut off: its last {bytes} bytes cannot be read, so the history is incomplete");
    (bytes > 0).then(|| finding("history", Verdict::Unknown, summary()))
}

/// The number of client operations by outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Outcomes {
    /// They took effect.
    pub ok: usize,
    /// They certainly did not take effect.
    pub fail: usize,
    /// It is unknown whether they took effect.
    pub info: usize,
    /// Invoked and not completed so far.
    #[serde(skip)]
    open: usize,
}

impl Outcomes {
    /// Counts the operations of a history.
    pub fn of(history: &History) -> Outcomes {
        let mut outcomes = Outcomes::default();
        history.events.iter().for_each(|event| outcomes.count(event));
        outcomes.at_end()
    }

    /// Counts an event, if it is an invocation or a completion of a client.
    pub fn count(&mut self, event: &Event) {
        if event.process == Process::Nemesis {
            return;
        }
        match event.kind {
            Kind::Invoke => {
                self.open += 1;
                return;
            }
            Kind::Ok => self.ok += 1,
            Kind::Fail => self.fail += 1,
            Kind::Info => self.info += 1,
        }
        self.open = self.open.saturating_sub(1);
    }

    /// The counts when no event follows: the outcome of an operation that never completed is unknown.
    pub fn at_end(self) -> Outcomes {
        Outcomes { info: self.info + self.open, open: 0, ..self }
    }

    /// The counts as a finding: `unknown` when no operation succeeded, as such a history tests nothing.
    pub fn finding(self) -> Finding {
        let Outcomes { ok, fail, info, .. } = self;
        let counts = format!("{ok} operations succeeded, {fail} failed, {info} have an unknown outcome");
        let (verdict, summary) = match ok {
            0 => (Verdict::Unknown, format!("no operation succeeded, so nothing was tested ({counts})")),
            _ => (Verdict::Valid, counts),
        };
        Finding { details: serde_json::json!({ "ok": ok, "fail": fail, "info": info }), ..finding("operations", verdict, summary) }
    }
}

impl From<Tally> for Outcomes {
    fn from(tally: Tally) -> Outcomes {
        let [ok, fail, info, open] = [tally.ok, tally.fail, tally.info, tally.open].map(|count| count as usize);
        Outcomes { ok, fail, info, open }
    }
}

/// The worst verdict of all findings.
pub fn verdict(findings: &[Finding]) -> Verdict {
    findings.iter().map(|finding| finding.verdict).max().unwrap_or(Verdict::Unknown)
}

#[cfg(test)]
mod tests {
    use elenchus_core::{Nanos, Symbol, Value};

    use super::*;

    #[test]
    fn operations_that_never_complete_have_an_unknown_outcome() {
        let f = Symbol::of("read");
        let event = |process, kind| Event { time: Nanos::ZERO, process, kind, f, key: None, value: Value::Nil, error: None, node: None };
        let client = Process::Client;
        let events = vec![
            event(client(0), Kind::Invoke),
            event(client(1), Kind::Invoke),
            event(Process::Nemesis, Kind::Invoke),
            event(client(0), Kind::Ok),
            event(client(2), Kind::Invoke),
            event(client(2), Kind::Info),
        ];
        let Outcomes { ok, fail, info, .. } = Outcomes::of(&History::new(events));
        assert_eq!((ok, fail, info), (1, 0, 2));
    }
}
