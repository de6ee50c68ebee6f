//! The transaction engine on simulated stores: what a store guarantees is never refuted.
#![no_main]

mod recipe;

use elenchus_checkers::build;
use elenchus_checkers::simulate::{Store, Workload};
use elenchus_core::{CheckSpec, History, Verdict};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let suits = |store, workload| {
        let is_transactional = matches!(workload, Workload::ListAppend | Workload::RwRegister | Workload::SetAdd | Workload::CounterInc);
        is_transactional && store != Store::NoIsolation
    };
    let Some(recipe) = recipe::recipe(data, suits) else { return };
    let Ok(simulation) = recipe.simulate() else { return };
    let history = History::new(simulation.collect());
    let spec = CheckSpec::new(recipe.workload.entry().name).with("isolation", recipe.store.entry().name);
    let finding = build(&spec).expect("a known checker and level").check(&history);
    assert!(finding.verdict != Verdict::Invalid, "{}: {recipe:?}", finding.summary);
});
