//! Availability: which nodes served during which fault.

use elenchus_core::{FaultWindow, History, Kind, NodeIndex, Operation};
use hdrhistogram::Histogram;

use super::figures::{self, histogram};

/// The largest number of fault windows shown; later ones are left out.
const WINDOWS: usize = 100;

/// The availability of every node during each fault, and without faults.
pub(super) struct Availability {
    /// The nodes' names: the columns.
    pub(super) nodes: Vec<String>,
    /// The time without faults first, then every fault in order.
    pub(super) rows: Vec<Row>,
}

/// A period.
pub(super) struct Row {
    /// From and to, in seconds; empty for the time without faults.
    pub(super) when: String,
    /// The fault.
    pub(super) what: String,
    /// A cell for each node.
    pub(super) cells: Vec<Cell>,
}

/// A node during a period.
#[derive(Clone)]
pub(super) struct Cell {
    invoked: u64,
    served: u64,
    latency_us: Histogram<u64>,
}

impl Cell {
    fn new() -> Cell {
        Cell { invoked: 0, served: 0, latency_us: histogram() }
    }

    /// The share of operations that were served; a dash for no operation.
    pub(super) fn share(&self) -> String {
        match (self.invoked, self.served) {
            (0, _) => "–".to_owned(),
            (invoked, served) if invoked == served => "100 %".to_owned(),
            (invoked, served) => format!("{:.1} %", (served as f64 / invoked as f64 * 100.0).min(99.9)),
        }
    }

    /// The median and the 99th percentile of the latency of successful operations.
    pub(super) fn latency(&self) -> String {
        if self.latency_us.is_empty() {
            return String::new();
        }
        let [median, _, most, _] = figures::quantiles(&self.latency_us);
        format!("{median:.1} · {most:.0} ms")
    }

    /// The CSS class for its colour: `full`, `some` or `none`.
    pub(super) fn class(&self) -> &'static str {
        match (self.invoked, self.served) {
            (0, _) => "",
            (invoked, served) if served * 100 >= invoked * 99 => "full",
            (invoked, served) if served * 10 >= invoked => "some",
            _ => "none",
        }
    }
}

/// An operation counts for every fault in force when it was invoked. It is served when the system answered it, also negatively.
/// O(operations × faults in force at once).
pub(super) fn availability(history: &History, operations: &[Operation<'_>], windows: &[FaultWindow]) -> Availability {
    let injected = || windows.iter().filter(|window| window.injected != Some(Kind::Fail));
    let count = operations.iter().filter_map(|operation| operation.node).map(|node| usize::from(node.0) + 1).max().unwrap_or(0);
    let mut rows = vec![Row { when: String::new(), what: "no fault".to_owned(), cells: vec![Cell::new(); count] }];
    rows.extend(injected().take(WINDOWS).map(|window| Row {
        when: format!("{:.1}–{}", window.from.as_secs_f64(), window.to.map_or(String::new(), |to| format!("{:.1}", to.as_secs_f64()))),
        what: format!("{}: {}", window.fault, window.description),
        cells: vec![Cell::new(); count],
    }));
    let mut upcoming = injected().zip(1..).peekable();
    let mut active: Vec<(&FaultWindow, usize)> = Vec::new();
    for operation in operations {
        let Some(node) = operation.node else { continue };
        let from = history.event(operation.invoked).time;
        while let Some(begun) = upcoming.next_if(|(window, _)| window.from <= from) {
            active.push(begun);
        }
        active.retain(|(window, _)| window.to.is_none_or(|to| from < to));
        let mut count = |row: usize| {
            let Some(row) = rows.get_mut(row) else { return };
            let cell = &mut row.cells[usize::from(node.0)];
            cell.invoked += 1;
            let Some(end) = operation.completed.map(|completed| history.event(completed)) else { return };
            cell.served += u64::from(end.error.is_none() && end.kind != Kind::Info);
            if end.kind == Kind::Ok {
                cell.latency_us.saturating_record((end.time - from).0 / 1000);
            }
        };
        if active.is_empty() {
            count(0);
        }
        active.iter().for_each(|(_, row)| count(*row));
    }
    Availability { nodes: (0..count).map(|node| history.node_name(NodeIndex(node as u16))).collect(), rows }
}
