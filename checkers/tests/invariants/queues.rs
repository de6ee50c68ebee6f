//! Queues: no lost elements, and FIFO order per producer.

use std::collections::BTreeSet;

use elenchus_core::{CheckSpec, EventIndex, History, Kind, Operation, Symbol, Value, Verdict};
use serde_json::json;

use crate::notation::{Dice, Naive, World, agrees, expect};

fn total() -> CheckSpec {
    CheckSpec::new("total-queue")
}

fn dequeue(process: u32, value: &str) -> String {
    format!("{process} invoke dequeue\n{process} ok dequeue {value}\n")
}

fn enqueue(process: u32, value: &str) -> String {
    format!("{process} invoke enqueue {value}\n{process} ok enqueue {value}\n")
}

fn drain(elements: &str) -> String {
    format!("9 invoke drain\n9 ok drain {elements}\n")
}

#[test]
fn jepsens_own_histories() {
    let sane = format!("1 invoke enqueue 1\n{}{}{}", enqueue(2, "2"), dequeue(3, "1"), dequeue(3, "2"));
    let finding = expect(&total().with("drained", true), &sane, Verdict::Valid, &[]);
    assert_eq!((&finding.details["recovered"], &finding.details["acknowledged"]), (&json!(1), &json!(1)));
    let pathological = format!(
        "1 invoke enqueue :hung\n{}{}4 invoke dequeue\n{}{}{}",
        enqueue(2, ":enqueued"),
        enqueue(3, ":dup"),
        dequeue(5, ":wtf"),
        dequeue(6, ":dup"),
        dequeue(7, ":dup")
    );
    let jepsen = total().with("drained", true).with("crashed-dequeues-take", false);
    let finding = expect(&jepsen, &pathological, Verdict::Invalid, &[("lost", 1), ("unexpected", 1)]);
    assert_eq!(finding.details["duplicates"], json!(1));
    let exactly_once = jepsen.with("exactly-once", true);
    expect(&exactly_once, &pathological, Verdict::Invalid, &[("lost", 1), ("unexpected", 1), ("duplicate", 1)]);
}

#[test]
fn lost_only_if_the_queue_was_observed_empty() {
    let one = enqueue(1, "1");
    expect(&total(), &one, Verdict::Unknown, &[]);
    expect(&total(), &(one.clone() + &drain("[]")), Verdict::Invalid, &[("lost", 1)]);
    expect(&total(), &(one.clone() + &drain("[1]")), Verdict::Valid, &[]);
    expect(&total(), &(drain("[]") + &one), Verdict::Unknown, &[]);
    expect(&total(), &(one.clone() + &dequeue(2, "nil")), Verdict::Invalid, &[("lost", 1)]);
    // A crashed dequeue may have removed one element, but not two.
    let crashed = "2 invoke dequeue\n2 info dequeue\n";
    expect(&total(), &format!("{one}{crashed}{}", drain("[]")), Verdict::Unknown, &[]);
    expect(&total(), &format!("{one}{}{crashed}{}", enqueue(1, "2"), drain("[]")), Verdict::Invalid, &[("lost", 1)]);
    expect(&total(), &format!("{one}{}{crashed}", drain("[]")), Verdict::Invalid, &[("lost", 1)]);
    expect(&total(), &format!("1 invoke enqueue 1\n1 fail enqueue 1\n{}", drain("[1]")), Verdict::Invalid, &[("aborted", 1)]);
}

