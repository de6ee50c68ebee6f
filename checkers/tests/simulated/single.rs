//! Stores of single objects.

use std::collections::BTreeMap;

use elenchus_checkers::consistency::{self, ConsistencyModel};
use elenchus_checkers::linearizable::LinearizableOptions;
use elenchus_checkers::models::MODELS;
use elenchus_checkers::simulate::{DefectRate, Recipe, STORES, Store, Workload};
use elenchus_core::{Checker, Event, History, Kind, Process, Verdict};

use crate::orders::Sessions;

/// How many seeds to try where `some` are enough for a quick test.
pub(crate) fn seeds(some: u64) -> std::ops::Range<u64> {
    0..std::env::var("ELENCHUS_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(some)
}

/// A history, and how often the defect occurred.
pub(crate) fn play(recipe: &Recipe) -> (History, usize) {
    let mut simulation = recipe.simulate().expect("a sound recipe");
    let events: Vec<Event> = simulation.by_ref().collect();
    (History::new(events), simulation.truth().defects.len())
}

fn linearizable(recipe: &Recipe, history: &History) -> Verdict {
    let model = MODELS.iter().find(|model| model.name == recipe.workload.entry().name).expect("a model");
    let options = LinearizableOptions { memory: 16 << 20, minimise: false, ..LinearizableOptions::default() };
    let checker = (model.linearizable)((recipe.workload == Workload::Semaphore).then(|| i64::from(recipe.permits).into()), options);
    checker.check(history).verdict
}

fn all() -> impl Iterator<Item = (Store, Workload)> {
    STORES.iter().flat_map(|entry| entry.workloads.iter().map(|&workload| (entry.store, workload)))
}

/// A small history that varies in size, crashes and keys.
fn small(store: Store, workload: Workload, seed: u64) -> Recipe {
    let varied = Recipe::new(store, workload).with_seed(seed);
    // Which operation may have taken an element of a container is expensive to search.
    let is_hard = varied.values.is_none() && varied.updates_per_key.is_none();
    Recipe {
        operations: if is_hard { 50 } else { 100 },
        processes: 2 + (seed % if is_hard { 3 } else { 5 }) as u32,
        keys: 1 + (seed / 2 % 2) as u32,
        crash: [0.0, 0.02, 0.06][seed as usize % 3],
        defect_rate: [DefectRate::Share(0.1), DefectRate::Once][seed as usize % 2],
        permits: 1 + (seed % 4) as u32,
        ..varied
    }
}

#[test]
fn a_store_is_refuted_only_for_its_defect() {
    for entry in STORES.iter().filter(|entry| !entry.workloads[0].is_transactional()) {
        let (mut judged, mut refuted) = (0, 0);
        for &workload in entry.workloads {
            let mut verdicts: BTreeMap<Verdict, u64> = BTreeMap::new();
            for seed in seeds(6) {
                let recipe = small(entry.store, workload, seed);
                let (history, defects) = play(&recipe);
                let verdict = linearizable(&recipe, &history);
                assert!(verdict != Verdict::Invalid || defects > 0 || has_copies(entry.store), "{recipe:?}");
                *verdicts.entry(verdict).or_default() += 1;
            }
            println!("{:20} {:16} {verdicts:?}", entry.name, workload.entry().name);
            judged += seeds(6).end;
            refuted += verdicts.get(&Verdict::Invalid).copied().unwrap_or(0);
        }
        // In half of them the defect occurs once, and one occurrence among many concurrent operations may still be linearizable.
        assert!(entry.store == Store::Linearizable || 4 * refuted >= judged, "{}: {refuted} of {judged}", entry.name);
    }
}

/// Whether a store violates linearizability without any defect.
fn has_copies(store: Store) -> bool {
    use Store::*;
    matches!(store, Sequential | Causal | Pram | NoReadYourWrites | NoMonotonicReads)
}

#[test]
fn histories_are_well_formed() {
    for (store, workload) in all() {
        let recipe = Recipe { operations: 500, processes: 7, crash: 0.1, fail: 0.05, keys: 3, ..Recipe::new(store, workload) };
        let (history, _) = play(&recipe);
        let operations = history.operations().expect("well formed");
        assert_eq!(operations.len(), 500);
        assert!(operations.iter().all(|operation| operation.completed.is_some()));
        assert!(history.events.is_sorted_by_key(|event| event.time));
        let crashed: Vec<Process> = history.events.iter().filter(|event| event.kind == Kind::Info).map(|event| event.process).collect();
        assert!((25..80).contains(&crashed.len()), "{}", crashed.len());
        for dead in crashed {
            assert!(
                operations
                    .iter()
                    .filter(|operation| operation.process == dead)
                    .all(|operation| operation.kind == Kind::Info || operation.completed.is_some())
            );
            let last = history.events.iter().rev().find(|event| event.process == dead).expect("it spoke");
            assert_eq!(last.kind, Kind::Info);
        }
    }
}

#[test]
fn the_same_recipe_gives_the_same_bytes() {
    for (store, workload) in all() {
        let recipe = Recipe { crash: 0.05, keys: 2, operations: 200, ..Recipe::new(store, workload).with_seed(3) };
        let bytes = |recipe: &Recipe| {
            let mut bytes = Vec::new();
            elenchus_core::exchange::edn::write(&play(recipe).0, &mut bytes).expect("written");
            bytes
        };
        assert!(bytes(&recipe) == bytes(&recipe), "{recipe:?}");
        assert!(bytes(&recipe) != bytes(&recipe.clone().with_seed(4)), "{recipe:?}");
    }
}

/// How many short histories of one register a store gives in which these hold: sequential, causal and PRAM consistency.
fn count(store: Store) -> [u64; 4] {
    let mut counts = [0; 4];
    for seed in seeds(16) {
        let recipe = Recipe {
            operations: 32,
            processes: 4,
            values: None,
            crash: [0.0, 0.05][seed as usize % 2],
            ..Recipe::new(store, Workload::Register).with_seed(seed)
        };
        let (history, _) = play(&recipe);
        let sessions = Sessions::of(&history);
        let linearizable = linearizable(&recipe, &history) == Verdict::Valid;
        let holds = [linearizable, sessions.are_sequential(), sessions.are_causal(), sessions.are_pram()];
        assert!(holds.is_sorted(), "what is stronger implies what is weaker: {holds:?} {recipe:?}");
        for (count, holds) in counts.iter_mut().zip(holds) {
            *count += u64::from(holds);
        }
    }
    println!("{store:?}: of {} linearizable, sequential, causal, PRAM: {counts:?}", seeds(16).end);
    counts
}

#[test]
fn weaker_stores_show_their_anomalies() {
    let all = seeds(16).end;
    // At least every eighth short history gives it away.
    let breaks = |holds: u64| 8 * holds <= 7 * all;
    let [linearizable, ..] = count(Store::Linearizable);
    assert_eq!(linearizable, all);
    let [linearizable, sequential, ..] = count(Store::Sequential);
    assert!(sequential == all && breaks(linearizable));
    let [_, sequential, causal, _] = count(Store::Causal);
    assert!(causal == all && breaks(sequential));
    let [_, sequential, _, pram] = count(Store::Pram);
    assert!(pram == all && breaks(sequential));
    let [.., pram] = count(Store::NoReadYourWrites);
    assert!(breaks(pram));
    let [.., pram] = count(Store::NoMonotonicReads);
    assert!(breaks(pram));
}

/// A short history seldom shows that an effect overtook its cause; a long one does, and is too long for trying every order.
#[test]
fn causality_is_violated_only_by_stores_that_allow_it() {
    let refuted = |store, model| {
        let is_refuted = |seed: u64| {
            let recipe = Recipe { operations: 400, processes: 6, values: None, ..Recipe::new(store, Workload::Register).with_seed(seed) };
            let judgement = consistency::check(model, &play(&recipe).0, &consistency::ConsistencyOptions::default()).expect("well formed");
            assert_ne!(judgement.verdict, Verdict::Unknown, "{recipe:?}");
            judgement.verdict == Verdict::Invalid
        };
        seeds(24).filter(|&seed| is_refuted(seed)).count() as u64
    };
    assert_eq!(refuted(Store::Causal, ConsistencyModel::Causal), 0);
    assert_eq!(refuted(Store::Pram, ConsistencyModel::Pram), 0);
    let overtaken = refuted(Store::Pram, ConsistencyModel::Causal);
    assert!(8 * overtaken >= seeds(24).end, "{overtaken}");
}
