//! A counterexample as a picture: one bar an operation, one row a process, time from left to right.
//!
//! Events are spaced evenly: their order is the evidence, and operations a nanosecond apart must be told apart.

use std::fmt::Write as _;

use elenchus_core::{Anomaly, EventIndex, Kind, Operation};

use super::charts::Chart;
use super::{Run, html::escape};

/// How many anomalies a report shows of each finding, and how many operations of each.
pub(super) const PICTURES: usize = 5;
const OPERATIONS: usize = 60;

/// The least space between two events, and how wide a letter is at most.
const STEP: usize = 46;
const LETTER: usize = 7;
const ROW: usize = 34;
const LEFT: usize = 96;

/// A picture of each anomaly that names its operations.
pub(super) fn draw(run: &Run, operations: &[Operation<'_>]) -> Vec<Chart> {
    let anomalies = run.findings.iter().flat_map(|finding| finding.anomalies.iter().take(PICTURES));
    let pictures = anomalies.filter(|anomaly| !anomaly.operations.is_empty()).enumerate().map(|(number, anomaly)| Chart {
        name: format!("counterexample-{}", number + 1),
        title: anomaly.description.clone(),
        legend: Vec::new(),
        svg: picture(anomaly, operations),
    });
    pictures.collect()
}

/// The operations of an anomaly, in order of invocation.
pub(super) fn shown<'h, 'o>(anomaly: &Anomaly, operations: &'o [Operation<'h>]) -> Vec<&'o Operation<'h>> {
    let find = |index: &EventIndex| operations.binary_search_by_key(index, |operation| operation.invoked).ok().map(|at| &operations[at]);
    let mut shown: Vec<_> = anomaly.operations.iter().take(OPERATIONS).filter_map(find).collect();
    shown.sort_by_key(|operation| operation.invoked);
    shown
}

fn picture(anomaly: &Anomaly, operations: &[Operation<'_>]) -> String {
    let shown = shown(anomaly, operations);
    let mut moments: Vec<EventIndex> =
        shown.iter().flat_map(|operation| [Some(operation.invoked), operation.completed].into_iter().flatten()).collect();
    moments.sort_unstable();
    let mut processes: Vec<_> = shown.iter().map(|operation| operation.process).collect();
    processes.sort_unstable();
    processes.dedup();
    // Every operation has room for its words.
    let step = shown.iter().map(|operation| told(operation).chars().count() * LETTER + 12).max().unwrap_or(0).max(STEP);
    let (width, height) = (LEFT + (moments.len() + 1) * step, processes.len() * ROW + 16);
    let x = |index: EventIndex| LEFT + moments.binary_search(&index).unwrap_or(0) * step + step / 4;
    let mut svg = format!(
        "<svg viewBox=\"0 0 {width} {height}\" style=\"width:{width}px\" role=\"img\" xmlns=\"http://www.w3.org/2000/svg\" font-family=\"sans-serif\" font-size=\"12\">"
    );
    for (row, process) in processes.iter().enumerate() {
        let middle = row * ROW + ROW / 2 + 8;
        let _ = write!(
            svg,
            "<text x=\"4\" y=\"{}\" fill=\"currentColor\">process {process}</text><line x1=\"{LEFT}\" y1=\"{middle}\" x2=\"{width}\" y2=\"{middle}\" stroke=\"currentColor\" opacity=\"0.15\"/>",
            middle + 4
        );
    }
    for operation in &shown {
        let row = processes.iter().position(|process| *process == operation.process).unwrap_or(0);
        let top = row * ROW + 12;
        let from = x(operation.invoked);
        let to = operation.completed.filter(|_| operation.kind != Kind::Info).map_or(width - 8, x);
        let last = Some(&operation.invoked) == anomaly.operations.last();
        let color = match operation.kind {
            _ if last => "#d55e00",
            Kind::Ok => "#0072b2",
            _ => "#767677",
        };
        let dash = if operation.kind == Kind::Info { " stroke-dasharray=\"4 3\"" } else { "" };
        let label = escape(&told(operation));
        let _ = write!(
            svg,
            "<g><title>{label}</title><rect x=\"{from}\" y=\"{top}\" width=\"{}\" height=\"{}\" rx=\"4\" fill=\"{color}\" fill-opacity=\"0.18\" stroke=\"{color}\"{dash}/><text x=\"{}\" y=\"{}\" fill=\"currentColor\">{label}</text></g>",
            (to - from).max(8),
            ROW - 10,
            from + 5,
            top + 16
        );
    }
    svg.push_str("</svg>");
    svg
}

/// An operation in a few words, with a question mark where nobody knows whether it happened.
pub(super) fn told(operation: &Operation<'_>) -> String {
    format!("{operation}{}", if operation.kind == Kind::Info { " ?" } else { "" })
}
