//! Keys in rotation.

use elenchus_core::{Rng, Value};

/// A fixed number of keys in use at a time. A key retires after about so many operations and a new one takes its place: short histories are decided
/// quickly, and each new key gives the system a new chance to be wrong. Lengths vary by a tenth, so that keys do not all change at the same moment.
pub struct Keys {
    prefix: String,
    mean: u64,
    rng: Rng,
    live: Vec<Key>,
    next: u64,
}

/// A key in use, and how many operations it still gets.
struct Key {
    name: Value,
    left: u64,
}

impl Keys {
    /// So many keys at a time, `<prefix>0`, `<prefix>1` …, each for about so many operations.
    pub fn new(prefix: impl Into<String>, keys: u32, ops_per_key: u32, rng: Rng) -> Keys {
        let mut keys_in_use = Keys { prefix: prefix.into(), mean: u64::from(ops_per_key), rng, live: Vec::new(), next: 0 };
        keys_in_use.live = (0..keys).map(|_| keys_in_use.fresh()).collect();
        keys_in_use
    }

    fn fresh(&mut self) -> Key {
        let name = self.name(self.next);
        self.next += 1;
        Key { name, left: (self.mean - self.mean / 10 + self.rng.below(self.mean / 5 + 1)).max(1) }
    }

    fn name(&self, number: u64) -> Value {
        Value::from(format!("{}{number}", self.prefix))
    }

    /// A key for one operation.
    pub fn draw(&mut self) -> Value {
        let at = self.rng.below(self.live.len() as u64) as usize;
        let name = self.live[at].name.clone();
        self.live[at].left -= 1;
        if self.live[at].left == 0 {
            self.live[at] = self.fresh();
        }
        name
    }

    /// All keys that were ever in use, oldest first.
    pub fn used(&self) -> Vec<Value> {
        (0..self.next).map(|number| self.name(number)).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use elenchus_core::Seed;

    use super::*;

    #[test]
    fn keys_rotate() {
        let mut keys = Keys::new("k", 3, 50, Seed(1).stream("t"));
        let mut counts = HashMap::new();
        for _ in 0..3000 {
            *counts.entry(keys.draw()).or_insert(0) += 1;
        }
        assert!(counts.len() > 50 && counts.values().all(|&count| count <= 55), "{counts:?}");
        assert!(keys.used().len() >= counts.len() && keys.used()[0] == Value::from("k0"));
    }
}
