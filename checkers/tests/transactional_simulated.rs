//! Simulated stores: the level that a store guarantees is never refuted, and its violations are found.

use elenchus_checkers::build;
use elenchus_checkers::simulate::{Recipe, Store, Workload};
use elenchus_checkers::transactional::{Datatype, Level, TransactionalOptions, Transactions, analyse};
use elenchus_core::{CheckSpec, EventIndex, History, Verdict};

/// The levels that stores guarantee, and the next level up that they violate. Only stores that append to the newest version can guarantee
/// more than read uncommitted for lists: in the others, appends are lost and reads have no common version order.
const PROMISES: [(Store, Level, Option<Level>, bool); 12] = [
    (Store::StrictSerializable, Level::StrictSerializable, None, true),
    (Store::StrongSessionSerializable, Level::StrongSessionSerializable, Some(Level::StrictSerializable), true),
    (Store::Serializable, Level::Serializable, Some(Level::StrongSessionSerializable), true),
    (Store::UpdateSerializable, Level::UpdateSerializable, Some(Level::Serializable), true),
    (Store::StrongSnapshotIsolation, Level::StrongSnapshotIsolation, Some(Level::Serializable), true),
    (Store::StrongSessionSnapshotIsolation, Level::StrongSessionSnapshotIsolation, Some(Level::StrongSnapshotIsolation), true),
    (Store::SnapshotIsolation, Level::SnapshotIsolation, Some(Level::StrongSessionSnapshotIsolation), true),
    (Store::ParallelSnapshotIsolation, Level::ParallelSnapshotIsolation, Some(Level::SnapshotIsolation), true),
    (Store::Prefix, Level::Prefix, None, false),
    (Store::TransactionalCausal, Level::TransactionalCausal, None, false),
    (Store::ReadAtomic, Level::ReadAtomic, None, false),
    (Store::ReadCommitted, Level::ReadCommitted, None, false),
];

fn play(recipe: &Recipe) -> (History, Transactions) {
    let datatype = Datatype::named(recipe.workload.entry().name).expect("a workload of transactions");
    let history = History::new(recipe.simulate().expect("a sound recipe").collect());
    let mut transactions = Transactions::new(datatype);
    history.events.iter().for_each(|event| transactions.push(event).expect("well formed"));
    (history, transactions)
}

/// How many transactions there are in the histories, in turn; all alike where `ELENCHUS_TRANSACTIONS` says how many, such as 100000.
fn sizes() -> [u64; 3] {
    let given = std::env::var("ELENCHUS_TRANSACTIONS").ok().and_then(|count| count.parse().ok());
    given.map_or([10, 100, 1000], |count| [count; 3])
}

#[test]
fn guaranteed_levels_are_not_refuted_and_violations_are_found() {
    let mut broken_of_lists = 0;
    for (store, promised, broken, of_lists) in PROMISES {
        for workload in [Workload::ListAppend, Workload::RwRegister, Workload::SetAdd, Workload::CounterInc] {
            let mut breaches = 0;
            for seed in 0..12 {
                let operations = sizes()[seed as usize % 3];
                let crash = if seed % 2 == 0 { 0.0 } else { 0.03 };
                let recipe =
                    Recipe { operations, crash, keys: 5, processes: 8, reads: 0.6, ..Recipe::new(store, workload).with_seed(seed) };
                if workload == Workload::ListAppend && !of_lists {
                    continue;
                }
                let (_, transactions) = play(&recipe);
                let analysis = analyse(&transactions, &TransactionalOptions::default());
                assert!(!analysis.refutes(promised), "{store:?} {workload:?} {seed}: {promised} is refuted by {:?}", analysis.found.keys());
                breaches += u32::from(broken.is_some_and(|level| analysis.refutes(level)));
                let is_proved = matches!(workload, Workload::ListAppend | Workload::SetAdd | Workload::CounterInc);
                if is_proved && promised == Level::StrictSerializable {
                    assert_eq!(analysis.verdict(promised), Verdict::Valid);
                }
            }
            println!("{store:?} {workload:?}: {breaches} of 12 histories refute {broken:?}");
            broken_of_lists += usize::from(workload == Workload::ListAppend && breaches > 0);
        }
    }
    // In so few transactions not every store breaks what it may.
    assert!(broken_of_lists >= 4, "{broken_of_lists} stores break what is above their promise");
}

