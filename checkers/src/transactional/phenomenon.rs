//! What can be wrong with a history of transactions: names, meanings, and which of them are cases of which.

/// A phenomenon, by Adya's and Elle's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
#[allow(missing_docs)]
pub enum Phenomenon {
    DuplicateElements,
    CyclicVersions,
    G0,
    GarbageRead,
    G1a,
    DirtyUpdate,
    IncompatibleOrder,
    G1b,
    G1c,
    FutureRead,
    Internal,
    PredicateReadMiss,
    NonrepeatableRead,
    ObservedTransactionVanishes,
    FracturedRead,
    CausalityViolation,
    LostUpdate,
    GCursor,
    GMonotonic,
    GSingleItem,
    LongFork,
    PrefixViolation,
    GNonadjacentItem,
    WriteSkew,
    GUpdate,
    G2Item,
    G0Process,
    G1cProcess,
    CausalityViolationProcess,
    StaleSumProcess,
    GSingleItemProcess,
    GNonadjacentItemProcess,
    G2ItemProcess,
    G0Realtime,
    FutureSumRealtime,
    G1cRealtime,
    StaleSumRealtime,
    GSingleItemRealtime,
    GNonadjacentItemRealtime,
    G2ItemRealtime,
    // What is found where the order of versions is not known.
    NoMonotonicOrder,
    NoAtomicOrder,
    NoCausalOrder,
    NoPrefixOrder,
    NoSnapshotOrder,
    NoSerialOrder,
    NoCausalOrderProcess,
    NoSnapshotOrderProcess,
    NoSerialOrderProcess,
    NoSnapshotOrderRealtime,
    NoSerialOrderRealtime,
    // Classes: what is found is a case of them. Those with anti-dependencies are found themselves where one of those is of a predicate.
    G1,
    G1Process,
    G1Realtime,
    GMsr,
    GSib,
    GSi,
    GSingle,
    GSingleProcess,
    GSingleRealtime,
    GNonadjacent,
    GNonadjacentProcess,
    GNonadjacentRealtime,
    G2,
    G2Process,
    G2Realtime,
}

use Phenomenon::*;

/// What is known about a phenomenon.
pub struct PhenomenonEntry {
    /// Which.
    pub phenomenon: Phenomenon,
    /// Its name in the field.
    pub name: &'static str,
    /// What it is.
    pub about: &'static str,
    /// What one instance is, where instances are counted; empty for a class.
    pub counts: &'static str,
    /// What it is a case of.
    pub implies: &'static [Phenomenon],
    /// Where that is from.
    pub source: &'static str,
}

const fn row(
    phenomenon: Phenomenon,
    name: &'static str,
    about: &'static str,
    counts: &'static str,
    implies: &'static [Phenomenon],
    source: &'static str,
) -> PhenomenonEntry {
    PhenomenonEntry { phenomenon, name, about, counts, implies, source }
}

const WW_EDGES: &str = "write dependencies on such a cycle";
const WR_EDGES: &str = "read dependencies on such a cycle, and write dependencies that a crashed transaction or a read establishes";
const RW_EDGES: &str = "anti-dependencies on such a cycle, and on no cycle of a worse kind of the same form";
const READS: &str = "reads";
const INFERRED: &str = "inferred write dependencies on a cycle of those and what else makes the order";
const CORES: &str = "sets of transactions that contradict one another, of which one is looked for";

