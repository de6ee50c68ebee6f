//! The operations of an anomaly, and its picture.

use elenchus_checkers::picture::Lanes;
use elenchus_core::{Anomaly, EventIndex, Operation};

use super::Run;
use super::charts::Chart;

/// How many anomalies a report shows of each finding, and how many operations of each.
pub(super) const PICTURES: usize = 5;
const OPERATIONS: usize = 60;

/// A picture of each anomaly that has one, or names its operations: those are then drawn as they are.
pub(super) fn draw(run: &Run, operations: &[Operation<'_>]) -> Vec<Chart> {
    let anomalies = run.findings.iter().flat_map(|finding| finding.anomalies.iter().take(PICTURES));
    let pictures = anomalies.filter(|anomaly| is_drawn(anomaly)).enumerate().map(|(number, anomaly)| Chart {
        name: format!("counterexample-{}", number + 1),
        title: anomaly.description.clone(),
        legend: Vec::new(),
        svg: anomaly.picture.clone().unwrap_or_else(|| {
            let shown = shown(anomaly, operations);
            Lanes { operations: &shown, failing: shown.last().map(|last| last.invoked), order: None, others: &[] }.svg()
        }),
    });
    pictures.collect()
}

/// Whether an anomaly has a picture.
pub(super) fn is_drawn(anomaly: &Anomaly) -> bool {
    anomaly.picture.is_some() || !anomaly.operations.is_empty()
}

/// The operations of an anomaly, in order of invocation.
pub(super) fn shown<'h>(anomaly: &Anomaly, operations: &[Operation<'h>]) -> Vec<Operation<'h>> {
    let find = |index: &EventIndex| operations.binary_search_by_key(index, |operation| operation.invoked).ok().map(|at| operations[at]);
    let mut shown: Vec<_> = anomaly.operations.iter().take(OPERATIONS).filter_map(find).collect();
    shown.sort_by_key(|operation| operation.invoked);
    shown
}
