//! Writes observed out of order: long forks and causal reversals.

use std::collections::{BTreeMap, BTreeSet};

use elenchus_core::{CheckSpec, History, Kind, Operation, Value, Verdict};

use crate::notation::{Naive, World, agrees, agrees_with, expect, value};

#[test]
fn opposite_orders_are_a_long_fork() {
    let fork = CheckSpec::new("long-fork");
    let writes = "0 invoke write [[:w 0 1]]\n0 ok write [[:w 0 1]]\n1 invoke write [[:w 1 1]]\n1 info write [[:w 1 1]]\n";
    let read = |process: u32, txn: &str| format!("{process} invoke read [[:r 0 nil] [:r 1 nil]]\n{process} ok read {txn}\n");
    let reads = |txns: &[&str]| writes.to_owned() + &(2..).zip(txns).map(|(process, txn)| read(process, txn)).collect::<String>();
    let forked = expect(&fork, &reads(&["[[:r 0 1] [:r 1 nil]]", "[[:r 1 1] [:r 0 nil]]"]), Verdict::Invalid, &[("long-fork", 1)]);
    assert_eq!(forked.anomalies[0].operations.len(), 2);
    expect(&fork, &reads(&["[[:r 0 1] [:r 1 nil]]", "[[:r 1 1] [:r 0 1]]", "[[:r 1 nil] [:r 0 nil]]"]), Verdict::Valid, &[]);
    expect(&fork, &reads(&["[[:r 0 1] [:r 2 7]]"]), Verdict::Invalid, &[("unexpected", 1)]);
    expect(&fork, writes, Verdict::Unknown, &[]);
    let twice = format!("{}5 invoke write [[:w 1 2]]\n5 ok write [[:w 1 2]]", reads(&["[[:r 0 1] [:r 1 nil]]"]));
    expect(&fork, &twice, Verdict::Unknown, &[]);
    let failed = writes.replace("info", "fail") + &read(2, "[[:r 0 1] [:r 1 1]]");
    expect(&fork, &failed, Verdict::Invalid, &[("aborted", 1)]);
}

#[test]
fn a_read_that_misses_an_earlier_write() {
    let reverse = CheckSpec::new("causal-reverse");
    let writes = "0 invoke write 1\n0 ok write 1\n1 invoke write 2\n1 ok write 2\n";
    expect(&reverse, &format!("{writes}2 invoke read\n2 ok read [2]"), Verdict::Invalid, &[("causal-reverse", 1)]);
    expect(&reverse, &format!("{writes}2 invoke read\n2 ok read [1]"), Verdict::Valid, &[]);
    expect(&reverse, &format!("{writes}2 invoke read\n2 ok read [3 1]"), Verdict::Invalid, &[("unexpected", 1)]);
    expect(&reverse, "0 invoke write 1\n0 fail write 1\n2 invoke read\n2 ok read [1]", Verdict::Invalid, &[("aborted", 1)]);
    let concurrent = "0 invoke write 1\n1 invoke write 2\n0 ok write 1\n1 ok write 2\n2 invoke read\n2 ok read [2]";
    expect(&reverse, concurrent, Verdict::Valid, &[]);
    expect(&reverse, writes, Verdict::Unknown, &[]);
    let by_key = "0/a invoke write 1\n0/a ok write 1\n1/b invoke write 2\n1/b ok write 2\n2/b invoke read\n2/b ok read [2]\n2/a invoke read\n2/a ok read [1]";
    expect(&reverse, by_key, Verdict::Valid, &[]);
}

