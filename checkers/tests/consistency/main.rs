//! The weaker models' checkers agree with an exhaustive oracle, and respect the implications between models.

#[path = "../common/mod.rs"]
mod common;
mod oracle;

use common::{Dice, event};
use elenchus_checkers::consistency::{ConsistencyModel, ConsistencyOptions, IMPLICATIONS, check};
use elenchus_core::{Event, EventIndex, History, Kind, Value, Verdict};
use oracle::{Question, allows};

const QUESTIONS: &[(ConsistencyModel, Question)] = &[
    (ConsistencyModel::Sequential, Question::Sequential),
    (ConsistencyModel::CausalMemory, Question::CausalMemory),
    (ConsistencyModel::CausalConvergence, Question::CausalConvergence),
    (ConsistencyModel::Causal, Question::Causal),
    (ConsistencyModel::Pram, Question::Pram),
    (ConsistencyModel::ReadYourWrites, Question::ReadYourWrites),
    (ConsistencyModel::MonotonicReads, Question::MonotonicReads),
    (ConsistencyModel::MonotonicWrites, Question::MonotonicWrites),
    (ConsistencyModel::WritesFollowReads, Question::WritesFollowReads),
    (ConsistencyModel::Regular, Question::Regular),
    (ConsistencyModel::Safe, Question::Safe),
    (ConsistencyModel::Linearizable, Question::Atomic(1)),
    (ConsistencyModel::KAtomic, Question::Atomic(2)),
];

