//! Measures the speed of reading histories: `cargo run --release -p elenchus-core --example formats [EVENTS [FOLDER]]`.
//!
//! Generates histories of register operations and of list-append transactions from a fixed seed, writes them in memory in each format as Jepsen and Elenchus
//! do, and reads each on one thread and on all: as a stream of batches that are counted and dropped, and as a whole history. Prints bytes per event, in the
//! text and in memory, and median speeds: of one thread by its CPU time, which other processes do not affect, and of all threads by wall-clock time. Given
//! a folder, writes the histories there for other tools.

use std::io::{Cursor, Write};
use std::sync::Arc;
use std::time::Instant;

use elenchus_core::exchange::{Events, ReadOptions, edn, events_from, json};
use elenchus_core::journal::JournalWriter;
use elenchus_core::{Event, History, Kind, Nanos, Process, Rng, Seed, Symbol, Value};

const RUNS: usize = 3;
const PROCESSES: u64 = 10;

fn main() {
    let events: usize = std::env::args().nth(1).and_then(|count| count.parse().ok()).unwrap_or(200_000);
    println!("{:<13} {:<11} {:>7} {:>9}   {:>24}   {:>24}", "history", "format", "MB", "B/event", "one thread", "all threads");
    for (name, history) in [("registers", registers(events)), ("transactions", transactions(events))] {
        let mut forms = vec![
            ("EDN, Jepsen", jepsen(&history, ("", "\n", ""))),
            ("EDN, vector", jepsen(&history, ("[", " ", "]"))),
            ("EDN, Elenchus", written(|sink| edn::write(&history, sink))),
            ("JSON lines", written(|sink| json::write(&history, sink))),
        ];
        if name == "registers" {
            forms.push(("log", log(&history)));
        }
        forms.push(("journal", written(|sink| JournalWriter::new(sink, &[])?.append(&history.events))));
        let count = history.events.len();
        drop(history);
        for (format, bytes) in forms {
            if let Some(folder) = std::env::args().nth(2) {
                std::fs::write(format!("{folder}/{name}-{}", format.replace(", ", "-").replace(' ', "-")), &bytes).expect("written");
            }
            measure(name, format, bytes, count);
        }
    }
}

/// Measures all ways to read the bytes and prints a line for each.
fn measure(name: &str, format: &str, bytes: Vec<u8>, count: usize) {
    let bytes: Arc<[u8]> = bytes.into();
    let megabytes = bytes.len() as f64 / 1e6;
    let open = |threads| {
        let options = ReadOptions { threads, ..ReadOptions::default() };
        events_from("memory", Cursor::new(bytes.clone()), &options).expect("readable")
    };
    let rate = |read: &dyn Fn(Events) -> usize, threads| {
        let mut times: Vec<f64> = (0..RUNS)
            .map(|_| {
                let start = (Instant::now(), processor_seconds());
                assert_eq!(read(open(threads)), count);
                match (threads, start.1, processor_seconds()) {
                    (1, Some(start), Some(end)) => end - start,
                    _ => start.0.elapsed().as_secs_f64(),
                }
            })
            .collect();
        times.sort_by(f64::total_cmp);
        let median = times[RUNS / 2];
        format!("{:>7.0} MB/s {:>6.2} M/s", megabytes / median, count as f64 / median / 1e6)
    };
    let stream = |events: Events| events.map(|batch| batch.expect("readable").len()).sum();
    let whole = |events: Events| events.into_history().expect("readable").0.events.len();
    let line = |what: &str, heap: f64, read: &dyn Fn(Events) -> usize| {
        println!("{name:<13} {format:<11} {megabytes:>7.1} {heap:>9.1}   {:>24}   {:>24}   {what}", rate(read, 1), rate(read, 0));
    };
    line("stream", bytes.len() as f64 / count as f64, &stream);
    let events = open(1).into_history().expect("readable").0.events;
    let heap = events.iter().map(|event| size_of::<Event>() + heap(&event.value)).sum::<usize>() as f64 / count as f64;
    drop(events);
    line("whole", heap, &whole);
}

/// Returns the CPU time of this thread in seconds, if the operating system provides it.
fn processor_seconds() -> Option<f64> {
    let nanoseconds = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?.split_whitespace().next()?.parse::<f64>().ok()?;
    Some(nanoseconds / 1e9)
}

