//! Partitioned logs, with the histories in Jepsen's own tests of the checker.

use std::collections::{BTreeMap, BTreeSet};

use elenchus_core::{CheckSpec, EventIndex, History, Kind, Operation, Symbol, Value, Verdict};

use crate::notation::{Dice, Naive, World, agrees, expect, value};

fn spec() -> CheckSpec {
    CheckSpec::new("kafka")
}

/// A successful operation with its argument and result.
fn ok(process: u32, f: &str, asked: &str, told: &str) -> String {
    format!("{process} invoke {f} {asked}\n{process} ok {f} {told}\n")
}

fn send(process: u32, told: &str) -> String {
    ok(process, "send", "[]", told)
}

fn poll(process: u32, told: &str) -> String {
    ok(process, "poll", "[[:poll]]", &format!("[[:poll {told}]]"))
}

fn crashed(process: u32, told: &str) -> String {
    format!("{process} invoke send []\n{process} info send {told}\n")
}

#[test]
fn inconsistent_offsets() {
    let one = crashed(0, "[[:send :x [0 1]] [:send :y 1]]");
    let two = send(1, "[[:send :x [0 2]]]");
    expect(&spec(), &(one.clone() + &two), Verdict::Unknown, &[]);
    // A poll of the crashed send's message proves that it was committed.
    expect(&spec(), &(one + &two + &poll(2, "{:y [[5 1]]}")), Verdict::Invalid, &[("inconsistent-offsets", 1)]);
    expect(
        &spec(),
        "379 invoke send [[:send 11 641]]\n379 ok send [[:send 11 [537 641]]]\n363 invoke send [[:send 11 645]]\n363 ok send [[:send 11 [537 645]]]",
        Verdict::Invalid,
        &[("inconsistent-offsets", 1)],
    );
}

#[test]
fn aborted_and_phantom_messages() {
    let failed = "0 invoke send [[:send :x 2] [:send :y 3]]\n0 fail send [[:send :x 2] [:send :y 3]]\n";
    expect(&spec(), &format!("{failed}{}", poll(1, "{:x [[0 2]]}")), Verdict::Invalid, &[("G1a", 1)]);
    expect(&spec(), &poll(1, "{:x [[0 2]]}"), Verdict::Invalid, &[("unexpected", 1)]);
    let own = ok(0, "txn", "[[:send :x 1] [:poll]]", "[[:send :x [0 1]] [:poll {:x [[0 1]]}]]");
    expect(&spec(), &own, Verdict::Invalid, &[("precommitted-read", 1)]);
}

#[test]
fn lost_writes() {
    let sent = send(0, "[[:send :x [0 :a]]]") + &send(0, "[[:send :x [1 :b]] [:send :x [3 :d]]]") + &crashed(1, "[[:send :x :c]]");
    let finding = expect(&spec(), &(sent.clone() + &poll(2, "{:x [[2 :c]]}")), Verdict::Invalid, &[("lost-write", 2)]);
    assert_eq!(finding.details["unseen_messages"], 1, "d is behind all that was polled");
    expect(&spec().with("drained", true), &(sent + &poll(2, "{:x [[2 :c]]}")), Verdict::Invalid, &[("lost-write", 2), ("unseen", 1)]);
    let atomic = crashed(0, "[[:send :x :a] [:send :y [0 :b]]]") + &crashed(1, "[[:send :y :c]]");
    let behind = poll(3, "{:y [[1 :c]]}");
    expect(&spec(), &(atomic.clone() + &behind), Verdict::Valid, &[]);
    expect(&spec(), &(atomic + &poll(2, "{:x [[0 :a]]}") + &behind), Verdict::Invalid, &[("lost-write", 1)]);
    // A crashed poll of the group may have consumed it.
    let doubt = send(0, "[[:send :x [0 :a]] [:send :x [1 :b]]]")
        + &ok(4, "subscribe", "[:x]", "[:x]")
        + "4 invoke poll [[:poll]]\n4 info poll [[:poll]]\n";
    expect(&spec(), &(doubt.clone() + &poll(2, "{:x [[1 :b]]}")), Verdict::Unknown, &[]);
    expect(&spec().with("crashed-polls-consume", false), &(doubt + &poll(2, "{:x [[1 :b]]}")), Verdict::Invalid, &[("lost-write", 1)]);
}

