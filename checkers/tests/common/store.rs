//! Histories of simulated stores in which every value is put in once.

#![allow(dead_code, unreachable_pub)]

use elenchus_core::{Event, History, Kind, Nanos, Process, Symbol, Value};

use super::Dice;

/// The data type of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    Register,
    CasRegister,
    Queue,
    Stack,
    PriorityQueue,
    Bag,
    Set,
}

pub const SHAPES: [Shape; 7] =
    [Shape::Register, Shape::CasRegister, Shape::Queue, Shape::Stack, Shape::PriorityQueue, Shape::Bag, Shape::Set];

/// How a defective store misbehaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// An acknowledged update is not done.
    Lost,
    /// An element taken out stays in.
    Duplicated,
    /// The wrong element is taken out.
    Reordered,
    /// A read returns an earlier state.
    Stale,
    /// The store claims to be empty when it is not.
    PrematureEmpty,
    /// Results are arbitrary.
    Arbitrary,
}

impl Flaw {
    /// The flaws that a shape can have.
    pub fn of(shape: Shape) -> &'static [Flaw] {
        match shape {
            Shape::Register | Shape::CasRegister => &[Flaw::Lost, Flaw::Stale],
            Shape::Queue | Shape::Stack | Shape::PriorityQueue => &[Flaw::Lost, Flaw::Duplicated, Flaw::Reordered, Flaw::PrematureEmpty],
            Shape::Bag => &[Flaw::Lost, Flaw::Duplicated, Flaw::PrematureEmpty],
            Shape::Set => &[Flaw::Lost, Flaw::Stale],
        }
    }
}

/// A run of clients on one simulated store.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    pub shape: Shape,
    pub seed: u64,
    pub operations: usize,
    pub processes: usize,
    pub crash_percent: u64,
    pub fail_percent: u64,
    /// Whether operations that take elements out may crash, so that it is unknown what they took.
    pub takers_crash: bool,
    /// A flaw, which occurs in one of so many operations.
    pub flaw: Option<(Flaw, u64)>,
    /// Percentage of operations that put something in.
    pub puts: u64,
}