/// Returns the heap size of a value in bytes, without the allocator's overhead.
fn heap(value: &Value) -> usize {
    match value {
        Value::List(items) => items.capacity() * size_of::<Value>() + items.iter().map(heap).sum::<usize>(),
        _ => 0,
    }
}

/// Generates invocations and completions of randomly scheduled processes; `make` returns function, argument and result.
fn history(count: usize, stream: &str, mut make: impl FnMut(&mut Rng) -> (Symbol, Value, Value)) -> History {
    let mut rng = Seed(7).stream(stream);
    let mut open: Vec<Option<(Symbol, Value)>> = (0..PROCESSES).map(|_| None).collect();
    let mut time = 0;
    let mut events = Vec::with_capacity(count);
    for _ in 0..count {
        time += rng.below(200_000);
        let process = rng.below(PROCESSES);
        let event = |kind, f, value| Event {
            time: Nanos(time),
            process: Process::Client(process as u32),
            kind,
            f,
            key: None,
            value,
            error: None,
            node: None,
        };
        let pending = &mut open[process as usize];
        events.push(match pending.take() {
            Some((f, result)) => event(Kind::Ok, f, result),
            None => {
                let (f, argument, result) = make(&mut rng);
                *pending = Some((f, result));
                event(Kind::Invoke, f, argument)
            }
        });
    }
    History::new(events)
}

fn registers(count: usize) -> History {
    let mut current = 0;
    history(count, "registers", |rng| match rng.below(3) {
        0 => (Symbol::of("read"), Value::Nil, Value::Int(current)),
        1 => {
            current = rng.below(5) as i64;
            (Symbol::of("write"), Value::Int(current), Value::Int(current))
        }
        _ => {
            let pair = Value::pair(current, rng.below(5) as i64);
            (Symbol::of("cas"), pair.clone(), pair)
        }
    })
}

fn transactions(count: usize) -> History {
    const LONGEST: usize = 16;
    const ACTIVE: u64 = 10;
    let mut lists: Vec<(i64, Vec<Value>)> = (0..ACTIVE as i64).map(|key| (key, Vec::new())).collect();
    let mut next_key = ACTIVE as i64;
    history(count, "transactions", |rng| {
        let (mut argument, mut result) = (Vec::new(), Vec::new());
        for _ in 0..1 + rng.below(4) {
            let list = &mut lists[rng.below(ACTIVE) as usize];
            if list.1.len() >= LONGEST {
                *list = (next_key, Vec::new());
                next_key += 1;
            }
            let micro = |f: &str, value: Value| Value::List(vec![f.into(), Value::Int(list.0), value]);
            if rng.chance(0.5) {
                let element = Value::Int(list.1.len() as i64 + 1);
                argument.push(micro("append", element.clone()));
                result.push(micro("append", element.clone()));
                list.1.push(element);
            } else {
                argument.push(micro("r", Value::Nil));
                result.push(micro("r", Value::List(list.1.clone())));
            }
        }
        (Symbol::of("txn"), Value::List(argument), Value::List(result))
    })
}

fn written(write: impl FnOnce(&mut Vec<u8>) -> std::io::Result<()>) -> Vec<u8> {
    let mut bytes = Vec::new();
    write(&mut bytes).expect("writing to memory succeeds");
    bytes
}

/// Writes a history as Jepsen does, with keywords.
fn jepsen(history: &History, (open, between, close): (&str, &str, &str)) -> Vec<u8> {
    let keywords = |value: &Value| value.to_string().replace("\"append\"", ":append").replace("\"r\"", ":r");
    written(|sink| {
        sink.write_all(open.as_bytes())?;
        for (index, event) in history.events.iter().enumerate() {
            let (kind, value) = (event.kind.as_str(), keywords(&event.value));
            let Event { process, f, time: Nanos(time), .. } = event;
            write!(sink, "{{:index {index}, :type :{kind}, :process {process}, :f :{f}, :value {value}, :time {time}}}{between}")?;
        }
        sink.write_all(close.as_bytes())
    })
}

/// Writes the operations as Jepsen logs them.
fn log(history: &History) -> Vec<u8> {
    written(|sink| {
        for event in &history.events {
            writeln!(sink, "INFO  jepsen.util - {}\t:{}\t:{}\t{}", event.process, event.kind.as_str(), event.f, event.value)?;
        }
        Ok(())
    })
}
