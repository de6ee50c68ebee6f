//! Who served during which fault.

use elenchus_core::{FaultWindow, History, Kind, NodeIndex, Operation};
use hdrhistogram::Histogram;

use super::figures::{self, histogram};

/// How many fault windows are told apart; those after are left out.
const WINDOWS: usize = 100;

/// How every node served while each fault was in force, and while none was.
pub(super) struct Availability {
    /// The names of the columns.
    pub(super) nodes: Vec<String>,
    /// First the time without faults, then every fault in order.
    pub(super) rows: Vec<Row>,
}

/// One stretch of time.
pub(super) struct Row {
    /// When, in seconds; empty for the time without faults.
    pub(super) when: String,
    /// The fault.
    pub(super) what: String,
    /// One for each node.
    pub(super) cells: Vec<Cell>,
}

/// One node in one stretch of time.
#[derive(Clone)]
pub(super) struct Cell {
    asked: u64,
    served: u64,
    latency_us: Histogram<u64>,
}

impl Cell {
    fn new() -> Cell {
        Cell { asked: 0, served: 0, latency_us: histogram() }
    }

    /// The share of operations that were served, in words; a dash where nobody asked.
    pub(super) fn share(&self) -> String {
        match (self.asked, self.served) {
            (0, _) => "–".to_owned(),
            (asked, served) if asked == served => "100 %".to_owned(),
            (asked, served) => format!("{:.1} %", (served as f64 / asked as f64 * 100.0).min(99.9)),
        }
    }

    /// Half and 99 % of the successful operations took less than this, in words.
    pub(super) fn latency(&self) -> String {
        if self.latency_us.is_empty() {
            return String::new();
        }
        let [median, _, most, _] = figures::quantiles(&self.latency_us);
        format!("{median:.1} · {most:.0} ms")
    }

    /// `full`, `some` or `none`, for its colour.
    pub(super) fn class(&self) -> &'static str {
        match (self.asked, self.served) {
            (0, _) => "",
            (asked, served) if served * 100 >= asked * 99 => "full",
            (asked, served) if served * 10 >= asked => "some",
            _ => "none",
        }
    }
}

/// An operation counts for every fault in force when it was invoked, and is served when the system answered it: also with a no.
/// O(operations × faults in force at once).
pub(super) fn availability(history: &History, operations: &[Operation<'_>], windows: &[FaultWindow]) -> Availability {
    let bitten = || windows.iter().filter(|window| window.injected != Some(Kind::Fail));
    let count = operations.iter().filter_map(|operation| operation.node).map(|node| usize::from(node.0) + 1).max().unwrap_or(0);
    let mut rows = vec![Row { when: String::new(), what: "no fault".to_owned(), cells: vec![Cell::new(); count] }];
    rows.extend(bitten().take(WINDOWS).map(|window| Row {
        when: format!("{:.1}–{}", window.from.as_secs_f64(), window.to.map_or(String::new(), |to| format!("{:.1}", to.as_secs_f64()))),
        what: format!("{}: {}", window.fault, window.what),
        cells: vec![Cell::new(); count],
    }));
    let mut coming = bitten().zip(1..).peekable();
    let mut active: Vec<(&FaultWindow, usize)> = Vec::new();
    for operation in operations {
        let Some(node) = operation.node else { continue };
        let from = history.event(operation.invoked).time;
        while let Some(begun) = coming.next_if(|(window, _)| window.from <= from) {
            active.push(begun);
        }
        active.retain(|(window, _)| window.to.is_none_or(|to| from < to));
        let mut count = |row: usize| {
            let Some(row) = rows.get_mut(row) else { return };
            let cell = &mut row.cells[usize::from(node.0)];
            cell.asked += 1;
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
