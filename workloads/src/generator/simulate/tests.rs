//! Every combinator, as its name says.

use std::time::Duration;

use elenchus_core::data::RegisterRequest;
use elenchus_core::{Generator, Invocation, Kind, Nanos, NodeIndex, Request, RunScope, Seed, Value};
use proptest::prelude::*;

use super::{Moment, simulate};
use crate::generator::{
    Any, Cycle, Delay, EachProcess, FlipFlop, Limit, Log, Mix, OnNodes, Phases, Reserve, Sleep, Source, Stagger, TimeLimit, UntilOk,
    each_until_ok,
};

const MS: u64 = 1_000_000;

/// Writes of 0, 1, 2 … under the key `name`.
fn ops(name: &'static str) -> Source<impl FnMut() -> Request + Send> {
    let mut next = 0;
    Source::new(move || {
        next += 1;
        RegisterRequest::Write { key: name.into(), value: Value::Int(next - 1) }.into()
    })
}

fn boxed(generator: impl Generator + 'static) -> Box<dyn Generator> {
    Box::new(generator)
}

/// Plays on 4 workers and 2 nodes for 10 s, each operation taking 5 ms.
fn play(mut generator: impl Generator) -> Vec<Moment> {
    simulate(&mut generator, 4, 2, Nanos(10_000 * MS), |_| (Nanos(5 * MS), Kind::Ok))
}

fn write(request: &Request) -> (&str, i64) {
    match request {
        Request::Register(RegisterRequest::Write { key, value }) => (key.as_text().unwrap(), value.as_int().unwrap()),
        other => panic!("not one of these tests' writes: {other}"),
    }
}

fn name(moment: &Moment) -> &str {
    write(&moment.invocation.request).0
}

fn names(moments: &[Moment]) -> String {
    moments.iter().map(name).collect()
}

#[test]
fn limit_is_exact() {
    assert_eq!(play(Limit::new(7, ops("a"))).len(), 7);
    assert_eq!(play(Limit::new(0, ops("a"))).len(), 0);
}

#[test]
fn a_time_limit_ends_it() {
    let moments = play(TimeLimit::new(Duration::from_millis(23), ops("a")));
    assert_eq!(moments.len(), 5 * 4, "at 0, 5, 10, 15 and 20 ms, by four workers");
}

#[test]
fn rates_hold_whatever_the_latency() {
    for latency in [MS / 10, 3 * MS] {
        let mut poisson = Stagger::new(1000.0, Seed(1).stream("t"), ops("a"));
        let mut equal = Delay::new(1000.0, ops("a"));
        let count =
            |generator: &mut dyn Generator| simulate(generator, 4, 2, Nanos(20_000 * MS), |_| (Nanos(latency), Kind::Ok)).len() as f64;
        assert!((count(&mut poisson) / 20_000.0 - 1.0).abs() < 0.02);
        assert!((count(&mut equal) / 20_000.0 - 1.0).abs() < 0.001);
    }
}

#[test]
fn a_mix_follows_its_weights() {
    let mix = Mix::new(vec![(3, boxed(ops("a"))), (1, boxed(ops("b"))), (0, boxed(ops("c")))], Seed(1).stream("t"));
    let named = names(&play(mix));
    let share = named.matches('a').count() as f64 / named.len() as f64;
    assert!((share - 0.75).abs() < 0.02 && !named.contains('c'), "{share}");
}

#[test]
fn turns_and_cycles() {
    assert_eq!(names(&play(Limit::new(5, FlipFlop::new(vec![boxed(ops("a")), boxed(ops("b"))])))), "ababa");
    let cycle = Cycle::new(|| boxed(Phases::new(vec![boxed(Limit::new(2, ops("a"))), boxed(Limit::new(1, ops("b")))])));
    assert_eq!(names(&play(Limit::new(6, cycle))), "aabaab");
}

#[test]
fn any_takes_a_ready_generator() {
    let moments = play(Limit::new(3, Any::new(vec![boxed(Delay::new(10.0, ops("a"))), boxed(Delay::new(20.0, ops("b")))])));
    assert_eq!((names(&moments).as_str(), moments[2].time), ("abb", Nanos(50 * MS)));
}

