//! Workloads: the operations on a system, and the checks of their results. One file per workload.
//!
//! [`generator`] has the combinators of which workloads make their phases: mix, stagger, limits, keys in rotation …
//!
//! Adding a workload is one file, with its settings and their [`Settings`], and one line in the table below. All lists of workloads come from the table:
//! the enum [`WorkloadSpec`], the JSON Schema, `elenchus workloads`, suggestions for misspelt names, the conformance suite.

pub mod generator;
mod table;

pub use table::{Settings, WorkloadEntry};

table::workloads! {
    list_append: ListAppend(ListAppendSettings) = "list-append", "transactions that append to lists and read them; judged by isolation level";
    register: Register(RegisterSettings) = "register", "reads, writes and compare-and-set over many independent keys; judged for linearizability";
    set: Set(SetSettings) = "set", "elements are added to sets, which are read all the time; judged for lost and stale elements";
}
