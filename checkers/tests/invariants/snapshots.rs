//! Snapshot isolation by timestamps.

use std::collections::HashMap;

use elenchus_core::{CheckSpec, History, Kind, Operation, Symbol, Value, Verdict};

use crate::notation::{Dice, Naive, World, agrees, expect, value};

fn spec() -> CheckSpec {
    CheckSpec::new("snapshot-timestamps")
}

fn txn(process: u32, steps: &str, stamps: &str) -> String {
    format!("{process} invoke txn [{steps}]\n{process} ok txn {{:txn [{steps}] {stamps}}}\n")
}

#[test]
fn every_phenomenon() {
    let first = txn(0, "[:w :x 1] [:w :y 1]", ":start 0 :commit 2");
    let then = |steps: &str, stamps: &str, verdict, anomalies: &[(&str, u64)]| {
        expect(&spec(), &(first.clone() + &txn(1, steps, stamps)), verdict, anomalies);
    };
    then("[:r :x 1] [:r :y 1]", ":start 2", Verdict::Valid, &[]);
    then("[:r :x nil] [:w :z 1]", ":start 1 :commit 3", Verdict::Valid, &[]);
    then("[:r :x 1] [:r :y nil]", ":start 3", Verdict::Invalid, &[("G-SIb", 1)]);
    then("[:r :x 1]", ":start 1", Verdict::Invalid, &[("G-SIa", 1)]);
    then("[:w :x 2]", ":start 1 :commit 3", Verdict::Invalid, &[("G-SIa", 1)]);
    then("[:w :x 2]", ":start 2 :commit 3", Verdict::Valid, &[]);
    then("[:r :x 7]", ":start 3", Verdict::Invalid, &[("garbage-read", 1)]);
    then("[:r :x 1] [:w :x 5] [:r :x 6]", ":start 3 :commit 4", Verdict::Invalid, &[("internal", 1)]);
    then("[:w :z 2]", ":start 4 :commit 3", Verdict::Invalid, &[("reversed-timestamps", 1)]);
    let failed = "0 invoke txn [[:w :x 1]]\n0 fail txn [[:w :x 1]]\n".to_owned();
    expect(&spec(), &(failed + &txn(1, "[:r :x 1]", ":start 3")), Verdict::Invalid, &[("G1a", 1)]);
    let twice = txn(0, "[:append :x 1] [:append :x 2]", ":start 0 :commit 2");
    expect(&spec(), &(twice + &txn(1, "[:r :x [1]]", ":start 3")), Verdict::Invalid, &[("G1b", 1)]);
    let without = "1 invoke txn [[:w :x 4]]\n1 ok txn [[:w :x 4]]\n".to_owned();
    expect(&spec(), &(without.clone() + &first), Verdict::Unknown, &[]);
    expect(&spec(), &(without + &txn(0, "[:r :x 4]", ":start 3")), Verdict::Unknown, &[]);
}

#[test]
fn snapshots_must_contain_earlier_commits() {
    let old = |process| txn(0, "[:w :x 1]", ":start 0 :commit 2") + &txn(process, "[:r :x nil]", ":start 1");
    for (order, process, verdict) in
        [("none", 0, Verdict::Valid), ("session", 0, Verdict::Invalid), ("session", 1, Verdict::Valid), ("real-time", 1, Verdict::Invalid)]
    {
        let stale = [("stale-snapshot", 1)];
        expect(&spec().with("order", order), &old(process), verdict, if verdict == Verdict::Valid { &[] } else { &stale });
    }
}

