//! The end of a run, for a terminal.

use std::fmt::Write as _;
use std::path::Path;

use elenchus_core::Verdict;

use super::{Run, counterexample, html};

/// How many operations of a counterexample are printed.
const OPERATIONS: usize = 20;

/// The verdict in words, the operations that prove it, and where the rest is.
pub fn summary(run: &Run, dir: Option<&Path>) -> String {
    let mut text = format!("{}  {}\n", run.verdict().as_str().to_uppercase(), html::headline(run));
    let operations = run.history.operations().unwrap_or_default();
    for finding in run.findings.iter().filter(|finding| finding.verdict == Verdict::Invalid) {
        for anomaly in finding.anomalies.iter().take(3) {
            let _ = writeln!(text, "\n  {}: {}", anomaly.name, anomaly.description);
            for operation in counterexample::shown(anomaly, &operations).into_iter().take(OPERATIONS) {
                let event = run.history.event(operation.invoked);
                let end = operation.completed.map_or("never".to_owned(), |end| format!("{:.6}", run.history.event(end).time.as_secs_f64()));
                let node = operation.node.map(|node| run.history.node_name(node)).unwrap_or_default();
                let _ = writeln!(
                    text,
                    "    {:>12.6} – {end:>12}  process {:<5} {node:<4} {:<5} {}",
                    event.time.as_secs_f64(),
                    operation.process,
                    operation.kind.as_str(),
                    counterexample::told(operation)
                );
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
