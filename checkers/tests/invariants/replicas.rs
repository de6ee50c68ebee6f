//! Convergence of replicas.

use std::collections::{BTreeMap, BTreeSet};

use elenchus_core::{CheckSpec, EventIndex, History, Kind, Operation, Symbol, Value, Verdict};

use crate::notation::{Dice, Naive, World, agrees, expect};

fn spec(data: &str) -> CheckSpec {
    CheckSpec::new("convergence").with("data", data)
}

fn ok(who: &str, f: &str, asked: &str, told: &str) -> String {
    format!("{who} invoke {f} {asked}\n{who} ok {f} {told}\n")
}

fn finals(a: &str, b: &str) -> String {
    ok("8@a", "read", "nil", a) + &ok("9@b", "read", "nil", b)
}

#[test]
fn registers() {
    let written = ok("0@a", "write", "1", "1") + &ok("1@b", "write", "2", "2");
    let spec = spec("register");
    expect(&spec, &(written.clone() + &finals("1", "1")), Verdict::Valid, &[]);
    expect(&spec, &(written.clone() + &finals("1", "2")), Verdict::Invalid, &[("diverged", 1)]);
    expect(&spec, &(written.clone() + &finals("3", "3")), Verdict::Invalid, &[("unexpected", 2)]);
    expect(&spec, &(written.clone() + &finals("nil", "nil")), Verdict::Invalid, &[("lost", 2)]);
    expect(&spec, &(written.clone() + &ok("2@a", "write", "3", "3") + &finals("1", "1")), Verdict::Invalid, &[("overwritten", 2)]);
    expect(&spec, &format!("{written}2@a invoke write 3\n2@a info write 3\n{}", finals("1", "3")), Verdict::Valid, &[]);
    expect(&spec, &format!("2@a invoke write 3\n2@a fail write 3\n{}", finals("3", "3")), Verdict::Invalid, &[("aborted", 2)]);
    expect(&spec, &(written.clone() + &ok("8@a", "read", "nil", "1")), Verdict::Unknown, &[]);
    expect(&spec, &written, Verdict::Unknown, &[]);
}

#[test]
fn sets() {
    let spec = spec("set");
    let added = ok("0@a", "add", "1", "1");
    expect(&spec, &(added.clone() + &finals("[1]", "[1]")), Verdict::Valid, &[]);
    expect(&spec, &(added.clone() + &finals("[1]", "[]")), Verdict::Invalid, &[("diverged", 1), ("lost", 1)]);
    expect(&spec, &(added.clone() + &finals("[1 2]", "[1 2]")), Verdict::Invalid, &[("unexpected", 1)]);
    let removed = added.clone() + &ok("1@a", "remove", "1", "1");
    expect(&spec, &(removed.clone() + &finals("[]", "[]")), Verdict::Valid, &[]);
    expect(&spec, &(removed.clone() + &finals("[1]", "[1]")), Verdict::Invalid, &[("resurrected", 1)]);
    // Removed at another node, which may not have observed the add.
    expect(&spec, &(added.clone() + &ok("1@b", "remove", "1", "1") + &finals("[1]", "[1]")), Verdict::Valid, &[]);
    expect(&spec, &(added.clone() + &ok("1@b", "remove", "1", "1") + &finals("[]", "[]")), Verdict::Valid, &[]);
    let crashed = format!("2@b invoke remove 1\n2@b info remove 1\n{added}");
    expect(&spec, &(crashed + &finals("[1]", "[]")), Verdict::Valid, &[]);
    expect(&spec, &format!("2@b invoke add 1\n2@b fail add 1\n{}", finals("[1]", "[1]")), Verdict::Invalid, &[("aborted", 1)]);
}

#[test]
fn counters() {
    let spec = spec("counter");
    let added = ok("0@a", "add", "3", "nil") + &ok("1@b", "decrement", "nil", "nil");
    expect(&spec, &(added.clone() + &finals("2", "2")), Verdict::Valid, &[]);
    expect(&spec, &(added.clone() + &finals("2", "3")), Verdict::Invalid, &[("diverged", 1), ("wrong-count", 1)]);
    expect(&spec, &format!("2@a invoke add 5\n2@a info add 5\n{added}{}", finals("2", "7")), Verdict::Valid, &[]);
}

