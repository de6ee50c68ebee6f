//! The checker against an oracle that tries every order, on many short random histories of every model.

mod common;

use std::cell::Cell;
use std::path::Path;

use common::fuzzed::engine_agrees_with_oracle;
use common::{Choice, Vocabulary, cases, free_but, history, linearizes, oracle};
use elenchus_checkers::linearizable::{Failure, LinearizableOptions, check, verify_witness};
use elenchus_checkers::models::*;
use elenchus_core::{History, Model, Step, Value, Verdict};
use proptest::prelude::*;

fn choices() -> impl Strategy<Value = Vec<Choice>> {
    let choice =
        (0..4_u8, any::<u8>(), any::<u8>(), any::<u8>()).prop_map(|(process, input, told, fate)| Choice { process, input, told, fate });
    proptest::collection::vec(choice, 2..18)
}

fn ints(numbers: impl IntoIterator<Item = i64>) -> Vec<Value> {
    numbers.into_iter().map(Value::Int).collect()
}

fn nil_and(numbers: impl IntoIterator<Item = i64>) -> Vec<Value> {
    std::iter::once(Value::Nil).chain(ints(numbers)).collect()
}

/// Compares the two on random histories, and confirms every counterexample.
fn agrees<M: Model>(model: &M, vocabulary: &Vocabulary) {
    let cases = cases(2_000);
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    let mut runner = proptest::test_runner::TestRunner::new(config);
    let (valid, invalid) = (Cell::new(0), Cell::new(0));
    let outcome = runner.run(&choices(), |choices| {
        let history = history(model, vocabulary, &choices);
        let expected = oracle(model, &history);
        let judgement = check(model, &history, &LinearizableOptions { witness: true, ..LinearizableOptions::default() }).expect("judged");
        prop_assert_eq!(judgement.verdict == Verdict::Valid, expected, "{:#?}", &history.events);
        if expected {
            valid.set(valid.get() + 1);
            let witness = judgement.witness.unwrap_or_default();
            prop_assert_eq!(verify_witness(model, &history, &witness), Ok(()), "{:?} of {:#?}", &witness, &history.events);
        } else {
            invalid.set(invalid.get() + 1);
            let failure = &judgement.failures[0];
            prop_assert!(failure.is_minimal);
            prop_assert!(!failure.argument.is_empty());
            confirm_furthest(model, &history, failure)?;
            let proof = &failure.operations;
            prop_assert!(
                !linearizes(model, free_but(&history, proof, failure.completion)),
                "no proof: {proof:?} of {:#?}",
                &history.events
            );
            for left_out in proof {
                let rest: Vec<_> = proof.iter().copied().filter(|operation| operation != left_out).collect();
                let needed = linearizes(model, free_but(&history, &rest, failure.completion));
                prop_assert!(needed, "{left_out} is not needed in {proof:?} of {:#?}", &history.events);
            }
            let prefix = History::new(history.events[..failure.completion.0 as usize].to_vec());
            prop_assert!(oracle(model, &prefix), "the shortest prefix is shorter than {}", failure.completion);
        }
        Ok(())
    });
    let (valid, invalid) = (valid.get(), invalid.get());
    if let Err(disagreement) = outcome {
        panic!("{disagreement}");
    }
    assert!(valid > cases / 20 && invalid > cases / 20, "one-sided: {valid} valid, {invalid} invalid");
}

/// Each of the furthest orders consists of operations of the proof and others, can happen, and cannot go on to the failing one.
fn confirm_furthest<M: Model>(model: &M, history: &History, failure: &Failure) -> Result<(), TestCaseError> {
    prop_assert!(!failure.furthest.is_empty());
    let operations = history.operations().expect("well formed");
    for furthest in &failure.furthest {
        let mut state = model.initial();
        prop_assert_eq!(&furthest.initial, &model.describe(&state));
        for placed in &furthest.order {
            prop_assert!(failure.operations.contains(&placed.operation) || failure.others.contains(&placed.operation));
            let operation = operations.iter().find(|operation| operation.invoked == placed.operation).expect("an operation");
            match model.step(&state, operation) {
                Step::Impossible => prop_assert!(false, "{operation} is impossible in {furthest:?}"),
                Step::Same => {}
                Step::To(next) => state = next,
            }
            prop_assert_eq!(&placed.state, &model.describe(&state));
        }
        prop_assert!(!furthest.pending.is_empty());
    }
    Ok(())
}

/// Replays the inputs that fuzzing kept.
#[test]
fn corpus() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/engine_linearizable");
    let files: Vec<_> = folder.read_dir().expect("a corpus").map(|entry| entry.expect("a file").path()).collect();
    assert!(files.len() > 10, "{} has only {} files", folder.display(), files.len());
    for file in files {
        println!("{}", file.display());
        engine_agrees_with_oracle(&std::fs::read(&file).expect("readable"));
    }
}

#[test]
fn register() {
    let writes = (0..3).map(|number| ("write", Value::Int(number)));
    let inputs = writes.chain([("read", Value::Nil), ("read", Value::Nil)]).collect();
    agrees(&Register::default(), &Vocabulary { inputs, outputs: nil_and(0..3) });
}

#[test]
fn cas_register() {
    let writes = (0..3).map(|number| ("write", Value::Int(number)));
    let cas = (0..9).map(|pair| ("cas", Value::pair(pair / 3, pair % 3)));
    let reads = std::iter::repeat_n(("read", Value::Nil), 5);
    agrees(&CasRegister::new(Value::Int(0)), &Vocabulary { inputs: writes.chain(cas).chain(reads).collect(), outputs: ints(0..3) });
}

