//! Isolation levels up to strict serializability: the implications between them and the phenomena that each proscribes.
//!
//! Sources: Adya 1999 ("Weak Consistency"); Berenson et al. 1995; Bailis et al. 2013 ("Highly Available Transactions") and 2014 (RAMP);
//! Cerone, Bernardi & Gotsman 2015 ("A Framework for Transactional Consistency Models with Atomic Visibility"); Cerone, Gotsman & Yang 2015
//! ("Transaction Chopping for Parallel Snapshot Isolation"); Cerone & Gotsman 2016 ("Analysing Snapshot Isolation"); Daudjee & Salem 2004 and
//! 2006; Biswas & Enea 2019; Liu et al. 2018 (ROLA); and the map of Kingsbury & Alvaro 2020 (Elle), from which most of the implications are.

use elenchus_core::suggest::nearest;

use super::phenomenon::Phenomenon::{self, *};

/// An isolation level or consistency model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
#[allow(missing_docs)]
pub enum Level {
    ReadUncommitted,
    ReadCommitted,
    CursorStability,
    MonotonicView,
    MonotonicSnapshotRead,
    MonotonicAtomicView,
    ReadAtomic,
    UpdateAtomic,
    CausalCerone,
    ConsistentView,
    ForwardConsistentView,
    ParallelSnapshotIsolation,
    Prefix,
    SnapshotIsolation,
    RepeatableRead,
    UpdateSerializable,
    Serializable,
    StrongSessionReadUncommitted,
    StrongSessionReadCommitted,
    TransactionalCausal,
    StrongSessionSnapshotIsolation,
    StrongSessionSerializable,
    StrongReadUncommitted,
    StrongReadCommitted,
    StrongSnapshotIsolation,
    StrictSerializable,
    ReadYourWrites,
    MonotonicReads,
    MonotonicWrites,
    WritesFollowReads,
    Pram,
    Causal,
    Sequential,
    Linearizable,
}

use Level::*;

/// The definition of a level.
pub struct LevelEntry {
    /// The level.
    pub level: Level,
    /// The name.
    pub name: &'static str,
    /// Other names: in the literature, in standards and in products.
    pub aliases: &'static [&'static str],
    /// The levels that this one implies.
    pub implies: &'static [Level],
    /// The phenomena that it proscribes beyond those of the implied levels.
    pub proscribes: &'static [Phenomenon],
    /// The source of the definition.
    pub source: &'static str,
}

const fn row(
    level: Level,
    name: &'static str,
    aliases: &'static [&'static str],
    implies: &'static [Level],
    proscribes: &'static [Phenomenon],
    source: &'static str,
) -> LevelEntry {
    LevelEntry { level, name, aliases, implies, proscribes, source }
}

