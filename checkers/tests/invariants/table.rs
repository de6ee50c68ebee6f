//! Properties of every invariant's checker.

use elenchus_checkers::build;
use elenchus_core::{CheckSpec, History, Verdict};

use crate::notation::{check, history, invariants};

#[test]
fn every_invariant_is_described() {
    for description in invariants() {
        assert!(!description.vocabulary.is_empty() && !description.anomalies.is_empty() && !description.source.is_empty());
    }
}

#[test]
fn an_empty_history_is_unknown() {
    for description in invariants() {
        let finding = check(&CheckSpec::new(description.name), &History::default());
        assert_eq!(finding.verdict, Verdict::Unknown, "{}", description.name);
    }
}

#[test]
fn unsupported_operations_are_reported_with_their_event() {
    let foreign = history("0 invoke frobnicate 1\n0 ok frobnicate 1");
    for description in invariants() {
        let finding = check(&CheckSpec::new(description.name), &foreign);
        assert_eq!(finding.verdict, Verdict::Unknown, "{}", description.name);
        assert!(finding.summary.starts_with("event #1: unsupported operation `frobnicate 1`"), "{}", finding.summary);
    }
}

#[test]
fn a_malformed_history_is_unknown() {
    let malformed = history("0 ok read 1");
    for description in invariants() {
        assert_eq!(build(&CheckSpec::new(description.name)).expect("built").check(&malformed).verdict, Verdict::Unknown);
    }
}