#[test]
fn fifo_order_of_each_producer() {
    let fifo = CheckSpec::new("fifo");
    let sent = enqueue(1, "1") + &enqueue(1, "2") + &enqueue(2, "3");
    expect(&fifo, &(sent.clone() + &drain("[3 1 2]")), Verdict::Valid, &[]);
    expect(&fifo, &(sent.clone() + &drain("[2 1 3]")), Verdict::Invalid, &[("reordered", 1)]);
    expect(&fifo, &(sent.clone() + &dequeue(3, "2") + &dequeue(4, "1")), Verdict::Invalid, &[("reordered", 1)]);
    let concurrent = format!("{sent}3 invoke dequeue\n4 invoke dequeue\n3 ok dequeue 2\n4 ok dequeue 1");
    expect(&fifo, &concurrent, Verdict::Valid, &[]);
    let by_consumer = fifo.clone().with("order", "consumer");
    expect(&by_consumer, &(sent.clone() + &dequeue(3, "2") + &dequeue(4, "1")), Verdict::Valid, &[]);
    expect(&by_consumer, &(sent.clone() + &dequeue(3, "2") + &dequeue(3, "1")), Verdict::Invalid, &[("reordered", 1)]);
    expect(&fifo, &(sent.clone() + &dequeue(3, "2")), Verdict::Invalid, &[("skipped", 1)]);
    expect(&fifo, &format!("{sent}5 invoke dequeue\n5 info dequeue\n{}", dequeue(3, "2")), Verdict::Unknown, &[]);
    // Redelivered after a later one, but its first delivery was in order.
    expect(&fifo, &(sent + &dequeue(3, "1") + &dequeue(3, "2") + &dequeue(3, "1")), Verdict::Valid, &[]);
}

fn taken<'h>(operation: &Operation<'h>) -> Vec<&'h Value> {
    match (operation.f.as_str(), operation.output) {
        ("dequeue", Some(value)) if !value.is_nil() => vec![value],
        ("drain", Some(Value::List(values))) => values.iter().collect(),
        _ => vec![],
    }
}

/// Returns how many elements the operations that crashed before an event may have removed.
fn crashed(operations: &[Operation<'_>], before: Option<EventIndex>) -> usize {
    let crashed = |f: &str| operations.iter().filter(|it| it.kind == Kind::Info && it.f == f && Some(it.invoked) < before).count();
    if crashed("drain") > 0 { usize::MAX } else { crashed("dequeue") }
}

fn values<'h>(operations: &[Operation<'h>]) -> BTreeSet<&'h Value> {
    let put = operations.iter().filter(|operation| operation.f == "enqueue").map(|operation| operation.input);
    put.chain(operations.iter().flat_map(taken)).collect()
}

