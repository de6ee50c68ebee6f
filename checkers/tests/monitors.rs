//! The monitors for unique values against an oracle that tries every order, and against the search for any model.

mod common;

use common::store::{Flaw, Run, SHAPES, Shape, play};
use common::{Dice, free_but, linearizes, oracle};
use elenchus_checkers::linearizable::{Judgement, LinearizableOptions, check};
use elenchus_checkers::models::*;
use elenchus_core::{History, Model, Operation, Step, Verdict};

/// A model that does not say what it is, so that the search for any model decides.
struct Plain<'m, M>(&'m M);

impl<M: Model> Model for Plain<'_, M> {
    type State = M::State;

    fn initial(&self) -> M::State {
        self.0.initial()
    }

    fn step(&self, state: &M::State, operation: &Operation<'_>) -> Step<M::State> {
        self.0.step(state, operation)
    }

    fn observes(&self, operation: &Operation<'_>) -> bool {
        self.0.observes(operation)
    }
}

fn cases(default: u64) -> u64 {
    std::env::var("ELENCHUS_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(default)
}

fn judge<M: Model>(model: &M, history: &History, minimise: bool) -> Judgement {
    check(model, history, &LinearizableOptions { minimise, ..LinearizableOptions::default() }).expect("judged")
}

fn is_by_monitor(judgement: &Judgement) -> bool {
    judgement.algorithms.iter().all(|algorithm| algorithm.starts_with("unique-"))
}

/// A short run of a store that lies more or less often.
fn short(shape: Shape, seed: u64) -> Run {
    let mut dice = Dice::new(seed.wrapping_mul(7) + 3);
    Run {
        shape,
        seed,
        operations: 3 + dice.below(6) as usize,
        processes: 1 + dice.below(5) as usize,
        crash_percent: [0, 0, 10, 25][dice.below(4) as usize],
        fail_percent: [0, 10][dice.below(2) as usize],
        takers_crash: dice.below(2) == 0,
        flaw: [None, Some((Flaw::Arbitrary, 2)), Some((Flaw::Arbitrary, 4)), Some((Flaw::Reordered, 3)), Some((Flaw::Lost, 4))]
            [dice.below(5) as usize],
        puts: 35 + dice.below(30),
    }
}

/// Compares with the oracle on short histories, and confirms every counterexample; every 16th is also given to the general search.
fn agrees<M: Model>(model: &M, shape: Shape) {
    let (mut valid, mut invalid, mut left) = (0, 0, 0);
    let cases = cases(1_500);
    for seed in 0..cases {
        let run = short(shape, seed);
        let history = play(&run);
        let judgement = judge(model, &history, seed % 4 == 0);
        let expected = oracle(model, &history);
        assert_eq!(judgement.verdict == Verdict::Valid, expected, "{run:?} {:#?}", history.events);
        if !is_by_monitor(&judgement) {
            assert!(run.takers_crash && run.crash_percent > 0, "{run:?}: {:?}", judgement.algorithms);
            left += 1;
        }
        if expected {
            valid += 1;
            continue;
        }
        invalid += 1;
        let failure = &judgement.failures[0];
        let prefix = History::new(history.events[..failure.completion.0 as usize].to_vec());
        assert!(oracle(model, &prefix), "the shortest prefix is shorter than {}: {run:?}", failure.completion);
        if seed % 16 == 0 {
            let general = judge(&Plain(model), &history, false);
            assert_eq!(general.failures[0].completion, failure.completion, "{run:?} {:#?}", history.events);
        }
        if seed % 4 == 0 {
            let proof = &failure.operations;
            assert!(failure.is_minimal && !failure.argument.is_empty());
            assert!(!linearizes(model, free_but(&history, proof, failure.completion)), "no proof: {proof:?} of {run:?}");
            for left_out in proof {
                let rest: Vec<_> = proof.iter().copied().filter(|operation| operation != left_out).collect();
                assert!(linearizes(model, free_but(&history, &rest, failure.completion)), "{left_out} is not needed in {run:?}");
            }
        }
    }
    assert!(valid > cases / 20 && invalid > cases / 20, "one-sided: {valid} valid, {invalid} invalid");
    assert!(left * 4 < cases, "{left} of {cases} left to the search");
    println!("{shape:?}: {valid} valid, {invalid} invalid, {left} left to the search");
}

#[test]
fn register_as_the_oracle() {
    agrees(&Register::default(), Shape::Register);
}

#[test]
fn cas_register_as_the_oracle() {
    agrees(&CasRegister::default(), Shape::CasRegister);
}

#[test]
fn queue_as_the_oracle() {
    agrees(&FifoQueue, Shape::Queue);
}

#[test]
fn stack_as_the_oracle() {
    agrees(&Stack, Shape::Stack);
}

#[test]
fn priority_queue_as_the_oracle() {
    agrees(&PriorityQueue, Shape::PriorityQueue);
}

#[test]
fn bag_as_the_oracle() {
    agrees(&UnorderedQueue, Shape::Bag);
}

#[test]
fn set_as_the_oracle() {
    agrees(&Set, Shape::Set);
}

/// Calls something with the model of a shape.
macro_rules! with_model {
    ($shape:expr, $model:ident => $body:expr) => {
        match $shape {
            Shape::Register => {
                let $model = &Register::default();
                $body
            }
            Shape::CasRegister => {
                let $model = &CasRegister::default();
                $body
            }
            Shape::Queue => {
                let $model = &FifoQueue;
                $body
            }
            Shape::Stack => {
                let $model = &Stack;
                $body
            }
            Shape::PriorityQueue => {
                let $model = &PriorityQueue;
                $body
            }
            Shape::Bag => {
                let $model = &UnorderedQueue;
                $body
            }
            Shape::Set => {
                let $model = &Set;
                $body
            }
        }
    };
}

/// Compares with the search for any model on longer histories; true where both decided.
fn agree_on<M: Model>(model: &M, run: &Run, seen: &mut [u64; 3]) {
    let history = play(run);
    let special = judge(model, &history, false);
    if !is_by_monitor(&special) {
        seen[2] += 1;
        return;
    }
    let options = LinearizableOptions {
        memory: 64 << 20,
        time: Some(std::time::Duration::from_secs(2)),
        minimise: false,
        ..LinearizableOptions::default()
    };
    let general = check(&Plain(model), &history, &options).expect("judged");
    if general.verdict == Verdict::Unknown {
        seen[2] += 1;
        return;
    }
    assert_eq!(special.verdict, general.verdict, "{run:?}");
    seen[usize::from(special.verdict == Verdict::Invalid)] += 1;
    if let ([one], [other]) = (&special.failures[..], &general.failures[..]) {
        assert_eq!(one.completion, other.completion, "they break elsewhere: {run:?}");
    }
}

#[test]
fn as_the_search_on_longer_histories() {
    for shape in SHAPES {
        let mut seen = [0; 3];
        let cases = cases(700) / 7;
        for seed in 0..cases {
            let mut dice = Dice::new(seed + 11);
            let often = 10 + dice.below(60);
            let flaws = Flaw::of(shape);
            let run = Run {
                shape,
                seed,
                operations: 20 + dice.below(41) as usize,
                processes: 2 + dice.below(4) as usize,
                crash_percent: [0, 3, 8][dice.below(3) as usize],
                fail_percent: [0, 5][dice.below(2) as usize],
                takers_crash: dice.below(3) == 0,
                flaw: (dice.below(3) > 0).then(|| (flaws[dice.below(flaws.len() as u64) as usize], often)),
                puts: 40 + dice.below(20),
            };
            with_model!(shape, model => agree_on(model, &run, &mut seen));
        }
        let [valid, invalid, undecided] = seen;
        println!("{shape:?}: {valid} valid, {invalid} invalid, {undecided} not compared");
        assert!(valid > cases / 10 && invalid > cases / 10 && undecided < cases / 4, "{shape:?}: {seen:?}");
    }
}

#[test]
fn every_flaw_of_a_store_is_caught() {
    for shape in SHAPES {
        for &flaw in Flaw::of(shape) {
            let mut caught = 0;
            for seed in 0..6 {
                // A lost write that overlaps another one need not show.
                let is_register = matches!(shape, Shape::Register | Shape::CasRegister);
                let run = Run {
                    shape,
                    seed,
                    operations: 2_000,
                    processes: if is_register { 2 } else { 8 },
                    crash_percent: 1,
                    fail_percent: 1,
                    takers_crash: false,
                    flaw: Some((flaw, 100)),
                    puts: if is_register { 25 } else { 50 },
                };
                let judgement = with_model!(shape, model => judge(model, &play(&run), true));
                assert!(is_by_monitor(&judgement));
                caught += usize::from(judgement.verdict == Verdict::Invalid);
                for failure in &judgement.failures {
                    assert!(failure.is_minimal, "{run:?}");
                }
            }
            assert_eq!(caught, 6, "{shape:?} {flaw:?}");
        }
    }
}

#[test]
fn more_processes_than_a_search_can_tell_apart() {
    let run = Run {
        shape: Shape::Queue,
        seed: 1,
        operations: 20_000,
        processes: 2_000,
        crash_percent: 0,
        fail_percent: 0,
        takers_crash: false,
        flaw: None,
        puts: 50,
    };
    let judgement = judge(&FifoQueue, &play(&run), true);
    assert_eq!((judgement.verdict, &judgement.algorithms[..]), (Verdict::Valid, &["unique-queue"][..]));
}