/// Jepsen's definition, applied to every pair of reads: whether there is a fork.
fn naive_fork(_: &History, operations: &[Operation<'_>]) -> Naive {
    let mut naive = Naive { doubtful: true, ..Naive::default() };
    let writes: Vec<_> = operations.iter().filter(|operation| operation.f == "write").collect();
    if writes.iter().any(|write| writes.iter().any(|other| other.invoked != write.invoked && other.input == write.input)) {
        return naive;
    }
    let mut groups: BTreeMap<Vec<&Value>, BTreeSet<BTreeSet<&Value>>> = BTreeMap::new();
    for read in operations.iter().filter(|operation| operation.f == "read") {
        let Some(Value::List(txn)) = read.output else {
            continue;
        };
        naive.doubtful = false;
        let (mut keys, mut shown) = (Vec::new(), BTreeSet::new());
        for step in txn.iter().map(|step| step.as_list().expect("a step")) {
            keys.push(&step[1]);
            if !step[2].is_nil() {
                shown.insert(&step[1]);
                let write = writes.iter().find(|write| write.input.as_list().expect("a txn")[0].as_list().expect("a step")[1] == step[1]);
                match write {
                    Some(write) if write.kind == Kind::Fail => naive.found("aborted", 1),
                    Some(write) if Some(write.invoked) < read.completed => {}
                    _ => naive.found("unexpected", 1),
                }
            }
        }
        keys.sort();
        groups.entry(keys).or_default().insert(shown);
    }
    let forked = groups.values().any(|reads| reads.iter().any(|a| reads.iter().any(|b| !a.is_subset(b) && !b.is_subset(a))));
    naive.found("long-fork", usize::from(forked));
    naive
}

#[test]
fn long_fork_agrees_with_the_definition() {
    let writes = (0..3).map(|key| ("write", value(&format!("[[:w {key} 1]]"))));
    let reads = ["[[:r 0 nil] [:r 1 nil]]", "[[:r 1 nil] [:r 0 nil]]", "[[:r 1 nil] [:r 2 nil]]"].map(|txn| ("read", value(txn)));
    let answer = |f: &str, input: &Value, done: &[(elenchus_core::Symbol, Value)], dice: &mut crate::notation::Dice| {
        if f == "write" {
            return input.clone();
        }
        let written = |key: &Value| {
            done.iter().any(|(f, txn)| *f == "write" && txn.as_list().expect("a txn")[0].as_list().expect("a step")[1] == *key)
        };
        let steps = input.as_list().expect("a txn").iter().map(|step| {
            let key = step.as_list().expect("a step")[1].clone();
            let shows = if dice.below(5) == 0 { dice.below(2) == 0 } else { written(&key) };
            Value::List(vec!["r".into(), key, if shows { Value::Int(1) } else { Value::Nil }])
        });
        Value::List(steps.collect())
    };
    let world = World { inputs: writes.chain(reads.clone()).chain(reads).collect(), answer: &answer, troubles: (5, 5) };
    // The checker counts reads that are not ordered with their neighbour, which are fewer than all pairs.
    let once = |counts: &mut BTreeMap<String, u64>| {
        counts.entry("long-fork".to_owned()).and_modify(|count| *count = 1);
    };
    agrees_with(&CheckSpec::new("long-fork"), &world, naive_fork, once, &["unknown", "long-fork", "unexpected", "aborted"]);
}

fn naive_reverse(_: &History, operations: &[Operation<'_>]) -> Naive {
    let mut naive = Naive { doubtful: true, ..Naive::default() };
    let writes: Vec<_> = operations.iter().filter(|operation| operation.f == "write" && operation.kind != Kind::Fail).collect();
    if writes.iter().any(|write| writes.iter().any(|other| other.invoked != write.invoked && other.input == write.input)) {
        return naive;
    }
    for read in operations.iter().filter(|operation| operation.f == "read") {
        let Some(Value::List(shown)) = read.output else {
            continue;
        };
        naive.doubtful = false;
        let mut misses = false;
        for element in shown {
            match writes.iter().find(|write| write.input == element) {
                Some(write) if Some(write.invoked) < read.completed => {
                    let earlier = writes.iter().filter(|earlier| earlier.kind == Kind::Ok && earlier.completed < Some(write.invoked));
                    misses |= earlier.into_iter().any(|earlier| !shown.contains(earlier.input));
                }
                None if operations.iter().any(|write| write.f == "write" && write.input == element) => naive.found("aborted", 1),
                _ => naive.found("unexpected", 1),
            }
        }
        naive.found("causal-reverse", usize::from(misses));
    }
    naive
}

#[test]
fn causal_reverse_agrees_with_the_definition() {
    let writes = (0..20).map(|element| ("write", Value::Int(element)));
    let world = World {
        inputs: writes.chain(std::iter::repeat_n(("read", Value::Nil), 12)).collect(),
        answer: &|f, input, done, dice| {
            if f == "write" {
                return input.clone();
            }
            let mut shown: Vec<Value> = done.iter().filter(|(f, _)| *f == "write").map(|(_, element)| element.clone()).collect();
            if dice.below(3) == 0 && !shown.is_empty() {
                shown.remove(dice.below(shown.len()));
            }
            if dice.below(8) == 0 {
                shown.push(Value::Int(dice.below(20) as i64));
            }
            shown.sort();
            shown.dedup();
            Value::List(shown)
        },
        troubles: (15, 8),
    };
    agrees(&CheckSpec::new("causal-reverse"), &world, naive_reverse, &["unknown", "causal-reverse", "unexpected", "aborted"]);
}
