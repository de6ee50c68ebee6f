//! Counters, unique ids and monotonic numbers.

use std::collections::BTreeMap;

use elenchus_core::{CheckSpec, History, Kind, Operation, Value, Verdict};

use crate::notation::{Naive, World, agrees, expect};

fn spec(checker: &str) -> CheckSpec {
    CheckSpec::new(checker)
}

#[test]
fn jepsens_own_counters() {
    let counter = spec("counter");
    expect(&counter, "0 invoke read\n0 ok read 0", Verdict::Valid, &[]);
    expect(&counter, "0 invoke read\n0 ok read 1", Verdict::Invalid, &[("too-high", 1)]);
    expect(&counter, "0 invoke add 1\n0 fail add 1\n0 invoke read\n0 ok read 0", Verdict::Valid, &[]);
    expect(&counter, "0 invoke add 1\n1 invoke read\n1 ok read 0\n1 invoke read\n1 ok read 1", Verdict::Valid, &[]);
    let rolling =
        "0 invoke read\n1 invoke add 1\n0 ok read 0\n0 invoke read\n1 ok add 1\n1 invoke add 2\n0 ok read 3\n0 invoke read\n1 ok add 2
        0 ok read 5";
    expect(&counter, rolling, Verdict::Invalid, &[("too-high", 1)]);
    let finding = expect(
        &counter,
        "0 invoke add 3\n0 ok add 3\n0 invoke add 1\n0 ok add 1\n0 invoke read\n0 ok read 2",
        Verdict::Invalid,
        &[("too-low", 1)],
    );
    assert_eq!(finding.anomalies[0].operations.len(), 2, "the add of 3 alone is more than 2");
    // A crashed add may take effect at any time; a negative one lowers the lower bound.
    let crashed = "0 invoke add -2\n0 info add -2\n";
    expect(&counter, &format!("{crashed}1 invoke read\n1 ok read -2\n1 invoke read\n1 ok read 0"), Verdict::Valid, &[]);
    expect(&counter, &format!("{crashed}1 invoke read\n1 ok read -3"), Verdict::Invalid, &[("too-low", 1)]);
    expect(&counter, "0 invoke increment\n0 ok increment", Verdict::Unknown, &[]);
}

#[test]
fn duplicate_ids() {
    let given = |ids: &[i64]| ids.iter().map(|id| format!("0 invoke generate\n0 ok generate {id}\n")).collect::<String>();
    expect(&spec("unique-ids"), &given(&[0, 1, 0, 0]), Verdict::Invalid, &[("duplicate", 1)]);
    expect(&spec("unique-ids"), &given(&[0, 1, 2]), Verdict::Valid, &[]);
    expect(&spec("unique-ids"), "0 invoke generate\n0 info generate", Verdict::Unknown, &[]);
}

#[test]
fn decreasing_numbers() {
    let two = |second: &str, number: &str| {
        format!("0@a invoke generate\n0@a ok generate 5\n{second} invoke generate\n{second} ok generate {number}")
    };
    let monotonic = spec("monotonic");
    expect(&monotonic, &two("1@b", "6"), Verdict::Valid, &[]);
    expect(&monotonic, &two("0@a", "5"), Verdict::Invalid, &[("nonmonotonic-process", 1)]);
    expect(&monotonic.clone().with("strict", false), &two("0@a", "5"), Verdict::Valid, &[]);
    expect(&monotonic, &two("1@a", "4"), Verdict::Invalid, &[("nonmonotonic-node", 1)]);
    expect(&monotonic, &two("1@b", "4"), Verdict::Invalid, &[("nonmonotonic", 1)]);
    expect(&monotonic.clone().with("scope", "node"), &two("1@b", "4"), Verdict::Valid, &[]);
    expect(&monotonic.clone().with("scope", "process"), &two("1@a", "4"), Verdict::Valid, &[]);
    expect(&monotonic, "0 invoke generate\n1 invoke generate\n0 ok generate 5\n1 ok generate 4", Verdict::Valid, &[]);
    expect(&monotonic, "0 invoke timestamp\n0 ok timestamp [5 1]\n0 invoke timestamp\n0 ok timestamp [5 2]", Verdict::Valid, &[]);
    expect(&monotonic, &two("0@a", "[1]"), Verdict::Unknown, &[]);
}

