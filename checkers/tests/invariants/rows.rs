//! Lost and resurrected rows: tombstones and migrations.

use std::collections::BTreeMap;

use elenchus_core::{CheckSpec, EventIndex, History, Kind, Operation, Value, Verdict};

use crate::notation::{Dice, Naive, World, agrees, expect, value};

#[test]
fn deleted_and_written_keys() {
    let spec = CheckSpec::new("tombstones");
    let ok = |steps: &[&str]| steps.iter().map(|step| format!("0 invoke {0}\n0 ok {0}\n", step)).collect::<String>();
    let read = |shown: &str| format!("1 invoke read\n1 ok read {shown}\n");
    let written = ok(&["write 1"]);
    let deleted = ok(&["write 1", "delete nil"]);
    expect(&spec, &(written.clone() + &read("1")), Verdict::Valid, &[]);
    expect(&spec, &(deleted.clone() + &read("nil")), Verdict::Valid, &[]);
    let zombie = expect(&spec, &(deleted.clone() + &read("nil") + &read("1")), Verdict::Invalid, &[("resurrected", 1)]);
    assert!(zombie.anomalies[0].argument.last().is_some_and(|sentence| sentence.starts_with("The key was absent before")));
    expect(&spec, &(written.clone() + &read("nil")), Verdict::Invalid, &[("lost", 1)]);
    expect(&spec, &(written.clone() + &read("2")), Verdict::Invalid, &[("unexpected", 1)]);
    expect(&spec, &format!("0 invoke write 1\n0 fail write 1\n{}", read("1")), Verdict::Invalid, &[("aborted", 1)]);
    expect(&spec, &written, Verdict::Unknown, &[]);
    // A crashed write may take effect after the delete, and a crashed delete after the write.
    expect(&spec, &format!("2 invoke write 1\n2 info write 1\n{deleted}{}", read("1")), Verdict::Valid, &[]);
    expect(&spec, &format!("2 invoke delete\n2 info delete\n{written}{}", read("nil")), Verdict::Valid, &[]);
}

#[test]
fn stores_that_differ() {
    let spec = CheckSpec::new("two-stores");
    let ok = |f: &str, asked: &str, told: &str| format!("0 invoke {f} {asked}\n0 ok {f} {told}\n");
    let scans = |old: &str, new: &str| ok("scan", ":old", old) + &ok("cut-over", "nil", "nil") + &ok("scan", ":new", new);
    let written = ok("write", "[1 10]", "nil") + &ok("write", "[2 20]", "nil") + &ok("delete", "2", "nil");
    let migrated = |old: &str, new: &str| written.clone() + &scans(old, new);
    expect(&spec, &migrated("{1 10}", "{\"1\" 10}"), Verdict::Valid, &[]);
    expect(&spec, &migrated("{1 10}", "{}"), Verdict::Invalid, &[("missing-row", 1)]);
    expect(&spec, &migrated("{1 10}", "{1 10, 2 20}"), Verdict::Invalid, &[("resurrected-row", 1)]);
    expect(&spec, &migrated("{}", "{1 10}"), Verdict::Invalid, &[("unexpected-row", 1)]);
    expect(&spec, &migrated("{1 10}", "{1 11}"), Verdict::Invalid, &[("differing-row", 1)]);
    let crashed = format!("1 invoke write [1 11]\n1 info write [1 11]\n{}", migrated("{1 10}", "{1 11}"));
    expect(&spec, &crashed, Verdict::Valid, &[]);
    let after = |read: &str| migrated("{1 10}", "{1 10}") + &ok("write", "[1 12]", "nil") + &ok("read", "1", read);
    expect(&spec, &after("12"), Verdict::Valid, &[]);
    expect(&spec, &after("10"), Verdict::Invalid, &[("stale-read", 1)]);
    expect(&spec, &after("nil"), Verdict::Invalid, &[("stale-read", 1)]);
    expect(&spec, &after("13"), Verdict::Invalid, &[("unexpected-read", 1)]);
    expect(&spec, &written, Verdict::Unknown, &[]);
}

