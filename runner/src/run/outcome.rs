//! Findings about the run itself: how it ended, its faults, and the nodes' logs.

use std::time::Duration;

use elenchus_control::system::{LogPatterns, Node, System, on_all_nodes};
use elenchus_core::{Anomaly, Finding, Verdict};
use elenchus_nemesis::Outcome;

use crate::events::{Events, RunEvent};
use crate::judge::finding;
use crate::store::RunDir;

/// Why clients stopped.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// The planned time was over.
    OnTime,
    /// A violation was found, and the plan ends the run then.
    Violation,
    /// The user interrupted the run, or the history can no longer be recorded.
    Interrupted,
}

/// Reports an early end, and faults that could not be injected or healed: they weaken what `valid` means.
pub(super) fn findings(outcome: &Outcome, ending: Ending, elapsed: Duration, has_faults: bool) -> Vec<Finding> {
    let mut findings = Vec::new();
    let why = match ending {
        Ending::OnTime => None,
        Ending::Violation => {
            Some(format!("the run stopped at the first violation, after {:.1} s, because of `stop_on: violation`", elapsed.as_secs_f64()))
        }
        Ending::Interrupted => Some("the run was interrupted; the history until then was checked".to_owned()),
    };
    findings.extend(why.map(|why| finding("run", Verdict::Unknown, why)));
    let Outcome { injected, failed, unhealed } = outcome;
    if !unhealed.is_empty() {
        let summary = format!("still in force: {}; run `elenchus heal` on the run's directory to undo it", unhealed.join("; "));
        findings.push(finding("faults", Verdict::Unknown, summary));
    } else if *failed > 0 && *injected == 0 {
        let summary = format!("all {failed} fault injections failed, so fault tolerance was not tested");
        findings.push(finding("faults", Verdict::Unknown, summary));
    } else if injected + failed > 0 {
        let summary = format!("{injected} faults were injected and healed, {failed} injections failed");
        findings.push(finding("faults", Verdict::Valid, summary));
    } else if has_faults {
        let summary = "no fault was injected, so fault tolerance was not tested: none was due before the end of the run, or `safety`, `group` or \
                       `chance` excluded all";
        findings.push(finding("faults", Verdict::Unknown, summary.to_owned()));
    }
    findings
}

/// Fetches every node's logs and searches them for the patterns of the system's definition.
pub(super) async fn fetch_logs(system: &System, nodes: &[Node], dir: &RunDir, events: &Events) -> Vec<Finding> {
    let folder = dir.logs();
    let fetched = on_all_nodes(nodes, |node| {
        let folder = &folder;
        async move {
            let files = system.fetch_logs(node, folder).await?;
            events.emit(RunEvent::LogsFetched { node: node.name.clone(), files: files.len() });
            Ok(())
        }
    });
    let mut findings: Vec<Finding> = fetched
        .await
        .err()
        .map(|error| finding("node-logs", Verdict::Unknown, format!("some logs could not be fetched: {error}")))
        .into_iter()
        .collect();
    match LogPatterns::new(system.definition()).and_then(|patterns| patterns.search(&folder)) {
        Err(error) => findings.push(finding("node-logs", Verdict::Unknown, error.to_string())),
        Ok(found) if found.is_empty() => {
            findings.push(finding("node-logs", Verdict::Valid, "no line of the nodes' logs matches a log pattern of the system".to_owned()))
        }
        Ok(found) => {
            let mut matches = finding(
                "node-logs",
                Verdict::Invalid,
                format!("{} lines of the nodes' logs match a log pattern of the system", found.len()),
            );
            matches.anomalies = found
                .iter()
                .map(|line| Anomaly {
                    name: line.name.clone(),
                    description: format!("{} ({}:{}): {}", line.node, line.file.display(), line.line, line.text),
                    ..Anomaly::default()
                })
                .collect();
            findings.push(matches);
        }
    }
    findings
}
