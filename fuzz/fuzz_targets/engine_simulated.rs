//! The linearizability engine on simulated objects: the one that is linearizable is never refuted, and the search for registers and the one for all
//! models agree.
#![no_main]

mod recipe;

use elenchus_checkers::linearizable::{LinearizableOptions, check};
use elenchus_checkers::models::{CasRegister, MODELS};
use elenchus_checkers::simulate::{Store, Workload};
use elenchus_core::{Checker, History, Model, Operation, Step, Value, Verdict};
use libfuzzer_sys::fuzz_target;

/// A register that does not say it is one.
struct Plain(CasRegister);

impl Model for Plain {
    type State = Value;

    fn initial(&self) -> Value {
        self.0.initial()
    }

    fn step(&self, state: &Value, operation: &Operation<'_>) -> Step<Value> {
        self.0.step(state, operation)
    }

    fn observes(&self, operation: &Operation<'_>) -> bool {
        self.0.observes(operation)
    }
}

fuzz_target!(|data: &[u8]| {
    let Some(recipe) = recipe::recipe(data, |_, workload| !workload.is_transactional()) else { return };
    let Ok(simulation) = recipe.simulate() else { return };
    let history = History::new(simulation.collect());
    let options = LinearizableOptions { memory: 32 << 20, minimise: false, ..LinearizableOptions::default() };
    if matches!(recipe.workload, Workload::Register | Workload::CasRegister) {
        let special = check(&CasRegister::default(), &history, &options).expect("a well-formed history").verdict;
        let general = check(&Plain(CasRegister::default()), &history, &options).expect("a well-formed history").verdict;
        assert!(special == general || special == Verdict::Unknown || general == Verdict::Unknown, "{special} {general} {recipe:?}");
    }
    let Some(model) = MODELS.iter().find(|model| model.name == recipe.workload.entry().name) else { return };
    let verdict = (model.linearizable)(None, options).check(&history).verdict;
    assert!(verdict != Verdict::Invalid || recipe.store != Store::Linearizable, "{recipe:?}");
});
