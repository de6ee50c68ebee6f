//! Checks a key-value store of your own for linearizability. Copy it into a `#[test]`.
//!
//! ```text
//! cargo run -p elenchus-checkers --example my_store            # a correct store
//! cargo run -p elenchus-checkers --example my_store -- race    # compare-and-set forgets its lock: a lost update
//! ```

use std::collections::HashMap;
use std::process::ExitCode;
use std::sync::Mutex;

use elenchus_checkers::models::CasRegister;
use elenchus_checkers::{Recorder, Seed, Value, check};

/// The store under test.
#[derive(Default)]
struct MyStore {
    values: Mutex<HashMap<String, i64>>,
    /// Whether compare-and-set releases its lock between reading and writing.
    has_race: bool,
}

impl MyStore {
    fn get(&self, key: &str) -> Option<i64> {
        self.values.lock().unwrap().get(key).copied()
    }

    fn put(&self, key: &str, value: i64) {
        self.values.lock().unwrap().insert(key.to_owned(), value);
    }

    fn compare_and_set(&self, key: &str, old: i64, new: i64) -> bool {
        if self.has_race {
            if self.get(key) != Some(old) {
                return false;
            }
            std::thread::yield_now();
            self.put(key, new);
            return true;
        }
        let mut values = self.values.lock().unwrap();
        match values.get_mut(key) {
            Some(value) if *value == old => {
                *value = new;
                true
            }
            _ => false,
        }
    }
}

fn main() -> ExitCode {
    let store = MyStore { has_race: std::env::args().nth(1).as_deref() == Some("race"), ..MyStore::default() };
    let recorder = Recorder::new();
    std::thread::scope(|threads| {
        for thread in 0..4_u64 {
            let mut client = recorder.client();
            let store = &store;
            threads.spawn(move || {
                // From a seed, so that every run asks the same.
                let mut random = Seed(thread).stream("operations");
                let mut last_seen = None;
                for number in 0..1_000 {
                    // Unique values make counterexamples short: each read shows which write it saw.
                    let new = (thread * 1_000 + number) as i64;
                    match (random.below(4), last_seen) {
                        (0, _) => {
                            let operation = client.invoke("write", "x", new);
                            store.put("x", new);
                            operation.ok(new);
                        }
                        (1, Some(old)) => {
                            let operation = client.invoke("cas", "x", Value::pair(old, new));
                            match store.compare_and_set("x", old, new) {
                                true => operation.ok(Value::pair(old, new)),
                                // It found another value, so nothing happened. After a time-out it would be `info`.
                                false => operation.fail("another value"),
                            }
                        }
                        _ => {
                            let operation = client.invoke("read", "x", ());
                            last_seen = store.get("x");
                            operation.ok(last_seen);
                        }
                    }
                }
            });
        }
    });

    let finding = check(&CasRegister::default(), &recorder.into_history());
    // In a test: `finding.assert_valid()`.
    println!("{finding}");
    if finding.is_valid() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
