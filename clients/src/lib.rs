//! Clients of systems: one file per protocol.
//!
//! The hard rule: a time-out, a dropped connection or an unknown error on anything that may write is [`elenchus_core::Failure::Info`], never `Fail`. The transport's
//! part of that rule is in one place, the `http` module. `tests/conformance.rs` holds every client of the table against servers that misbehave, and
//! `runner/tests/conformance.rs` against the real one.
//!
//! Adding a client is one file, with its settings and their [`Settings`], and one line in the table below. All lists of clients come from the table:
//! the enum [`ClientSpec`], the JSON Schema, `elenchus clients`, suggestions for misspelt names, the conformance suites.

mod http;
mod table;

pub use table::{ClientEntry, Settings, TestServer};

table::clients! {
    etcd: Etcd(EtcdSettings) = "etcd", "etcd's v3 API, by its JSON gateway";
    memory: Memory(MemorySettings) = "memory", "a store inside the control node, to try workloads without a system";
    noop: Noop(NoopSettings) = "noop", "no protocol: replies at once, to measure Elenchus itself";
    specimen: Specimen(SpecimenSettings) = "specimen", "the HTTP interface of the specimen, the sample system that comes with Elenchus";
}
