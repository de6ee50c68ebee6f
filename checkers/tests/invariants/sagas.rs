//! Sagas.

use elenchus_core::{CheckSpec, History, Kind, Operation, Symbol, Value, Verdict};

use crate::notation::{Dice, Naive, World, agrees, expect, value};

fn spec() -> CheckSpec {
    CheckSpec::new("saga")
}

#[test]
fn every_outcome() {
    let saga = |fate: &str| format!("0 invoke saga {{:id 1 :steps [:a :b]}}\n0 {fate}\n");
    let read = |effects: &str| format!("1 invoke read\n1 ok read [{effects}]\n");
    let (done, compensated) = (saga("ok saga :done"), saga("ok saga :compensated"));
    let all = "[1 :a :do] [1 :b :do]";
    expect(&spec(), &(done.clone() + &read(all)), Verdict::Valid, &[]);
    expect(&spec(), &(compensated.clone() + &read("[1 :a :do] [1 :a :undo]")), Verdict::Valid, &[]);
    expect(&spec(), &(compensated.clone() + &read("")), Verdict::Valid, &[]);
    expect(&spec(), &(done.clone() + &read("[1 :a :do]")), Verdict::Invalid, &[("half-done", 1)]);
    expect(&spec(), &(compensated.clone() + &read(all)), Verdict::Invalid, &[("wrong-outcome", 1)]);
    expect(&spec(), &(saga("fail saga") + &read(all)), Verdict::Invalid, &[("wrong-outcome", 1)]);
    expect(&spec(), &(done.clone() + &read("[1 :a :do] [1 :a :do] [1 :b :do]")), Verdict::Invalid, &[("repeated-step", 1)]);
    let twice = "[1 :a :do] [1 :a :undo] [1 :a :undo]";
    let kinds = [("repeated-compensation", 1), ("early-compensation", 1)];
    expect(&spec(), &(compensated.clone() + &read(twice)), Verdict::Invalid, &kinds);
    expect(&spec(), &(compensated + &read("[1 :a :undo] [1 :a :do]")), Verdict::Invalid, &[("early-compensation", 1)]);
    expect(&spec(), &(done.clone() + &read(&format!("{all} [1 :c :do] [2 :a :do]"))), Verdict::Invalid, &[("unexpected-effect", 2)]);
    let crashed = saga("info saga") + &read("[1 :a :do]");
    expect(&spec(), &crashed, Verdict::Unknown, &[]);
    expect(&spec().with("settled", true), &crashed, Verdict::Invalid, &[("half-done", 1)]);
    expect(&spec(), &done, Verdict::Unknown, &[]);
}

fn naive(_: &History, operations: &[Operation<'_>]) -> Naive {
    let mut naive = Naive::default();
    let Some(read) = operations.iter().filter(|it| it.f == "read" && it.kind == Kind::Ok).max_by_key(|it| it.completed) else {
        return Naive { doubtful: true, ..naive };
    };
    let sagas: Vec<_> = operations.iter().filter(|it| it.f == "saga" && Some(it.invoked) < read.completed).collect();
    if sagas.iter().any(|saga| sagas.iter().any(|other| other.invoked != saga.invoked && other.input.get("id") == saga.input.get("id"))) {
        return Naive { doubtful: true, ..naive };
    }
    let effects: Vec<&[Value]> = read.output.and_then(Value::as_list).expect("effects").iter().filter_map(Value::as_list).collect();
    let known = |effect: &&&[Value]| {
        let mut own = sagas.iter().filter(|saga| saga.input.get("id") == Some(&effect[0]));
        own.any(|saga| saga.input.get("steps").and_then(Value::as_list).expect("steps").contains(&effect[1]))
    };
    naive.found("unexpected-effect", effects.iter().filter(|effect| !known(effect)).count());
    for saga in sagas {
        let steps = saga.input.get("steps").and_then(Value::as_list).expect("steps");
        let mut standing = Vec::new();
        for step in steps {
            let story: String = effects
                .iter()
                .filter(|effect| Some(&effect[0]) == saga.input.get("id") && effect[1] == *step)
                .map(|effect| if effect[2] == "do".into() { '+' } else { '-' })
                .collect();
            let times = |mark: char| story.matches(mark).count();
            naive.found("repeated-step", usize::from(times('+') > 1));
            naive.found("repeated-compensation", usize::from(times('-') > 1));
            let early = (0..=story.len()).any(|end| story[..end].matches('-').count() > story[..end].matches('+').count());
            naive.found("early-compensation", usize::from(early));
            if times('+') > times('-') {
                standing.push(step);
            }
        }
        let certain = saga.kind != Kind::Info && saga.completed < Some(read.invoked);
        if !standing.is_empty() && standing.len() < steps.len() {
            naive.found("half-done", usize::from(certain));
            naive.doubtful |= !certain;
        } else if certain {
            let told_done = saga.kind == Kind::Ok && saga.output == Some(&"done".into());
            naive.found("wrong-outcome", usize::from(told_done == standing.is_empty()));
        }
    }
    naive
}

#[test]
fn saga_agrees_with_the_definition() {
    let answer = |f: &str, input: &Value, done: &[(Symbol, Value)], dice: &mut Dice| {
        let outcome = |id: &Value| if id.as_int().is_some_and(|id| id % 2 == 0) { "done" } else { "compensated" };
        if f == "saga" {
            return outcome(input.get("id").expect("an id")).into();
        }
        let mut effects = Vec::new();
        for (_, saga) in done.iter().filter(|(f, _)| *f == "saga") {
            let id = saga.get("id").expect("an id");
            let effect = |step: &str, what: &str| Value::List(vec![id.clone(), step.into(), what.into()]);
            effects.extend(["a", "b"].map(|step| effect(step, "do")));
            if outcome(id) == "compensated" {
                effects.extend(["b", "a"].map(|step| effect(step, "undo")));
            }
        }
        match dice.below(6) {
            0 if !effects.is_empty() => drop(effects.remove(dice.below(effects.len()))),
            1 if !effects.is_empty() => effects.push(effects[dice.below(effects.len())].clone()),
            2 => effects.push(value("[0 :c :do]")),
            3 => effects.truncate(dice.below(3) * 2),
            _ => {}
        }
        Value::List(effects)
    };
    let sagas = (0..24).map(|id| ("saga", value(&format!("{{:id {id} :steps [:a :b]}}"))));
    let world = World { inputs: sagas.chain(std::iter::repeat_n(("read", Value::Nil), 14)).collect(), answer: &answer, troubles: (6, 10) };
    let kinds = ["half-done", "repeated-step", "repeated-compensation", "early-compensation", "wrong-outcome", "unexpected-effect"];
    agrees(&spec(), &world, naive, &[&["unknown"][..], &kinds[..]].concat());
}
