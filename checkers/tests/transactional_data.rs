//! Small histories of transactions over each kind of data, and what is said of them.

use elenchus_checkers::transactional::{Analysis, Assumptions, Datatype, Level, Phenomenon, TransactionalOptions, Transactions, analyse};
use elenchus_core::{Event, Kind, Nanos, Process, Symbol, Value, Verdict};

/// Transactions of different processes, all at once, with their steps in JSON.
fn overlapping(datatype: Datatype, lines: &[&str]) -> Transactions {
    let of_kind = |kind| (0..).zip(lines).map(move |(process, line)| (process, kind, *line));
    record(datatype, of_kind(Kind::Invoke).chain(of_kind(Kind::Ok)))
}

/// Transactions one after the other, with their processes.
fn in_turn(datatype: Datatype, lines: &[(u32, &str)]) -> Transactions {
    record(datatype, lines.iter().flat_map(|&(process, line)| [(process, Kind::Invoke, line), (process, Kind::Ok, line)]))
}

fn record<'l>(datatype: Datatype, events: impl Iterator<Item = (u32, Kind, &'l str)>) -> Transactions {
    let mut transactions = Transactions::new(datatype);
    for (process, kind, line) in events {
        let value: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"));
        let event = Event {
            time: Nanos::ZERO,
            process: Process::Client(process),
            kind,
            f: Symbol::of("txn"),
            key: None,
            value,
            error: None,
            node: None,
        };
        transactions.push(&event).unwrap_or_else(|error| panic!("{line}: {error}"));
    }
    transactions
}

/// The argument for the first instance of a phenomenon.
fn says(analysis: &Analysis<'_>, phenomenon: Phenomenon) -> String {
    let found = analysis.found.get(&phenomenon).unwrap_or_else(|| panic!("{phenomenon} is not among {:?}", analysis.found.keys()));
    analysis.sentences(&found.examples[0]).join("; ")
}

