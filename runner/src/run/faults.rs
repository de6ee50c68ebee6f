//! What the nemesis' work, and the end of the run, mean for the verdict.

use std::time::Duration;

use elenchus_core::{Finding, Verdict};
use elenchus_nemesis::Outcome;

use super::{Ending, finding};

/// Faults that could not be injected or healed weaken what a `valid` means, and so does an early end: they are said.
pub(super) fn findings(outcome: &Outcome, ending: Ending, elapsed: Duration, has_faults: bool) -> Vec<Finding> {
    let mut findings = Vec::new();
    let why = match ending {
        Ending::InTime => None,
        Ending::Violation => Some(format!("the run ended after {:.1} s at the first violation, as the plan asks", elapsed.as_secs_f64())),
        Ending::Interrupted => Some("the run was interrupted; what was recorded until then is judged".to_owned()),
    };
    findings.extend(why.map(|why| finding("run", Verdict::Unknown, why)));
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
    } else if has_faults {
        let why = "no fault was injected, so none was survived: none was due before the end, or `safety`, `group` or `chance` left all of them out";
        findings.push(finding("faults", Verdict::Unknown, why.to_owned()));
    }
    findings
}
