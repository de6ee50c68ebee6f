//! The phenomena of transactional histories: names, definitions and implications.

/// A phenomenon, named as by Adya and Elle.
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
    // Phenomena found where the version order is not known.
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
    // Classes, which are reported through their cases. Those with anti-dependencies are also reported directly if one is of a predicate.
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

/// The definition of a phenomenon.
pub struct PhenomenonEntry {
    /// The phenomenon.
    pub phenomenon: Phenomenon,
    /// The name in the literature.
    pub name: &'static str,
    /// The definition.
    pub about: &'static str,
    /// The thing that is counted as one instance; empty for a class.
    pub counts: &'static str,
    /// The phenomena of which this one is a case.
    pub implies: &'static [Phenomenon],
    /// The source of the definition.
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
const WR_EDGES: &str = "read dependencies on such a cycle, and write dependencies that follow from a read or involve a crashed transaction";
const RW_EDGES: &str = "anti-dependencies on such a cycle but on no cycle of a worse kind of the same form";
const READS: &str = "reads";
const INFERRED: &str =
    "inferred write dependencies on a cycle of read dependencies, inferred write dependencies and the order that the level requires";
const CORES: &str = "contradictory sets of transactions; the search stops at the first";

/// Every phenomenon, in the order of [`Phenomenon`]: the simplest and most severe first.
///
/// "Dependencies" are write dependencies (ww) and read dependencies (wr). An anti-dependency (rw) leads from the reader of a version to
/// the writer of the next version. `-process` forms need an edge of session order to close the cycle, `-realtime` forms an edge of
/// real-time order.
pub static PHENOMENA: &[PhenomenonEntry] = &[
    row(
        DuplicateElements,
        "duplicate-elements",
        "a list contains an element twice that a committed transaction appended once",
        READS,
        &[],
        "Kingsbury & Alvaro 2020, Elle",
    ),
    row(
        CyclicVersions,
        "cyclic-versions",
        "the version order of a key is cyclic under the assumptions made about keys",
        "keys",
        &[],
        "Elle",
    ),
    row(G0, "G0", "a dirty write: a cycle of write dependencies", WW_EDGES, &[G1c, G0Process], "Adya 1999, 4.2.1"),
    row(GarbageRead, "garbage-read", "a read of a value that was never written", READS, &[G1a], "Kingsbury & Alvaro 2020"),
    row(G1a, "G1a", "an aborted read: a read of a failed transaction's write", READS, &[G1], "Adya 1999, 4.2.2"),
    row(DirtyUpdate, "dirty-update", "a committed version that extends an aborted one", "pairs of adjacent versions", &[G1a], "Elle"),
    row(
        IncompatibleOrder,
        "incompatible-order",
        "reads of a list that no single order of its appends explains",
        "reads that diverge from the first read or contain a crashed transaction's append twice; appends read in another order than written",
        &[G1a],
        "Elle",
    ),
    row(G1b, "G1b", "an intermediate read: a read of a version that its writer overwrote itself", READS, &[G1], "Adya 1999, 4.2.2"),
    row(G1c, "G1c", "circular information flow: a cycle of dependencies", WR_EDGES, &[G1, G1cProcess], "Adya 1999, 4.2.2"),
    row(FutureRead, "future-read", "a transaction read a version that it wrote only later", READS, &[G1c], "Elle"),
    row(
        Internal,
        "internal",
        "a read that disagrees with the previous read or write of the same transaction",
        READS,
        &[],
        "Cerone, Bernardi & Gotsman 2015, INT",
    ),
    row(
        PredicateReadMiss,
        "predicate-read-miss",
        "a predicate read that omits a matching version which its transaction had just read or written, or returns one that does not match",
        "keys",
        &[Internal],
        "Adya 1999, 4.2; Cerone, Bernardi & Gotsman 2015, INT",
    ),
    row(
        NonrepeatableRead,
        "nonrepeatable-read",
        "a fuzzy read: a transaction read two different versions of an object that it had not written",
        READS,
        &[Internal, GSingleItem],
        "Berenson et al. 1995, P2",
    ),
    row(
        ObservedTransactionVanishes,
        "observed-transaction-vanishes",
        "a transaction read from another one, and then a version that the other one had overwritten",
        "pairs of reads",
        &[FracturedRead, GMonotonic],
        "Bailis et al. 2013, OTV",
    ),
    row(
        FracturedRead,
        "fractured-read",
        "read skew with one writer: a transaction saw one write of another transaction and missed a second",
        "pairs of reads",
        &[CausalityViolation],
        "Bailis et al. 2014, RAMP",
    ),
    row(
        CausalityViolation,
        "causality-violation",
        "a transaction missed a write in its causal past",
        "pairs of a reader and a key",
        &[GSingleItem, CausalityViolationProcess],
        "Cerone, Bernardi & Gotsman 2015; Biswas & Enea 2019",
    ),
    row(
        LostUpdate,
        "lost-update",
        "several transactions read the same version and then overwrote it",
        "versions",
        &[GCursor, G2Item],
        "Berenson et al. 1995, P4",
    ),
    row(
        GCursor,
        "G-cursor",
        "a transaction overwrote an object that another one had overwritten since it was read",
        "pairs of a transaction and a key",
        &[GSingleItem],
        "Adya 1999, 4.2.3",
    ),
    row(
        GMonotonic,
        "G-monotonic",
        "a later read of a transaction saw an older state than an earlier one",
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
        "two readers observed two writers in opposite orders",
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
        "a cycle with at least two anti-dependencies, no two of them adjacent",
        RW_EDGES,
        &[GNonadjacent, G2Item, GNonadjacentItemProcess],
        "Cerone & Gotsman 2016",
    ),
    row(
        WriteSkew,
        "write-skew",
        "two transactions that each overwrote a version which the other had read",
        "pairs of transactions",
        &[G2Item],
        "Berenson et al. 1995, A5B",
    ),
    row(
        GUpdate,
        "G-update",
        "a cycle with an anti-dependency among update transactions and at most one read-only transaction",
        "anti-dependencies between updates on such a cycle, and read-only transactions that close one",
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
        "a sum that is less than the reader's session had added before",
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
        "a sum that is greater than all additions invoked before its reader completed",
        READS,
        &[G1cRealtime],
        "Jepsen, counter",
    ),
    row(G1cRealtime, "G1c-realtime", "a cycle of dependencies and real-time order", WR_EDGES, &[G1Realtime], "Elle"),
    row(
        StaleSumRealtime,
        "stale-sum-realtime",
        "a sum that is less than all additions that completed before its reader was invoked",
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
        "no version order is consistent with the order in which transactions observed versions (monotonic atomic view)",
        INFERRED,
        &[],
        "Biswas & Enea 2019, RC",
    ),
    row(
        NoAtomicOrder,
        "no-atomic-order",
        "no version order is consistent with the transactions that others observed (read atomicity)",
        INFERRED,
        &[],
        "Biswas & Enea 2019, RA",
    ),
    row(
        NoCausalOrder,
        "no-causal-order",
        "no version order is consistent with the causal pasts of transactions",
        INFERRED,
        &[],
        "Biswas & Enea 2019; Cerone, Bernardi & Gotsman 2015",
    ),
    row(
        NoPrefixOrder,
        "no-prefix-order",
        "for every version order, some transaction read from a snapshot that is not a prefix of the commit order",
        CORES,
        &[],
        "Cerone, Bernardi & Gotsman 2015, PREFIX",
    ),
    row(
        NoSnapshotOrder,
        "no-snapshot-order",
        "for every version order, some transaction read from no snapshot or overlaps another writer of the same key",
        CORES,
        &[],
        "Zhang et al. 2023, Viper; Huang et al. 2023, PolySI",
    ),
    row(
        NoSerialOrder,
        "no-serial-order",
        "for every version order, the transactions have no serial order",
        CORES,
        &[],
        "Papadimitriou 1979; Tan et al. 2020, Cobra",
    ),
    row(
        NoCausalOrderProcess,
        "no-causal-order-process",
        "no version order is consistent with the causal pasts of transactions and session order",
        INFERRED,
        &[],
        "Biswas & Enea 2019, CC",
    ),
    row(
        NoSnapshotOrderProcess,
        "no-snapshot-order-process",
        "for every version order, no snapshots are consistent with session order",
        CORES,
        &[],
        "Zhang et al. 2023, Viper",
    ),
    row(
        NoSerialOrderProcess,
        "no-serial-order-process",
        "for every version order, no serial order is consistent with session order",
        CORES,
        &[],
        "Papadimitriou 1979",
    ),
    row(
        NoSnapshotOrderRealtime,
        "no-snapshot-order-realtime",
        "for every version order, no snapshots are consistent with real-time order",
        CORES,
        &[],
        "Zhang et al. 2023, Viper",
    ),
    row(
        NoSerialOrderRealtime,
        "no-serial-order-realtime",
        "for every version order, no serial order is consistent with real-time order",
        CORES,
        &[],
        "Papadimitriou 1979",
    ),
    row(G1, "G1", "G1a, G1b or G1c", "", &[G1Process], "Adya 1999, 4.2.2"),
    row(G1Process, "G1-process", "G1, with session order", "", &[G1Realtime], "Elle"),
    row(G1Realtime, "G1-realtime", "G1, with real-time order", "", &[], "Elle"),
    row(GMsr, "G-MSR", "a read that is not from a snapshot taken before it", "", &[], "Adya 1999, 4.2.4"),
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
    /// The definition of this phenomenon.
    pub fn entry(self) -> &'static PhenomenonEntry {
        &PHENOMENA[self as usize]
    }

    /// The name in the literature.
    pub fn name(self) -> &'static str {
        self.entry().name
    }

    /// This phenomenon and all those of which it is a case, directly or indirectly.
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
    fn the_table_is_ordered_and_acyclic() {
        for (at, entry) in PHENOMENA.iter().enumerate() {
            assert_eq!(entry.phenomenon as usize, at, "{}", entry.name);
            for &implied in entry.implies {
                assert!(!implied.implied().contains(&entry.phenomenon), "{} and {implied}", entry.name);
            }
        }
        assert_eq!(PHENOMENA.len(), G2Realtime as usize + 1);
    }
}