#[test]
fn skipping_and_nonmonotonic_polls() {
    let written = "[[:send :x [1 :a]] [:send :x [2 :b]] [:send :x [3 :c]] [:send :x [4 :d]]]";
    let all = send(9, written);
    let reads =
        |middle: &str| all.clone() + &poll(0, "{:x [[1 :a] [2 :b]]}") + &poll(1, "{:x [[3 :c]]}") + middle + &poll(0, "{:x [[4 :d]]}");
    expect(&spec(), &reads(""), Verdict::Invalid, &[("poll-skip", 1)]);
    expect(&spec(), &reads(&ok(0, "assign", "[:y]", "[:y]")), Verdict::Valid, &[]);
    expect(&spec(), &reads(&ok(0, "assign", "[:x :y]", "[:x :y]")), Verdict::Invalid, &[("poll-skip", 1)]);
    let subscribed = expect(&spec(), &reads(&ok(0, "subscribe", "[:x]", "[:x]")), Verdict::Valid, &[]);
    assert_eq!(subscribed.details["excused_by_rebalance"], 1);
    let again = all.clone() + &poll(0, "{:x [[1 :a] [2 :b] [3 :c] [4 :d]]}") + &poll(0, "{:x [[4 :d]]}");
    expect(&spec(), &again, Verdict::Invalid, &[("nonmonotonic-poll", 1)]);
    expect(
        &spec(),
        &(all.clone() + &poll(0, "{:x [[1 :a] [2 :b] [4 :d]]}") + &poll(1, "{:x [[3 :c]]}")),
        Verdict::Invalid,
        &[("int-poll-skip", 1)],
    );
    expect(
        &spec(),
        &(all.clone() + &poll(0, "{:x [[1 :a] [3 :c] [2 :b] [4 :d]]}")),
        Verdict::Invalid,
        &[("int-poll-skip", 2), ("int-nonmonotonic-poll", 1)],
    );
    // If clients record rebalances, one within the operation explains it.
    let told = "[[:poll {:x [[1 :a] [2 :b]]}] [:rebalance [:x]] [:poll {:x [[4 :d]]}]]";
    expect(&spec(), &(all.clone() + &ok(0, "txn", "[[:poll] [:poll]]", told) + &poll(1, "{:x [[3 :c]]}")), Verdict::Valid, &[]);
    // An aborted transaction does not move the position.
    let aborted = "0 invoke txn [[:poll]]\n0 fail txn [[:poll {:x [[2 :b]]}]]\n";
    let rewound = all + &poll(0, "{:x [[1 :a]]}") + aborted + &poll(0, "{:x [[2 :b] [3 :c] [4 :d]]}");
    expect(&spec(), &rewound, Verdict::Valid, &[]);
}

#[test]
fn nonmonotonic_sends_and_duplicates() {
    let read = poll(1, "{:x [[0 :a] [1 :b]]}");
    expect(
        &spec(),
        &(send(0, "[[:send :x [1 :b]]]") + &send(0, "[[:send :x [0 :a]]]") + &read),
        Verdict::Invalid,
        &[("nonmonotonic-send", 1)],
    );
    expect(&spec(), &(send(0, "[[:send :x [1 :b]] [:send :x [0 :a]]]") + &read), Verdict::Invalid, &[("int-nonmonotonic-send", 1)]);
    let twice = poll(1, "{:x [[0 :a] [1 :b]]}") + &poll(2, "{:x [[2 :a]]}");
    expect(&spec(), &(send(0, "[[:send :x [0 :a]] [:send :x [1 :b]]]") + &twice), Verdict::Invalid, &[("duplicate", 1)]);
    let group =
        send(0, "[[:send :x [0 :a]]]") + &ok(1, "subscribe", "[:x]", "[:x]") + &poll(1, "{:x [[0 :a]]}") + &poll(1, "{:x [[0 :a]]}");
    expect(&spec(), &group, Verdict::Valid, &[]);
    expect(&spec().with("exactly-once", true), &group, Verdict::Invalid, &[("reconsumed", 1)]);
}

