//! The consistency models of registers as data: their names and the implications between them.

/// A consistency model of registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ConsistencyModel {
    /// One total order of the operations on each key, respecting real time.
    Linearizable,
    /// One total order of all operations, respecting session order.
    Sequential,
    /// For each session an order of all writes and its own reads, respecting causality.
    CausalMemory,
    /// One order of all writes, respecting causality; a read returns the last write that causally precedes it.
    CausalConvergence,
    /// No read returns a causally overwritten value.
    Causal,
    /// For each session an order of all writes and its own reads, respecting session order.
    Pram,
    /// No read returns a version older than one that its session wrote.
    ReadYourWrites,
    /// No read returns a version older than one that its session read.
    MonotonicReads,
    /// A session that has seen a write also sees the earlier writes of its writer.
    MonotonicWrites,
    /// A session that has seen a write also sees what its writer had read before.
    WritesFollowReads,
    /// A read returns the last write before it or one that it overlaps.
    Regular,
    /// A read that overlaps no write returns the last one.
    Safe,
    /// A read returns one of the last k versions.
    KAtomic,
    /// The staleness of reads is bounded, in versions or time.
    BoundedStaleness,
    /// All readers converge after the last write.
    Eventual,
}

use ConsistencyModel::*;

/// A row of the table of models.
pub struct ConsistencyEntry {
    /// The model.
    pub model: ConsistencyModel,
    /// Its name in plans and reports.
    pub name: &'static str,
    /// The name of a violation, where it has no more specific one.
    pub anomaly: &'static str,
    /// The meaning of such a violation, in one sentence; empty where the anomalies describe themselves.
    pub description: &'static str,
}

/// Every model, stronger ones before weaker ones.
pub const CONSISTENCY_MODELS: &[ConsistencyEntry] = &[
    entry(Linearizable, "linearizable", "nonlinearizable", ""),
    entry(
        Sequential,
        "sequential",
        "not-sequential",
        "No total order of these operations respects every session and has every read return the latest write.",
    ),
    entry(
        CausalMemory,
        "causal-memory",
        "not-causal-memory",
        "No order of these writes respects causality and explains the reads of one session.",
    ),
    entry(CausalConvergence, "causal-convergence", "not-convergent", "No single order of these writes explains the reads of all sessions."),
    entry(
        Pram,
        "pram",
        "not-pram",
        "No order of these writes respects the sessions that wrote them and explains the reads of one session.",
    ),
    entry(Causal, "causal", "causality-violation", "A session read a value that was causally overwritten."),
    entry(ReadYourWrites, "read-your-writes", "read-your-writes", ""),
    entry(MonotonicReads, "monotonic-reads", "monotonic-reads", ""),
    entry(MonotonicWrites, "monotonic-writes", "monotonic-writes", ""),
    entry(WritesFollowReads, "writes-follow-reads", "writes-follow-reads", ""),
    entry(Regular, "regular-register", "stale-read", ""),
    entry(Safe, "safe-register", "stale-read", ""),
    entry(KAtomic, "k-atomic", "stale-read", ""),
    entry(BoundedStaleness, "bounded-staleness", "stale-read", ""),
    entry(Eventual, "eventual", "divergence", ""),
];

const fn entry(model: ConsistencyModel, name: &'static str, anomaly: &'static str, description: &'static str) -> ConsistencyEntry {
    ConsistencyEntry { model, name, anomaly, description }
}

/// An implication: every history that the stronger model allows is allowed by the weaker one.
pub struct Implication {
    /// The stronger model.
    pub stronger: ConsistencyModel,
    /// The weaker one.
    pub weaker: ConsistencyModel,
    /// Where it is proved, or why it holds.
    pub source: &'static str,
}

/// The direct implications of the lattice. `k-atomic` stands for every k.
pub const IMPLICATIONS: &[Implication] = &[
    implies(Linearizable, Sequential, "Herlihy & Wing 1990: linearizability is local, and real-time order contains session order"),
    implies(Linearizable, Regular, "Lamport 1986; Shao et al. 2011"),
    implies(Linearizable, KAtomic, "Golab, Li & Shah 2011: linearizable is 1-atomic"),
    implies(Linearizable, Eventual, "after the last write all reads return it"),
    implies(Sequential, CausalMemory, "Ahamad et al. 1995"),
    implies(Sequential, CausalConvergence, "Bouajjani et al. 2017"),
    implies(CausalMemory, Causal, "Bouajjani et al. 2017"),
    implies(CausalMemory, Pram, "Ahamad et al. 1995: causal order contains session order"),
    implies(CausalMemory, WritesFollowReads, "Brzezinski et al. 2004"),
    implies(CausalConvergence, Causal, "Bouajjani et al. 2017"),
    implies(CausalConvergence, MonotonicReads, "earlier reads causally precede, and all sessions agree on one order"),
    implies(CausalConvergence, MonotonicWrites, "the earlier writes of a writer causally precede, and all sessions agree on one order"),
    implies(CausalConvergence, WritesFollowReads, "the earlier reads of a writer causally precede, and all sessions agree on one order"),
    implies(
        Causal,
        ReadYourWrites,
        "a session's own writes causally precede its reads, and only its own later writes are known to be newer",
    ),
    implies(Pram, ReadYourWrites, "Brzezinski et al. 2004"),
    implies(Pram, MonotonicReads, "Brzezinski et al. 2004"),
    implies(Pram, MonotonicWrites, "Brzezinski et al. 2004"),
    implies(Regular, Safe, "Lamport 1986"),
];

const fn implies(stronger: ConsistencyModel, weaker: ConsistencyModel, source: &'static str) -> Implication {
    Implication { stronger, weaker, source }
}

impl ConsistencyModel {
    /// Returns the model's row in the table.
    pub fn entry(self) -> &'static ConsistencyEntry {
        CONSISTENCY_MODELS.iter().find(|entry| entry.model == self).unwrap_or(&CONSISTENCY_MODELS[0])
    }

    /// Returns the model's name.
    pub fn name(self) -> &'static str {
        self.entry().name
    }

    /// Returns whether every history that this model allows is allowed by the other.
    pub fn implies(self, other: ConsistencyModel) -> bool {
        let next = || IMPLICATIONS.iter().filter(|implication| implication.stronger == self);
        self == other || next().any(|implication| implication.weaker.implies(other))
    }
}
