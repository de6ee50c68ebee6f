//! How long each consistency model takes to check: `cargo bench -p elenchus-checkers --bench consistency -- [OPERATIONS [PROCESSES [CRASHED]]]`,
//! the last in a thousand writes. Milliseconds of this thread's processor time; linearizability and k-atomicity use other threads too.
//!
//! The stores are simulated here, not by [`elenchus_checkers::simulate`], whose stores keep each key consistent by itself: their
//! histories violate models over all keys at once, and only a history that satisfies a model shows what a check of it costs.

mod common;

use std::time::Instant;

use elenchus_checkers::consistency::{CONSISTENCY_MODELS, ConsistencyOptions, check};
use elenchus_core::{Event, History, Kind, Nanos, Process, Rng, Seed, Symbol, Value};

const KEYS: u64 = 10;

/// How a store behaves.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Store {
    /// One copy.
    Atomic,
    /// One log of writes. Reads come from a replica that lags behind it; a write waits until the replica has caught up.
    Sequential,
    /// Replicas that receive each other's writes late, in causal order; the last to arrive wins.
    Causal,
    /// The same; the write with the latest timestamp wins.
    Convergent,
    /// One copy, but one read in a thousand is three writes behind.
    Stale,
}

/// A pending operation: whether it writes, its key, its value, and its result once it has taken effect.
type Pending = (bool, usize, i64, Option<Value>);

/// A write that a replica has not applied.
#[derive(Clone)]
struct Message {
    from: usize,
    after: Vec<u64>,
    stamp: (u64, usize),
    key: usize,
    value: i64,
}

#[derive(Clone, Default)]
struct Replica {
    values: Vec<(Option<i64>, (u64, usize))>,
    seen: Vec<u64>,
    clock: u64,
    applied: usize,
    inbox: Vec<Message>,
}

fn simulate(store: Store, operations: u64, processes: usize, crashed: u64, seed: u64) -> History {
    let mut dice = Seed(seed).stream("bench");
    let empty = Replica { values: vec![(None, (0, 0)); KEYS as usize], seen: vec![0; processes], clock: 0, applied: 0, inbox: Vec::new() };
    let mut replicas = vec![empty; processes];
    let (mut log, mut past): (Vec<(usize, i64)>, Vec<Vec<i64>>) = (Vec::new(), vec![Vec::new(); KEYS as usize]);
    let mut names: Vec<u32> = (0..processes as u32).collect();
    let mut events = Vec::new();
    let mut open: Vec<Option<Pending>> = vec![None; processes];
    let (mut asked, mut next) = (0, 0_i64);
    while asked < operations || open.iter().any(Option::is_some) {
        let at = dice.below(processes as u64) as usize;
        let mut push = |kind, write: bool, key: usize, value: Value| {
            let f = Symbol::of(if write { "write" } else { "read" });
            let (time, process) = (Nanos(events.len() as u64 * 10_000), Process::Client(names[at]));
            events.push(Event { time, process, kind, f, key: Some(Value::Int(key as i64)), value, error: None, node: None });
        };
        match open[at].take() {
            None if asked < operations => {
                asked += 1;
                let (write, key) = (dice.below(2) == 0, dice.below(KEYS) as usize);
                next += 1;
                push(Kind::Invoke, write, key, if write { Value::Int(next) } else { Value::Nil });
                open[at] = Some((write, key, next, None));
            }
            None => {}
            Some((write, key, value, None)) => {
                let result = act(store, &mut dice, &mut replicas, &mut log, &mut past, at, write.then_some(value), key);
                if write && dice.below(1000) < crashed {
                    push(Kind::Info, write, key, Value::Int(value));
                    names[at] += processes as u32;
                } else {
                    open[at] = Some((write, key, value, Some(result)));
                }
            }
            Some((write, key, _, Some(result))) => push(Kind::Ok, write, key, result),
        }
    }
    History::new(events)
}

