//! From a history to findings.

use elenchus_checkers::BuildError;
use elenchus_core::{CheckSpec, Checker, Event, Finding, History, Kind, Process, Verdict};
use rayon::prelude::*;
use serde::Serialize;

/// Runs the checks on a history, at once, and counts how its operations ended.
///
/// # Errors
/// When a check names a checker or an option that does not exist.
pub fn judge(history: &History, checks: &[CheckSpec]) -> Result<Vec<Finding>, BuildError> {
    let checkers = checks.iter().map(elenchus_checkers::build).collect::<Result<Vec<_>, _>>()?;
    let mut findings = run(&checkers, history);
    findings.push(Outcomes::of(history).finding());
    Ok(findings)
}

/// Runs checkers on a history, at once. One that panics finds nothing out, and the others are not disturbed.
pub fn run(checkers: &[Box<dyn Checker>], history: &History) -> Vec<Finding> {
    checkers
        .par_iter()
        .map(|checker| {
            let judged = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| checker.check(history)));
            judged.unwrap_or_else(|_| Finding {
                checker: checker.name().to_owned(),
                verdict: Verdict::Unknown,
                summary: "the checker itself failed; this is a bug in Elenchus".to_owned(),
                anomalies: Vec::new(),
                details: serde_json::Value::Null,
            })
        })
        .collect()
}

/// How many operations of clients ended how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Outcomes {
    /// They happened.
    pub ok: usize,
    /// They certainly did not.
    pub fail: usize,
    /// Nobody knows.
    pub info: usize,
    /// They have begun and not ended.
    #[serde(skip)]
    open: usize,
}

impl Outcomes {
    /// Those of a history.
    pub fn of(history: &History) -> Outcomes {
        let mut outcomes = Outcomes::default();
        history.events.iter().for_each(|event| outcomes.count(event));
        outcomes.at_the_end()
    }

    /// Counts an event, if it begins or ends an operation of a client.
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

    /// The same when no event follows: of an operation that never ended nobody knows either.
    pub fn at_the_end(self) -> Outcomes {
        Outcomes { info: self.info + self.open, open: 0, ..self }
    }

    /// A history in which nothing succeeded proves nothing: no promise was put to the test.
    pub fn finding(self) -> Finding {
        let Outcomes { ok, fail, info, .. } = self;
        let told = format!("{ok} operations succeeded, {fail} failed, {info} ended in doubt");
        let (verdict, summary) =
            if ok == 0 { (Verdict::Unknown, format!("{told}: nothing was put to the test")) } else { (Verdict::Valid, told) };
        Finding {
            checker: "operations".to_owned(),
            verdict,
            summary,
            anomalies: Vec::new(),
            details: serde_json::json!({ "ok": ok, "fail": fail, "info": info }),
        }
    }
}

/// The gravest verdict of all findings.
pub fn verdict(findings: &[Finding]) -> Verdict {
    findings.iter().map(|finding| finding.verdict).max().unwrap_or(Verdict::Unknown)
}

#[cfg(test)]
mod tests {
    use elenchus_core::{Nanos, Symbol, Value};

    use super::*;

    #[test]
    fn what_never_ended_is_in_doubt() {
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