/// Every phenomenon, in the order of [`Phenomenon`]: the plainest and worst first.
///
/// "Dependencies" are write dependencies (ww) and read dependencies (wr); an anti-dependency (rw) leads from who read a version to who wrote
/// the next. `-process` forms need an edge of session order to close the cycle, `-realtime` forms one of real-time order.
pub static PHENOMENA: &[PhenomenonEntry] = &[
    row(
        DuplicateElements,
        "duplicate-elements",
        "a list holds an element twice that a committed transaction appended once",
        READS,
        &[],
        "Kingsbury & Alvaro 2020, Elle",
    ),
    row(
        CyclicVersions,
        "cyclic-versions",
        "versions of a key precede one another in a circle under what was assumed of keys",
        "keys",
        &[],
        "Elle",
    ),
    row(G0, "G0", "a dirty write: a cycle of write dependencies", WW_EDGES, &[G1c, G0Process], "Adya 1999, 4.2.1"),
    row(GarbageRead, "garbage-read", "a read of a value that nobody wrote", READS, &[G1a], "Kingsbury & Alvaro 2020"),
    row(G1a, "G1a", "an aborted read: a read of what a failed transaction wrote", READS, &[G1], "Adya 1999, 4.2.2"),
    row(DirtyUpdate, "dirty-update", "a committed version is built on an aborted one", "pairs of adjacent versions", &[G1a], "Elle"),
    row(
        IncompatibleOrder,
        "incompatible-order",
        "reads of a list that cannot come from one order of its appends",
        "reads that depart from the first, or hold what a crashed transaction appended twice; and appends against the order of their transaction",
        &[G1a],
        "Elle",
    ),
    row(G1b, "G1b", "an intermediate read: a read of what its writer overwrote itself", READS, &[G1], "Adya 1999, 4.2.2"),
    row(G1c, "G1c", "circular information flow: a cycle of dependencies", WR_EDGES, &[G1, G1cProcess], "Adya 1999, 4.2.2"),
    row(FutureRead, "future-read", "a transaction read what it wrote only later", READS, &[G1c], "Elle"),
    row(
        Internal,
        "internal",
        "a transaction read other than what it had itself read or written before",
        READS,
        &[],
        "Cerone, Bernardi & Gotsman 2015, INT",
    ),
    row(
        PredicateReadMiss,
        "predicate-read-miss",
        "a predicate read left out what its transaction had itself read or written before, or found what does not match",
        "keys",
        &[Internal],
        "Adya 1999, 4.2; Cerone, Bernardi & Gotsman 2015, INT",
    ),
    row(
        NonrepeatableRead,
        "nonrepeatable-read",
        "a fuzzy read: a transaction read two versions of an object that it had not written",
        READS,
        &[Internal, GSingleItem],
        "Berenson et al. 1995, P2",
    ),
    row(
        ObservedTransactionVanishes,
        "observed-transaction-vanishes",
        "a transaction saw another, and then a version that the other had overwritten",
        "pairs of reads",
        &[FracturedRead, GMonotonic],
        "Bailis et al. 2013, OTV",
    ),
    row(
        FracturedRead,
        "fractured-read",
        "a transaction saw one write of another and missed a second: the read skew of one writer",
        "pairs of reads",
        &[CausalityViolation],
        "Bailis et al. 2014, RAMP",
    ),
    row(
        CausalityViolation,
        "causality-violation",
        "a transaction missed a write in its own causal past",
        "pairs of a reader and a key",
        &[GSingleItem, CausalityViolationProcess],
        "Cerone, Bernardi & Gotsman 2015; Biswas & Enea 2019",
    ),
    row(
        LostUpdate,
        "lost-update",
        "transactions read the same version and overwrote it",
        "versions",
        &[GCursor, G2Item],
        "Berenson et al. 1995, P4",
    ),
    row(
        GCursor,
        "G-cursor",
        "a transaction overwrote an object that was overwritten after it had read it",
        "pairs of a transaction and a key",
        &[GSingleItem],
        "Adya 1999, 4.2.3",
    ),
    row(
        GMonotonic,
        "G-monotonic",
        "a later read of a transaction saw less than an earlier one",
        "reads",
        &[GSingleItem, GMsr],
        "Adya 1999, 4.2.4",
    ),
    row(
        GSingleItem,
        "G-single-item",
        "read skew: a cycle with exactly one anti-dependency",
        RW_EDGES,
        &[GSingle, GSib, GNonadjacentItem, GSingleItemProcess],
        "Adya 1999, 4.3.1",
    ),
    row(
        LongFork,
        "long-fork",
        "two readers saw two writers in opposite orders",
        "pairs of readers",
        &[PrefixViolation],
        "Sovran et al. 2011",
    ),
    row(
        PrefixViolation,
        "prefix-violation",
        "a cycle in which every anti-dependency follows a read dependency: no snapshot is a prefix of the commit order",
        RW_EDGES,
        &[GNonadjacentItem],
        "Cerone, Bernardi & Gotsman 2015, PREFIX",
    ),
    row(
        GNonadjacentItem,
        "G-nonadjacent-item",
        "a cycle in which no two anti-dependencies are adjacent, and more than one",
        RW_EDGES,
        &[GNonadjacent, G2Item, GNonadjacentItemProcess],
        "Cerone & Gotsman 2016",
    ),
    row(
        WriteSkew,
        "write-skew",
        "two transactions each overwrote what the other had read",
        "pairs of transactions",
        &[G2Item],
        "Berenson et al. 1995, A5B",
    ),
    row(
        GUpdate,
        "G-update",
        "updates and at most one read-only transaction form a cycle with an anti-dependency",
        "anti-dependencies among updates on such a cycle, and read-only transactions that close one",
        &[G2Item],
        "Adya 1999, 4.3.3",
    ),
    row(G2Item, "G2-item", "a cycle with anti-dependencies, some of them adjacent", RW_EDGES, &[G2, G2ItemProcess], "Adya 1999, 4.2.3"),
    row(G0Process, "G0-process", "a cycle of write dependencies and session order", WW_EDGES, &[G1cProcess, G0Realtime], "Elle"),
    row(G1cProcess, "G1c-process", "a cycle of dependencies and session order", WR_EDGES, &[G1Process, G1cRealtime], "Elle"),
    row(
        CausalityViolationProcess,
        "causality-violation-process",
        "a transaction missed a write in the causal past of its session",
        "pairs of a reader and a key",
        &[GSingleItemProcess],
        "Biswas & Enea 2019",
    ),
    row(
        StaleSumProcess,
        "stale-sum-process",
        "a sum is less than what its reader's session had added before",
        READS,
        &[GSingleItemProcess],
        "Terry et al. 1994, read your writes",
    ),
    row(
        GSingleItemProcess,
        "G-single-item-process",
        "a cycle with exactly one anti-dependency, and session order",
        RW_EDGES,
        &[GSingleProcess, GNonadjacentItemProcess, GSingleItemRealtime],
        "Elle",
    ),
    row(
        GNonadjacentItemProcess,
        "G-nonadjacent-item-process",
        "a cycle without adjacent anti-dependencies, and session order",
        RW_EDGES,
        &[GNonadjacentProcess, G2ItemProcess, GNonadjacentItemRealtime],
        "Elle",
    ),
    row(
        G2ItemProcess,
        "G2-item-process",
        "a cycle with anti-dependencies and session order",
        RW_EDGES,
        &[G2Process, G2ItemRealtime],
        "Elle",
    ),
    row(G0Realtime, "G0-realtime", "a cycle of write dependencies and real-time order", WW_EDGES, &[G1cRealtime], "Elle"),
    row(
        FutureSumRealtime,
        "future-sum-realtime",
        "a sum is more than all had added that were invoked before its reader completed",
        READS,
        &[G1cRealtime],
        "Jepsen, counter",
    ),
    row(G1cRealtime, "G1c-realtime", "a cycle of dependencies and real-time order", WR_EDGES, &[G1Realtime], "Elle"),
    row(
        StaleSumRealtime,
        "stale-sum-realtime",
        "a sum is less than what those had added that completed before its reader was invoked",
        READS,
        &[GSingleItemRealtime],
        "Jepsen, counter",
    ),
    row(
        GSingleItemRealtime,
        "G-single-item-realtime",
        "a cycle with exactly one anti-dependency, and real-time order",
        RW_EDGES,
        &[GSingleRealtime, GNonadjacentItemRealtime],
        "Elle",
    ),
    row(
        GNonadjacentItemRealtime,
        "G-nonadjacent-item-realtime",
        "a cycle without adjacent anti-dependencies, and real-time order",
        RW_EDGES,
        &[GNonadjacentRealtime, G2ItemRealtime],
        "Elle",
    ),
    row(G2ItemRealtime, "G2-item-realtime", "a cycle with anti-dependencies and real-time order", RW_EDGES, &[G2Realtime], "Elle"),
    row(
        NoMonotonicOrder,
        "no-monotonic-order",
        "the versions that transactions saw one after another have no order",
        INFERRED,
        &[],
        "Biswas & Enea 2019, RC",
    ),
    row(
        NoAtomicOrder,
        "no-atomic-order",
        "the versions of the transactions that others saw have no order",
        INFERRED,
        &[],
        "Biswas & Enea 2019, RA",
    ),
    row(
        NoCausalOrder,
        "no-causal-order",
        "the versions in the causal pasts of transactions have no order",
        INFERRED,
        &[],
        "Biswas & Enea 2019; Cerone, Bernardi & Gotsman 2015",
    ),
    row(
        NoPrefixOrder,
        "no-prefix-order",
        "whatever the order of versions, some transaction saw no prefix of the commits",
        CORES,
        &[],
        "Cerone, Bernardi & Gotsman 2015, PREFIX",
    ),
    row(
        NoSnapshotOrder,
        "no-snapshot-order",
        "whatever the order of versions, some transaction saw no snapshot or overlaps with another writer",
        CORES,
        &[],
        "Zhang et al. 2023, Viper; Huang et al. 2023, PolySI",
    ),
    row(
        NoSerialOrder,
        "no-serial-order",
        "whatever the order of versions, the transactions have no serial order",
        CORES,
        &[],
        "Papadimitriou 1979; Tan et al. 2020, Cobra",
    ),
    row(
        NoCausalOrderProcess,
        "no-causal-order-process",
        "the versions in the causal pasts of transactions and their sessions have no order",
        INFERRED,
        &[],
        "Biswas & Enea 2019, CC",
    ),
    row(
        NoSnapshotOrderProcess,
        "no-snapshot-order-process",
        "whatever the order of versions, there are no snapshots true to session order",
        CORES,
        &[],
        "Zhang et al. 2023, Viper",
    ),
    row(
        NoSerialOrderProcess,
        "no-serial-order-process",
        "whatever the order of versions, no serial order is true to session order",
        CORES,
        &[],
        "Papadimitriou 1979",
    ),
    row(
        NoSnapshotOrderRealtime,
        "no-snapshot-order-realtime",
        "whatever the order of versions, there are no snapshots true to real time",
        CORES,
        &[],
        "Zhang et al. 2023, Viper",
    ),
    row(
        NoSerialOrderRealtime,
        "no-serial-order-realtime",
        "whatever the order of versions, no serial order is true to real time",
        CORES,
        &[],
        "Papadimitriou 1979",
    ),
    row(G1, "G1", "G1a, G1b or G1c", "", &[G1Process], "Adya 1999, 4.2.2"),
    row(G1Process, "G1-process", "G1, with session order", "", &[G1Realtime], "Elle"),
    row(G1Realtime, "G1-realtime", "G1, with real-time order", "", &[], "Elle"),
    row(GMsr, "G-MSR", "a read is no read of a snapshot taken before it", "", &[], "Adya 1999, 4.2.4"),
    row(
        GSib,
        "G-SIb",
        "missed effects: a cycle of dependencies, start order and exactly one anti-dependency",
        "",
        &[GSi],
        "Adya 1999, 4.3.2",
    ),
    row(GSi, "G-SI", "interference or missed effects", "", &[], "Adya 1999, 4.3.2"),
    row(
        GSingle,
        "G-single",
        "a cycle with exactly one anti-dependency, of an item or a predicate",
        RW_EDGES,
        &[GNonadjacent, GSingleProcess],
        "Adya 1999, 4.3.1",
    ),
    row(GSingleProcess, "G-single-process", "G-single, with session order", RW_EDGES, &[GNonadjacentProcess, GSingleRealtime], "Elle"),
    row(GSingleRealtime, "G-single-realtime", "G-single, with real-time order", RW_EDGES, &[GNonadjacentRealtime], "Elle"),
    row(
        GNonadjacent,
        "G-nonadjacent",
        "a cycle without adjacent anti-dependencies, of items or predicates",
        RW_EDGES,
        &[G2, GNonadjacentProcess],
        "Cerone & Gotsman 2016",
    ),
    row(
        GNonadjacentProcess,
        "G-nonadjacent-process",
        "G-nonadjacent, with session order",
        RW_EDGES,
        &[G2Process, GNonadjacentRealtime],
        "Elle",
    ),
    row(GNonadjacentRealtime, "G-nonadjacent-realtime", "G-nonadjacent, with real-time order", RW_EDGES, &[G2Realtime], "Elle"),
    row(G2, "G2", "a cycle with anti-dependencies, of items or predicates", RW_EDGES, &[G2Process], "Adya 1999, 4.2.3"),
    row(G2Process, "G2-process", "G2, with session order", RW_EDGES, &[G2Realtime], "Elle"),
    row(G2Realtime, "G2-realtime", "G2, with real-time order", RW_EDGES, &[], "Elle"),
];

impl Phenomenon {
    /// What is known about it.
    pub fn entry(self) -> &'static PhenomenonEntry {
        &PHENOMENA[self as usize]
    }

    /// Its name in the field.
    pub fn name(self) -> &'static str {
        self.entry().name
    }

    /// It and all that it is a case of, directly or not.
    pub fn implied(self) -> Vec<Phenomenon> {
        let mut all = vec![self];
        let mut at = 0;
        while let Some(next) = all.get(at) {
            for &implied in next.entry().implies {
                if !all.contains(&implied) {
                    all.push(implied);
                }
            }
            at += 1;
        }
        all
    }
}

impl std::fmt::Display for Phenomenon {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_order_and_without_circles() {
        for (at, entry) in PHENOMENA.iter().enumerate() {
            assert_eq!(entry.phenomenon as usize, at, "{}", entry.name);
            for &implied in entry.implies {
                assert!(!implied.implied().contains(&entry.phenomenon), "{} and {implied}", entry.name);
            }
        }
        assert_eq!(PHENOMENA.len(), G2Realtime as usize + 1);
    }
}