fn naive_total(_: &History, operations: &[Operation<'_>]) -> Naive {
    let mut naive = Naive::default();
    let sees_empty = |it: &&Operation<'_>| it.kind == Kind::Ok && (it.f == "drain" || it.f == "dequeue" && it.output == Some(&Value::Nil));
    let empty = operations.iter().filter(sees_empty).max_by_key(|operation| operation.invoked);
    let (mut lost, mut open) = (0, 0);
    for value in values(operations) {
        let puts: Vec<_> = operations.iter().filter(|it| it.f == "enqueue" && it.input == value).collect();
        let possible: Vec<_> = puts.iter().filter(|put| put.kind != Kind::Fail).collect();
        let mut times = 0;
        for take in operations.iter().flat_map(|it| taken(it).into_iter().filter(|taken| *taken == value).map(move |_| it)) {
            if possible.iter().any(|put| Some(put.invoked) <= take.completed) {
                times += 1;
            } else if possible.is_empty() && !puts.is_empty() {
                naive.found("aborted", 1);
            } else {
                naive.found("unexpected", 1);
            }
        }
        naive.found("duplicate", usize::saturating_sub(times, possible.len()));
        let acknowledged: Vec<_> = puts.iter().filter(|put| put.kind == Kind::Ok).collect();
        let certain = acknowledged.iter().filter(|put| empty.is_some_and(|empty| put.completed < Some(empty.invoked))).count();
        lost += certain.saturating_sub(times);
        open += acknowledged.len().saturating_sub(times) - certain.saturating_sub(times);
    }
    let crashed = crashed(operations, empty.and_then(|empty| empty.completed));
    naive.found("lost", lost.saturating_sub(crashed));
    naive.doubtful = operations.is_empty() || open > 0 || (lost > 0 && lost <= crashed);
    naive
}

/// The definition, applied to each pair.
fn naive_fifo(by_consumer: bool) -> impl Fn(&History, &[Operation<'_>]) -> Naive {
    move |_, operations| {
        let mut naive = Naive::default();
        let puts: Vec<_> = operations.iter().filter(|it| it.f == "enqueue" && it.kind != Kind::Fail).collect();
        if values(operations).iter().any(|value| puts.iter().filter(|put| put.input == *value).count() > 1) {
            return Naive { doubtful: true, ..naive };
        }
        naive.doubtful = operations.iter().all(|it| taken(it).is_empty());
        let takes: Vec<_> =
            operations.iter().flat_map(|it| taken(it).into_iter().enumerate().map(move |(place, value)| (it, place, value))).collect();
        let deliveries = |put: &Operation<'_>| takes.iter().filter(|take| take.2 == put.input).collect::<Vec<_>>();
        let (mut skipped, mut last) = (0, None);
        for put in &puts {
            let later = || puts.iter().filter(|later| later.process == put.process && later.invoked > put.invoked);
            let mine = deliveries(put);
            let Some(first) = mine.iter().min_by_key(|take| (take.0.invoked, take.1)) else {
                let by: Vec<_> = later().flat_map(|later| deliveries(later)).collect();
                if put.kind == Kind::Ok && !by.is_empty() {
                    skipped += 1;
                    // Any crashed dequeue invoked before the later message was dequeued may have removed it.
                    let nearest = later().find_map(|later| deliveries(later).iter().filter_map(|take| take.0.completed).min());
                    last = last.max(nearest);
                }
                continue;
            };
            let overtakes = |take: &&(&Operation<'_>, usize, &Value), earliest: bool| {
                let same_drain = take.0.invoked == first.0.invoked && take.1 < first.1;
                let in_time = match by_consumer {
                    false => take.0.completed < Some(first.0.invoked),
                    true => take.0.process == first.0.process && (take.0.invoked, take.1) < (first.0.invoked, first.1),
                };
                earliest && (in_time || same_drain)
            };
            let reordered = later().any(|later| {
                let theirs = deliveries(later);
                let first = theirs.iter().map(|take| (take.0.invoked, take.1)).min();
                theirs.iter().any(|take| overtakes(take, !by_consumer || Some((take.0.invoked, take.1)) == first))
            });
            naive.found("reordered", usize::from(reordered));
        }
        let crashed = crashed(operations, last);
        naive.found("skipped", usize::saturating_sub(skipped, crashed));
        naive.doubtful |= skipped > 0 && skipped <= crashed;
        naive
    }
}

/// Returns mostly the front of the queue, occasionally something else.
fn answer(f: &str, input: &Value, done: &[(Symbol, Value)], dice: &mut Dice) -> Value {
    let mut queue: Vec<Value> = Vec::new();
    for (f, value) in done {
        match f.as_str() {
            "enqueue" => queue.push(value.clone()),
            "dequeue" => queue.retain(|other| other != value),
            _ => queue.clear(),
        }
    }
    match f {
        "enqueue" => return input.clone(),
        "dequeue" if dice.below(4) > 0 => return queue.first().cloned().unwrap_or_default(),
        "dequeue" => {
            return [Value::Nil, Value::Int(dice.below(9) as i64), queue.last().cloned().unwrap_or_default()][dice.below(3)].clone();
        }
        _ => {}
    }
    if dice.below(3) == 0 {
        queue.reverse();
    }
    if dice.below(4) == 0 {
        queue.pop();
    }
    Value::List(queue)
}

fn world(distinct: i64) -> World<'static> {
    let puts = (0..distinct).map(|value| ("enqueue", Value::Int(value)));
    let takes = std::iter::repeat_n(("dequeue", Value::Nil), distinct as usize / 2).chain([("drain", Value::Nil)]);
    World { inputs: puts.chain(takes).collect(), answer: &answer, troubles: (8, 8) }
}

#[test]
fn total_queue_agrees_with_the_definition() {
    let kinds = ["unknown", "lost", "unexpected", "aborted", "duplicate"];
    agrees(&total().with("exactly-once", true), &world(4), naive_total, &kinds);
}

#[test]
fn fifo_agrees_with_the_definition() {
    agrees(&CheckSpec::new("fifo"), &world(40), naive_fifo(false), &["unknown", "reordered", "skipped"]);
    agrees(&CheckSpec::new("fifo").with("order", "consumer"), &world(40), naive_fifo(true), &["reordered"]);
}
