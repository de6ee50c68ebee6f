//! Latencies, rates and errors of a history.

use std::collections::BTreeMap;

use elenchus_core::{History, Kind, Operation};
use hdrhistogram::Histogram;

/// The largest number of time slices of a chart.
const SLICES: u64 = 120;

/// The longest latency that histograms resolve, in microseconds: one hour.
const LATENCY_MAX_US: u64 = 3_600_000_000;

/// The figures of one slice of time.
pub(super) struct Slice {
    /// The middle of the slice, in seconds.
    pub(super) at_s: f64,
    /// Operations per second that ended in ok, fail and info.
    pub(super) rates: [f64; 3],
    /// Latency of ok operations in milliseconds: median, 95th and 99th percentile, maximum; none without ok operations.
    pub(super) latency_ms: Option<[f64; 4]>,
}

/// Rates and latencies over time. Linear in the history; memory bounded by the number of slices.
pub(super) fn slices(history: &History, operations: &[Operation<'_>]) -> Vec<Slice> {
    let end = history.events.last().map_or(1, |event| event.time.0).max(1);
    let width = (end / SLICES + 1).max(100_000_000);
    let count = (end / width + 1) as usize;
    let mut counts = vec![[0u64; 3]; count];
    let mut latencies: Vec<Histogram<u64>> = (0..count).map(|_| histogram()).collect();
    for operation in operations {
        let Some(completed) = operation.completed else { continue };
        let (from, to) = (history.event(operation.invoked).time, history.event(completed).time);
        let at = (to.0 / width) as usize;
        counts[at][outcome(operation.kind)] += 1;
        if operation.kind == Kind::Ok {
            latencies[at].saturating_record((to - from).0 / 1000);
        }
    }
    let seconds = width as f64 / 1e9;
    (0..count)
        .map(|at| Slice {
            at_s: (at as f64 + 0.5) * seconds,
            rates: counts[at].map(|count| count as f64 / seconds),
            latency_ms: (!latencies[at].is_empty()).then(|| quantiles(&latencies[at])),
        })
        .collect()
}

/// An empty histogram of microseconds.
pub(super) fn histogram() -> Histogram<u64> {
    match Histogram::new_with_max(LATENCY_MAX_US, 2) {
        Ok(histogram) => histogram,
        Err(_) => unreachable!("the bounds are valid"),
    }
}

/// Median, 95th and 99th percentile and maximum of a histogram of microseconds, in milliseconds.
pub(super) fn quantiles(histogram: &Histogram<u64>) -> [f64; 4] {
    [histogram.value_at_quantile(0.5), histogram.value_at_quantile(0.95), histogram.value_at_quantile(0.99), histogram.max()]
        .map(|us| us as f64 / 1000.0)
}

/// 0, 1, 2 for ok, fail, info.
fn outcome(kind: Kind) -> usize {
    match kind {
        Kind::Ok => 0,
        Kind::Fail => 1,
        _ => 2,
    }
}

/// The most frequent errors of operations, with their outcome and count.
pub(super) fn errors(history: &History) -> Vec<(String, &'static str, u64)> {
    let mut counts: BTreeMap<(&str, &'static str), u64> = BTreeMap::new();
    for event in history.events.iter().filter(|event| event.process != elenchus_core::Process::Nemesis) {
        if let Some(error) = &event.error {
            *counts.entry((error, event.kind.as_str())).or_default() += 1;
        }
    }
    let mut errors: Vec<_> = counts.into_iter().map(|((error, kind), count)| (error.to_owned(), kind, count)).collect();
    errors.sort_by_key(|(_, _, count)| std::cmp::Reverse(*count));
    errors.truncate(12);
    errors
}
