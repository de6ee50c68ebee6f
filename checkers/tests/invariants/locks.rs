//! Locks: mutual exclusion, fencing tokens, leases.

use elenchus_core::{CheckSpec, EventIndex, History, Kind, Operation, Symbol, Value, Verdict};

use crate::notation::{Dice, Naive, World, agrees, expect, value};

fn spec() -> CheckSpec {
    CheckSpec::new("lock")
}

fn ok(process: u32, f: &str, asked: &str, told: &str) -> String {
    format!("{process} invoke {f} {asked}\n{process} ok {f} {told}\n")
}

#[test]
fn two_holders() {
    let first = ok(0, "acquire", "nil", "nil");
    let second = ok(1, "acquire", "nil", "nil");
    expect(&spec(), &format!("{first}{second}"), Verdict::Invalid, &[("two-holders", 1)]);
    expect(&spec(), &format!("{first}{}{second}", ok(0, "release", "nil", "nil")), Verdict::Valid, &[]);
    // The release had been invoked, so it may have taken effect.
    expect(&spec(), &format!("{first}0 invoke release\n{second}0 ok release"), Verdict::Valid, &[]);
    expect(&spec(), &format!("{first}0 invoke release\n0 info release\n{second}"), Verdict::Valid, &[]);
    expect(&spec(), "0 invoke acquire\n0 fail acquire", Verdict::Unknown, &[]);
    expect(&spec(), &format!("0 invoke acquire\n0 info acquire\n{second}"), Verdict::Valid, &[]);
    let other_key = "0/a invoke acquire\n0/a ok acquire\n1/b invoke acquire\n1/b ok acquire";
    expect(&spec(), other_key, Verdict::Valid, &[]);
}

#[test]
fn leases_expire() {
    let pause = |millis: usize| "9 invoke release\n9 fail release\n".repeat(millis / 2);
    let leased = |process| ok(process, "acquire", "{:lease 4}", "nil");
    expect(&spec(), &format!("{}{}", leased(0), leased(1)), Verdict::Invalid, &[("two-holders", 1)]);
    expect(&spec(), &format!("{}{}{}", leased(0), pause(4), leased(1)), Verdict::Valid, &[]);
    expect(&spec(), &format!("{}{}{}{}", leased(0), ok(0, "renew", "nil", "nil"), pause(2), leased(1)), Verdict::Valid, &[]);
    let renewed = format!("{}{}{}{}", leased(0), pause(2), ok(0, "renew", "{:lease 9}", "nil"), leased(1));
    expect(&spec(), &renewed, Verdict::Invalid, &[("two-holders", 1)]);
    let outlived = format!("{}{}{}", leased(0), pause(6), ok(0, "renew", "nil", "nil"));
    expect(&spec(), &outlived, Verdict::Invalid, &[("lease-outlived", 1)]);
    expect(&spec().with("slack", 5), &outlived, Verdict::Valid, &[]);
    expect(&spec().with("slack", 5), &format!("{}{}", leased(0), leased(1)), Verdict::Valid, &[]);
}

#[test]
fn fencing_tokens_increase() {
    let held = |process, token: &str| ok(process, "acquire", "nil", token) + &ok(process, "release", "nil", "nil");
    expect(&spec(), &(held(0, "1") + &held(1, "{:token 2}")), Verdict::Valid, &[]);
    expect(&spec(), &(held(0, "2") + &held(1, "2")), Verdict::Invalid, &[("token-not-rising", 1)]);
    let written = |token: &str| ok(3, "write", token, "nil");
    expect(&spec(), &(held(0, "1") + &written("1") + &written("{:token 1}")), Verdict::Valid, &[]);
    expect(&spec(), &(held(0, "2") + &written("2") + &written("1")), Verdict::Invalid, &[("stale-token", 1)]);
}

fn lease_of(operation: &Operation<'_>) -> Option<u64> {
    operation
        .output
        .and_then(|told| told.get("lease"))
        .or(operation.input.get("lease"))
        .and_then(Value::as_int)
        .map(|millis| millis as u64 * 1_000_000)
}

