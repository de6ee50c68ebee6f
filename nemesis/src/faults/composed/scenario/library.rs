//! What is known of each scenario, for people.

/// A scenario, in words short enough for a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its key under `scenario`.
    pub name: &'static str,
    /// What it is like.
    pub what: &'static str,
    /// What it is made of.
    pub parts: &'static str,
}

/// All scenarios, in the order of the plan's documentation.
///
/// Gray failures are those that the system's own failure detector does not see while its users do (Huang et al., "Gray Failure: The Achilles' Heel of Cloud-Scale
/// Systems", HotOS 2017). `swizzle` is FoundationDB's "swizzle-clogging" (W. Wilson, "Testing Distributed Systems w/ Deterministic Simulation", Strange Loop 2014).
pub const LIBRARY: &[Entry] = &[
    Entry {
        name: "send_only",
        what: "a leader, unless others are named, that can send but not receive",
        parts: "`partition` of what arrives from nodes",
    },
    Entry {
        name: "health_checks_only",
        what: "a node that answers health checks on its `ports`, and nobody and nothing else",
        parts: "`isolate` with `spare`",
    },
    Entry {
        name: "slow_disk_and_loss",
        what: "a node with a slow disk that loses a part of what it gets, and nothing of what it sends",
        parts: "`io` and `loss`",
    },
    Entry {
        name: "late_wakers",
        what: "a minority that is paused, goes on with what it knew and with the clock that it had, and hears of the others later still",
        parts: "`pause` for the time `asleep`, and until the end `clock` behind by it and `partition` of what arrives from nodes",
    },
    Entry {
        name: "flapping_link",
        what: "a node that hears the others, and does not, and does, again and again",
        parts: "`partition` of what arrives from nodes, that comes and goes",
    },
    Entry {
        name: "slow_start",
        what: "a node that does not hear the others, and then sends slowly at first, and twice as fast with each step, again and again",
        parts: "`partition` of what arrives from nodes, and `link` with a `rate`, that come and go",
    },
    Entry {
        name: "flaky_network",
        what: "nodes that lose a part of what they get, and now and then all of it",
        parts: "`loss`, and `partition` of what arrives from nodes, that comes and goes",
    },
    Entry { name: "rolling_pause", what: "one node after the other is paused", parts: "`pause`, node by node" },
    Entry {
        name: "swizzle",
        what: "nodes are cut off one after the other, and come back one after the other in another order, as FoundationDB does it",
        parts: "`partition` of what arrives from nodes, node by node",
    },
];
