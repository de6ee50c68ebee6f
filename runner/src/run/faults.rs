//! What the nemesis' work means for the verdict.

use elenchus_core::{Finding, Verdict};
use elenchus_nemesis::Outcome;

use super::finding;

/// Faults that could not be injected or healed weaken what a `valid` means, so they are said.
pub(super) fn findings(outcome: &Outcome, interrupted: bool) -> Vec<Finding> {
    let mut findings = Vec::new();
    if interrupted {
        findings.push(finding("run", Verdict::Unknown, "the run was interrupted; what was recorded until then is judged".to_owned()));
    }
    let Outcome { injected, failed, unhealed } = outcome;
    if !unhealed.is_empty() {
        findings.push(finding("faults", Verdict::Unknown, format!("still broken: {}; `elenchus heal` undoes it", unhealed.join("; "))));
    } else if *failed > 0 && *injected == 0 {
        findings.push(finding("faults", Verdict::Unknown, format!("none of {failed} faults could be injected, so none was survived")));
    } else if injected + failed > 0 {
        findings.push(finding(
            "faults",
            Verdict::Valid,
            format!("{injected} faults were injected and healed, {failed} could not be injected"),
        ));
    }
    findings
}
