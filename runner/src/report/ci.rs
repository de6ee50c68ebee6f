//! For CI services: JUnit and annotations.

use elenchus_core::Verdict;
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::{JudgedRun, ReportError, summary_of};

/// The findings as JUnit test cases: `invalid` is a failure, `unknown` an error.
///
/// # Errors
/// When the XML cannot be written.
pub fn junit(run: &JudgedRun) -> Result<String, ReportError> {
    let mut suite = TestSuite::new(run.facts.name.as_str());
    for finding in &run.findings {
        let mut status = match finding.verdict {
            Verdict::Valid => TestCaseStatus::success(),
            Verdict::Unknown => TestCaseStatus::non_success(NonSuccessKind::Error),
            Verdict::Invalid => TestCaseStatus::non_success(NonSuccessKind::Failure),
        };
        status.set_message(summary_of(finding));
        let details: Vec<String> = finding.anomalies.iter().map(|anomaly| format!("{}: {}", anomaly.name, anomaly.description)).collect();
        if finding.verdict != Verdict::Valid {
            status.set_description(details.join("\n"));
        }
        suite.add_test_case(TestCase::new(finding.checker.as_str(), status));
    }
    let mut report = Report::new("elenchus");
    report.add_test_suite(suite);
    report.to_string().map_err(|error| ReportError::Render(error.to_string()))
}

/// The findings as GitHub Actions' workflow commands: an error for `invalid`, a warning for `unknown`.
pub fn annotations(run: &JudgedRun) -> String {
    let escape = |text: &str| text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    let line = |finding: &elenchus_core::Finding| {
        let level = if finding.verdict == Verdict::Invalid { "error" } else { "warning" };
        let title = format!("{} {}", run.facts.name, finding.checker).replace([':', ','], " ");
        format!("::{level} title={}::{}: {}\n", escape(&title), finding.verdict, escape(summary_of(finding)))
    };
    run.findings.iter().filter(|finding| finding.verdict != Verdict::Valid).map(line).collect()
}