/// Returns the writes of a value that a read may have read from, or the anomaly if there are none.
fn sources<'a, 'h>(
    writes: &'a [(&'h Value, &'a Operation<'h>)],
    shown: &Value,
    read: &Operation<'_>,
) -> Result<Vec<&'a Operation<'h>>, &'static str> {
    let all: Vec<_> = writes.iter().filter(|(value, _)| *value == shown).map(|(_, write)| *write).collect();
    let possible: Vec<_> = all.iter().copied().filter(|write| write.kind != Kind::Fail).collect();
    let before: Vec<_> = possible.iter().copied().filter(|write| Some(write.invoked) < read.completed).collect();
    match (before.is_empty(), possible.is_empty() && !all.is_empty()) {
        (false, _) => Ok(before),
        (true, true) => Err("aborted"),
        (true, false) => Err("unexpected"),
    }
}

/// Returns whether an operation certainly took effect after all the sources and before the read.
fn replaced(sources: &[&Operation<'_>], by: &[&Operation<'_>], read: &Operation<'_>) -> bool {
    by.iter().any(|by| {
        let after = |source: &&Operation<'_>| source.kind == Kind::Ok && source.completed < Some(by.invoked);
        by.kind == Kind::Ok && by.completed < Some(read.invoked) && sources.iter().all(after)
    })
}

const NIL: &Value = &Value::Nil;

fn naive_tombstones(_: &History, operations: &[Operation<'_>]) -> Naive {
    let mut naive = Naive { doubtful: true, ..Naive::default() };
    let of = |f: &'static str| operations.iter().filter(move |operation| operation.f == f);
    let writes: Vec<_> = of("write").map(|it| (it.input, it)).chain(of("delete").map(|it| (NIL, it))).collect();
    let (sets, deletes): (Vec<_>, Vec<_>) = (of("write").collect(), of("delete").collect());
    for read in of("read").filter(|read| read.kind == Kind::Ok) {
        naive.doubtful = false;
        let shown = read.output.unwrap_or(NIL);
        match sources(&writes, shown, read) {
            _ if shown.is_nil() => {
                let sources = sources(&writes, NIL, read).unwrap_or_default();
                naive.found("lost", usize::from(replaced(&sources, &sets, read)));
            }
            Ok(sources) => naive.found("resurrected", usize::from(replaced(&sources, &deletes, read))),
            Err(kind) => naive.found(kind, 1),
        }
    }
    naive
}

#[test]
fn tombstones_agree_with_the_definition() {
    let writes = (0..3).map(|value| ("write", Value::Int(value)));
    let others = [("delete", Value::Nil), ("delete", Value::Nil), ("read", Value::Nil), ("read", Value::Nil), ("read", Value::Nil)];
    let world = World {
        inputs: writes.chain(others).collect(),
        answer: &|f, input, done, dice| match (f, dice.below(3)) {
            ("read", 0) => [Value::Nil, Value::Int(dice.below(4) as i64)][dice.below(2)].clone(),
            ("read", _) => done.iter().rev().find(|(f, _)| *f != "read").map(|(_, value)| value.clone()).unwrap_or_default(),
            _ => input.clone(),
        },
        troubles: (6, 6),
    };
    agrees(&CheckSpec::new("tombstones"), &world, naive_tombstones, &["unknown", "resurrected", "lost", "unexpected", "aborted"]);
}

/// Returns the row of an operation and the value that it writes.
fn write<'h>(operation: &Operation<'h>) -> Option<(&'h Value, &'h Value)> {
    match operation.f.as_str() {
        "write" => operation.input.as_pair(),
        "delete" => Some((operation.input, NIL)),
        _ => None,
    }
}

