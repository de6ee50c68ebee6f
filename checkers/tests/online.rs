//! The judgement while a history is recorded against the judgement of what was recorded so far.

mod common;

use common::{Choice, Defect, Simulation, Vocabulary, cases, history, simulate};
use elenchus_checkers::linearizable::{LinearizableOptions, Online, check};
use elenchus_checkers::models::{AppendStore, CasRegister, FifoQueue, Mutex, UnorderedQueue};
use elenchus_core::{History, Model, Value, Verdict};
use proptest::prelude::*;

fn choices() -> impl Strategy<Value = Vec<Choice>> {
    let choice =
        (0..4_u8, any::<u8>(), any::<u8>(), any::<u8>()).prop_map(|(process, input, told, fate)| Choice { process, input, told, fate });
    proptest::collection::vec(choice, 2..24)
}

/// Pushes a history event by event, and judges every prefix as a whole.
fn agrees_on_every_prefix<M: Model + Clone>(model: &M, history: &History) -> Result<Verdict, TestCaseError> {
    let options = LinearizableOptions { minimise: false, ..LinearizableOptions::default() };
    let mut online = Online::new(model.clone(), &options);
    for (at, event) in history.events.iter().enumerate() {
        let told = online.push(event).expect("an event that can follow");
        let prefix = History::new(history.events[..=at].to_vec());
        let judgement = check(model, &prefix, &options).expect("judged");
        prop_assert_eq!(online.verdict(), judgement.verdict, "after event {} of {:#?}", at, &history.events);
        let first = online.violation().filter(|violation| violation.completion.0 as usize == at);
        prop_assert_eq!(told.as_ref(), first, "told once, at event {}", at);
    }
    Ok(online.verdict())
}

fn agrees<M: Model + Clone>(model: &M, vocabulary: &Vocabulary) {
    let cases = cases(300);
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    let mut runner = proptest::test_runner::TestRunner::new(config);
    let invalid = std::cell::Cell::new(0);
    let outcome = runner.run(&choices(), |choices| {
        let verdict = agrees_on_every_prefix(model, &history(model, vocabulary, &choices))?;
        invalid.set(invalid.get() + u32::from(verdict == Verdict::Invalid));
        Ok(())
    });
    if let Err(disagreement) = outcome {
        panic!("{disagreement}");
    }
    assert!(invalid.get() > cases / 20 && invalid.get() < cases * 19 / 20, "one-sided: {} invalid", invalid.get());
}

#[test]
fn registers() {
    let writes = (0..3).map(|number| ("write", Value::Int(number)));
    let cas = (0..9).map(|pair| ("cas", Value::pair(pair / 3, pair % 3)));
    let reads = std::iter::repeat_n(("read", Value::Nil), 5);
    let inputs = writes.chain(cas).chain(reads).collect();
    agrees(&CasRegister::new(Value::Int(0)), &Vocabulary { inputs, outputs: (0..3).map(Value::Int).collect() });
}

#[test]
fn mutexes() {
    agrees(&Mutex, &Vocabulary { inputs: vec![("acquire", Value::Nil), ("release", Value::Nil)], outputs: vec![Value::Nil] });
}

/// The element that a dequeue took is known only when it returns.
#[test]
fn queues() {
    let inputs = || (0..3).map(|number| ("enqueue", Value::Int(number))).chain(std::iter::repeat_n(("dequeue", Value::Nil), 3)).collect();
    let outputs = || std::iter::once(Value::Nil).chain((0..3).map(Value::Int)).collect();
    agrees(&FifoQueue, &Vocabulary { inputs: inputs(), outputs: outputs() });
    agrees(&UnorderedQueue, &Vocabulary { inputs: inputs(), outputs: outputs() });
}

#[test]
fn stores() {
    let inputs = vec![("put", Value::from("a")), ("append", Value::from("b")), ("append", Value::from("c")), ("get", Value::Nil)];
    let texts = ["", "a", "b", "c", "ab", "ac", "bc", "cb", "abc", "acb"];
    agrees(&AppendStore, &Vocabulary { inputs, outputs: texts.map(Value::from).to_vec() });
}

/// Longer ones, in which bases move and operations hang.
#[test]
fn simulated_registers() {
    for seed in 0..12 {
        let simulation = Simulation {
            seed,
            operations: 120,
            processes: 2 + seed as usize % 5,
            values: 3,
            crash_percent: [0, 2][seed as usize % 2],
            defect: [Defect::None, Defect::StaleRead, Defect::LostUpdate][seed as usize % 3],
            rarity: 30,
        };
        let mut history = simulate(&simulation);
        if seed % 4 == 0 {
            // An operation that hangs from the beginning to the end.
            let mut hung = history.events[0].clone();
            (hung.process, hung.value) = (elenchus_core::Process::Client(1_000_000), Value::Int(1));
            hung.f = elenchus_core::Symbol::of("write");
            history.events.insert(0, hung.clone());
            hung.kind = elenchus_core::Kind::Ok;
            history.events.push(hung);
        }
        agrees_on_every_prefix(&CasRegister::default(), &history).unwrap_or_else(|error| panic!("{simulation:?}: {error}"));
    }
}

#[test]
fn holds_no_more_than_is_open() {
    let simulation = Simulation { seed: 7, operations: 20_000, processes: 5, values: 5, crash_percent: 0, defect: Defect::None, rarity: 1 };
    let mut online = Online::new(CasRegister::default(), &LinearizableOptions::default());
    let mut most = 0;
    for event in &simulate(&simulation).events {
        online.push(event).expect("an event that can follow");
        most = most.max(online.held());
    }
    assert_eq!(online.verdict(), Verdict::Valid);
    assert!(most < 200, "{most} operations held");
}