/// Every level, in the order of [`Level`]. The single-object models at the end only serve as implications; transactions do not decide
/// them.
pub static LEVELS: &[LevelEntry] = &[
    row(
        ReadUncommitted,
        "read-uncommitted",
        &["PL-1"],
        &[],
        &[G0, DuplicateElements, CyclicVersions],
        "Adya 1999, 4.2.1; versions have one total order",
    ),
    row(
        ReadCommitted,
        "read-committed",
        &["PL-2", "postgres-read-committed", "oracle-read-committed", "sql-server-read-committed"],
        &[ReadUncommitted],
        &[G1],
        "Adya 1999, 4.2.2",
    ),
    row(CursorStability, "cursor-stability", &["PL-CS"], &[ReadCommitted], &[GCursor, LostUpdate], "Adya 1999, 4.2.3"),
    row(MonotonicView, "monotonic-view", &["PL-2L"], &[ReadCommitted], &[GMonotonic], "Adya 1999, 4.2.4"),
    row(MonotonicSnapshotRead, "monotonic-snapshot-read", &["PL-MSR"], &[ReadCommitted], &[GMsr], "Adya 1999, 4.2.4"),
    row(
        MonotonicAtomicView,
        "monotonic-atomic-view",
        &["MAV"],
        &[ReadCommitted],
        &[ObservedTransactionVanishes, NoMonotonicOrder],
        "Bailis et al. 2013",
    ),
    row(
        ReadAtomic,
        "read-atomic",
        &["RA", "ramp"],
        &[MonotonicAtomicView],
        &[Internal, FutureRead, FracturedRead, NoAtomicOrder],
        "Bailis et al. 2014; Cerone et al. 2015, INT and EXT",
    ),
    row(UpdateAtomic, "update-atomic", &["UA"], &[ReadAtomic], &[LostUpdate, GCursor], "Cerone et al. 2015, NOCONFLICT"),
    row(
        CausalCerone,
        "causal-cerone",
        &["causal-consistency-without-sessions"],
        &[ReadAtomic],
        &[CausalityViolation, NoCausalOrder],
        "Cerone et al. 2015, TRANSVIS",
    ),
    row(ConsistentView, "consistent-view", &["PL-2+"], &[CursorStability, MonotonicView], &[GSingle], "Adya 1999, 4.3.1"),
    row(ForwardConsistentView, "forward-consistent-view", &["PL-FCV"], &[ConsistentView], &[GSib], "Adya 1999, 4.3.2"),
    row(
        ParallelSnapshotIsolation,
        "parallel-snapshot-isolation",
        &["PSI"],
        &[CausalCerone, UpdateAtomic],
        &[GSingle],
        "Cerone, Gotsman & Yang 2015, theorem 5",
    ),
    row(Prefix, "prefix", &["prefix-consistency", "PC"], &[CausalCerone], &[PrefixViolation, NoPrefixOrder], "Cerone et al. 2015, PREFIX"),
    row(
        SnapshotIsolation,
        "snapshot-isolation",
        &["PL-SI", "SI", "generalized-snapshot-isolation", "postgres-repeatable-read", "oracle-serializable", "sql-server-snapshot"],
        &[ForwardConsistentView, MonotonicAtomicView, MonotonicSnapshotRead, ParallelSnapshotIsolation, Prefix],
        &[Internal, GSi, GNonadjacent, NoSnapshotOrder],
        "Adya 1999, 4.3.2; Cerone & Gotsman 2016, theorem 9",
    ),
    row(
        RepeatableRead,
        "repeatable-read",
        &["PL-2.99"],
        &[CursorStability, MonotonicAtomicView],
        &[G2Item, LostUpdate, NoSerialOrder],
        "Adya 1999, 4.2.3",
    ),
    row(UpdateSerializable, "update-serializable", &["PL-3U"], &[ForwardConsistentView], &[GUpdate], "Adya 1999, 4.3.3"),
    row(
        Serializable,
        "serializable",
        &["PL-3", "SER", "conflict-serializable", "postgres-serializable", "mysql-serializable", "sql-server-serializable"],
        &[RepeatableRead, UpdateSerializable, SnapshotIsolation],
        &[Internal, G2],
        "Adya 1999, 4.2.3; Bernstein et al. 1987",
    ),
    row(
        StrongSessionReadUncommitted,
        "strong-session-read-uncommitted",
        &["strong-session-PL-1"],
        &[ReadUncommitted],
        &[G0Process],
        "Elle",
    ),
    row(
        StrongSessionReadCommitted,
        "strong-session-read-committed",
        &["strong-session-PL-2"],
        &[ReadCommitted, StrongSessionReadUncommitted],
        &[G1Process],
        "Elle",
    ),
    row(
        TransactionalCausal,
        "transactional-causal",
        &["TCC", "causal-consistency"],
        &[CausalCerone, StrongSessionReadCommitted, Causal],
        &[CausalityViolationProcess, NoCausalOrderProcess],
        "Biswas & Enea 2019, CC",
    ),
    row(
        StrongSessionSnapshotIsolation,
        "strong-session-snapshot-isolation",
        &["strong-session-SI"],
        &[SnapshotIsolation, TransactionalCausal],
        &[GNonadjacentProcess, NoSnapshotOrderProcess],
        "Daudjee & Salem 2006; Cerone & Gotsman 2016",
    ),
    row(
        StrongSessionSerializable,
        "strong-session-serializable",
        &["strong-session-PL-3"],
        &[Serializable, StrongSessionSnapshotIsolation],
        &[G1Process, G2Process, NoSerialOrderProcess],
        "Daudjee & Salem 2004",
    ),
    row(StrongReadUncommitted, "strong-read-uncommitted", &["strong-PL-1"], &[StrongSessionReadUncommitted], &[G0Realtime], "Elle"),
    row(
        StrongReadCommitted,
        "strong-read-committed",
        &["strong-PL-2"],
        &[StrongSessionReadCommitted, StrongReadUncommitted],
        &[G1Realtime],
        "Elle",
    ),
    row(
        StrongSnapshotIsolation,
        "strong-snapshot-isolation",
        &["strong-SI"],
        &[StrongSessionSnapshotIsolation, StrongReadCommitted],
        &[GNonadjacentRealtime, NoSnapshotOrderRealtime],
        "Daudjee & Salem 2006",
    ),
    row(
        StrictSerializable,
        "strict-serializable",
        &["PL-SS", "strong-serializable", "strict", "external-consistency"],
        &[StrongSessionSerializable, StrongSnapshotIsolation, Linearizable],
        &[G1Realtime, G2Realtime, NoSerialOrderRealtime],
        "Adya 1999, 4.2.3; Herlihy & Wing 1990",
    ),
    row(ReadYourWrites, "read-your-writes", &["RYW"], &[], &[], "Terry et al. 1994"),
    row(MonotonicReads, "monotonic-reads", &["MR"], &[], &[], "Terry et al. 1994"),
    row(MonotonicWrites, "monotonic-writes", &["MW"], &[], &[], "Terry et al. 1994"),
    row(WritesFollowReads, "writes-follow-reads", &["WFR"], &[], &[], "Terry et al. 1994"),
    row(
        Pram,
        "PRAM",
        &["pipelined-random-access-memory"],
        &[ReadYourWrites, MonotonicReads, MonotonicWrites],
        &[],
        "Lipton & Sandberg 1988",
    ),
    row(Causal, "causal", &[], &[WritesFollowReads, Pram], &[], "Ahamad et al. 1995"),
    row(Sequential, "sequential", &[], &[Causal], &[], "Lamport 1979"),
    row(Linearizable, "linearizable", &["atomic"], &[Sequential], &[], "Herlihy & Wing 1990"),
];