#[test]
fn text_keys_of_json_name_the_same_partitions() {
    expect(&spec(), &(send(0, "[[:send 1 [0 :a]]]") + &poll(1, "{\"1\" [[0 :a]]}")), Verdict::Valid, &[]);
    expect(&spec(), &send(0, "[[:send 1 [0 :a]]]"), Verdict::Unknown, &[]);
}

/// One step: whether it is a send, the partition, the offset, the value.
type Step = (bool, Value, Option<i64>, Value);

fn steps(history: &History, operation: &Operation<'_>) -> Vec<Step> {
    let told = operation.completed.map_or(operation.input, |completed| &history.event(completed).value);
    let mut all = Vec::new();
    for step in told.as_list().unwrap_or_default().iter().filter_map(Value::as_list) {
        match step {
            [_, key, sent] => {
                let (offset, value) = sent.as_pair().map_or((None, sent), |(offset, value)| (offset.as_int(), value));
                all.push((true, key.clone(), offset, value.clone()));
            }
            [_, Value::Map(partitions)] => {
                for (key, messages) in partitions {
                    for (offset, value) in messages.as_list().expect("messages").iter().filter_map(Value::as_pair) {
                        all.push((false, key.clone(), offset.as_int(), value.clone()));
                    }
                }
            }
            _ => {}
        }
    }
    all
}

