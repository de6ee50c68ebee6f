//! Verdicts on small random histories against an oracle that tries every order.

mod transactions;

use std::path::Path;

use elenchus_checkers::transactional::{Datatype, Level};
use elenchus_core::Verdict;
use transactions::{Dice, JUDGED, compare, engine_agrees_with_oracle, random_with};

/// Compares the engine with the oracle, and counts of each level how often it was refuted, proved, and, when it was neither, violated or satisfied.
fn tally(datatype: Datatype, has_scans: bool, cases: u64) -> impl Iterator<Item = (Level, [u32; 4])> {
    let mut tallies = [[0_u32; 4]; JUDGED.len()];
    for seed in 0..cases {
        let txns = random_with(&mut Dice::new(seed + 1), datatype, has_scans);
        for (level, verdict, holds) in compare(datatype, &txns) {
            let row = JUDGED.iter().position(|judged| *judged == level).expect("a level that is judged");
            let column = match (verdict, holds) {
                (Verdict::Invalid, _) => 0,
                (Verdict::Valid, _) => 1,
                (Verdict::Unknown, false) => 2,
                (Verdict::Unknown, true) => 3,
            };
            tallies[row][column] += 1;
        }
    }
    println!("{datatype:?}, predicates {has_scans}, {cases} histories: refuted, proved, missed, not proved");
    let tallies = JUDGED.into_iter().zip(tallies).filter(|(_, tally)| tally.iter().sum::<u32>() > 0);
    tallies.inspect(|(level, tally)| println!("  {level:32} {tally:?}"))
}

/// The levels of which nothing is missed and nothing left open.
fn is_decided(datatype: Datatype, level: Level) -> bool {
    let unproved = [Level::ReadUncommitted, Level::RepeatableRead, Level::UpdateAtomic, Level::ParallelSnapshotIsolation];
    match datatype {
        Datatype::ListAppend | Datatype::CounterInc => false,
        Datatype::RwRegister => !unproved.contains(&level),
        Datatype::SetAdd => ![Level::ReadAtomic, Level::CausalCerone, Level::TransactionalCausal, Level::Prefix].contains(&level),
    }
}

fn agrees(datatype: Datatype, has_scans: bool, cases: u64) {
    for (level, [refuted, proved, missed, unproved]) in tally(datatype, has_scans, cases) {
        // Read uncommitted says nothing of registers.
        assert!(refuted > 0 && proved > 0 || level == Level::ReadUncommitted, "one-sided: {level}");
        if !has_scans && is_decided(datatype, level) {
            assert_eq!((missed, unproved), (0, 0), "{level}");
        }
    }
}

fn cases() -> u64 {
    std::env::var("ELENCHUS_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(1_500)
}

#[test]
fn list_append() {
    agrees(Datatype::ListAppend, false, cases());
}

#[test]
fn rw_register() {
    agrees(Datatype::RwRegister, false, cases());
}

#[test]
fn list_append_with_predicates() {
    agrees(Datatype::ListAppend, true, cases());
}

#[test]
fn rw_register_with_predicates() {
    agrees(Datatype::RwRegister, true, cases());
}

#[test]
fn set_add() {
    agrees(Datatype::SetAdd, false, cases());
}

#[test]
fn counter_inc() {
    agrees(Datatype::CounterInc, false, cases());
}

/// Replays the inputs that fuzzing kept.
#[test]
fn corpus() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/engine_transactional");
    let files: Vec<_> = folder.read_dir().expect("a corpus").map(|entry| entry.expect("a file").path()).collect();
    assert!(files.len() > 10, "{} has only {} files", folder.display(), files.len());
    for file in files {
        println!("{}", file.display());
        engine_agrees_with_oracle(&std::fs::read(&file).expect("readable"));
    }
}
