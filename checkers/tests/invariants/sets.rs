//! Sets: checked by the final read, and by all reads.

use std::collections::BTreeSet;

use elenchus_core::{CheckSpec, History, Kind, Operation, Symbol, Value, Verdict};
use serde_json::json;

use crate::notation::{Dice, Naive, World, agrees, expect};

/// The history in Jepsen's own test of the checker.
const JEPSEN: &str =
    "0 invoke add 0\n0 ok add 0\n0 invoke add 1\n0 ok add 1\n1 invoke add 10\n1 info add 10\n2 invoke add 11\n2 info add 11
    3 invoke add 20\n3 fail add 20\n3 invoke add 21\n3 fail add 21\n4 invoke read\n4 ok read #{0 10 20 30}";

#[test]
fn a_final_read_is_compared_with_all_adds() {
    let finding = expect(&CheckSpec::new("set"), JEPSEN, Verdict::Invalid, &[("lost", 1), ("unexpected", 1), ("aborted", 1)]);
    assert_eq!((&finding.details["attempts"], &finding.details["acknowledged"]), (&json!(6), &json!(2)));
    assert_eq!((&finding.details["read"], &finding.details["recovered"]), (&json!(2), &json!(1)));
}

#[test]
fn inconclusive_final_reads() {
    let spec = CheckSpec::new("set");
    expect(&spec, "0 invoke add 0\n0 ok add 0\n1 invoke read\n1 info read", Verdict::Unknown, &[]);
    expect(&spec, "0 invoke add 0\n1 invoke read\n0 ok add 0\n1 ok read []", Verdict::Unknown, &[]);
    expect(&spec, "0 invoke add 0\n0 info add 0\n1 invoke read\n1 ok read []", Verdict::Valid, &[]);
    expect(&spec, "1 invoke read\n1 ok read [0]\n0 invoke add 0\n0 ok add 0", Verdict::Invalid, &[("unexpected", 1)]);
    expect(&spec, "1/3 invoke read\n1/3 ok read [0]\n0/4 invoke add 0\n0/4 ok add 0", Verdict::Invalid, &[("unexpected", 1)]);
}

#[test]
fn the_lifecycle_of_an_element() {
    let spec = CheckSpec::new("set-full");
    let add = "0 invoke add 0\n0 ok add 0\n";
    let read = |elements: &str| format!("1 invoke read\n1 ok read {elements}\n");
    let lives = |reads: &[&str]| add.to_owned() + &reads.iter().map(|elements| read(elements)).collect::<String>();
    expect(&spec, &lives(&["[0]"]), Verdict::Valid, &[]);
    expect(&spec, &lives(&["[0]", "[]"]), Verdict::Invalid, &[("lost", 1)]);
    let stale = expect(&spec, &lives(&["[]", "[]", "[0]"]), Verdict::Valid, &[]);
    assert_eq!(stale.details["visible_after_ms"]["1"], json!(3.0));
    expect(&spec.clone().with("linearizable", true), &lives(&["[]", "[0]"]), Verdict::Invalid, &[("stale", 1)]);
    expect(&spec, &lives(&["[0 0]"]), Verdict::Invalid, &[("duplicate", 1)]);
    expect(&spec, &lives(&["[0 1]"]), Verdict::Invalid, &[("unexpected", 1)]);
    expect(&spec, &format!("2 invoke add 1\n2 fail add 1\n{}", lives(&["[0 1]"])), Verdict::Invalid, &[("aborted", 1)]);
    expect(&spec, add, Verdict::Unknown, &[]);
    // The read began before the add was acknowledged, so the missing element proves nothing.
    expect(&spec, "1 invoke read\n0 invoke add 0\n0 ok add 0\n1 ok read []", Verdict::Unknown, &[]);
    // A crashed add that was read is known, and can be lost.
    expect(&spec, &format!("0 invoke add 0\n0 info add 0\n{}{}", read("[0]"), read("[]")), Verdict::Invalid, &[("lost", 1)]);
}

fn elements<'h>(read: &Operation<'h>) -> Option<Vec<&'h Value>> {
    let list = read.output.filter(|_| read.f == "read")?;
    Some(list.as_list().unwrap_or_default().iter().collect())
}

fn adds<'a, 'h>(operations: &'a [Operation<'h>], element: &'a Value) -> impl Iterator<Item = &'a Operation<'h>> {
    operations.iter().filter(move |operation| operation.f == "add" && operation.input == element)
}