/// By their timestamps stores of snapshots keep what they promise; a store that lets overlapping writers commit does not.
#[test]
fn timestamps_identify_snapshots() {
    let mut broken = 0;
    for (store, promised) in [
        (Store::StrongSnapshotIsolation, Some(Level::StrongSnapshotIsolation)),
        (Store::SnapshotIsolation, Some(Level::SnapshotIsolation)),
        (Store::Prefix, None),
    ] {
        for workload in [Workload::ListAppend, Workload::RwRegister] {
            for seed in 0..6 {
                let crash = if seed % 2 == 0 { 0.0 } else { 0.03 };
                let suits = Recipe::new(store, workload).with_seed(seed);
                let (history, transactions) = play(&Recipe { operations: 300, crash, keys: 5, processes: 8, timestamps: true, ..suits });
                let verdict = build(&CheckSpec::new("snapshot-timestamps")).expect("a checker").check(&history).verdict;
                let analysis = analyse(&transactions, &TransactionalOptions::default());
                match promised {
                    // A crashed transaction that was observed may have committed at any timestamp.
                    Some(promised) => {
                        assert!(verdict == Verdict::Valid || verdict == Verdict::Unknown && crash > 0.0, "{store:?} {workload:?} {seed}");
                        assert!(!analysis.refutes(promised), "{store:?} {workload:?} {seed}: {:?}", analysis.found.keys());
                    }
                    None => broken += u32::from(verdict == Verdict::Invalid),
                }
            }
        }
    }
    assert!(broken > 0, "overlapping writers were never found");
}

/// The minimal history shows the phenomenon by itself, and every part of it is needed.
#[test]
fn minimal_histories_show_the_same() {
    let options = TransactionalOptions::default();
    for store in [Store::NoIsolation, Store::SnapshotIsolation, Store::ReadUncommitted] {
        let recipe = Recipe { operations: 150, keys: 4, ..Recipe::new(store, Workload::ListAppend).with_seed(3) };
        let (history, transactions) = play(&recipe);
        let analysis = analyse(&transactions, &options);
        assert!(!analysis.found.is_empty(), "{store:?}");
        for (&phenomenon, found) in &analysis.found {
            let instance = &found.examples[0];
            let Some(minimal) = analysis.minimal(&history, &options, phenomenon, instance) else { panic!("{store:?}: {phenomenon}") };
            let shows = |invocations: &[EventIndex]| {
                let mut part = Transactions::new(Datatype::ListAppend);
                let mut moments: Vec<EventIndex> = history
                    .operations()
                    .expect("well formed")
                    .iter()
                    .filter(|operation| invocations.contains(&operation.invoked))
                    .flat_map(|operation| [Some(operation.invoked), operation.completed])
                    .flatten()
                    .collect();
                moments.sort_unstable();
                moments.iter().for_each(|&at| part.push(history.event(at)).expect("well formed"));
                analyse(&part, &options).found.contains_key(&phenomenon)
            };
            assert!(minimal.len() <= 24 && shows(&minimal), "{store:?}: {phenomenon} by {minimal:?}");
            for left_out in &minimal {
                let rest: Vec<EventIndex> = minimal.iter().copied().filter(|each| each != left_out).collect();
                assert!(!shows(&rest), "{store:?}: {phenomenon} is shown without {left_out} of {minimal:?}");
            }
        }
    }
}

/// Every instance can be drawn and told.
#[test]
fn instances_are_explained() {
    let recipe = Recipe { operations: 200, keys: 4, ..Recipe::new(Store::NoIsolation, Workload::ListAppend) };
    let (_, transactions) = play(&recipe);
    let analysis = analyse(&transactions, &TransactionalOptions::default());
    for (&phenomenon, found) in &analysis.found {
        for instance in &found.examples {
            let (text, svg, dot) =
                (analysis.text(phenomenon, instance), analysis.svg(phenomenon, instance), analysis.dot(phenomenon, instance));
            assert!(text.contains(phenomenon.name()) && text.contains("Because"), "{text}");
            assert!(svg.starts_with("<svg") && svg.ends_with("</svg>\n"));
            assert!(dot.matches(" -> ").count() == instance.cycle.len(), "{dot}");
            let steps = analysis.json(instance)["argument"].as_array().map_or(0, Vec::len);
            assert!(steps >= instance.cycle.len().max(1), "{phenomenon}");
        }
    }
}
