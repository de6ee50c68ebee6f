//! The searches against each other, on simulated histories too long for the oracle.

mod common;

use common::{Defect, Simulation, cases, event, simulate};
use elenchus_checkers::linearizable::{LinearizableOptions, check, verify_witness};
use elenchus_checkers::models::CasRegister;
use elenchus_core::{History, Kind, Model, Operation, Step, Value, Verdict};

/// A register that does not say it is one, so that the general search decides.
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

fn verdicts(simulation: &Simulation) -> (Verdict, Verdict) {
    let history = simulate(simulation);
    let options = LinearizableOptions { minimise: false, witness: true, ..LinearizableOptions::default() };
    let special = check(&CasRegister::default(), &history, &options).expect("judged");
    let general = check(&Plain(CasRegister::default()), &history, &options).expect("judged");
    if let ([one], [other]) = (&special.failures[..], &general.failures[..]) {
        assert_eq!(one.completion, other.completion, "they break elsewhere: {simulation:?}");
    }
    for judgement in [&special, &general] {
        if let Some(witness) = &judgement.witness {
            assert_eq!(verify_witness(&CasRegister::default(), &history, witness), Ok(()), "{simulation:?}");
        }
        assert_eq!(judgement.witness.is_some(), judgement.verdict == Verdict::Valid, "{simulation:?}");
    }
    (special.verdict, general.verdict)
}

#[test]
fn an_atomic_register_is_linearizable() {
    for seed in 0..60 {
        let simulation = Simulation {
            seed,
            operations: 200,
            processes: 2 + seed as usize % 6,
            values: 2 + seed as i64 % 4,
            crash_percent: [0, 2, 10][seed as usize % 3],
            defect: Defect::None,
            rarity: 1,
        };
        assert_eq!(verdicts(&simulation), (Verdict::Valid, Verdict::Valid), "{simulation:?}");
    }
}

#[test]
fn both_searches_find_the_same_defects() {
    let mut invalid = 0;
    let cases = u64::from(cases(600));
    for seed in 0..cases {
        let simulation = Simulation {
            seed,
            operations: 80,
            processes: 2 + seed as usize % 5,
            values: 2 + seed as i64 % 4,
            crash_percent: [0, 2, 8][seed as usize % 3],
            defect: [Defect::StaleRead, Defect::LostUpdate][seed as usize / 3 % 2],
            rarity: 20,
        };
        let (special, general) = verdicts(&simulation);
        assert_eq!(special, general, "{simulation:?}");
        invalid += u64::from(special == Verdict::Invalid);
    }
    assert!(invalid > cases / 10, "only {invalid} defects show");
}

#[test]
fn a_budget_that_runs_out_is_no_verdict() {
    let simulation =
        Simulation { seed: 1, operations: 4_000, processes: 8, values: 5, crash_percent: 10, defect: Defect::StaleRead, rarity: 1_000 };
    let options = LinearizableOptions { memory: 1, ..LinearizableOptions::default() };
    let judgement = check(&Plain(CasRegister::default()), &simulate(&simulation), &options).expect("judged");
    assert_eq!(judgement.verdict, Verdict::Unknown);
    assert_eq!(judgement.undecided[0].why, "the memory budget ran out");
}

#[test]
fn a_memory_budget_is_kept() {
    let simulation =
        Simulation { seed: 1, operations: 4_000, processes: 12, values: 5, crash_percent: 10, defect: Defect::None, rarity: 1 };
    let history = simulate(&simulation);
    for memory in [1 << 16, 1 << 20] {
        let judgement = check(&Plain(CasRegister::default()), &history, &LinearizableOptions { memory, ..LinearizableOptions::default() })
            .expect("judged");
        assert_eq!(judgement.verdict, Verdict::Unknown);
        assert!(judgement.peak_bytes <= memory, "{} bytes held of {memory}", judgement.peak_bytes);
        let undecided = &judgement.undecided[0];
        assert!(undecided.completed > 0 && undecided.completed < undecided.operations, "{undecided:?}");
    }
}

/// All invocations stand before all completions: five writes, and many reads of what they wrote.
#[test]
fn thousands_may_be_open_at_once() {
    let asked = |process: u32| if process < 5 { "write" } else { "read" };
    let told = |process: u32| Value::Int(i64::from(process % 5));
    let open = |kind| (0..1_030).map(move |process| event(process, kind, asked(process), told(process)));
    let judged = |told: i64| {
        let reads = [event(9_999, Kind::Invoke, "read", Value::Nil), event(9_999, Kind::Ok, "read", told.into())];
        let history = History::new(open(Kind::Invoke).chain(open(Kind::Ok)).chain(reads).collect());
        check(&CasRegister::default(), &history, &LinearizableOptions { minimise: false, ..LinearizableOptions::default() })
            .expect("judged")
            .verdict
    };
    assert_eq!(judged(3), Verdict::Valid);
    assert_eq!(judged(5), Verdict::Invalid);
}
