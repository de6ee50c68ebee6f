//! Histories for tests: a small notation, and random ones.

#![allow(dead_code, unreachable_pub)]

use elenchus_core::{Event, History, Kind, Model, Nanos, Operation, Process, Step, Symbol, Value};

/// An event without a key.
pub fn event(process: u32, kind: Kind, f: &str, value: Value) -> Event {
    Event { time: Nanos::ZERO, process: Process::Client(process), kind, f: Symbol::intern(f), key: None, value, error: None, node: None }
}

/// What the operations of a model look like.
pub struct Vocabulary {
    /// Functions with the arguments they take.
    pub inputs: Vec<(&'static str, Value)>,
    /// What they may be told.
    pub outputs: Vec<Value>,
}

/// One decision about a random history.
#[derive(Clone, Copy, Debug)]
pub struct Choice {
    pub process: u8,
    pub input: u8,
    pub told: u8,
    pub fate: u8,
}

/// Follows choices: a process that is idle invokes, one that is busy completes. Three quarters of the answers are those of an object that
/// acts at the completion; the others are arbitrary.
pub fn history<M: Model>(model: &M, vocabulary: &Vocabulary, choices: &[Choice]) -> History {
    let (mut events, mut state) = (Vec::new(), model.initial());
    let mut open: Vec<Option<(Symbol, Value)>> = vec![None; 256];
    let mut names: Vec<u32> = (0..256).collect();
    for choice in choices {
        let seat = usize::from(choice.process);
        let Some((f, input)) = open[seat].take() else {
            let (f, input) = vocabulary.inputs[usize::from(choice.input) % vocabulary.inputs.len()].clone();
            events.push(event(names[seat], Kind::Invoke, f, input.clone()));
            open[seat] = Some((Symbol::of(f), input));
            continue;
        };
        let kind = match choice.fate % 10 {
            0 => Kind::Fail,
            1 | 2 => Kind::Info,
            _ => Kind::Ok,
        };
        let honest = choice.told % 4 != 0;
        let mut told = input.clone();
        if kind == Kind::Ok {
            let first = usize::from(choice.told / 4);
            told = vocabulary.outputs[first % vocabulary.outputs.len()].clone();
            let candidates = (0..vocabulary.outputs.len()).map(|at| &vocabulary.outputs[(first + at) % vocabulary.outputs.len()]);
            for candidate in candidates {
                let operation = operation(names[seat], f, &input, candidate);
                let step = model.step(&state, &operation);
                if !honest || step != Step::Impossible {
                    told = candidate.clone();
                    if let Step::To(next) = step {
                        state = next;
                    }
                    break;
                }
            }
        } else if kind == Kind::Info && honest {
            let operation = Operation { output: None, ..operation(names[seat], f, &input, &Value::Nil) };
            if let Step::To(next) = model.step(&state, &operation) {
                state = next;
            }
        }
        events.push(event(names[seat], kind, f.as_str(), told));
        if kind == Kind::Info {
            names[seat] += 256;
        }
    }
    History::new(events)
}

fn operation<'v>(process: u32, f: Symbol, input: &'v Value, output: &'v Value) -> Operation<'v> {
    Operation {
        process: Process::Client(process),
        f,
        key: None,
        input,
        output: Some(output),
        kind: Kind::Ok,
        invoked: elenchus_core::EventIndex(0),
        completed: None,
        node: None,
    }
}

/// Whether a history has a linearization, by trying every order. Written apart from the crate, and only for short histories.
pub fn oracle<M: Model>(model: &M, history: &History) -> bool {
    let operations: Vec<Operation<'_>> =
        history.operations().expect("well formed").into_iter().filter(|operation| operation.kind != Kind::Fail).collect();
    assert!(operations.len() <= 16, "too long for trying every order");
    explore(model, &operations, 0, &model.initial())
}

fn explore<M: Model>(model: &M, operations: &[Operation<'_>], done: u32, state: &M::State) -> bool {
    let undone = || operations.iter().enumerate().filter(move |(at, _)| done & 1 << at == 0);
    if undone().all(|(_, operation)| operation.kind != Kind::Ok) {
        return true;
    }
    undone().any(|(at, next)| {
        let overtakes =
            undone().any(|(_, other)| other.kind == Kind::Ok && other.completed.is_some_and(|completed| completed < next.invoked));
        !overtakes
            && match model.step(state, next) {
                Step::Impossible => false,
                Step::Same => explore(model, operations, done | 1 << at, state),
                Step::To(state) => explore(model, operations, done | 1 << at, &state),
            }
    })
}

/// The history with only the operations invoked at these events.
pub fn only(history: &History, invocations: &[elenchus_core::EventIndex]) -> History {
    let operations = history.operations().expect("well formed");
    let mut keep = vec![false; history.events.len()];
    for operation in operations.iter().filter(|operation| invocations.contains(&operation.invoked)) {
        keep[operation.invoked.0 as usize] = true;
        if let Some(completed) = operation.completed {
            keep[completed.0 as usize] = true;
        }
    }
    History::new(history.events.iter().zip(keep).filter(|(_, keep)| *keep).map(|(event, _)| event.clone()).collect())
}
