//! The consistency models of registers below linearizability, as data: their names, and which implies which.

/// A consistency model of registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ConsistencyModel {
    /// One order of all operations on a key, true to real time.
    Linearizable,
    /// One order of all operations, true to sessions.
    Sequential,
    /// An order per session of all writes and its own reads, true to causality.
    CausalMemory,
    /// One order of all writes, true to causality; reads find the last that is causally before them.
    CausalConvergence,
    /// Reads find nothing that is causally overwritten.
    Causal,
    /// An order per session of all writes and its own reads, true to sessions.
    Pram,
    /// Reads find nothing older than what their session wrote.
    ReadYourWrites,
    /// Reads find nothing older than what their session read.
    MonotonicReads,
    /// Who sees a write sees what its session wrote before.
    MonotonicWrites,
    /// Who sees a write sees what its session read before.
    WritesFollowReads,
    /// Reads find the last write before them or one that they overlap.
    Regular,
    /// Reads that overlap no write find the last one.
    Safe,
    /// Reads find one of the last k versions.
    KAtomic,
    /// Reads are stale within bounds.
    BoundedStaleness,
    /// Readers agree some time after the last write.
    Eventual,
}

use ConsistencyModel::*;

/// What is known of a model.
pub struct ConsistencyEntry {
    /// The model.
    pub model: ConsistencyModel,
    /// Its name, in plans and reports.
    pub name: &'static str,
    /// What it promises, as in "the operations have …".
    pub promise: &'static str,
    /// What an anomaly of it is called, where the anomaly has no name of its own.
    pub anomaly: &'static str,
    /// What such an anomaly means, in one sentence.
    pub description: &'static str,
}

/// Every model by name, the stronger before the weaker.
pub const CONSISTENCY_MODELS: &[ConsistencyEntry] = &[
    entry(Linearizable, "linearizable", "have an order per key that is true to real time", "nonlinearizable", ""),
    entry(
        Sequential,
        "sequential",
        "have one order that is true to every session",
        "not-sequential",
        "These operations have no order that is true to every session and in which every read finds the last write.",
    ),
    entry(
        CausalMemory,
        "causal-memory",
        "have an order for every session's view that is true to causality",
        "not-causal-memory",
        "A session saw these writes in no order that is true to causality.",
    ),
    entry(
        CausalConvergence,
        "causal-convergence",
        "have one order of writes that is true to causality and in which every read finds the last it knows of",
        "not-convergent",
        "No one order of these writes explains what the sessions found.",
    ),
    entry(
        Pram,
        "pram",
        "have an order for every session's view that is true to every session",
        "not-pram",
        "A session saw these writes in no order that is true to the sessions that wrote them.",
    ),
    entry(Causal, "causal", "are causally consistent", "causality-violation", "A session found a value that is causally overwritten."),
    entry(ReadYourWrites, "read-your-writes", "let every session read its writes", "read-your-writes", ""),
    entry(MonotonicReads, "monotonic-reads", "let no session's reads go back", "monotonic-reads", ""),
    entry(MonotonicWrites, "monotonic-writes", "show every session the writes of each other in order", "monotonic-writes", ""),
    entry(WritesFollowReads, "writes-follow-reads", "show no session a write without what its writer had read", "writes-follow-reads", ""),
    entry(Regular, "regular-register", "are those of regular registers", "stale-read", ""),
    entry(Safe, "safe-register", "are those of safe registers", "stale-read", ""),
    entry(KAtomic, "k-atomic", "have an order true to real time in which reads find one of the last versions", "stale-read", ""),
    entry(BoundedStaleness, "bounded-staleness", "are stale within bounds", "stale-read", ""),
    entry(Eventual, "eventual", "came to agree", "divergence", ""),
];

const fn entry(
    model: ConsistencyModel,
    name: &'static str,
    promise: &'static str,
    anomaly: &'static str,
    description: &'static str,
) -> ConsistencyEntry {
    ConsistencyEntry { model, name, promise, anomaly, description }
}

/// That every history which the first model allows is allowed by the second.
pub struct Implication {
    /// The stronger model.
    pub stronger: ConsistencyModel,
    /// The weaker one.
    pub weaker: ConsistencyModel,
    /// Who says so, or why it is so.
    pub source: &'static str,
}

/// The lattice: what follows from what at once. k-atomic stands for every k.
pub const IMPLICATIONS: &[Implication] = &[
    implies(Linearizable, Sequential, "Herlihy & Wing 1990: linearizability is local, and real time contains the order of sessions"),
    implies(Linearizable, Regular, "Lamport 1986; Shao et al. 2011"),
    implies(Linearizable, KAtomic, "Golab, Li & Shah 2011: linearizable is 1-atomic"),
    implies(Linearizable, Eventual, "after the last write all reads find it"),
    implies(Sequential, CausalMemory, "Ahamad et al. 1995"),
    implies(Sequential, CausalConvergence, "Bouajjani et al. 2017"),
    implies(CausalMemory, Causal, "Bouajjani et al. 2017"),
    implies(CausalMemory, Pram, "Ahamad et al. 1995: causality contains the order of sessions"),
    implies(CausalMemory, WritesFollowReads, "Brzezinski et al. 2004"),
    implies(CausalConvergence, Causal, "Bouajjani et al. 2017"),
    implies(CausalConvergence, MonotonicReads, "what was read before is causally before, and all agree on one order"),
    implies(CausalConvergence, MonotonicWrites, "what its writer wrote before is causally before, and all agree on one order"),
    implies(CausalConvergence, WritesFollowReads, "what its writer read before is causally before, and all agree on one order"),
    implies(Causal, ReadYourWrites, "what a session wrote is causally before, and only its own later writes can be known to be newer"),
    implies(Pram, ReadYourWrites, "Brzezinski et al. 2004"),
    implies(Pram, MonotonicReads, "Brzezinski et al. 2004"),
    implies(Pram, MonotonicWrites, "Brzezinski et al. 2004"),
    implies(Regular, Safe, "Lamport 1986"),
];

const fn implies(stronger: ConsistencyModel, weaker: ConsistencyModel, source: &'static str) -> Implication {
    Implication { stronger, weaker, source }
}

impl ConsistencyModel {
    /// What is known of it.
    pub fn entry(self) -> &'static ConsistencyEntry {
        CONSISTENCY_MODELS.iter().find(|entry| entry.model == self).unwrap_or(&CONSISTENCY_MODELS[0])
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        self.entry().name
    }

    /// Whether every history that this model allows is allowed by the other.
    pub fn implies(self, other: ConsistencyModel) -> bool {
        let next = || IMPLICATIONS.iter().filter(|implication| implication.stronger == self);
        self == other || next().any(|implication| implication.weaker.implies(other))
    }
}
