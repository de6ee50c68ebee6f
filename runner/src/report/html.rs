//! The page.

use askama::Template;
use elenchus_checkers::picture::told;
use elenchus_core::{Finding, Kind, Verdict};

use super::availability::{Availability, availability};
use super::charts::Chart;
use super::{ReportError, Run, counterexample, figures};

/// How many injections the page lists.
const FAULTS: usize = 500;

#[derive(Template)]
#[template(path = "report.html")]
struct Page<'a> {
    run: &'a Run,
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
    /// How many anomalies are not shown.
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
    /// Whether the picture is of operations in lanes, whose colours are explained.
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
    doubt: String,
}

/// The whole page, which needs nothing else.
pub(super) fn page(run: &Run, charts: &[Chart]) -> Result<String, ReportError> {
    let operations = run.history.operations().unwrap_or_default();
    let windows = run.history.fault_windows();
    let mut pictures = charts.iter().filter(|chart| chart.name.starts_with("counterexample"));
    let findings = run.findings.iter().map(|finding| FindingView {
        finding,
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
                        (format!("{} {node}", operation.process), time(operation.invoked), ended, told(&operation))
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
                what: window.what.clone(),
                injected: proved(window.injected),
                healed: proved(window.healed),
                doubt: window.doubt.as_deref().unwrap_or_default().to_owned(),
            })
            .collect(),
        availability: availability(&run.history, &operations, &windows),
        errors: figures::errors(&run.history),
    };
    page.render().map_err(|error| ReportError::Made(error.to_string()))
}

fn proved(kind: Option<Kind>) -> &'static str {
    match kind {
        Some(Kind::Ok) => "verified",
        Some(Kind::Info) => "not verified",
        Some(Kind::Fail) => "failed",
        _ => "–",
    }
}

/// The verdict in words.
pub(super) fn headline(run: &Run) -> String {
    let gravest = run.findings.iter().find(|finding| finding.verdict == run.verdict());
    let summary = gravest.map_or("nothing was checked", |finding| finding.summary.trim_end_matches('.'));
    match run.verdict() {
        Verdict::Valid => format!("Every promise that was checked held: {summary}."),
        Verdict::Unknown => format!("Nothing was decided: {summary}."),
        Verdict::Invalid => format!("A promise was broken: {summary}."),
    }
}