/// The definition, applied to each read and each pair.
fn naive(_: &History, operations: &[Operation<'_>]) -> Naive {
    let mut naive = Naive::default();
    let steps = |at: usize| -> Vec<(String, Value, Value)> {
        let said = operations[at].output.unwrap_or(operations[at].input);
        let steps = said.get("txn").unwrap_or(said).as_list().expect("steps").iter();
        steps
            .map(|step| {
                step.as_list().map(|step| (step[0].as_text().expect("f").to_owned(), step[1].clone(), step[2].clone())).expect("a step")
            })
            .collect()
    };
    let number = |at: usize, name: &str| operations[at].output.and_then(|said| said.get(name)).and_then(Value::as_int);
    let writers = |key: &Value, told: &Value| -> Vec<usize> {
        (0..operations.len()).filter(|&at| steps(at).iter().any(|(f, other, value)| f == "w" && other == key && value == told)).collect()
    };
    for at in 0..operations.len() {
        naive.doubtful |= steps(at).iter().any(|(f, key, value)| f == "w" && writers(key, value).len() > 1);
        let Some(start) = number(at, "start") else { continue };
        let commit = number(at, "commit").unwrap_or(start);
        let committed = |key: &Value, from: i64, to: i64| {
            (0..operations.len()).any(|other| {
                other != at
                    && number(other, "commit").is_some_and(|commit| from < commit && commit <= to)
                    && steps(other).iter().any(|(f, written, _)| f == "w" && written == key)
            })
        };
        let mut known: HashMap<Value, Value> = HashMap::new();
        let mut written: Vec<Value> = Vec::new();
        for (f, key, told) in steps(at) {
            if f == "w" {
                naive.found("G-SIa", usize::from(!written.contains(&key) && committed(&key, start, commit)));
                written.push(key.clone());
                known.insert(key, told);
                continue;
            }
            if let Some(expected) = known.insert(key.clone(), told.clone()) {
                naive.found("internal", usize::from(expected != told));
                continue;
            }
            let mut seen = i64::MIN;
            if !told.is_nil() {
                let Some(&writer) = writers(&key, &told).last() else {
                    naive.found("garbage-read", 1);
                    continue;
                };
                if operations[writer].kind == Kind::Fail {
                    naive.found("G1a", 1);
                    continue;
                }
                let of_writer = steps(writer).into_iter().filter(|(f, other, _)| f == "w" && *other == key).collect::<Vec<_>>();
                naive.found("G1b", usize::from(of_writer.last().is_some_and(|(.., last)| *last != told)));
                match number(writer, "commit") {
                    None => {
                        naive.doubtful = true;
                        continue;
                    }
                    Some(commit) if commit > start => {
                        naive.found("G-SIa", 1);
                        continue;
                    }
                    Some(commit) => seen = commit,
                }
            }
            naive.found("G-SIb", usize::from(committed(&key, seen, start)));
        }
    }
    naive
}

#[test]
fn snapshot_timestamps_agree_with_the_definition() {
    let answer = |_: &str, input: &Value, done: &[(Symbol, Value)], dice: &mut Dice| {
        let start = done.len().saturating_sub(dice.below(4_usize).saturating_sub(1));
        let mut held: HashMap<Value, Value> = HashMap::new();
        for (_, before) in &done[..start] {
            for step in before.as_list().into_iter().flatten().filter_map(Value::as_list).filter(|step| step[0] == "w".into()) {
                held.insert(step[1].clone(), step[2].clone());
            }
        }
        let steps = input.as_list().expect("steps").iter().map(|step| {
            let Some([f, key, told]) = step.as_list() else { panic!("a step") };
            let told = match f.as_text() {
                Some("r") if dice.below(30) == 0 => Value::Int(dice.below(30) as i64),
                Some("r") => held.get(key).cloned().unwrap_or_default(),
                _ => {
                    held.insert(key.clone(), told.clone());
                    told.clone()
                }
            };
            Value::List(vec![f.clone(), key.clone(), told])
        });
        let txn = Value::List(steps.collect());
        let stamps = [("start", start as i64), ("commit", done.len() as i64 + 1)].map(|(name, at)| (name.into(), Value::Int(at)));
        Value::from([("txn".into(), txn)].into_iter().chain(stamps).collect::<Vec<(Value, Value)>>())
    };
    let inputs = (0..24).map(|id| match id % 4 {
        0 => format!("[[:w :x {id}] [:r :y nil]]"),
        1 => format!("[[:r :x nil] [:w :y {id}] [:r :y nil]]"),
        2 => format!("[[:w :x {id}] [:w :x {}]]", id + 100),
        _ => "[[:r :x nil] [:r :y nil] [:r :x nil]]".to_owned(),
    });
    let world = World { inputs: inputs.map(|input| ("txn", value(&input))).collect(), answer: &answer, troubles: (6, 6) };
    agrees(&spec(), &world, naive, &["unknown", "G-SIa", "G-SIb", "G1a", "garbage-read", "internal"]);
}