#[test]
fn cas_register_that_says_whether_it_was_set() {
    let writes = (0..2).map(|number| ("write", Value::Int(number)));
    let cas = (0..4).map(|pair| ("cas", Value::pair(pair / 2, pair % 2)));
    let outputs = vec![Value::Bool(true), Value::Bool(false), Value::Int(0), Value::Int(1)];
    agrees(&CasRegister::new(Value::Int(0)), &Vocabulary { inputs: writes.chain(cas).chain([("read", Value::Nil)]).collect(), outputs });
}

#[test]
fn mutex() {
    let vocabulary = || Vocabulary { inputs: vec![("acquire", Value::Nil), ("release", Value::Nil)], outputs: vec![Value::Nil] };
    agrees(&Mutex, &vocabulary());
    agrees(&OwnedMutex::exclusive(), &vocabulary());
    agrees(&OwnedMutex::reentrant(), &vocabulary());
}

#[test]
fn fenced_mutex() {
    agrees(&FencedMutex, &Vocabulary { inputs: vec![("acquire", Value::Nil), ("release", Value::Nil)], outputs: ints(0..4) });
}

#[test]
fn semaphore() {
    let inputs = vec![("acquire", Value::Nil), ("acquire", Value::Int(2)), ("release", Value::Nil), ("release", Value::Int(2))];
    agrees(&Semaphore::new(3), &Vocabulary { inputs, outputs: vec![Value::Nil] });
}

#[test]
fn counter() {
    let inputs = vec![("add", Value::Int(2)), ("increment", Value::Nil), ("decrement", Value::Nil), ("read", Value::Nil)];
    agrees(&Counter::default(), &Vocabulary { inputs, outputs: ints(-2..5) });
}

#[test]
fn queues() {
    let inputs = || (0..3).map(|number| ("enqueue", Value::Int(number))).chain(std::iter::repeat_n(("dequeue", Value::Nil), 3)).collect();
    agrees(&FifoQueue, &Vocabulary { inputs: inputs(), outputs: nil_and(0..3) });
    agrees(&UnorderedQueue, &Vocabulary { inputs: inputs(), outputs: nil_and(0..3) });
}

#[test]
fn stack() {
    let inputs = (0..3).map(|number| ("push", Value::Int(number))).chain(std::iter::repeat_n(("pop", Value::Nil), 3)).collect();
    agrees(&Stack, &Vocabulary { inputs, outputs: nil_and(0..3) });
}

#[test]
fn priority_queue() {
    let inputs = (0..3).map(|number| ("insert", Value::Int(number))).chain(std::iter::repeat_n(("delete-min", Value::Nil), 3)).collect();
    agrees(&PriorityQueue, &Vocabulary { inputs, outputs: nil_and(0..3) });
}

#[test]
fn set_by_element() {
    let element = |number| [("add", Value::Int(number)), ("remove", Value::Int(number)), ("contains", Value::Int(number))];
    agrees(&Set, &Vocabulary { inputs: (0..2).flat_map(element).collect(), outputs: vec![Value::Bool(true), Value::Bool(false)] });
}

#[test]
fn set_read_whole() {
    let inputs = (0..2).map(|number| ("add", Value::Int(number))).chain([("remove", Value::Int(0)), ("read", Value::Nil)]).collect();
    let outputs = [vec![], vec![0], vec![1], vec![1, 0]].map(|numbers| Value::List(ints(numbers))).to_vec();
    agrees(&Set, &Vocabulary { inputs, outputs });
}

#[test]
fn log() {
    let inputs = vec![("append", Value::Int(0)), ("append", Value::Int(1)), ("read", Value::Nil), ("read", Value::Nil)];
    let lists = [vec![], vec![0], vec![1], vec![0, 1], vec![1, 0], vec![0, 0], vec![1, 1], vec![0, 1, 0], vec![1, 0, 1]];
    agrees(&Log, &Vocabulary { inputs, outputs: lists.map(|numbers| Value::List(ints(numbers))).to_vec() });
}

#[test]
fn kv() {
    let inputs = vec![("put", Value::from("a")), ("append", Value::from("b")), ("append", Value::from("c")), ("get", Value::Nil)];
    let texts = ["", "a", "b", "c", "ab", "ac", "bc", "cb", "abc", "acb", "bb", "cc"];
    agrees(&AppendStore, &Vocabulary { inputs, outputs: texts.map(Value::from).to_vec() });
}

#[test]
fn multi_register() {
    let micro = |f: &str, key: &str, value: Value| Value::List(vec![f.into(), key.into(), value]);
    let map = |pairs: &[(&str, i64)]| Value::Map(pairs.iter().map(|&(key, value)| (key.into(), value.into())).collect());
    let inputs = vec![("write", map(&[("x", 1)])), ("write", map(&[("x", 0), ("y", 1)])), ("read", map(&[("x", 0)]))];
    let outputs = vec![map(&[("x", 0)]), map(&[("x", 1)]), map(&[("x", 1), ("y", 1)])];
    agrees(&MultiRegister::new(Value::Int(0)), &Vocabulary { inputs, outputs });

    let txn = |x, y| Value::List(vec![micro("read", "x", x), micro("r", "y", y), micro("write", "y", 1.into())]);
    let outputs = (0..4_i64).map(|pair| txn((pair / 2).into(), (pair % 2).into())).collect();
    let inputs = vec![("txn", txn(Value::Nil, Value::Nil)), ("write", map(&[("x", 1), ("y", 0)])), ("write", map(&[("x", 0)]))];
    agrees(&MultiRegister::new(Value::Int(0)), &Vocabulary { inputs, outputs });
}
