//! How long the invariants take to check: `cargo bench -p elenchus-checkers --bench invariants -- [OPERATIONS [CHECKER …]]`.
//!
//! Prints the median of three checks, and the processor time of all threads, which a busy machine changes less. Each history is one of
//! a correct system, of concurrent operations of which one in a hundred crashes. They are made here because most of these vocabularies
//! are not among the workloads of [`elenchus_checkers::simulate`].

mod common;

use std::time::Instant;

use elenchus_checkers::build;
use elenchus_core::{CheckSpec, Event, History, Kind, Nanos, NodeIndex, Process, Rng, Seed, Symbol, Value};

/// Concurrent processes.
const PROCESSES: u64 = 16;

/// Operations on a key, where keys are independent.
const PER_KEY: u64 = 500;

/// One operation: function, key, argument, result.
type Planned = (&'static str, Option<Value>, Value, Value);

/// Records operations of which about as many overlap as there are processes. Each takes effect at its invocation.
fn record(operations: u64, mut next: impl FnMut(u64, u64, &mut Rng) -> Planned) -> History {
    let mut dice = Seed(7).stream("bench");
    let mut names: Vec<u32> = (0..PROCESSES as u32).collect();
    let mut open: Vec<Option<(Kind, Planned)>> = (0..PROCESSES).map(|_| None).collect();
    let mut events = Vec::with_capacity(operations as usize * 2);
    let mut asked = 0;
    let mut push = |process, kind, f, key, value, slot: usize| {
        let time = Nanos(events.len() as u64 * 1_000);
        let node = Some(NodeIndex(slot as u16 % 5));
        events.push(Event { time, process: Process::Client(process), kind, f: Symbol::of(f), key, value, error: None, node });
    };
    while asked < operations || open.iter().any(Option::is_some) {
        let slot = dice.below(PROCESSES) as usize;
        match open[slot].take() {
            Some((kind, (f, key, input, told))) => {
                push(names[slot], kind, f, key, if kind == Kind::Ok { told } else { input }, slot);
                if kind == Kind::Info {
                    names[slot] += PROCESSES as u32;
                }
            }
            None if asked < operations => {
                let operation = next(asked, u64::from(names[slot]), &mut dice);
                let crashes = dice.below(100) == 0 && operation.0 != "read" && operation.0 != "poll" && operation.0 != "drain";
                push(names[slot], Kind::Invoke, operation.0, operation.1.clone(), operation.2.clone(), slot);
                open[slot] = Some((if crashes { Kind::Info } else { Kind::Ok }, operation));
                asked += 1;
            }
            None => {}
        }
    }
    History { events, nodes: (1..=5).map(|node| format!("n{node}")).collect() }
}

fn int(number: u64) -> Value {
    Value::Int(number as i64)
}

fn bank(operations: u64) -> History {
    let mut balances = [100_i64; 8];
    record(operations, move |_, _, dice| {
        if dice.below(2) == 0 {
            let map = balances.iter().enumerate().map(|(account, balance)| (int(account as u64), Value::Int(*balance)));
            return ("read", None, Value::Nil, Value::Map(map.collect()));
        }
        let (from, to) = (dice.below(8), dice.below(8));
        let amount = balances[from as usize].min(1 + dice.below(5) as i64);
        balances[from as usize] -= amount;
        balances[to as usize] += amount;
        let transfer = Value::Map([("from".into(), int(from)), ("to".into(), int(to)), ("amount".into(), Value::Int(amount))].into());
        ("transfer", None, transfer.clone(), transfer)
    })
}

fn set(operations: u64) -> History {
    record(operations, move |number, _, _| match number + 1 == operations {
        true => ("read", None, Value::Nil, Value::List((0..number).map(int).collect())),
        false => ("add", None, int(number), int(number)),
    })
}

/// Sets, one per key; a tenth of the operations read the whole set.
fn sets(operations: u64, add: &'static str) -> History {
    record(operations, move |number, _, _| {
        let (key, within) = (Some(int(number / PER_KEY)), number % PER_KEY);
        let first = number - within;
        match within % 10 == 9 {
            true => (("read"), key, Value::Nil, Value::List((first..number).filter(|it| it % 10 != 9).map(int).collect())),
            false => (add, key, int(number), int(number)),
        }
    })
}

fn queue(operations: u64) -> History {
    let mut queue = std::collections::VecDeque::new();
    record(operations, move |number, _, dice| {
        if number + 1 == operations {
            return ("drain", None, Value::Nil, Value::List(queue.drain(..).collect()));
        }
        if dice.below(2) == 0 {
            return ("dequeue", None, Value::Nil, queue.pop_front().unwrap_or_default());
        }
        queue.push_back(int(number));
        ("enqueue", None, int(number), int(number))
    })
}

fn counter(operations: u64) -> History {
    let mut sum = 0;
    record(operations, move |_, _, dice| {
        if dice.below(2) == 0 {
            return ("read", None, Value::Nil, int(sum));
        }
        let amount = dice.below(5);
        sum += amount;
        ("add", None, int(amount), int(amount))
    })
}

fn ids(operations: u64) -> History {
    record(operations, move |number, _, _| ("generate", None, Value::Nil, int(number)))
}

fn long_fork(operations: u64) -> History {
    let step = |f: &str, key: u64, value| Value::List(vec![f.into(), int(key), value]);
    record(operations, move |number, _, dice| {
        if number % 2 == 0 {
            let write = Value::List(vec![step("w", number / 2, int(1))]);
            return ("write", None, write.clone(), write);
        }
        let written = number / 2;
        let group = written.saturating_sub(dice.below(4)) / 2 * 2;
        let read = |key: u64| step("r", key, if key <= written { int(1) } else { Value::Nil });
        let asked = [group, group + 1].map(|key| step("r", key, Value::Nil));
        ("read", None, Value::List(asked.to_vec()), Value::List(vec![read(group), read(group + 1)]))
    })
}

fn lock(operations: u64) -> History {
    let lease = || Value::Map([("lease".into(), int(10_000))].into());
    // A lock for each process, so that no process waits.
    record(operations, move |number, process, _| match number % 2 == 0 {
        true => ("acquire", Some(int(process)), lease(), int(number)),
        false => ("release", Some(int(process)), Value::Nil, Value::Nil),
    })
}

fn rows(operations: u64) -> History {
    let mut held: Vec<Value> = vec![Value::Nil; (operations / PER_KEY + 1) as usize];
    record(operations, move |number, _, dice| {
        let row = dice.below(held.len() as u64);
        let key = Some(int(row));
        match dice.below(4) {
            0 => {
                held[row as usize] = int(number);
                ("write", key, int(number), int(number))
            }
            1 => {
                held[row as usize] = Value::Nil;
                ("delete", key, Value::Nil, Value::Nil)
            }
            _ => ("read", key, Value::Nil, held[row as usize].clone()),
        }
    })
}

/// Producers and consumers of 64 partitions. Each consumer has all partitions, and polls on from its position.
fn kafka(operations: u64) -> History {
    const PARTITIONS: usize = 64;
    let mut logs: Vec<Vec<Value>> = vec![Vec::new(); PARTITIONS];
    let mut positions: rustc_hash::FxHashMap<(u64, usize), usize> = rustc_hash::FxHashMap::default();
    record(operations, move |number, process, dice| {
        let partition = dice.below(PARTITIONS as u64) as usize;
        let step = |told| Value::List(vec![Value::List(told)]);
        if dice.below(10) < 7 {
            logs[partition].push(int(number));
            let offset = logs[partition].len() as i64 - 1;
            let sent = |value| step(vec!["send".into(), int(partition as u64), value]);
            return ("send", None, sent(int(number)), sent(Value::pair(offset, int(number))));
        }
        let position = positions.entry((process % PROCESSES, partition)).or_default();
        let end = logs[partition].len().min(*position + 16);
        let polled = (*position..end).map(|at| Value::pair(at as i64, logs[partition][at].clone())).collect();
        *position = end;
        let told = Value::Map([(int(partition as u64), Value::List(polled))].into());
        ("poll", None, step(vec!["poll".into()]), step(vec!["poll".into(), told]))
    })
}

/// A checker, and what makes the history that it checks.
type Row = (&'static str, fn(u64) -> History);

const ROWS: &[Row] = &[
    ("bank", bank),
    ("set", set),
    ("set-full", |operations| sets(operations, "add")),
    ("causal-reverse", |operations| sets(operations, "write")),
    ("total-queue", queue),
    ("fifo", queue),
    ("counter", counter),
    ("unique-ids", ids),
    ("monotonic", ids),
    ("long-fork", long_fork),
    ("lock", lock),
    ("tombstones", rows),
    ("kafka", kafka),
];

/// The processor time of this process so far, in seconds, as Linux counts it; zero elsewhere.
fn processor_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
}

fn main() {
    let mut arguments = common::arguments().into_iter();
    let operations = common::size(arguments.next().as_ref(), 1_000_000);
    let chosen: Vec<String> = arguments.collect();
    println!("{:<16}{:>12}{:>10}{:>10}  verdict", "checker", "operations", "seconds", "cpu s");
    for (name, simulate) in ROWS.iter().filter(|(name, _)| chosen.is_empty() || chosen.iter().any(|it| it == name)) {
        let checker = build(&CheckSpec::new(name)).expect("a checker");
        let history = simulate(operations);
        let (mut times, busy) = ([0.0; 3], processor_seconds());
        let mut verdict = String::new();
        for time in &mut times {
            let begun = Instant::now();
            let finding = checker.check(&history);
            *time = begun.elapsed().as_secs_f64();
            verdict = format!("{}: {}", finding.verdict, finding.summary.chars().take(90).collect::<String>());
        }
        times.sort_by(f64::total_cmp);
        println!("{name:<16}{operations:>12}{:>10.2}{:>10.2}  {verdict}", times[1], (processor_seconds() - busy) / 3.0);
    }
}
