//! The operations of an anomaly, and its drawing.

use elenchus_checkers::picture::Lanes;
use elenchus_core::{Anomaly, EventIndex, Operation};

use super::JudgedRun;
use super::chart::Chart;

/// The largest number of anomalies shown for a finding, and of operations for an anomaly.
pub(super) const PICTURES: usize = 5;
const OPERATIONS: usize = 60;

/// A drawing of each anomaly that has one or lists operations, which are then drawn as lanes.
pub(super) fn draw(run: &JudgedRun, operations: &[Operation<'_>]) -> Vec<Chart> {
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

/// Whether an anomaly has a drawing.
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
