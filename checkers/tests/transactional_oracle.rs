//! Verdicts on small random histories against an oracle that tries every order.

mod transactions;

use elenchus_checkers::transactional::{Datatype, Level, Options, Transactions, analyse};
use elenchus_core::Verdict;
use transactions::{Dice, JUDGED, events, random_with, satisfied};

/// A level that is refuted is violated by every order; one that is proved is satisfied by some. What is neither, or violated and not refuted, is
/// counted.
fn agrees(datatype: Datatype, has_scans: bool, cases: u64) {
    let mut tallies = [[0_u32; 4]; JUDGED.len()];
    for seed in 0..cases {
        let txns = random_with(&mut Dice::new(seed + 1), datatype, has_scans);
        let mut history = Transactions::new(datatype);
        for event in events(datatype, &txns) {
            history.push(&event).expect("well formed");
        }
        let analysis = analyse(&history, &Options::default());
        for ((level, holds), tally) in JUDGED.into_iter().zip(satisfied(datatype, &txns)).zip(&mut tallies) {
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
    for (level, tally) in JUDGED.into_iter().zip(tallies) {
        println!("  {level:32} {tally:?}");
        let [refuted, proved, missed, unproved] = tally;
        // Read uncommitted says nothing of registers.
        assert!(refuted > 0 && (proved > 0 || has_scans) || level == Level::ReadUncommitted, "one-sided: {level} {tally:?}");
        if datatype == Datatype::RwRegister && !has_scans && ![Level::UpdateAtomic, Level::ParallelSnapshotIsolation].contains(&level) {
            assert_eq!(missed, 0, "{level}");
            assert!(
                unproved == 0 || [Level::ReadUncommitted, Level::RepeatableRead].contains(&level),
                "{level}: {unproved} are not proved"
            );
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