enum Seat {
    Idle,
    Asked(&'static str, Value),
    Acted(Kind, &'static str, Value),
}

struct Store {
    shape: Shape,
    dice: Dice,
    items: Vec<i64>,
    /// For registers: what it holds and held before.
    held: Value,
    before: Value,
    /// All values used so far, and which of a set were removed.
    used: Vec<i64>,
    removed: Vec<i64>,
    last_removed: Option<i64>,
}

impl Store {
    fn fresh(&mut self) -> i64 {
        let value = (self.dice.below(1 << 20) as i64) << 24 | self.used.len() as i64;
        self.used.push(value);
        value
    }

    fn old(&mut self) -> Option<i64> {
        // Mostly recent ones.
        let window = (self.used.len() as u64).min(if self.dice.below(8) == 0 { 1000 } else { 4 });
        (window > 0).then(|| self.used[self.used.len() - 1 - self.dice.below(window) as usize])
    }

    fn ask(&mut self, puts: u64) -> (&'static str, Value) {
        let puts_in = self.dice.below(100) < puts;
        match self.shape {
            Shape::Register if puts_in => ("write", self.fresh().into()),
            Shape::CasRegister if puts_in && self.dice.below(2) == 0 => {
                let old = match self.dice.below(4) {
                    0 => self.old().map_or(Value::Nil, Value::Int),
                    _ => self.held.clone(),
                };
                ("cas", Value::pair(old, self.fresh()))
            }
            Shape::CasRegister if puts_in => ("write", self.fresh().into()),
            Shape::Register | Shape::CasRegister => ("read", Value::Nil),
            Shape::Queue | Shape::Bag if puts_in => ("enqueue", self.fresh().into()),
            Shape::Queue | Shape::Bag => ("dequeue", Value::Nil),
            Shape::Stack if puts_in => ("push", self.fresh().into()),
            Shape::Stack => ("pop", Value::Nil),
            Shape::PriorityQueue if puts_in => ("insert", self.fresh().into()),
            Shape::PriorityQueue => ("delete-min", Value::Nil),
            Shape::Set if puts_in && self.dice.below(3) > 0 => ("add", self.fresh().into()),
            Shape::Set => match self.old() {
                None => ("contains", Value::Int(-1)),
                Some(old) if puts_in && !self.removed.contains(&old) => {
                    self.removed.push(old);
                    if self.removed.len() > 1100 {
                        self.removed.drain(..50);
                    }
                    ("remove", old.into())
                }
                Some(old) => ("contains", old.into()),
            },
        }
    }

    fn next(&mut self, reordered: bool) -> Option<usize> {
        let all = self.items.len();
        match self.shape {
            _ if all == 0 => None,
            Shape::Bag => Some(self.dice.below(all as u64) as usize),
            _ if reordered => Some(self.dice.below(all as u64) as usize),
            Shape::Stack => Some(all - 1),
            Shape::PriorityQueue => (0..all).min_by_key(|&at| self.items[at]),
            _ => Some(0),
        }
    }

    fn act(&mut self, f: &'static str, input: &Value, flaw: Option<Flaw>) -> (Kind, Value) {
        if flaw == Some(Flaw::Arbitrary) && !matches!(f, "write" | "enqueue" | "push" | "insert" | "add" | "remove" | "cas") {
            let told = match (f, self.old(), self.dice.below(3)) {
                ("contains", _, coin) => Value::Bool(coin == 0),
                (_, Some(old), 1..) => old.into(),
                _ => Value::Nil,
            };
            self.items.retain(|&item| f == "read" || Value::Int(item) != told);
            return (Kind::Ok, told);
        }
        let lost = flaw == Some(Flaw::Lost);
        match f {
            "write" => {
                if !lost {
                    self.before = std::mem::replace(&mut self.held, input.clone());
                }
                (Kind::Ok, input.clone())
            }
            "read" => (Kind::Ok, if flaw == Some(Flaw::Stale) { self.before.clone() } else { self.held.clone() }),
            "cas" => match input.as_pair() {
                Some((old, new)) if *old == self.held => {
                    if !lost {
                        self.before = std::mem::replace(&mut self.held, new.clone());
                    }
                    (Kind::Ok, input.clone())
                }
                _ => (Kind::Fail, input.clone()),
            },
            "add" | "enqueue" | "push" | "insert" => {
                if let (Some(value), false) = (input.as_int(), lost) {
                    self.items.push(value);
                }
                (Kind::Ok, input.clone())
            }
            "remove" => {
                let known = self.items.iter().rposition(|&item| Value::Int(item) == *input);
                if let (Some(at), false) = (known, lost) {
                    self.last_removed = Some(self.items.remove(at));
                }
                (Kind::Ok, input.clone())
            }
            "contains" => {
                let is_in = self.items.iter().rev().any(|&item| Value::Int(item) == *input);
                (Kind::Ok, Value::Bool(is_in ^ (flaw == Some(Flaw::Stale))))
            }
            _ => match self.next(flaw == Some(Flaw::Reordered)) {
                Some(at) if flaw != Some(Flaw::PrematureEmpty) => {
                    let told = if flaw == Some(Flaw::Duplicated) { self.items[at] } else { self.items.remove(at) };
                    (Kind::Ok, told.into())
                }
                _ => (Kind::Ok, Value::Nil),
            },
        }
    }
}

/// A history of a run: at each step a random client invokes an operation, or its operation takes effect, or completes.
pub fn play(run: &Run) -> History {
    let event = |process: u32, kind, f, value| Event {
        time: Nanos::ZERO,
        process: Process::Client(process),
        kind,
        f: Symbol::of(f),
        key: None,
        value,
        error: None,
        node: None,
    };
    let dice = Dice::new(run.seed);
    let mut store = Store {
        shape: run.shape,
        dice,
        items: Vec::new(),
        held: Value::Nil,
        before: Value::Nil,
        used: Vec::new(),
        removed: Vec::new(),
        last_removed: None,
    };
    let mut events = Vec::with_capacity(run.operations * 2);
    let mut seats: Vec<Seat> = (0..run.processes).map(|_| Seat::Idle).collect();
    let mut names: Vec<u32> = (0..run.processes as u32).collect();
    let (mut asked, mut busy) = (0, 0);
    while asked < run.operations || busy > 0 {
        let at = store.dice.below(run.processes as u64) as usize;
        let name = names[at];
        seats[at] = match std::mem::replace(&mut seats[at], Seat::Idle) {
            Seat::Idle if asked == run.operations => Seat::Idle,
            Seat::Idle => {
                (asked, busy) = (asked + 1, busy + 1);
                // Towards the end, take everything out.
                let (f, input) = store.ask(if asked * 10 > run.operations * 9 { run.puts / 8 } else { run.puts });
                events.push(event(name, Kind::Invoke, f, input.clone()));
                Seat::Asked(f, input)
            }
            Seat::Asked(f, input) => {
                let takes = matches!(f, "dequeue" | "pop" | "delete-min");
                let crashes = store.dice.below(100) < run.crash_percent && (run.takers_crash || !takes);
                let takes_effect = !crashes || store.dice.below(2) == 0;
                if !takes_effect || store.dice.below(100) < run.fail_percent {
                    let kind = if takes_effect { Kind::Fail } else { Kind::Info };
                    names[at] += if takes_effect { 0 } else { run.processes as u32 };
                    busy -= 1;
                    events.push(event(name, kind, f, input));
                    Seat::Idle
                } else {
                    let flaw = run.flaw.filter(|&(_, often)| store.dice.below(often) == 0).map(|(flaw, _)| flaw);
                    let (kind, told) = store.act(f, &input, flaw);
                    if crashes { Seat::Acted(Kind::Info, f, input) } else { Seat::Acted(kind, f, told) }
                }
            }
            Seat::Acted(kind, f, told) => {
                busy -= 1;
                if kind == Kind::Info {
                    names[at] += run.processes as u32;
                }
                events.push(event(name, kind, f, told));
                Seat::Idle
            }
        };
    }
    History::new(events)
}