/// Returns the anomaly if an element cannot have been in the set at the completion of a read.
fn unfounded(operations: &[Operation<'_>], element: &Value, read: &Operation<'_>) -> Option<&'static str> {
    let possible = || adds(operations, element).filter(|add| add.kind != Kind::Fail);
    if possible().any(|add| Some(add.invoked) < read.completed) {
        None
    } else if possible().count() == 0 && adds(operations, element).count() > 0 {
        Some("aborted")
    } else {
        Some("unexpected")
    }
}

fn naive_set(_: &History, operations: &[Operation<'_>]) -> Naive {
    let mut naive = Naive::default();
    let Some(read) = operations.iter().filter(|read| elements(read).is_some()).max_by_key(|read| read.completed) else {
        return Naive { doubtful: true, ..naive };
    };
    let seen: BTreeSet<&Value> = elements(read).expect("a read").into_iter().collect();
    for element in &seen {
        unfounded(operations, element, read).into_iter().for_each(|kind| naive.found(kind, 1));
    }
    let acknowledged: BTreeSet<&Value> =
        operations.iter().filter(|add| add.f == "add" && add.kind == Kind::Ok).map(|operation| operation.input).collect();
    for element in acknowledged.difference(&seen) {
        let certain = adds(operations, element).any(|add| add.kind == Kind::Ok && add.completed < Some(read.invoked));
        naive.found("lost", usize::from(certain));
        naive.doubtful |= !certain;
    }
    naive
}

/// Compares every element with every read.
fn naive_set_full(linearizable: bool) -> impl Fn(&History, &[Operation<'_>]) -> Naive {
    move |_, operations| {
        let mut naive = Naive { doubtful: true, ..Naive::default() };
        let reads: Vec<(&Operation<'_>, Vec<&Value>)> = operations.iter().filter_map(|read| Some((read, elements(read)?))).collect();
        let mut all: BTreeSet<&Value> = operations.iter().filter(|add| add.f == "add").map(|add| add.input).collect();
        all.extend(reads.iter().flat_map(|(_, elements)| elements.iter().copied()));
        for element in all {
            let shows = |elements: &Vec<&Value>| elements.contains(&element);
            let twice = |elements: &Vec<&Value>| elements.iter().filter(|other| **other == element).count() > 1;
            naive.found("duplicate", usize::from(reads.iter().any(|(_, elements)| twice(elements))));
            let present: Vec<_> = reads.iter().filter(|(_, elements)| shows(elements)).map(|(read, _)| *read).collect();
            let first = present.iter().min_by_key(|read| read.completed);
            if let Some(kind) = first.and_then(|first| unfounded(operations, element, first)) {
                naive.found(kind, 1);
                continue;
            }
            let acknowledged = adds(operations, element).filter(|add| add.kind == Kind::Ok);
            let Some(known) = acknowledged.chain(present.iter().copied()).filter_map(|operation| operation.completed).min() else {
                continue;
            };
            let absent =
                reads.iter().filter(|(read, elements)| !shows(elements) && read.invoked > known).map(|(read, _)| read.invoked).max();
            let last_present = present.iter().map(|read| read.invoked).max();
            if absent > last_present {
                naive.found("lost", 1);
            } else if last_present.is_some() {
                naive.doubtful = false;
                naive.found("stale", usize::from(absent.is_some() && linearizable));
            }
        }
        naive
    }
}

/// Returns mostly the elements of the set, occasionally with one missing or one more.
fn answer(f: &str, input: &Value, done: &[(Symbol, Value)], dice: &mut Dice) -> Value {
    if f == "add" {
        return input.clone();
    }
    let mut all: BTreeSet<Value> = done.iter().filter(|(f, _)| *f == "add").map(|(_, element)| element.clone()).collect();
    if dice.below(4) == 0 {
        all.pop_first();
    }
    let mut list: Vec<Value> = all.into_iter().collect();
    if dice.below(6) == 0 {
        list.push(Value::Int(dice.below(5) as i64));
    }
    Value::List(list)
}

fn world() -> World<'static> {
    let adds = (0..4).map(|element| ("add", Value::Int(element)));
    World { inputs: adds.chain(std::iter::repeat_n(("read", Value::Nil), 4)).collect(), answer: &answer, troubles: (10, 20) }
}

#[test]
fn set_agrees_with_the_definition() {
    agrees(&CheckSpec::new("set"), &world(), naive_set, &["unknown", "lost", "unexpected", "aborted"]);
}

#[test]
fn set_full_agrees_with_the_definition() {
    let kinds = ["unknown", "lost", "unexpected", "aborted", "duplicate"];
    agrees(&CheckSpec::new("set-full"), &world(), naive_set_full(false), &kinds);
    let linearizable = CheckSpec::new("set-full").with("linearizable", true);
    agrees(&linearizable, &world(), naive_set_full(true), &["stale"]);
}
