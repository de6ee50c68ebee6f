//! The descriptions of the scenarios.

/// The description of a scenario: a row of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its key under `scenario`.
    pub name: &'static str,
    /// Its effect.
    pub what: &'static str,
    /// The faults that it is composed of.
    pub parts: &'static str,
}

/// All scenarios, in the order of the plan's documentation.
///
/// Gray failures are those that the system's own failure detector does not see while its users do (Huang et al., "Gray Failure: The Achilles' Heel of Cloud-Scale
/// Systems", HotOS 2017). `swizzle` is FoundationDB's "swizzle-clogging" (W. Wilson, "Testing Distributed Systems w/ Deterministic Simulation", Strange Loop 2014).
pub const LIBRARY: &[Entry] = &[
    Entry { name: "send_only", what: "the primary, by default, can send but not receive", parts: "an inbound `partition`" },
    Entry { name: "health_checks_only", what: "a node only answers health checks on its `ports`", parts: "`isolate` with `spare`" },
    Entry {
        name: "slow_disk_and_loss",
        what: "a node has a slow disk and loses a part of the packets that it receives",
        parts: "`io` and `loss`",
    },
    Entry {
        name: "late_wakers",
        what: "a minority is paused, resumes with old state and old clocks, and receives from the others only later",
        parts: "`pause` for `asleep`, and until the end a `clock` that is behind by it, and an inbound `partition`",
    },
    Entry {
        name: "flapping_link",
        what: "a node repeatedly stops receiving from the others",
        parts: "an inbound `partition` that comes and goes",
    },
    Entry {
        name: "slow_start",
        what: "a node repeatedly stops receiving, and then sends slowly at first, and twice as fast with each step",
        parts: "an inbound `partition`, and `link` with a `rate`, that come and go",
    },
    Entry {
        name: "flaky_network",
        what: "nodes lose a part of the packets that they receive, and now and then all of them",
        parts: "`loss`, and an inbound `partition` that comes and goes",
    },
    Entry { name: "rolling_pause", what: "one node after the other is paused", parts: "`pause`, node by node" },
    Entry {
        name: "swizzle",
        what: "nodes stop receiving one after the other, and resume one after the other in another order, as in FoundationDB's simulation",
        parts: "an inbound `partition`, node by node",
    },
];