/// The definition in Jepsen's documentation, with sets and maps, applied to each pair.
fn naive(history: &History, operations: &[Operation<'_>]) -> Naive {
    let mut naive = Naive::default();
    let all: Vec<(&Operation<'_>, Vec<Step>)> = operations
        .iter()
        .map(|it| (it, if matches!(it.f.as_str(), "send" | "poll" | "txn") { steps(history, it) } else { Vec::new() }))
        .collect();
    let polled = |key: &Value, value: &Value, kind: Option<Kind>| {
        let by = |(it, steps): &(&Operation<'_>, Vec<Step>)| {
            kind.is_none_or(|kind| it.kind == kind) && steps.iter().any(|step| !step.0 && step.1 == *key && step.3 == *value)
        };
        all.iter().filter(move |entry| by(entry)).map(|(it, _)| *it).collect::<Vec<_>>()
    };
    let writers = |key: &Value, value: &Value| {
        let sends = |(_, steps): &&(&Operation<'_>, Vec<Step>)| steps.iter().any(|step| step.0 && step.1 == *key && step.3 == *value);
        all.iter().filter(sends).map(|(it, _)| *it).collect::<Vec<_>>()
    };
    let committed = |it: &Operation<'_>, steps: &[Step]| {
        it.kind == Kind::Ok
            || it.kind == Kind::Info && steps.iter().any(|step| step.0 && !polled(&step.1, &step.3, Some(Kind::Ok)).is_empty())
    };
    naive.doubtful = !all.iter().any(|(_, steps)| steps.iter().any(|step| !step.0));
    let mut log: BTreeMap<Value, BTreeMap<i64, BTreeSet<Value>>> = BTreeMap::new();
    for (it, steps) in &all {
        for (sends, key, offset, value) in steps {
            if let Some(offset) = offset.filter(|_| !sends || committed(it, steps)) {
                log.entry(key.clone()).or_default().entry(offset).or_default().insert(value.clone());
            }
        }
    }
    let ranks = |key: &Value, value: &Value| -> Vec<usize> {
        log.get(key)
            .into_iter()
            .flat_map(|log| log.values().enumerate().filter(|(_, values)| values.contains(value)).map(|(rank, _)| rank))
            .collect()
    };
    let rank = |(_, key, offset, value): &Step| match (ranks(key, value)[..].to_vec(), offset) {
        (ranks, _) if ranks.len() == 1 => Some(ranks[0]),
        (ranks, Some(offset)) if !ranks.is_empty() => log.get(key).map(|log| log.keys().filter(|other| *other < offset).count()),
        _ => None,
    };
    for log in log.values() {
        naive.found("inconsistent-offsets", log.values().filter(|values| values.len() > 1).count());
        let values: BTreeSet<&Value> = log.values().flatten().collect();
        naive.found("duplicate", values.iter().filter(|value| log.values().filter(|at| at.contains(**value)).count() > 1).count());
    }
    let messages: BTreeSet<(Value, Value)> =
        all.iter().flat_map(|(_, steps)| steps.iter().map(|step| (step.1.clone(), step.3.clone()))).collect();
    for (it, steps) in &all {
        let own = steps.iter().any(|step| !step.0 && steps.iter().any(|sent| sent.0 && (&sent.1, &sent.3) == (&step.1, &step.3)));
        naive.found("precommitted-read", usize::from(own));
        for step in steps.iter().filter(|step| !step.0 && it.kind == Kind::Ok) {
            let by = writers(&step.1, &step.3);
            naive.found("G1a", usize::from(!by.is_empty() && by.iter().all(|by| by.kind == Kind::Fail)));
        }
    }
    for (key, value) in &messages {
        let (by, readers) = (writers(key, value), polled(key, value, Some(Kind::Ok)));
        let writer = by.iter().find(|by| by.kind != Kind::Fail);
        if let Some(reader) = readers.first() {
            let early = writer.is_some_and(|writer| Some(writer.invoked) > reader.completed);
            naive.found("unexpected", usize::from(by.is_empty() || early));
        } else if let Some(writer) = writer.filter(|_| polled(key, value, None).is_empty()) {
            let own = &all.iter().find(|(it, _)| it.invoked == writer.invoked).expect("the writer").1;
            if !committed(writer, own) {
                continue;
            }
            let bound = messages.iter().filter(|(other, read)| other == key && !polled(key, read, Some(Kind::Ok)).is_empty());
            let bound = bound.filter_map(|(_, read)| ranks(key, read).first().copied()).max();
            let last = ranks(key, value).last().copied();
            match last.is_some() && last <= bound {
                true => naive.found("lost-write", 1),
                false => naive.doubtful = true,
            }
        }
    }
    walks(&all, &rank, &mut naive);
    naive
}

/// The definition, applied to each process and each pair of its consecutive messages in a partition.
fn walks(all: &[(&Operation<'_>, Vec<Step>)], rank: &dyn Fn(&Step) -> Option<usize>, naive: &mut Naive) {
    let keys: BTreeSet<&Value> = all.iter().flat_map(|(_, steps)| steps.iter().map(|step| &step.1)).collect();
    let processes: BTreeSet<_> = all.iter().map(|(it, _)| it.process).collect();
    for (process, key, sends) in
        processes.iter().flat_map(|process| keys.iter().flat_map(move |key| [(process, key, true), (process, key, false)]))
    {
        let mut last: Option<(Step, EventIndex)> = None;
        let mut is_subscribed = false;
        for (it, steps) in all.iter().filter(|(it, _)| it.process == *process) {
            if matches!(it.f.as_str(), "assign" | "subscribe") && it.kind != Kind::Fail {
                is_subscribed = it.f == "subscribe";
                if !sends && !it.input.as_list().expect("keys").contains(key) {
                    last = None;
                }
            }
            let (before, mut within) = (last.clone(), None::<Step>);
            for step in steps.iter().filter(|step| step.0 == sends && step.1 == **key) {
                let from = within.clone().or(before.as_ref().map(|(step, _)| step.clone()));
                let ranks = from.as_ref().and_then(|from| Some((rank(from)?, rank(step)?)));
                let external = within.is_none();
                if let Some((from, to)) = ranks {
                    let name = match (sends, to > from) {
                        (true, false) => "nonmonotonic-send",
                        (false, false) => "nonmonotonic-poll",
                        (false, true) => "poll-skip",
                        (true, true) => "",
                    };
                    let name = if external { name.to_owned() } else { format!("int-{name}") };
                    let allowed = if sends { to > from || external && it.kind == Kind::Fail } else { is_subscribed };
                    let counts = to != from + 1 && !allowed;
                    naive.found(&name, usize::from(counts));
                }
                within = Some(step.clone());
            }
            if let Some(step) = within
                && (it.kind == Kind::Ok || sends && it.kind == Kind::Info)
            {
                last = Some((step, it.invoked));
            }
        }
    }
}

/// Returns the logs after all sends so far, with occasional errors.
fn answer(f: &str, input: &Value, done: &[(Symbol, Value)], dice: &mut Dice) -> Value {
    let mut log: BTreeMap<Value, Vec<Value>> = BTreeMap::new();
    let sends = |txn: &Value| -> Vec<(Value, Value)> {
        let steps = txn.as_list().unwrap_or_default().iter().filter_map(Value::as_list);
        steps.filter(|step| step.len() == 3).map(|step| (step[1].clone(), step[2].clone())).collect()
    };
    for (_, txn) in done.iter().filter(|(f, _)| matches!(f.as_str(), "send" | "txn")) {
        sends(txn).into_iter().for_each(|(key, value)| log.entry(key).or_default().push(value));
    }
    if !matches!(f, "send" | "poll" | "txn") {
        return input.clone();
    }
    let steps = input.as_list().expect("steps").iter().map(|step| {
        let step = step.as_list().expect("a step");
        if let [what, key, value] = step {
            let at = log.entry(key.clone()).or_default().len() as i64 - i64::from(dice.below(7) == 0);
            log.entry(key.clone()).or_default().push(value.clone());
            return Value::List(vec![
                what.clone(),
                key.clone(),
                if dice.below(8) == 0 { value.clone() } else { Value::pair(at, value.clone()) },
            ]);
        }
        let partitions = log.iter().map(|(key, values)| {
            let mut messages: Vec<Value> =
                values.iter().enumerate().map(|(offset, value)| Value::pair(offset as i64, value.clone())).collect();
            match dice.below(8) {
                0 if !messages.is_empty() => drop(messages.remove(dice.below(messages.len()))),
                1 => messages.reverse(),
                2 => messages.push(Value::pair(values.len() as i64, Value::Int(dice.below(30) as i64))),
                3 => messages.truncate(1),
                4 => drop(messages.drain(..messages.len() / 2)),
                _ => {}
            }
            (key.clone(), Value::List(messages))
        });
        Value::List(vec!["poll".into(), Value::Map(partitions.collect())])
    });
    Value::List(steps.collect())
}

#[test]
fn kafka_agrees_with_the_definition() {
    let sends = (0..30).map(|sent| ("send", value(&format!("[[:send {} {sent}]]", sent % 2))));
    let pairs = (30..50).map(|sent| ("txn", value(&format!("[[:send {0} {sent}] [:send {0} {1}]]", sent % 2, sent + 20))));
    let others = [("poll", "[[:poll]]"), ("txn", "[[:poll] [:send 0 99]]"), ("subscribe", "[0 1]"), ("assign", "[0 1]"), ("assign", "[1]")];
    let others = others.map(|(f, asked)| (f, value(asked))).into_iter();
    let polls = std::iter::repeat_n(("poll", value("[[:poll]]")), 35);
    let world = World { inputs: sends.chain(pairs).chain(others).chain(polls).collect(), answer: &answer, troubles: (8, 8) };
    let kinds = [
        "unknown",
        "lost-write",
        "G1a",
        "unexpected",
        "precommitted-read",
        "inconsistent-offsets",
        "duplicate",
        "poll-skip",
        "nonmonotonic-poll",
        "int-poll-skip",
        "int-nonmonotonic-poll",
        "nonmonotonic-send",
        "int-nonmonotonic-send",
    ];
    agrees(&spec().with("crashed-polls-consume", false), &world, naive, &kinds);
}
