//! From a history to findings.

use elenchus_checkers::BuildError;
use elenchus_core::{CheckSpec, Finding, History, Kind, Process, Verdict};
use rayon::prelude::*;

/// Runs the checks on a history, at once. A checker that panics finds nothing out, and the others are not disturbed.
///
/// # Errors
/// When a check names a checker or an option that does not exist.
pub fn judge(history: &History, checks: &[CheckSpec]) -> Result<Vec<Finding>, BuildError> {
    let checkers = checks.iter().map(elenchus_checkers::build).collect::<Result<Vec<_>, _>>()?;
    let mut findings: Vec<Finding> = checkers
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
        .collect();
    findings.push(liveness(history));
    Ok(findings)
}

/// A history in which nothing succeeded proves nothing: no promise was put to the test.
fn liveness(history: &History) -> Finding {
    let clients = || history.events.iter().filter(|event| matches!(event.process, Process::Client(_)));
    let count = |kind| clients().filter(|event| event.kind == kind).count();
    let (ok, fail, info) = (count(Kind::Ok), count(Kind::Fail), count(Kind::Info));
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

/// The gravest verdict of all findings.
pub fn verdict(findings: &[Finding]) -> Verdict {
    findings.iter().map(|finding| finding.verdict).max().unwrap_or(Verdict::Unknown)
}
