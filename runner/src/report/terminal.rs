//! The end of a run, for a terminal.

use std::fmt::Write as _;
use std::path::Path;

use elenchus_core::{EventIndex, History, Nanos, Operation, Verdict};

use super::{Run, counterexample, html};

/// How many operations of a counterexample are printed.
const OPERATIONS: usize = 20;

/// The verdict in words, the operations that prove it, and where the rest is.
pub fn summary(run: &Run, dir: Option<&Path>) -> String {
    let mut text = format!("{}  {}\n", run.verdict().as_str().to_uppercase(), html::headline(run));
    let operations = run.history.operations().unwrap_or_default();
    let is_timed = run.history.events.iter().any(|event| event.time != Nanos::ZERO);
    for finding in run.findings.iter().filter(|finding| finding.verdict == Verdict::Invalid) {
        for anomaly in finding.anomalies.iter().take(3) {
            let _ = writeln!(text, "\n  {}: {}", anomaly.name, anomaly.description);
            for operation in counterexample::shown(anomaly, &operations).into_iter().take(OPERATIONS) {
                let _ = writeln!(text, "    {}", line(&run.history, operation, is_timed));
            }
            for step in anomaly.argument.iter().take(6) {
                let _ = writeln!(text, "    · {step}");
            }
        }
    }
    for finding in run.findings.iter().filter(|finding| finding.verdict != Verdict::Invalid) {
        let _ = writeln!(text, "  {:<7}  {}: {}", finding.verdict.as_str(), finding.checker, finding.summary);
    }
    if let Some(dir) = dir {
        let _ = writeln!(text, "\n  report   {}/report.html\n  again    {}", dir.display(), run.facts.command);
    }
    text
}

/// An operation of a counterexample: when (in seconds, or by events where no times were recorded), who, and what.
fn line(history: &History, operation: &Operation<'_>, is_timed: bool) -> String {
    let seconds = |at: EventIndex| format!("{:.6}", history.event(at).time.as_secs_f64());
    let when = match (is_timed, operation.completed) {
        (true, Some(end)) => format!("{:>12} – {:>12}", seconds(operation.invoked), seconds(end)),
        (true, None) => format!("{:>12} – {:>12}", seconds(operation.invoked), "never"),
        (false, Some(end)) => format!("until {:<7}", end.to_string()),
        (false, None) => format!("{:<13}", "never ends"),
    };
    let node = operation.node.map(|node| format!("{:<4} ", history.node_name(node))).unwrap_or_default();
    let (number, process) = (operation.invoked.to_string(), operation.process.to_string());
    format!("{number:>8} {when}  process {process:<5} {node}{:<5} {}", operation.kind.as_str(), counterexample::told(operation))
}
