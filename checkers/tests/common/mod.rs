//! Random histories for tests, and an oracle.

#![allow(dead_code, unreachable_pub)]

pub mod dice;
pub mod fuzzed;
pub mod store;

pub use dice::Dice;

use elenchus_core::{Event, EventIndex, History, Kind, Model, Nanos, Operation, Process, Step, Symbol, Value};

/// How many cases a test runs: `ELENCHUS_CASES`, or the default.
pub fn cases(default: u32) -> u32 {
    std::env::var("ELENCHUS_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(default)
}

/// An event without a key.
pub fn event(process: u32, kind: Kind, f: &str, value: Value) -> Event {
    Event { time: Nanos::ZERO, process: Process::Client(process), kind, f: Symbol::intern(f), key: None, value, error: None, node: None }
}

/// The operations of a model, for random histories.
pub struct Vocabulary {
    /// Functions with the arguments they take.
    pub inputs: Vec<(&'static str, Value)>,
    /// Results they may have.
    pub outputs: Vec<Value>,
}

/// One step of a random history.
#[derive(Clone, Copy, Debug)]
pub struct Choice {
    pub process: u8,
    pub input: u8,
    pub told: u8,
    pub fate: u8,
}

/// Follows choices: an idle process invokes, a busy one completes. Three quarters of the results are those of an object on which operations
/// take effect at their completion; the others are arbitrary.
pub fn history<M: Model>(model: &M, vocabulary: &Vocabulary, choices: &[Choice]) -> History {
    let (mut events, mut state) = (Vec::new(), model.initial());
    let mut open: Vec<Option<(Symbol, Value)>> = vec![None; 256];
    let mut names: Vec<u32> = (0..256).collect();
    for choice in choices {
        let slot = usize::from(choice.process);
        let Some((f, input)) = open[slot].take() else {
            let (f, input) = vocabulary.inputs[usize::from(choice.input) % vocabulary.inputs.len()].clone();
            events.push(event(names[slot], Kind::Invoke, f, input.clone()));
            open[slot] = Some((Symbol::of(f), input));
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
                let operation = operation(names[slot], f, &input, candidate);
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
            let operation = Operation { output: None, ..operation(names[slot], f, &input, &Value::Nil) };
            if let Step::To(next) = model.step(&state, &operation) {
                state = next;
            }
        }
        events.push(event(names[slot], kind, f.as_str(), told));
        if kind == Kind::Info {
            names[slot] += 256;
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
        invoked: EventIndex(0),
        completed: None,
        node: None,
    }
}

/// Whether a history is linearizable, by trying every order: independent of the crate, and only for short histories.
pub fn oracle<M: Model>(model: &M, history: &History) -> bool {
    linearizes(model, history.operations().expect("well formed"))
}

/// Whether operations are linearizable.
pub fn linearizes<M: Model>(model: &M, operations: Vec<Operation<'_>>) -> bool {
    let operations: Vec<Operation<'_>> = operations.into_iter().filter(|operation| operation.kind != Kind::Fail).collect();
    assert!(operations.len() <= 16, "too long for trying every order");
    explore(model, &operations, 0, &model.initial())
}

/// The operations invoked before `end`. Only those invoked at `bound` must have happened, within their interval; the others may happen at
/// any time or never, as may operations that had not completed by `end`.
pub fn free_but<'h>(history: &'h History, bound: &[EventIndex], end: EventIndex) -> Vec<Operation<'h>> {
    let begun = history.operations().expect("well formed").into_iter().filter(|operation| operation.invoked < end);
    begun
        .map(|operation| match (operation.kind, operation.completed.is_some_and(|completed| completed <= end)) {
            (Kind::Ok, returned) if !returned => Operation { kind: Kind::Info, completed: None, ..operation },
            _ => operation,
        })
        .map(|operation| match operation.kind {
            Kind::Ok | Kind::Info if !bound.contains(&operation.invoked) => {
                Operation { kind: Kind::Info, completed: None, invoked: EventIndex(0), ..operation }
            }
            _ => operation,
        })
        .collect()
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

/// The defect of a simulated register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Defect {
    None,
    /// Some reads return the value that was overwritten longest ago.
    StaleRead,
    /// Some writes are acknowledged and not done.
    LostUpdate,
}

/// A run of clients on one simulated register.
#[derive(Clone, Copy, Debug)]
pub struct Simulation {
    pub seed: u64,
    pub operations: usize,
    pub processes: usize,
    pub values: i64,
    pub crash_percent: u64,
    pub defect: Defect,
    /// The defect occurs in one of about so many operations of the second half.
    pub rarity: u64,
}

enum Slot {
    Idle,
    /// Invoked, has not taken effect.
    Invoked(&'static str, Value),
    /// Has taken effect, not completed.
    Done(Kind, &'static str, Value),
}

/// Runs a simulation: at each step a random client invokes an operation, or its operation takes effect, or completes.
pub fn simulate(simulation: &Simulation) -> History {
    let mut dice = Dice::new(simulation.seed);
    let mut events = Vec::with_capacity(simulation.operations * 2);
    let mut slots: Vec<Slot> = (0..simulation.processes).map(|_| Slot::Idle).collect();
    let mut names: Vec<u32> = (0..simulation.processes as u32).collect();
    let (mut held, mut asked) = (vec![Value::Nil], 0);
    while asked < simulation.operations || slots.iter().any(|slot| !matches!(slot, Slot::Idle)) {
        let at = dice.below(simulation.processes as u64) as usize;
        let name = names[at];
        slots[at] = match std::mem::replace(&mut slots[at], Slot::Idle) {
            Slot::Idle if asked == simulation.operations => Slot::Idle,
            Slot::Idle => {
                asked += 1;
                let mut value = || dice.below(simulation.values as u64) as i64;
                let pair = Value::pair(value(), value());
                let (f, input) = match dice.below(3) {
                    0 => ("read", Value::Nil),
                    1 => ("write", pair.as_pair().expect("a pair").0.clone()),
                    _ => ("cas", pair),
                };
                events.push(event(name, Kind::Invoke, f, input.clone()));
                Slot::Invoked(f, input)
            }
            Slot::Invoked(f, input) => {
                let may_err = simulation.defect != Defect::None && asked >= simulation.operations / 2;
                let errs = may_err && dice.below(simulation.rarity) == 0;
                let crashes = dice.below(100) < simulation.crash_percent;
                let (kind, told) = act(&mut held, f, &input, errs.then_some(simulation.defect));
                if crashes {
                    events.push(event(name, Kind::Info, f, input));
                    names[at] += simulation.processes as u32;
                    Slot::Idle
                } else {
                    Slot::Done(kind, f, told)
                }
            }
            Slot::Done(kind, f, told) => {
                events.push(event(name, kind, f, told));
                Slot::Idle
            }
        };
    }
    History::new(events)
}

/// The effect and result of an operation. `held` has the values that the register held, each once, the current one last.
fn act(held: &mut Vec<Value>, f: &str, input: &Value, defect: Option<Defect>) -> (Kind, Value) {
    let put = |held: &mut Vec<Value>, new: &Value| {
        held.retain(|value| value != new);
        held.push(new.clone());
    };
    let now = held[held.len() - 1].clone();
    match (f, input.as_pair()) {
        ("read", _) => (Kind::Ok, if defect == Some(Defect::StaleRead) { held[0].clone() } else { now }),
        ("write", _) => {
            if defect != Some(Defect::LostUpdate) {
                put(held, input);
            }
            (Kind::Ok, input.clone())
        }
        (_, Some((old, new))) if *old == now => {
            put(held, new);
            (Kind::Ok, input.clone())
        }
        _ => (Kind::Fail, input.clone()),
    }
}
