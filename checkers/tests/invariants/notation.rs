//! Small histories, random ones, and the comparison of a checker with a naive definition.

#![allow(unreachable_pub)]

#[path = "../common/dice.rs"]
mod dice;

use std::cell::RefCell;
use std::collections::BTreeMap;

pub use dice::Dice;
use elenchus_checkers::invariants::Description;
use elenchus_checkers::{ALL, build};
use elenchus_core::{CheckSpec, Event, Finding, History, Kind, Nanos, NodeIndex, Operation, Process, Symbol, Value, Verdict};
use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};

/// A history in the notation of [`History::parse`].
#[track_caller]
pub fn history(lines: &str) -> History {
    History::parse(lines).unwrap_or_else(|error| panic!("{error}"))
}

/// A value in EDN.
pub fn value(edn: &str) -> Value {
    history(&format!("0 ok x {edn}")).events[0].value.clone()
}

/// The invariants of the table.
pub fn invariants() -> impl Iterator<Item = &'static Description> {
    ALL.iter().filter_map(|entry| entry.invariant)
}

/// The finding of a check.
pub fn check(spec: &CheckSpec, history: &History) -> Finding {
    build(spec).expect("a checker").check(history)
}

/// The number of anomalies of each kind.
pub fn counts(finding: &Finding) -> BTreeMap<String, u64> {
    let counts = finding.details.get("counts").and_then(serde_json::Value::as_object);
    counts.into_iter().flatten().map(|(name, count)| (name.clone(), count.as_u64().expect("a count"))).collect()
}

/// Asserts the verdict and the anomalies of a history, and that each anomaly has its proof.
#[track_caller]
pub fn expect(spec: &CheckSpec, lines: &str, verdict: Verdict, anomalies: &[(&str, u64)]) -> Finding {
    let history = history(lines);
    let finding = check(spec, &history);
    assert_eq!(finding.verdict, verdict, "{finding:#?}");
    assert_eq!(counts(&finding), anomalies.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect(), "{finding:#?}");
    proven(&finding, &history);
    finding
}

/// Asserts that every anomaly is described, names invocations in order, and argues in sentences.
fn proven(finding: &Finding, history: &History) {
    let known = invariants().find(|description| description.name == finding.checker).expect("described");
    for anomaly in &finding.anomalies {
        assert!(known.anomalies.iter().any(|(name, _)| *name == anomaly.name), "{} is not described", anomaly.name);
        assert!(!anomaly.operations.is_empty() && anomaly.operations.is_sorted_by(|a, b| a < b), "{anomaly:#?}");
        assert!(anomaly.operations.iter().all(|event| history.event(*event).kind == Kind::Invoke), "{anomaly:#?}");
        assert!(anomaly.description.ends_with('.') && anomaly.argument.len() >= anomaly.operations.len(), "{anomaly:#?}");
        assert!(anomaly.argument.iter().all(|sentence| sentence.ends_with('.')), "{anomaly:#?}");
    }
}

/// The anomalies of a history by a naive definition.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Naive {
    pub counts: BTreeMap<String, u64>,
    pub doubtful: bool,
}

impl Naive {
    pub fn found(&mut self, name: &str, count: usize) {
        if count > 0 {
            *self.counts.entry(name.to_owned()).or_default() += count as u64;
        }
    }

    fn verdict(&self) -> Verdict {
        match (self.counts.is_empty(), self.doubtful) {
            (false, _) => Verdict::Invalid,
            (true, true) => Verdict::Unknown,
            (true, false) => Verdict::Valid,
        }
    }
}

/// The operations of random clients, and their results.
pub struct World<'w> {
    /// Functions with their arguments.
    pub inputs: Vec<(&'static str, Value)>,
    /// The result of an operation, given those that took effect before it, in order.
    #[allow(clippy::type_complexity)]
    pub answer: &'w dyn Fn(&str, &Value, &[(Symbol, Value)], &mut Dice) -> Value,
    /// Percentages of failed and crashed operations.
    pub troubles: (usize, usize),
}

