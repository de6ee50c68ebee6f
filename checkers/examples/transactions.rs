//! Checks the isolation of transactions: threads append to lists and read them, and the checker finds out which levels that rules out.
//!
//! ```text
//! cargo run -p elenchus-checkers --example transactions             # one lock around every transaction: strict serializable
//! cargo run -p elenchus-checkers --example transactions -- snapshot # reads from a snapshot, no conflict detection: lost updates
//! ```

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Mutex;

use elenchus_checkers::transactional::{Datatype, Level, Transactional};
use elenchus_checkers::{Recorder, Seed, Value, check};

type Lists = BTreeMap<i64, Vec<i64>>;

/// One access of a transaction.
#[derive(Clone, Copy)]
enum Access {
    Append(i64, i64),
    Read(i64),
}

impl Access {
    /// As histories have it: `[append k v]`, or `[r k result]`.
    fn recorded(self, result: Option<&Lists>) -> Value {
        match self {
            Access::Append(key, value) => Value::list(["append".into(), key.into(), Value::Int(value)]),
            Access::Read(key) => {
                let list = result.map(|lists| Value::list(lists.get(&key).into_iter().flatten().copied()));
                Value::list(["r".into(), key.into(), Value::from(list)])
            }
        }
    }
}

/// Runs a transaction on the lists, and returns its accesses with what they read.
fn run(lists: &mut Lists, transaction: &[Access]) -> Value {
    Value::list(transaction.iter().map(|&access| {
        if let Access::Append(key, value) = access {
            lists.entry(key).or_default().push(value);
        }
        access.recorded(Some(lists))
    }))
}

fn main() -> ExitCode {
    let is_snapshot = std::env::args().nth(1).as_deref() == Some("snapshot");
    let store = Mutex::new(Lists::new());
    let recorder = Recorder::new();
    std::thread::scope(|threads| {
        for thread in 0..4 {
            let mut client = recorder.client();
            let store = &store;
            threads.spawn(move || {
                let mut random = Seed(thread).stream("transactions");
                for number in 0..200 {
                    // Appended values must be unique.
                    let value = (thread * 1_000 + number) as i64;
                    let (read, written) = (random.below(5) as i64, random.below(5) as i64);
                    let transaction = [Access::Read(read), Access::Append(written, value), Access::Read(written)];
                    let operation = client.invoke("txn", (), Value::list(transaction.map(|access| access.recorded(None))));
                    let result = if is_snapshot {
                        let mut snapshot = store.lock().unwrap().clone();
                        let result = run(&mut snapshot, &transaction);
                        std::thread::yield_now();
                        // The last committer wins: what others appended to this list meanwhile is lost.
                        let list = snapshot.remove(&written).unwrap_or_default();
                        store.lock().unwrap().insert(written, list);
                        result
                    } else {
                        run(&mut store.lock().unwrap(), &transaction)
                    };
                    operation.ok(result);
                }
            });
        }
    });

    let finding = check(&Transactional::of_level(Datatype::ListAppend, Level::SnapshotIsolation), &recorder.into_history());
    println!("{finding}");
    if finding.is_valid() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