fn cases(default: u64) -> u64 {
    std::env::var("ELENCHUS_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(default)
}

/// The shape of random histories.
#[derive(Clone, Copy)]
struct Shape {
    processes: u64,
    keys: u64,
    operations: u64,
    /// The number of distinct values; 0: every write writes a unique one.
    values: u64,
    cas: bool,
}

/// Generates a random history: reads return one of the values whose write to the key was invoked, occasionally one that was never written.
fn random(dice: &mut Dice, shape: Shape) -> History {
    let mut events: Vec<Event> = Vec::new();
    let mut open: Vec<Option<(&'static str, Value, Value)>> = vec![None; shape.processes as usize];
    let mut names: Vec<u32> = (0..shape.processes as u32).collect();
    let mut known: Vec<Vec<Value>> = vec![vec![Value::Nil]; shape.keys as usize];
    let (mut fresh, mut asked) = (0, 0);
    while asked < shape.operations || open.iter().any(Option::is_some) {
        let seat = dice.below(shape.processes) as usize;
        let keyed = |event: Event, key: &Value| Event { key: Some(key.clone()), ..event };
        if let Some((f, input, key)) = open[seat].take() {
            let at = key.as_int().unwrap_or(0) as usize;
            let (kind, value) = match (dice.below(12), f) {
                (0, _) => (Kind::Fail, input),
                (1, _) => (Kind::Info, input),
                (_, "read") => {
                    // The latest more often than the others.
                    let values = &known[at];
                    let back = dice.below(values.len() as u64).min(dice.below(values.len() as u64 + 1)) as usize;
                    let told = if dice.below(60) == 0 { Value::Int(99) } else { values[values.len() - 1 - back].clone() };
                    (Kind::Ok, told)
                }
                _ => (Kind::Ok, input),
            };
            events.push(keyed(event(names[seat], kind, f, value), &key));
            if kind == Kind::Info {
                names[seat] += shape.processes as u32;
            }
        } else if asked < shape.operations {
            asked += 1;
            let key = dice.below(shape.keys);
            fresh += 1;
            let new = Value::Int(if shape.values == 0 { fresh } else { dice.below(shape.values) as i64 });
            let values = &mut known[key as usize];
            let (f, input) = match dice.below(8) {
                0..=3 => ("read", Value::Nil),
                4 if shape.cas => {
                    let old = values[dice.below(values.len() as u64) as usize].clone();
                    values.push(new.clone());
                    ("cas", Value::pair(old, new))
                }
                _ => {
                    values.push(new.clone());
                    ("write", new)
                }
            };
            let key = Value::Int(key as i64);
            events.push(keyed(event(names[seat], Kind::Invoke, f, input.clone()), &key));
            open[seat] = Some((f, input, key));
        }
    }
    History::new(events)
}

fn shape(seed: u64, values: u64) -> Shape {
    let operations = 4 + seed % 4;
    Shape { processes: 2 + seed / 4 % 3, keys: 1 + seed / 12 % 2, operations, values, cas: (seed / 24).is_multiple_of(3) }
}

fn show(history: &History) -> String {
    history.events.iter().map(|event| format!("{event}\n")).collect()
}

/// Restricts a history to the events of some operations.
fn only(history: &History, operations: &[EventIndex]) -> History {
    let kept = history.operations().expect("well formed").into_iter().filter(|operation| operations.contains(&operation.invoked));
    let mut events: Vec<EventIndex> = kept.flat_map(|operation| [Some(operation.invoked), operation.completed]).flatten().collect();
    events.sort_unstable();
    History::new(events.into_iter().map(|index| history.event(index).clone()).collect())
}

#[test]
fn agrees_with_the_oracle_where_values_are_unique() {
    let mut broken = [0_u64; QUESTIONS.len()];
    let cases = cases(6_000);
    for seed in 0..cases {
        let history = random(&mut Dice::new(seed + 1), shape(seed, 0));
        for (at, &(model, question)) in QUESTIONS.iter().enumerate() {
            let judgement = check(model, &history, &ConsistencyOptions::default()).expect("judged");
            let expected = if allows(&history, question) { Verdict::Valid } else { Verdict::Invalid };
            assert_eq!(judgement.verdict, expected, "{model:?}, seed {seed}, {:#?}\n{}", judgement, show(&history));
            broken[at] += u64::from(expected == Verdict::Invalid);
            for anomaly in &judgement.anomalies {
                assert!(!anomaly.argument.is_empty() && !anomaly.operations.is_empty());
                let proof = only(&history, &anomaly.operations);
                assert!(!allows(&proof, question), "{model:?}, seed {seed}: no proof: {anomaly:#?}\n{}", show(&history));
            }
        }
    }
    for (count, (model, _)) in broken.iter().zip(QUESTIONS) {
        assert!(*count > cases / 200 && *count < cases, "one-sided: {model:?} is broken {count} times of {cases}");
    }
    println!("{cases} histories; broken: {broken:?}");
}

#[test]
fn verdicts_are_sound_where_values_repeat() {
    let (mut decided, mut all) = (0, 0);
    for seed in 0..cases(4_000) {
        let history = random(&mut Dice::new(seed + 77_777), shape(seed, 2 + seed % 3));
        for &(model, question) in QUESTIONS {
            let judgement = check(model, &history, &ConsistencyOptions::default()).expect("judged");
            let allowed = allows(&history, question);
            let lies = judgement.verdict == if allowed { Verdict::Invalid } else { Verdict::Valid };
            assert!(!lies, "{model:?}, seed {seed}, {:#?}\n{}", judgement, show(&history));
            decided += u64::from(judgement.verdict != Verdict::Unknown);
            all += 1;
        }
    }
    assert!(decided * 10 > all * 8, "only {decided} of {all} are decided");
}

#[test]
fn the_stronger_implies_the_weaker() {
    for seed in 0..cases(3_000) {
        let shape = Shape { operations: 6 + seed % 10, ..shape(seed, [0, 0, 3][seed as usize % 3]) };
        let history = random(&mut Dice::new(seed + 123), shape);
        let options = ConsistencyOptions { within: Some(elenchus_core::Nanos(1)), ..ConsistencyOptions::default() };
        let verdict = |model| check(model, &history, &options).expect("judged").verdict;
        for implication in IMPLICATIONS {
            let (stronger, weaker) = (verdict(implication.stronger), verdict(implication.weaker));
            let lies = stronger == Verdict::Valid && weaker == Verdict::Invalid;
            assert!(!lies, "{:?} holds and {:?} does not, seed {seed}\n{}", implication.stronger, implication.weaker, show(&history));
        }
    }
}