impl World<'_> {
    /// A random history: an idle process invokes, a busy one completes.
    fn play(&self, choices: &[(u8, u64)]) -> History {
        let mut events: Vec<Event> = Vec::new();
        let mut done = Vec::new();
        let mut open: Vec<Option<(Symbol, Value)>> = vec![None; 256];
        let mut names: Vec<u32> = (0..256).collect();
        for &(seat, seed) in choices {
            let (mut dice, seat) = (Dice::linear(seed), usize::from(seat));
            let mut tell = |process, kind, f, value| {
                let (time, node) = (Nanos(events.len() as u64 * 1_000_000), Some(NodeIndex(seat as u16 % 2)));
                events.push(Event { time, process: Process::Client(process), kind, f, key: None, value, error: None, node });
            };
            let Some((f, input)) = open[seat].take() else {
                let (f, input) = dice.pick(&self.inputs).clone();
                tell(names[seat], Kind::Invoke, Symbol::of(f), input.clone());
                open[seat] = Some((Symbol::of(f), input));
                continue;
            };
            let fate = dice.below(100);
            if fate < self.troubles.0 {
                tell(names[seat], Kind::Fail, f, input);
            } else if fate < self.troubles.0 + self.troubles.1 {
                if dice.below(2) == 0 {
                    done.push((f, input.clone()));
                }
                tell(names[seat], Kind::Info, f, input);
                names[seat] += 256;
            } else {
                let told = (self.answer)(f.as_str(), &input, &done, &mut dice);
                done.push((f, if f == "dequeue" || f == "drain" { told.clone() } else { input }));
                tell(names[seat], Kind::Ok, f, told);
            }
        }
        History { events, nodes: vec!["n0".into(), "n1".into()] }
    }
}

/// How many random histories a test compares.
pub fn cases() -> u32 {
    std::env::var("ELENCHUS_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(1_000)
}

/// Compares a checker with a naive definition on random histories: the same verdict, and as many anomalies of each kind. All the kinds named
/// must have been seen, and valid histories too.
pub fn agrees(spec: &CheckSpec, world: &World<'_>, naive: impl Fn(&History, &[Operation<'_>]) -> Naive, kinds: &[&str]) {
    agrees_with(spec, world, naive, |_| {}, kinds);
}

/// As [`agrees`], after the checker's counts were made comparable.
pub fn agrees_with(
    spec: &CheckSpec,
    world: &World<'_>,
    naive: impl Fn(&History, &[Operation<'_>]) -> Naive,
    comparable: impl Fn(&mut BTreeMap<String, u64>),
    kinds: &[&str],
) {
    let choices = proptest::collection::vec((0..4_u8, any::<u64>()), 2..40);
    let config = ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() };
    // From a fixed seed, so that no kind is missed by chance.
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let seen: RefCell<BTreeMap<String, u32>> = RefCell::default();
    let outcome = runner.run(&choices, |choices| {
        let history = world.play(&choices);
        let expected = naive(&history, &history.operations().expect("well formed"));
        let finding = check(spec, &history);
        prop_assert_eq!(finding.verdict, expected.verdict(), "{:#?} {:#?} {:#?}", &expected, &finding, &history.events);
        let mut found = counts(&finding);
        comparable(&mut found);
        prop_assert_eq!(found, expected.counts.clone(), "{:#?} {:#?}", &finding, &history.events);
        proven(&finding, &history);
        let mut seen = seen.borrow_mut();
        *seen.entry(finding.verdict.as_str().to_owned()).or_default() += 1;
        expected.counts.keys().for_each(|kind| *seen.entry(kind.clone()).or_default() += 1);
        Ok(())
    });
    if let Err(disagreement) = outcome {
        panic!("{disagreement}");
    }
    let seen = seen.into_inner();
    let rare: Vec<_> = ["valid", "invalid"].iter().chain(kinds).filter(|kind| seen.get(**kind).is_none_or(|count| *count < 2)).collect();
    assert!(rare.is_empty(), "too rare: {rare:?} among {seen:?}");
}
