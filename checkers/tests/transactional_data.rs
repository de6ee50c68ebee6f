//! Small histories of transactions over each kind of data, and what is said of them.

use elenchus_checkers::transactional::{Analysis, Datatype, Level, Options, Phenomenon, Transactions, analyse};
use elenchus_core::{Event, Kind, Nanos, Process, Symbol, Value, Verdict};

/// Transactions of different processes, all at once, with their steps in JSON.
fn overlapping(datatype: Datatype, lines: &[&str]) -> Transactions {
    let mut transactions = Transactions::new(datatype);
    for kind in [Kind::Invoke, Kind::Ok] {
        for (process, line) in lines.iter().enumerate() {
            let value: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"));
            let event = Event {
                time: Nanos::ZERO,
                process: Process::Client(process as u32),
                kind,
                f: Symbol::of("txn"),
                key: None,
                value,
                error: None,
                node: None,
            };
            transactions.push(&event).unwrap_or_else(|error| panic!("{line}: {error}"));
        }
    }
    transactions
}

/// What is found, and what is said of the first example of one of them.
fn says(analysis: &Analysis<'_>, phenomenon: Phenomenon) -> String {
    let found = analysis.found.get(&phenomenon).unwrap_or_else(|| panic!("{phenomenon} is not among {:?}", analysis.found.keys()));
    analysis.sentences(&found.examples[0]).join("; ")
}

#[test]
fn two_who_each_missed_what_the_other_put_in_are_phantoms() {
    let lines = [r#"[["rp", "any", []], ["append", "x", 1]]"#, r#"[["rp", "any", []], ["append", "y", 1]]"#];
    let transactions = overlapping(Datatype::ListAppend, &lines);
    let analysis = analyse(&transactions, &Options::default());
    assert_eq!(
        says(&analysis, Phenomenon::G2),
        "T0 read all that is any and did not find \"y\", T1 appended 1 to \"y\": T0 did not see T1; \
         T1 read all that is any and did not find \"x\", T0 appended 1 to \"x\": T1 did not see T0"
    );
    assert_eq!(analysis.verdict(Level::RepeatableRead), Verdict::Unknown);
    assert_eq!(analysis.verdict(Level::Serializable), Verdict::Invalid);
    assert_eq!(analysis.verdict(Level::SnapshotIsolation), Verdict::Valid);
}

#[test]
fn who_saw_one_row_and_not_the_other_saw_no_snapshot() {
    let lines = [r#"[["w", "x", 4], ["w", "y", 6]]"#, r#"[["r", "x", 4], ["rp", [">", 5], {}]]"#];
    let transactions = overlapping(Datatype::RwRegister, &lines);
    let analysis = analyse(&transactions, &Options::default());
    assert!(says(&analysis, Phenomenon::GSingle).contains("T1 read all that is > 5 and did not find \"y\", T0 set \"y\" = 6"));
    assert_eq!(analysis.verdict(Level::SnapshotIsolation), Verdict::Invalid);
    assert!(!analysis.refutes(Level::RepeatableRead));
    let found = overlapping(Datatype::RwRegister, &[lines[0], r#"[["r", "x", 4], ["rp", [">", 5], {"y": 6}]]"#]);
    assert_eq!(analyse(&found, &Options::default()).verdict(Level::StrictSerializable), Verdict::Valid);
}

#[test]
fn predicate_reads_that_contradict_their_own_transaction() {
    for line in [r#"[["w", "x", 4], ["rp", "any", []]]"#, r#"[["rp", ["<", 3], [["x", 4]]]]"#] {
        let transactions = overlapping(Datatype::RwRegister, &[line, r#"[["r", "x", null]]"#]);
        let analysis = analyse(&transactions, &Options::default());
        assert!(says(&analysis, Phenomenon::PredicateReadMiss).contains("T0, which read all that is"));
        assert_eq!(analysis.verdict(Level::ReadAtomic), Verdict::Invalid);
    }
}