fn naive_counter(_: &History, operations: &[Operation<'_>]) -> Naive {
    let mut naive = Naive { doubtful: true, ..Naive::default() };
    for read in operations.iter().filter(|operation| operation.f == "read" && operation.kind == Kind::Ok) {
        let Some(Value::Int(told)) = read.output else {
            continue;
        };
        naive.doubtful = false;
        let (mut lower, mut upper) = (0, 0);
        for add in operations.iter().filter(|operation| operation.f != "read" && operation.kind != Kind::Fail) {
            let amount = if add.f == "increment" { 1 } else { add.input.as_int().expect("an amount") };
            if add.kind == Kind::Ok && add.completed < Some(read.invoked) {
                (lower, upper) = (lower + amount, upper + amount);
            } else if Some(add.invoked) < read.completed {
                (lower, upper) = (lower + amount.min(0), upper + amount.max(0));
            }
        }
        naive.found("too-low", usize::from(*told < lower));
        naive.found("too-high", usize::from(*told > upper));
    }
    naive
}

#[test]
fn counter_agrees_with_the_definition() {
    let adds = [3, 1, -2].map(|amount| ("add", Value::Int(amount)));
    let world = World {
        inputs: adds.into_iter().chain([("increment", Value::Nil), ("read", Value::Nil), ("read", Value::Nil)]).collect(),
        answer: &|_, _, done, dice| {
            let sum: i64 = done.iter().map(|(f, amount)| if *f == "increment" { 1 } else { amount.as_int().unwrap_or(0) }).sum();
            Value::Int(if dice.below(4) == 0 { sum + dice.below(7) as i64 - 3 } else { sum })
        },
        troubles: (10, 20),
    };
    agrees(&spec("counter"), &world, naive_counter, &["unknown", "too-low", "too-high"]);
}

fn numbers() -> World<'static> {
    World {
        inputs: vec![("generate", Value::Nil)],
        answer: &|_, _, done, dice| Value::Int(done.len() as i64 * 2 + dice.below(8) as i64),
        troubles: (10, 10),
    }
}

#[test]
fn unique_ids_agree_with_the_definition() {
    let naive = |_: &History, operations: &[Operation<'_>]| {
        let mut times: BTreeMap<&Value, usize> = BTreeMap::new();
        operations.iter().filter_map(|operation| operation.output).for_each(|id| *times.entry(id).or_default() += 1);
        let mut naive = Naive { doubtful: times.is_empty(), ..Naive::default() };
        naive.found("duplicate", times.values().filter(|times| **times > 1).count());
        naive
    };
    agrees(&spec("unique-ids"), &numbers(), naive, &["unknown", "duplicate"]);
}

#[test]
fn monotonic_agrees_with_the_definition() {
    let naive = |_: &History, operations: &[Operation<'_>]| {
        let told: Vec<_> = operations.iter().filter(|operation| operation.output.is_some()).collect();
        let mut naive = Naive { doubtful: told.is_empty(), ..Naive::default() };
        for second in &told {
            let broken = || told.iter().filter(|first| first.completed < Some(second.invoked) && first.output >= second.output);
            if broken().any(|first| first.process == second.process) {
                naive.found("nonmonotonic-process", 1);
            } else if broken().any(|first| first.node == second.node) {
                naive.found("nonmonotonic-node", 1);
            } else if broken().next().is_some() {
                naive.found("nonmonotonic", 1);
            }
        }
        naive
    };
    agrees(&spec("monotonic"), &numbers(), naive, &["unknown", "nonmonotonic-process", "nonmonotonic-node", "nonmonotonic"]);
}