fn naive_stores(_: &History, operations: &[Operation<'_>]) -> Naive {
    let mut naive = Naive::default();
    let scan = |store: &str| {
        let scans = operations.iter().filter(|it| it.f == "scan" && it.kind == Kind::Ok && it.input.as_text() == Some(store));
        scans.max_by_key(|scan| scan.completed)
    };
    let rows = |scan: &Operation<'_>| match scan.output {
        Some(Value::Map(pairs)) => pairs.iter().cloned().collect::<BTreeMap<Value, Value>>(),
        _ => BTreeMap::new(),
    };
    let keys = [1, 2].map(Value::Int);
    match (scan("old"), scan("new")) {
        (Some(old), Some(new)) => {
            let (olds, news) = (rows(old), rows(new));
            let (begun, ended) = (old.invoked.min(new.invoked), old.completed.max(new.completed));
            for key in &keys {
                let on: Vec<_> =
                    operations.iter().filter(|it| it.kind != Kind::Fail && write(it).is_some_and(|(row, _)| row == key)).collect();
                let settled = |it: &&&Operation<'_>| it.kind == Kind::Ok && it.completed < Some(begun) || Some(it.invoked) > ended;
                if on.iter().filter(settled).count() < on.len() {
                    continue;
                }
                let last = on.iter().rfind(|it| it.invoked < begun);
                match (olds.get(key), news.get(key)) {
                    (Some(_), None) => naive.found("missing-row", 1),
                    (Some(old), Some(new)) => naive.found("differing-row", usize::from(old != new)),
                    (None, Some(_)) if last.is_some_and(|last| last.f == "delete") => naive.found("resurrected-row", 1),
                    (None, Some(_)) => naive.found("unexpected-row", 1),
                    (None, None) => {}
                }
            }
        }
        _ => naive.doubtful = true,
    }
    let cut: Option<EventIndex> =
        operations.iter().filter(|it| it.f == "cut-over" && it.kind == Kind::Ok).filter_map(|it| it.completed).min();
    naive.doubtful |= cut.is_none();
    for read in operations.iter().filter(|it| it.f == "read" && it.kind == Kind::Ok && cut.is_some_and(|cut| it.invoked > cut)) {
        let shown = read.output.unwrap_or(NIL);
        let on: Vec<_> =
            operations.iter().filter_map(|it| write(it).filter(|(row, _)| *row == read.input).map(|(_, value)| (value, it))).collect();
        let all: Vec<_> = on.iter().map(|(_, it)| *it).collect();
        match sources(&on, shown, read) {
            Ok(sources) => naive.found("stale-read", usize::from(replaced(&sources, &all, read))),
            Err(_) if shown.is_nil() => naive.found("stale-read", usize::from(replaced(&[], &all, read))),
            Err(_) => naive.found("unexpected-read", 1),
        }
    }
    naive
}

#[test]
fn two_stores_agree_with_the_definition() {
    let answer = |f: &str, input: &Value, done: &[(elenchus_core::Symbol, Value)], dice: &mut Dice| {
        let holds = |key: i64, done: &[(elenchus_core::Symbol, Value)]| {
            let mut held = Value::Nil;
            for (f, input) in done {
                match (f.as_str(), input.as_pair()) {
                    ("write", Some((row, value))) if *row == Value::Int(key) => held = value.clone(),
                    ("delete", _) if *input == Value::Int(key) => held = Value::Nil,
                    _ => {}
                }
            }
            held
        };
        let slip = |dice: &mut Dice| if dice.below(3) == 0 { &done[..dice.below(done.len() + 1)] } else { done };
        match f {
            "read" => holds(input.as_int().expect("a key"), slip(dice)),
            "scan" => {
                let rows = [1, 2].map(|key| (Value::Int(key), holds(key, slip(dice))));
                Value::Map(rows.into_iter().filter(|(_, value)| !value.is_nil()).collect())
            }
            _ => input.clone(),
        }
    };
    let inputs = ["[1 10]", "[1 11]", "[2 20]", "[2 21]"].map(|row| ("write", value(row))).into_iter();
    let inputs = inputs.chain([1, 2].map(|key| ("delete", Value::Int(key)))).chain([1, 2].map(|key| ("read", Value::Int(key))));
    let scans = ["old", "new"].map(|store| ("scan", Value::from(store)));
    let inputs = inputs.chain([("cut-over", Value::Nil)]).chain(scans.iter().cloned().cycle().take(8));
    let world = World { inputs: inputs.collect(), answer: &answer, troubles: (2, 2) };
    let kinds = ["unknown", "missing-row", "differing-row", "resurrected-row", "unexpected-row", "stale-read"];
    agrees(&CheckSpec::new("two-stores"), &world, naive_stores, &kinds);
}