impl Level {
    /// The definition of this level.
    pub fn entry(self) -> &'static LevelEntry {
        &LEVELS[self as usize]
    }

    /// The name.
    pub fn name(self) -> &'static str {
        self.entry().name
    }

    /// Looks up a level by name or alias, ignoring case.
    pub fn named(name: &str) -> Option<Level> {
        let is = |other: &str| other.eq_ignore_ascii_case(name);
        LEVELS.iter().find(|entry| is(entry.name) || entry.aliases.iter().any(|alias| is(alias))).map(|entry| entry.level)
    }

    /// The name or alias that is most similar to an unknown one.
    pub fn nearest(name: &str) -> Option<&'static str> {
        nearest(
            name,
            LEVELS
                .iter()
                .filter(|entry| entry.level.is_judged())
                .flat_map(|entry| std::iter::once(entry.name).chain(entry.aliases.iter().copied())),
        )
    }

    /// Returns whether transactions can refute the level directly; false for single-object models.
    pub fn is_judged(self) -> bool {
        self <= StrictSerializable
    }

    /// Returns whether every history that satisfies this level satisfies `other`.
    pub fn implies(self, other: Level) -> bool {
        self == other || self.entry().implies.iter().any(|implied| implied.implies(other))
    }

    /// All levels.
    pub fn all() -> impl Iterator<Item = Level> {
        LEVELS.iter().map(|entry| entry.level)
    }
}

impl std::fmt::Display for Level {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(self.name())
    }
}

/// The boundary between refuted and possible levels.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Boundary {
    /// The weakest refuted levels.
    pub refuted: Vec<Level>,
    /// The refuted levels that imply one of those.
    pub also_refuted: Vec<Level>,
    /// The strongest levels that are not refuted.
    pub possible: Vec<Level>,
}

impl Boundary {
    /// Derives the boundary from the phenomena found.
    pub fn of(phenomena: impl IntoIterator<Item = Phenomenon>) -> Boundary {
        let found: Vec<Phenomenon> = phenomena.into_iter().flat_map(Phenomenon::implied).collect();
        let broken = |level: Level| level.entry().proscribes.iter().any(|phenomenon| found.contains(phenomenon));
        let is_refuted = |level: Level| Level::all().any(|weaker| level.implies(weaker) && broken(weaker));
        let (refuted, kept): (Vec<Level>, Vec<Level>) =
            Level::all().filter(|level| level.is_judged()).partition(|&level| is_refuted(level));
        let (also_refuted, weakest) =
            refuted.iter().partition(|&&level| refuted.iter().any(|&other| other != level && level.implies(other)));
        let possible = kept.iter().copied().filter(|&level| !kept.iter().any(|&other| other != level && other.implies(level))).collect();
        Boundary { refuted: weakest, also_refuted, possible }
    }

    /// Returns whether a level is refuted.
    pub fn refutes(&self, level: Level) -> bool {
        self.refuted.contains(&level) || self.also_refuted.contains(&level)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_ordered_and_names_are_unique() {
        let mut names: Vec<String> = Vec::new();
        for (at, entry) in LEVELS.iter().enumerate() {
            assert_eq!(entry.level as usize, at, "{}", entry.name);
            for &implied in entry.implies {
                assert!(!implied.implies(entry.level), "{} and {implied}", entry.name);
            }
            for name in std::iter::once(&entry.name).chain(entry.aliases) {
                assert_eq!(Level::named(&name.to_uppercase()), Some(entry.level));
                assert!(!names.contains(&name.to_lowercase()), "{name} twice");
                names.push(name.to_lowercase());
            }
        }
        assert_eq!(Level::nearest("serialisable"), Some("serializable"));
    }

    #[test]
    fn no_phenomena_refute_no_level() {
        assert_eq!(Boundary::of([]), Boundary { possible: vec![StrictSerializable], ..Boundary::default() });
    }

    #[test]
    fn write_skew_refutes_the_expected_levels() {
        let boundary = Boundary::of([WriteSkew]);
        assert_eq!(boundary.refuted, [RepeatableRead]);
        assert_eq!(boundary.also_refuted, [Serializable, StrongSessionSerializable, StrictSerializable]);
        assert_eq!(boundary.possible, [UpdateSerializable, StrongSnapshotIsolation]);
    }
}
