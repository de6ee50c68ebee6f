//! The summary on a terminal.

use std::fmt::Write as _;
use std::path::Path;

use elenchus_checkers::picture::label;
use elenchus_core::{Anomaly, EventIndex, History, Nanos, Operation, Verdict};

use super::{JudgedRun, counterexample, html, summary_of};

/// The largest numbers of anomalies printed for a finding, and of operations and steps of the argument for an anomaly.
const SHOWN: Shown = Shown { anomalies: 3, operations: 20, steps: 6 };

struct Shown {
    anomalies: usize,
    operations: usize,
    steps: usize,
}

/// The verdict, the counterexamples, the other findings, and the path of the report.
pub fn summary(run: &JudgedRun, dir: Option<&Path>) -> String {
    let mut text = format!("{}  {}\n", run.verdict().as_str().to_uppercase(), html::headline(run));
    let operations = run.history.operations().unwrap_or_default();
    for finding in run.findings.iter().filter(|finding| finding.verdict == Verdict::Invalid) {
        for anomaly in finding.anomalies.iter().take(SHOWN.anomalies) {
            show(&mut text, run, &operations, anomaly, &SHOWN);
        }
    }
    for finding in run.findings.iter().filter(|finding| finding.verdict != Verdict::Invalid) {
        let _ = writeln!(text, "  {:<7}  {}: {}", finding.verdict.as_str(), finding.checker, summary_of(finding));
    }
    if let Some(dir) = dir {
        let _ = writeln!(text, "\n  report   {}/report.html\n  again    {}", dir.display(), run.facts.command);
    }
    text
}

/// All anomalies of one name, in full.
pub fn explanation(run: &JudgedRun, name: &str) -> String {
    let all = Shown { anomalies: usize::MAX, operations: usize::MAX, steps: usize::MAX };
    let operations = run.history.operations().unwrap_or_default();
    let anomalies = || run.findings.iter().flat_map(|finding| &finding.anomalies);
    let mut text = String::new();
    anomalies().filter(|anomaly| anomaly.name == name).for_each(|anomaly| show(&mut text, run, &operations, anomaly, &all));
    if text.is_empty() {
        let mut found: Vec<&str> = anomalies().map(|anomaly| anomaly.name.as_str()).collect();
        found.sort_unstable();
        found.dedup();
        let _ =
            writeln!(text, "no anomaly `{name}` was found; found: {}", if found.is_empty() { "none".to_owned() } else { found.join(", ") });
    }
    text
}

fn show(text: &mut String, run: &JudgedRun, operations: &[Operation<'_>], anomaly: &Anomaly, shown: &Shown) {
    let _ = writeln!(text, "\n  {}: {}", anomaly.name, anomaly.description);
    let is_timed = run.history.events.iter().any(|event| event.time != Nanos::ZERO);
    for operation in counterexample::shown(anomaly, operations).iter().take(shown.operations) {
        let _ = writeln!(text, "    {}", line(&run.history, operation, is_timed));
    }
    if let Some(sketch) = &anomaly.sketch {
        text.push('\n');
        sketch.lines().for_each(|line| {
            let _ = writeln!(text, "    {line}");
        });
        text.push('\n');
    }
    for step in anomaly.argument.iter().take(shown.steps) {
        let _ = writeln!(text, "    · {step}");
    }
}

/// An operation of a counterexample: its interval (in seconds, or as event numbers where no times were recorded), process, node and operation.
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
    format!("{number:>8} {when}  process {process:<5} {node}{:<5} {}", operation.kind.as_str(), label(operation))
}
