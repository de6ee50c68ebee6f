//! Random histories for tests, and an oracle.

#![allow(dead_code, unreachable_pub)]

pub mod dice;
pub mod fuzzed;
pub mod store;

pub use dice::Dice;

use elenchus_core::{Event, EventIndex, History, Kind, Model, Nanos, Operation, Process, Step, Symbol, Value};

/// How many cases a test runs: as many as `ELENCHUS_CASES` says, if it says.
pub fn cases(unless_told: u32) -> u32 {
    std::env::var("ELENCHUS_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(unless_told)
}

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
        invoked: EventIndex(0),
        completed: None,
        node: None,
    }
}

/// Whether a history has a linearization, by trying every order. Written apart from the crate, and only for short histories.
pub fn oracle<M: Model>(model: &M, history: &History) -> bool {
    linearizes(model, history.operations().expect("well formed"))
}

/// Whether operations have a linearization.
pub fn linearizes<M: Model>(model: &M, operations: Vec<Operation<'_>>) -> bool {
    let operations: Vec<Operation<'_>> = operations.into_iter().filter(|operation| operation.kind != Kind::Fail).collect();
    assert!(operations.len() <= 16, "too long for trying every order");
    explore(model, &operations, 0, &model.initial())
}

/// The operations begun before `end`, of which only those invoked at `bound` need to have happened and in their time: the others may
/// happen whenever, or never. What had not returned by `end` need not have happened either.
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

/// How a simulated register misbehaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Defect {
    None,
    /// Now and then a read is told the value that was overwritten longest ago.
    StaleRead,
    /// Now and then a write is acknowledged and forgotten.
    LostUpdate,
}

/// A run of clients against one simulated register.
#[derive(Clone, Copy, Debug)]
pub struct Simulation {
    pub seed: u64,
    pub operations: usize,
    pub processes: usize,
    pub values: i64,
    pub crash_percent: u64,
    pub defect: Defect,
    /// In about one of how many operations of the second half the defect shows.
    pub rarity: u64,
}

enum Seat {
    Idle,
    /// Asked, not yet acted upon.
    Asked(&'static str, Value),
    /// Acted upon, not yet told.
    Acted(Kind, &'static str, Value),
}

/// Plays a simulation: at each turn a random client asks, has its request acted upon, or is told.
pub fn simulate(simulation: &Simulation) -> History {
    let mut dice = Dice::new(simulation.seed);
    let mut events = Vec::with_capacity(simulation.operations * 2);
    let mut seats: Vec<Seat> = (0..simulation.processes).map(|_| Seat::Idle).collect();
    let mut names: Vec<u32> = (0..simulation.processes as u32).collect();
    let (mut held, mut asked) = (vec![Value::Nil], 0);
    while asked < simulation.operations || seats.iter().any(|seat| !matches!(seat, Seat::Idle)) {
        let at = dice.below(simulation.processes as u64) as usize;
        let name = names[at];
        seats[at] = match std::mem::replace(&mut seats[at], Seat::Idle) {
            Seat::Idle if asked == simulation.operations => Seat::Idle,
            Seat::Idle => {
                asked += 1;
                let mut value = || dice.below(simulation.values as u64) as i64;
                let pair = Value::pair(value(), value());
                let (f, input) = match dice.below(3) {
                    0 => ("read", Value::Nil),
                    1 => ("write", pair.as_pair().expect("a pair").0.clone()),
                    _ => ("cas", pair),
                };
                events.push(event(name, Kind::Invoke, f, input.clone()));
                Seat::Asked(f, input)
            }
            Seat::Asked(f, input) => {
                let may_err = simulation.defect != Defect::None && asked >= simulation.operations / 2;
                let errs = may_err && dice.below(simulation.rarity) == 0;
                let crashes = dice.below(100) < simulation.crash_percent;
                let (kind, told) = act(&mut held, f, &input, errs.then_some(simulation.defect));
                if crashes {
                    events.push(event(name, Kind::Info, f, input));
                    names[at] += simulation.processes as u32;
                    Seat::Idle
                } else {
                    Seat::Acted(kind, f, told)
                }
            }
            Seat::Acted(kind, f, told) => {
                events.push(event(name, kind, f, told));
                Seat::Idle
            }
        };
    }
    History::new(events)
}

/// What the register does and tells. It remembers the values it held, each once, the one it holds last.
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