#[test]
fn transactions_that_miss_each_others_inserts_are_phantoms() {
    let lines = [r#"[["rp", "any", []], ["append", "x", 1]]"#, r#"[["rp", "any", []], ["append", "y", 1]]"#];
    let transactions = overlapping(Datatype::ListAppend, &lines);
    let analysis = analyse(&transactions, &TransactionalOptions::default());
    assert_eq!(
        says(&analysis, Phenomenon::G2),
        "T0 read predicate `any` and did not find \"y\", T1 appended 1 to \"y\": T0 did not see T1; \
         T1 read predicate `any` and did not find \"x\", T0 appended 1 to \"x\": T1 did not see T0"
    );
    assert_eq!(analysis.verdict(Level::RepeatableRead), Verdict::Unknown);
    assert_eq!(analysis.verdict(Level::Serializable), Verdict::Invalid);
    assert_eq!(analysis.verdict(Level::SnapshotIsolation), Verdict::Valid);
}

#[test]
fn seeing_one_row_of_a_transaction_but_not_the_other_is_not_a_snapshot() {
    let lines = [r#"[["w", "x", 4], ["w", "y", 6]]"#, r#"[["r", "x", 4], ["rp", [">", 5], {}]]"#];
    let transactions = overlapping(Datatype::RwRegister, &lines);
    let analysis = analyse(&transactions, &TransactionalOptions::default());
    assert!(says(&analysis, Phenomenon::GSingle).contains("T1 read predicate `> 5` and did not find \"y\", T0 wrote 6 to \"y\""));
    assert_eq!(analysis.verdict(Level::SnapshotIsolation), Verdict::Invalid);
    assert!(!analysis.refutes(Level::RepeatableRead));
    let found = overlapping(Datatype::RwRegister, &[lines[0], r#"[["r", "x", 4], ["rp", [">", 5], {"y": 6}]]"#]);
    assert_eq!(analyse(&found, &TransactionalOptions::default()).verdict(Level::StrictSerializable), Verdict::Valid);
}

#[test]
fn predicate_reads_that_contradict_their_own_transaction() {
    for line in [r#"[["w", "x", 4], ["rp", "any", []]]"#, r#"[["rp", ["<", 3], [["x", 4]]]]"#] {
        let transactions = overlapping(Datatype::RwRegister, &[line, r#"[["r", "x", null]]"#]);
        let analysis = analyse(&transactions, &TransactionalOptions::default());
        assert!(says(&analysis, Phenomenon::PredicateReadMiss).contains("T0, which read predicate `"));
        assert_eq!(analysis.verdict(Level::ReadAtomic), Verdict::Invalid);
    }
}

#[test]
fn set_reads_imply_dependencies() {
    let lines = [
        r#"[["add", "x", 1], ["add", "y", 1]]"#,
        r#"[["r", "x", [1]], ["r", "y", []]]"#,
        r#"[["add", "x", 2], ["r", "x", [2]], ["add", "x", 3]]"#,
    ];
    let transactions = overlapping(Datatype::SetAdd, &lines);
    let analysis = analyse(&transactions, &TransactionalOptions::default());
    assert_eq!(
        says(&analysis, Phenomenon::FracturedRead),
        "T1 read \"y\" = [], T0 added 1 to \"y\": T1 did not see T0; T0 added 1 to \"x\", T1 read \"x\" = [1]: T1 saw T0"
    );
    assert_eq!(analysis.verdict(Level::SnapshotIsolation), Verdict::Invalid);
    assert_eq!(analysis.verdict(Level::ReadCommitted), Verdict::Valid);
    let whole = overlapping(Datatype::SetAdd, &[lines[0], r#"[["r", "x", [3, 1, 2]], ["r", "y", [1]]]"#, lines[2]]);
    assert_eq!(analyse(&whole, &TransactionalOptions::default()).verdict(Level::StrictSerializable), Verdict::Valid);
}

#[test]
fn reading_part_of_a_transactions_additions_is_an_intermediate_read() {
    for told in ["[1]", "[2]"] {
        let transactions = overlapping(Datatype::SetAdd, &[r#"[["add", "x", 1], ["add", "x", 2]]"#, &format!(r#"[["r", "x", {told}]]"#)]);
        let analysis = analyse(&transactions, &TransactionalOptions::default());
        assert!(says(&analysis, Phenomenon::G1b).contains("also added"));
        assert_eq!(analysis.verdict(Level::ReadCommitted), Verdict::Invalid);
    }
}

#[test]
fn counter_values_order_transactions() {
    let lines =
        [r#"[["inc", "x", 5]]"#, r#"[["r", "x", 5], ["inc", "y", 7]]"#, r#"[["r", "y", 7], ["r", "x", 3]]"#, r#"[["inc", "x", 3]]"#];
    let transactions = overlapping(Datatype::CounterInc, &lines);
    let analysis = analyse(&transactions, &TransactionalOptions::default());
    let said = says(&analysis, Phenomenon::GSingleItem);
    assert!(
        said.contains("T2 read \"x\" = 3, T0 added 5 to \"x\": T2 did not see T0")
            || said.contains("T1 saw an increment that T2 did not see"),
        "{said}"
    );
    assert!(said.contains("T1 added 7 to \"y\", T2 read \"y\" = 7 of at most 7: T2 saw T1"), "{said}");
    let impossible = overlapping(Datatype::CounterInc, &[lines[0], r#"[["r", "x", 6]]"#]);
    assert!(says(&analyse(&impossible, &TransactionalOptions::default()), Phenomenon::GarbageRead).contains("at most 5"));
    let twice = overlapping(Datatype::CounterInc, &[lines[0], r#"[["r", "x", 0], ["r", "x", 5]]"#]);
    assert!(
        says(&analyse(&twice, &TransactionalOptions::default()), Phenomenon::NonrepeatableRead).contains("although it previously read 0")
    );
    let serial = overlapping(Datatype::CounterInc, &[lines[0], r#"[["inc", "x", 2], ["r", "x", 7]]"#]);
    assert_eq!(analyse(&serial, &TransactionalOptions::default()).verdict(Level::Serializable), Verdict::Valid);
}

/// Commit timestamps order two versions that no transaction reads in sequence.
#[test]
fn commit_timestamps_order_versions() {
    let lines = [
        r#"{"txn": [["w", "x", 1], ["w", "y", 1]], "start": 0, "commit": 1}"#,
        r#"{"txn": [["w", "x", 2], ["w", "y", 2]], "start": 1, "commit": 2}"#,
        r#"{"txn": [["r", "x", 2], ["r", "y", 1]], "start": 2}"#,
    ];
    let transactions = overlapping(Datatype::RwRegister, &lines);
    let analysis = analyse(&transactions, &TransactionalOptions::default());
    assert!(says(&analysis, Phenomenon::GSingleItem).contains("T2 read \"y\" = 1, T1 wrote 2 to \"y\": T2 did not see T1"));
    let unordered = TransactionalOptions {
        assumptions: Assumptions { commit_order: false, ..Assumptions::default() },
        ..TransactionalOptions::default()
    };
    assert!(!analyse(&transactions, &unordered).found.contains_key(&Phenomenon::GSingleItem));
}

#[test]
fn a_sum_without_completed_additions_is_stale() {
    let lines = [(0, r#"[["inc", "x", 2]]"#), (1, r#"[["inc", "x", 1]]"#), (2, r#"[["r", "x", 2]]"#)];
    let transactions = in_turn(Datatype::CounterInc, &lines);
    let analysis = analyse(&transactions, &TransactionalOptions::default());
    assert_eq!(
        says(&analysis, Phenomenon::StaleSumRealtime),
        "T2 read 2 from \"x\", but T1, T0, which completed before T2 was invoked (event #4), added 3"
    );
    assert!(analysis.refutes(Level::StrongSnapshotIsolation) && analysis.refutes(Level::StrictSerializable));
    assert!(!analysis.refutes(Level::StrongSessionSerializable), "another process may see it late");

    let transactions = in_turn(Datatype::CounterInc, &[lines[0], (0, lines[1].1), (0, lines[2].1)]);
    let analysis = analyse(&transactions, &TransactionalOptions::default());
    assert!(says(&analysis, Phenomenon::StaleSumProcess).ends_with("which ran before it in process 0, added 3"));
    assert!(analysis.refutes(Level::StrongSessionSerializable) && !analysis.refutes(Level::Serializable));
}

#[test]
fn reads_of_later_increments_are_refuted() {
    let transactions = in_turn(Datatype::CounterInc, &[(0, r#"[["r", "x", 1], ["inc", "x", 1]]"#), (1, r#"[["inc", "x", 1]]"#)]);
    let analysis = analyse(&transactions, &TransactionalOptions::default());
    assert_eq!(
        says(&analysis, Phenomenon::FutureSumRealtime),
        "T0 read 1 from \"x\", but all transactions invoked before T0 completed (event #1) added at most 0"
    );
    assert!(analysis.refutes(Level::StrictSerializable) && !analysis.refutes(Level::Serializable));
}