/// Returns the grants of a process at an event: its last acquire and the renewals since; none once it may have released the lock.
fn session<'a, 'h>(operations: &'a [Operation<'h>], process: u32, at: EventIndex) -> Vec<&'a Operation<'h>> {
    let mine = || operations.iter().filter(move |it| it.process == elenchus_core::Process::Client(process) && it.invoked <= at);
    let mut grants = Vec::new();
    for operation in mine() {
        let has_ended = operation.completed.is_some_and(|completed| completed <= at);
        match (operation.f.as_str(), operation.kind) {
            (_, Kind::Info) | ("release", _) => grants.clear(),
            ("acquire", Kind::Ok) => {
                grants.clear();
                grants.extend(has_ended.then_some(operation));
            }
            ("renew", Kind::Ok) if has_ended && !grants.is_empty() => grants.push(operation),
            _ => {}
        }
    }
    grants
}

fn length(grants: &[&Operation<'_>]) -> Option<u64> {
    grants.iter().rev().find_map(|grant| lease_of(grant))
}

/// The definition, applied to each event: which processes certainly hold the lock.
fn naive(history: &History, operations: &[Operation<'_>]) -> Naive {
    let time = |event: EventIndex| history.event(event).time.0;
    let holds = |process: u32, at: EventIndex| {
        let grants = session(operations, process, at);
        grants.last().is_some_and(|grant| length(&grants).is_none_or(|length| time(at) < time(grant.invoked) + length))
    };
    let mut naive = Naive { doubtful: true, ..Naive::default() };
    let processes: Vec<u32> =
        operations.iter().filter_map(|it| if let elenchus_core::Process::Client(id) = it.process { Some(id) } else { None }).collect();
    for operation in operations.iter().filter(|it| it.kind == Kind::Ok) {
        let (Some(completed), elenchus_core::Process::Client(process)) = (operation.completed, operation.process) else {
            continue;
        };
        naive.doubtful &= operation.f != "acquire";
        let before = session(operations, process, operation.invoked);
        if operation.f == "acquire" || operation.f == "renew" && !before.is_empty() {
            let others = processes.iter().any(|&other| other != process && holds(other, completed));
            naive.found("two-holders", usize::from(others && holds(process, completed)));
        }
        if let (true, Some(grant), Some(length)) = (operation.f == "renew", before.last(), length(&before)) {
            let granted = time(grant.completed.expect("granted"));
            naive.found("lease-outlived", usize::from(time(operation.invoked) > granted + length));
        }
        let token = |it: &Operation<'_>| if it.f == "write" { it.input.as_int() } else { it.output.and_then(|told| told.as_int()) };
        let earlier = || {
            let same = operations.iter().filter(|it| it.f == operation.f && it.kind == Kind::Ok && it.completed < Some(operation.invoked));
            same.filter_map(token).max()
        };
        if let (Some(token), Some(earlier)) = (token(operation), earlier()) {
            naive.found("token-not-rising", usize::from(operation.f == "acquire" && token <= earlier));
            naive.found("stale-token", usize::from(operation.f == "write" && token < earlier));
        }
    }
    naive
}

#[test]
fn lock_agrees_with_the_definition() {
    let answer = |f: &str, input: &Value, done: &[(Symbol, Value)], dice: &mut Dice| match f {
        "acquire" => Value::Int(done.len() as i64 + dice.below(3) as i64),
        _ => input.clone(),
    };
    let inputs = [
        ("acquire", "{:lease 3}"),
        ("acquire", "{:lease 6}"),
        ("acquire", "nil"),
        ("renew", "nil"),
        ("renew", "{:lease 2}"),
        ("renew", "nil"),
    ];
    let inputs = inputs.into_iter().chain([("release", "nil"), ("release", "nil"), ("release", "nil"), ("write", "3"), ("write", "4")]);
    let world = World { inputs: inputs.map(|(f, asked)| (f, value(asked))).collect(), answer: &answer, troubles: (25, 10) };
    agrees(&spec(), &world, naive, &["unknown", "two-holders", "token-not-rising", "stale-token", "lease-outlived"]);
}