#[allow(clippy::too_many_arguments)]
fn act(
    store: Store,
    dice: &mut Rng,
    replicas: &mut [Replica],
    log: &mut Vec<(usize, i64)>,
    past: &mut [Vec<i64>],
    at: usize,
    write: Option<i64>,
    key: usize,
) -> Value {
    let word = |value: Option<i64>| value.map_or(Value::Nil, Value::Int);
    match (store, write) {
        (Store::Atomic | Store::Stale, Some(value)) => past[key].push(value),
        (Store::Atomic | Store::Stale, None) => {
            let back = if store == Store::Stale && dice.below(1000) == 0 { 4 } else { 1 };
            return word(past[key].len().checked_sub(back).map(|at| past[key][at]));
        }
        (Store::Sequential, _) => {
            log.extend(write.map(|value| (key, value)));
            let replica = &mut replicas[at];
            let until = if write.is_some() { log.len() } else { (replica.applied + dice.below(8) as usize).min(log.len()) };
            for &(key, value) in &log[replica.applied..until] {
                replica.values[key].0 = Some(value);
            }
            replica.applied = until;
            return write.map_or(word(replica.values[key].0), Value::Int);
        }
        (Store::Causal | Store::Convergent, _) => {
            if dice.below(4) == 0 {
                deliver(store, dice, &mut replicas[at]);
            }
            let Some(value) = write else { return word(replicas[at].values[key].0) };
            let replica = &mut replicas[at];
            replica.clock += 1;
            let message = Message { from: at, after: replica.seen.clone(), stamp: (replica.clock, at), key, value };
            replica.seen[at] += 1;
            replica.values[key] = (Some(value), message.stamp);
            for (_, replica) in replicas.iter_mut().enumerate().filter(|(other, _)| *other != at) {
                replica.inbox.push(message.clone());
            }
        }
    }
    write.map_or(Value::Nil, Value::Int)
}

/// Applies most of the writes that a replica may apply, in an order that respects causality.
fn deliver(store: Store, dice: &mut Rng, replica: &mut Replica) {
    let mut rest = Vec::new();
    for message in std::mem::take(&mut replica.inbox) {
        let is_next = message
            .after
            .iter()
            .zip(&replica.seen)
            .enumerate()
            .all(|(from, (after, seen))| if from == message.from { after == seen } else { after <= seen });
        if !is_next || dice.below(5) == 0 {
            rest.push(message);
            continue;
        }
        replica.seen[message.from] += 1;
        replica.clock = replica.clock.max(message.stamp.0);
        let held = &mut replica.values[message.key];
        if store == Store::Causal || held.1 < message.stamp {
            *held = (Some(message.value), message.stamp);
        }
    }
    replica.inbox = rest;
}

fn main() {
    let arguments = common::arguments();
    let number = |at: usize, default| arguments.get(at).map_or(default, |word| word.parse().expect("a number"));
    let (operations, processes, crashed) = (common::size(arguments.first(), 100_000), number(1, 10) as usize, number(2, 0));
    let start = Instant::now();
    println!("{operations} operations, {processes} processes, {crashed} of 1000 writes crashed, {KEYS} keys; milliseconds");
    let stores = [Store::Atomic, Store::Sequential, Store::Causal, Store::Convergent, Store::Stale];
    let histories: Vec<History> = stores.iter().map(|&store| simulate(store, operations, processes, crashed, 7)).collect();
    print!("{:<22}", "model");
    stores.iter().for_each(|store| print!("{:>22}", format!("{store:?}")));
    println!();
    for entry in CONSISTENCY_MODELS {
        print!("{:<22}", entry.name);
        for history in &histories {
            let mut times = Vec::new();
            let mut verdict = String::new();
            for _ in 0..3 {
                let began = common::thread_seconds(start);
                let judgement = check(entry.model, history, &ConsistencyOptions::default()).expect("well formed");
                times.push((common::thread_seconds(start) - began) * 1e3);
                verdict = judgement.verdict.to_string();
                if times[0] > 5e3 {
                    break;
                }
            }
            times.sort_by(f64::total_cmp);
            print!("{:>22}", format!("{verdict} {:.0}", times[times.len() / 2]));
        }
        println!();
    }
}