#[test]
fn phases_do_not_overlap() {
    let phases = Phases::new(vec![
        boxed(Limit::new(5, ops("a"))),
        boxed(Log::new("half-way")),
        boxed(Sleep::new(Duration::from_millis(100))),
        boxed(Limit::new(5, ops("b"))),
    ]);
    let moments = play(phases);
    assert_eq!(names(&moments), "aaaaabbbbb");
    assert!(moments[5].time.0 >= moments[4].end.0 + 100 * MS);
}

#[test]
fn each_process_has_its_own() {
    let moments = play(EachProcess::new(|_| boxed(Limit::new(3, ops("a")))));
    for worker in 0..4 {
        let mine: Vec<_> =
            moments.iter().filter(|m| m.invocation.worker.0 == worker).map(|m| Value::Int(write(&m.invocation.request).1)).collect();
        assert_eq!(mine, vec![Value::Int(0), Value::Int(1), Value::Int(2)]);
    }
}

#[test]
fn reserve_keeps_workers_apart() {
    let moments = play(Limit::new(100, Reserve::new(vec![(1, boxed(ops("a")))], ops("b"))));
    assert!(moments.iter().all(|m| (m.invocation.worker.0 == 0) == (name(m) == "a")));
    assert!(names(&moments).contains('a') && names(&moments).contains('b'));
}

#[test]
fn on_nodes_sends_to_these_nodes_only() {
    let moments = play(Limit::new(10, OnNodes::new(vec![NodeIndex(1)], ops("a"))));
    assert!(moments.len() == 10 && moments.iter().all(|m| m.invocation.node == Some(NodeIndex(1))));
    assert!(play(OnNodes::new(vec![], ops("a"))).is_empty());
}

#[test]
fn until_ok_stops_at_success() {
    let mut tries = 0;
    let moments = simulate(&mut UntilOk::new(ops("a")), 1, 1, Nanos(10_000 * MS), |_| {
        tries += 1;
        (Nanos(MS), if tries == 4 { Kind::Ok } else { Kind::Info })
    });
    assert_eq!(moments.len(), 4);
}

#[test]
fn each_request_is_tried_until_it_succeeds() {
    let requests = || ["a", "b", "c"].map(|key| RegisterRequest::Write { key: key.into(), value: Value::Int(0) }.into()).to_vec();
    let mut tries = 0;
    let mut third_works = |_: &_| {
        tries += 1;
        (Nanos(MS), if tries % 3 == 0 { Kind::Ok } else { Kind::Fail })
    };
    let in_order = simulate(&mut each_until_ok(requests).in_order(), 4, 1, Nanos(10_000 * MS), &mut third_works);
    assert_eq!(names(&in_order), "aaabbbccc");
    let at_once = names(&simulate(&mut each_until_ok(requests), 4, 1, Nanos(10_000 * MS), third_works));
    assert!(at_once.starts_with("abc") && at_once.len() > 3, "{at_once}");
    // A request that the node of one worker refuses reaches another.
    let refusing = |op: &Invocation| (Nanos(MS), if op.worker.0 == 0 { Kind::Fail } else { Kind::Ok });
    let tried = simulate(&mut each_until_ok(requests).in_order(), 4, 2, Nanos(10_000 * MS), refusing);
    assert_eq!(names(&tried), "aabc");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn one_seed_one_stream(seed in any::<u64>(), workers in 1usize..9) {
        let run = || {
            let spec = crate::RegisterSettings::default();
            let mut generator = Limit::new(300, crate::WorkloadSpec::Register(spec).build().unwrap().phases(&RunScope::fresh(Seed(seed))).main);
            simulate(&mut generator, workers, 3, Nanos(1_000 * MS), |op| {
                let latency = op.request.encode().value.as_int().unwrap_or(3);
                (Nanos(1 + latency as u64), Kind::Ok)
            })
        };
        prop_assert_eq!(run(), run());
    }
}
