//! The report page.

use askama::Template;
use elenchus_checkers::picture::label;
use elenchus_core::{Finding, Kind};

use super::availability::{Availability, availability};
use super::chart::Chart;
use super::{JudgedRun, ReportError, counterexample, figures, summary_of};

/// The largest number of injections listed.
const FAULTS: usize = 500;

#[derive(Template)]
#[template(path = "report.html")]
struct Page<'a> {
    run: &'a JudgedRun,
    verdict: &'static str,
    headline: String,
    findings: Vec<FindingView<'a>>,
    charts: Vec<&'a Chart>,
    faults: Vec<FaultRow>,
    availability: Availability,
    errors: Vec<(String, &'static str, u64)>,
}

struct FindingView<'a> {
    finding: &'a Finding,
    summary: &'a str,
    /// The number of anomalies that are not shown.
    more: usize,
    anomalies: Vec<AnomalyView<'a>>,
}

struct AnomalyView<'a> {
    name: &'a str,
    key: Option<String>,
    description: &'a str,
    argument: &'a [String],
    picture: Option<&'a str>,
    operations: Vec<(String, String, String, String)>,
}

impl AnomalyView<'_> {
    /// Whether the drawing shows operations in lanes, whose colours need a legend.
    fn has_lanes(&self) -> bool {
        self.picture.is_some_and(|svg| svg.contains("class=\"lanes\""))
    }
}

struct FaultRow {
    from: String,
    to: String,
    fault: &'static str,
    what: String,
    injected: &'static str,
    healed: &'static str,
    error: String,
}

/// The whole page, self-contained.
pub(super) fn page(run: &JudgedRun, charts: &[Chart]) -> Result<String, ReportError> {
    let operations = run.history.operations().unwrap_or_default();
    let windows = run.history.fault_windows();
    let mut pictures = charts.iter().filter(|chart| chart.name.starts_with("counterexample"));
    let findings = run.findings.iter().map(|finding| FindingView {
        finding,
        summary: summary_of(finding),
        more: finding.anomalies.len().saturating_sub(counterexample::PICTURES),
        anomalies: finding
            .anomalies
            .iter()
            .take(counterexample::PICTURES)
            .map(|anomaly| AnomalyView {
                name: &anomaly.name,
                key: anomaly.key.as_ref().map(ToString::to_string),
                description: &anomaly.description,
                argument: &anomaly.argument,
                picture: if counterexample::is_drawn(anomaly) { pictures.next().map(|chart| chart.svg.as_str()) } else { None },
                operations: counterexample::shown(anomaly, &operations)
                    .into_iter()
                    .map(|operation| {
                        let time = |index| format!("{:.6}", run.history.event(index).time.as_secs_f64());
                        let node = operation.node.map(|node| run.history.node_name(node)).unwrap_or_default();
                        let ended = operation
                            .completed
                            .map_or("never".to_owned(), |completed| format!("{} {}", time(completed), operation.kind.as_str()));
                        (format!("{} {node}", operation.process), time(operation.invoked), ended, label(&operation))
                    })
                    .collect(),
            })
            .collect(),
    });
    let page = Page {
        run,
        verdict: run.verdict().as_str(),
        headline: headline(run),
        findings: findings.collect(),
        charts: charts.iter().filter(|chart| !chart.name.starts_with("counterexample")).collect(),
        faults: windows
            .iter()
            .take(FAULTS)
            .map(|window| FaultRow {
                from: format!("{:.1}", window.from.as_secs_f64()),
                to: window.to.map_or("–".to_owned(), |to| format!("{:.1}", to.as_secs_f64())),
                fault: window.fault.as_str(),
                what: window.description.clone(),
                injected: verification(window.injected),
                healed: verification(window.healed),
                error: window.problem.as_deref().unwrap_or_default().to_owned(),
            })
            .collect(),
        availability: availability(&run.history, &operations, &windows),
        errors: figures::errors(&run.history),
    };
    page.render().map_err(|error| ReportError::Render(error.to_string()))
}

fn verification(kind: Option<Kind>) -> &'static str {
    match kind {
        Some(Kind::Ok) => "verified",
        Some(Kind::Info) => "not verified",
        Some(Kind::Fail) => "failed",
        _ => "–",
    }
}

/// The summary of the finding that decides the verdict.
pub(super) fn headline(run: &JudgedRun) -> String {
    let verdict = run.verdict();
    let decisive = run.findings.iter().find(|finding| finding.verdict == verdict);
    decisive.map_or_else(|| "nothing was checked".to_owned(), |finding| finding.summary.trim_end_matches('.').to_owned())
}