/// Returns the last reads of both nodes, and the invocation of the first of them.
fn last_reads<'a, 'h>(operations: &'a [Operation<'h>]) -> (Vec<&'a Operation<'h>>, Option<EventIndex>) {
    let of = |node: u16| {
        let reads = operations.iter().filter(|it| it.f == "read" && it.kind == Kind::Ok && it.node.is_some_and(|at| at.0 == node));
        reads.max_by_key(|read| read.completed)
    };
    let reads: Vec<_> = [0, 1].into_iter().filter_map(of).collect();
    let begun = reads.iter().map(|read| read.invoked).min();
    (reads, begun)
}

fn settled(update: &Operation<'_>, begun: EventIndex) -> bool {
    update.kind == Kind::Ok && update.completed < Some(begun)
}

/// Returns whether one update was certainly observed when the other was invoked.
fn seen(first: &Operation<'_>, second: &Operation<'_>) -> bool {
    first.kind == Kind::Ok && first.completed < Some(second.invoked) && first.node == second.node
}

fn naive_register(_: &History, operations: &[Operation<'_>]) -> Naive {
    let mut naive = Naive::default();
    let (reads, Some(begun)) = last_reads(operations) else {
        return Naive { doubtful: true, ..naive };
    };
    naive.doubtful = reads.len() < 2;
    let writes: Vec<_> = operations.iter().filter(|it| it.f == "write").collect();
    let possible: Vec<_> = writes.iter().copied().filter(|write| write.kind != Kind::Fail).collect();
    let open = |value: &Value| possible.iter().any(|write| write.input == value && !settled(write, begun));
    let stable: BTreeSet<_> = reads.iter().filter_map(|read| read.output).filter(|value| !open(value)).collect();
    naive.found("diverged", usize::from(stable.len() > 1));
    for read in &reads {
        let value = read.output.expect("a value");
        let from: Vec<_> = possible.iter().filter(|write| write.input == value && Some(write.invoked) < read.completed).collect();
        if value.is_nil() {
            naive.found("lost", usize::from(writes.iter().any(|write| settled(write, begun))));
        } else if from.is_empty() {
            let failed = writes.iter().any(|write| write.input == value) && !possible.iter().any(|write| write.input == value);
            naive.found(if failed { "aborted" } else { "unexpected" }, 1);
        } else {
            let replaced = |write: &&&Operation<'_>| writes.iter().any(|later| settled(later, begun) && seen(write, later));
            naive.found("overwritten", usize::from(from.iter().all(replaced)));
        }
    }
    naive
}

fn naive_set(_: &History, operations: &[Operation<'_>]) -> Naive {
    let mut naive = Naive::default();
    let (reads, Some(begun)) = last_reads(operations) else {
        return Naive { doubtful: true, ..naive };
    };
    naive.doubtful = reads.len() < 2;
    for element in (0..5).map(Value::Int) {
        let shows = |read: &&&Operation<'_>| read.output.and_then(Value::as_list).is_some_and(|list| list.contains(&element));
        let shown = reads.iter().filter(shows).count();
        let of = |f: &'static str| operations.iter().filter(move |it| it.f == f).filter(|it| *it.input == element).collect::<Vec<_>>();
        let (adds, removes) = (of("add"), of("remove"));
        let possible = |updates: &[&Operation<'_>]| updates.iter().filter(|it| it.kind != Kind::Fail).count();
        let open = adds.iter().chain(&removes).any(|it| it.kind != Kind::Fail && !settled(it, begun));
        naive.found("diverged", usize::from(shown > 0 && shown < reads.len() && !open));
        if shown > 0 && possible(&adds) == 0 {
            naive.found(if adds.is_empty() { "unexpected" } else { "aborted" }, 1);
        } else if shown > 0 {
            let gone = |add: &&Operation<'_>| removes.iter().any(|remove| settled(remove, begun) && seen(add, remove));
            naive.found("resurrected", usize::from(adds.iter().filter(|add| add.kind != Kind::Fail).all(gone)));
        }
        let survives = |add: &&Operation<'_>| {
            let before =
                |remove: &&Operation<'_>| remove.kind == Kind::Fail || remove.kind == Kind::Ok && remove.completed < Some(add.invoked);
            settled(add, begun) && removes.iter().all(before)
        };
        naive.found("lost", usize::from(shown < reads.len() && adds.iter().any(survives)));
    }
    naive
}

fn naive_counter(_: &History, operations: &[Operation<'_>]) -> Naive {
    let mut naive = Naive::default();
    let (reads, Some(begun)) = last_reads(operations) else {
        return Naive { doubtful: true, ..naive };
    };
    naive.doubtful = reads.len() < 2;
    let adds: Vec<_> = operations.iter().filter(|it| it.f == "add" && it.kind != Kind::Fail).collect();
    let open: Vec<i64> = adds.iter().filter(|add| !settled(add, begun)).map(|add| add.input.as_int().expect("a number")).collect();
    let sum: i64 = adds.iter().filter(|add| settled(add, begun)).map(|add| add.input.as_int().expect("a number")).sum();
    let told: BTreeSet<i64> = reads.iter().map(|read| read.output.and_then(Value::as_int).expect("a number")).collect();
    naive.found("diverged", usize::from(told.len() > 1 && open.is_empty()));
    let (below, above): (Vec<i64>, Vec<i64>) = open.into_iter().partition(|amount| *amount < 0);
    let bounds = sum + below.iter().sum::<i64>()..=sum + above.iter().sum::<i64>();
    naive.found(
        "wrong-count",
        reads.iter().filter(|read| !bounds.contains(&read.output.and_then(Value::as_int).expect("a number"))).count(),
    );
    naive
}

#[test]
fn registers_agree_with_the_definition() {
    let writes = (0..4).map(|value| ("write", Value::Int(value)));
    let world = World {
        inputs: writes.chain(std::iter::repeat_n(("read", Value::Nil), 4)).collect(),
        answer: &|f, input, done, dice| match (f, dice.below(5)) {
            ("read", 0) => [Value::Nil, Value::Int(dice.below(5) as i64)][dice.below(2)].clone(),
            ("read", _) => done.iter().rev().find(|(f, _)| *f == "write").map(|(_, value)| value.clone()).unwrap_or_default(),
            _ => input.clone(),
        },
        troubles: (10, 8),
    };
    agrees(&spec("register"), &world, naive_register, &["unknown", "diverged", "lost", "overwritten", "unexpected", "aborted"]);
}

#[test]
fn sets_agree_with_the_definition() {
    let adds = (0..4).map(|element| ("add", Value::Int(element)));
    let removes = (0..4).map(|element| ("remove", Value::Int(element)));
    let answer = |f: &str, input: &Value, done: &[(Symbol, Value)], dice: &mut Dice| {
        if f != "read" {
            return input.clone();
        }
        let mut held: BTreeMap<Value, bool> = BTreeMap::new();
        held.extend(done.iter().filter(|(f, _)| *f != "read").map(|(f, element)| (element.clone(), *f == "add")));
        if dice.below(3) == 0 {
            let element = Value::Int(dice.below(5) as i64);
            let flipped = !held.get(&element).copied().unwrap_or_default();
            held.insert(element, flipped);
        }
        Value::List(held.into_iter().filter(|(_, held)| *held).map(|(element, _)| element).collect())
    };
    let world = World {
        inputs: adds.chain(removes).chain(std::iter::repeat_n(("read", Value::Nil), 5)).collect(),
        answer: &answer,
        troubles: (8, 6),
    };
    agrees(&spec("set"), &world, naive_set, &["unknown", "diverged", "lost", "resurrected", "unexpected", "aborted"]);
}

#[test]
fn counters_agree_with_the_definition() {
    let adds = [3, 1, -2].map(|amount| ("add", Value::Int(amount)));
    let world = World {
        inputs: adds.into_iter().chain([("read", Value::Nil), ("read", Value::Nil)]).collect(),
        answer: &|_, _, done, dice| {
            let sum: i64 = done.iter().filter(|(f, _)| *f == "add").filter_map(|(_, amount)| amount.as_int()).sum();
            Value::Int(if dice.below(3) == 0 { sum + dice.below(7) as i64 - 3 } else { sum })
        },
        troubles: (5, 5),
    };
    agrees(&spec("counter"), &world, naive_counter, &["unknown", "diverged", "wrong-count"]);
}
