//! Verdicts on small random histories against an oracle that tries every order.

mod transactions;

use elenchus_checkers::transactional::{Datatype, Level, Options, Transactions, analyse};
use elenchus_core::Verdict;
use transactions::{Dice, JUDGED, Txn, added, events, random_with, satisfied};

/// A level that is refuted is violated by every order; one that is proved is satisfied by some. What is neither, or violated and not refuted, is
/// counted.
fn tally(
    datatype: Datatype,
    has_scans: bool,
    cases: u64,
    satisfied: impl Fn(&[Txn]) -> [Option<bool>; JUDGED.len()],
) -> impl Iterator<Item = (Level, [u32; 4])> {
    let mut tallies = [[0_u32; 4]; JUDGED.len()];
    for seed in 0..cases {
        let txns = random_with(&mut Dice::new(seed + 1), datatype, has_scans);
        let mut history = Transactions::new(datatype);
        for event in events(datatype, &txns) {
            history.push(&event).expect("well formed");
        }
        let analysis = analyse(&history, &Options::default());
        for ((level, holds), tally) in JUDGED.into_iter().zip(satisfied(&txns)).zip(&mut tallies) {
            let Some(holds) = holds else { continue };
            let verdict = analysis.verdict(level);
            let shown = || {
                let found: Vec<Vec<String>> =
                    analysis.found.values().flat_map(|found| &found.examples).map(|each| analysis.argument(each)).collect();
                format!("seed {seed}: {level} is {verdict}, but {holds}: {txns:#?}\n{:?} {found:#?}", analysis.found.keys())
            };
            match (verdict, holds) {
                (Verdict::Invalid, true) | (Verdict::Valid, false) => panic!("{}", shown()),
                (Verdict::Invalid, false) => tally[0] += 1,
                (Verdict::Valid, true) => tally[1] += 1,
                (Verdict::Unknown, false) => tally[2] += 1,
                (Verdict::Unknown, true) => tally[3] += 1,
            }
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
    let all = |txns: &[Txn]| match datatype {
        Datatype::ListAppend | Datatype::RwRegister => satisfied(datatype, txns).map(Some),
        Datatype::SetAdd | Datatype::CounterInc => added::satisfied(datatype, txns),
    };
    for (level, [refuted, proved, missed, unproved]) in tally(datatype, has_scans, cases, all) {
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
