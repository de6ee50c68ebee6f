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
                for _ in 0..2_000 {
                    let key = ["x", "y", "z"][random.below(3) as usize];
                    let (old, new) = (random.below(4) as i64, random.below(4) as i64);
                    match random.below(3) {
                        0 => {
                            let operation = client.invoke("read", key, ());
                            operation.ok(store.get(key));
                        }
                        1 => {
                            let operation = client.invoke("write", key, new);
                            store.put(key, new);
                            operation.ok(new);
                        }
                        _ => {
                            let operation = client.invoke("cas", key, Value::pair(old, new));
                            match store.compare_and_set(key, old, new) {
                                true => operation.ok(Value::pair(old, new)),
                                false => operation.fail("another value"),
                            }
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
