//! Reads, writes and compare-and-set over many independent keys.
//!
//! A fixed number of keys is in use at a time. A key retires after about so many operations and a new one takes its place: short histories are decided
//! quickly, and each new key gives the system a new chance to be wrong. Lengths vary by a tenth, so that keys do not all change at the same moment.

use std::sync::Arc;

use elenchus_core::{BoxFuture, CheckSpec, Connection, DataType, Failure, Generator, Invocation, Rng, Seed, Symbol, Value, Workload};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::generator::Source;
use crate::generator::source::Made;

const READ: Symbol = Symbol::of("read");
const WRITE: Symbol = Symbol::of("write");
const CAS: Symbol = Symbol::of("cas");

/// Settings of the register workload.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RegisterSpec {
    /// How many keys are in use at a time.
    pub keys: u32,
    /// How many operations a key sees before a new one takes its place, give or take a tenth.
    pub ops_per_key: u32,
    /// Values are drawn from 0 to this, exclusive: few, so that compare-and-set often succeeds and stale values are noticed.
    pub values: u32,
    /// How often each kind of operation is invoked.
    pub mix: RegisterMix,
}

impl Default for RegisterSpec {
    fn default() -> RegisterSpec {
        RegisterSpec { keys: 8, ops_per_key: 200, values: 5, mix: RegisterMix::default() }
    }
}

/// Weights of the kinds of operations; 0 leaves one out.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RegisterMix {
    /// Weight of reads.
    pub read: u32,
    /// Weight of writes.
    pub write: u32,
    /// Weight of compare-and-set.
    pub cas: u32,
}

impl Default for RegisterMix {
    fn default() -> RegisterMix {
        RegisterMix { read: 2, write: 1, cas: 1 }
    }
}

impl RegisterSpec {
    /// The workload.
    ///
    /// # Errors
    /// When a setting makes no sense, in a sentence that names it.
    pub fn build(&self) -> Result<Arc<dyn Workload>, String> {
        let must = |holds: bool, what: &str| if holds { Ok(()) } else { Err(what.to_owned()) };
        must(self.keys > 0, "`keys` must be at least 1")?;
        must(self.ops_per_key > 0, "`ops_per_key` must be at least 1")?;
        must(self.values > 0, "`values` must be at least 1")?;
        must(self.mix != RegisterMix { read: 0, write: 0, cas: 0 }, "`mix` must give some kind of operation a weight above 0")?;
        Ok(Arc::new(Register(self.clone())))
    }
}

struct Register(RegisterSpec);

/// A key in use, and how many operations it still gets.
struct Key {
    name: Value,
    left: u64,
}

/// The keys in use, and the number of the next new one.
struct Keys {
    spec: RegisterSpec,
    rng: Rng,
    live: Vec<Key>,
    next: u64,
}

impl Keys {
    fn new(spec: &RegisterSpec, rng: Rng) -> Keys {
        let mut keys = Keys { spec: spec.clone(), rng, live: Vec::new(), next: 0 };
        keys.live = (0..spec.keys).map(|_| keys.fresh()).collect();
        keys
    }

    fn fresh(&mut self) -> Key {
        let name = Value::from(format!("r{}", self.next));
        self.next += 1;
        let mean = u64::from(self.spec.ops_per_key);
        Key { name, left: (mean - mean / 10 + self.rng.below(mean / 5 + 1)).max(1) }
    }

    fn draw(&mut self) -> Value {
        let at = self.rng.below(self.live.len() as u64) as usize;
        let name = self.live[at].name.clone();
        self.live[at].left -= 1;
        if self.live[at].left == 0 {
            self.live[at] = self.fresh();
        }
        name
    }

    fn make(&mut self) -> Made {
        let RegisterMix { read, write, cas } = self.spec.mix;
        let key = Some(self.draw());
        let ticket = self.rng.below(u64::from(read) + u64::from(write) + u64::from(cas));
        let mut value = || Value::Int(self.rng.below(u64::from(self.spec.values)) as i64);
        if ticket < u64::from(read) {
            Made { f: READ, key, value: Value::Nil }
        } else if ticket < u64::from(read) + u64::from(write) {
            Made { f: WRITE, key, value: value() }
        } else {
            Made { f: CAS, key, value: Value::pair(value(), value()) }
        }
    }
}

impl Workload for Register {
    fn needs(&self) -> DataType {
        DataType::Register
    }

    fn generator(&self, seed: Seed) -> Box<dyn Generator> {
        let mut keys = Keys::new(&self.0, seed.stream("register"));
        Box::new(Source::new(move || keys.make()))
    }

    fn perform<'a>(&'a self, invocation: &'a Invocation, connection: &'a mut dyn Connection) -> BoxFuture<'a, Result<Value, Failure>> {
        Box::pin(async move {
            let refuse = |why: &str| Failure::Fail(why.to_owned());
            let register = connection.register().ok_or_else(|| refuse("the client offers no registers"))?;
            let key = invocation.key.as_ref().unwrap_or(&Value::Nil);
            match invocation.f.as_str() {
                "read" => register.read(key).await,
                "write" => register.write(key, &invocation.value).await.map(|()| invocation.value.clone()),
                "cas" => {
                    let (old, new) = invocation.value.as_pair().ok_or_else(|| refuse("cas needs the old value and the new"))?;
                    match register.compare_and_set(key, old, new).await? {
                        true => Ok(invocation.value.clone()),
                        false => Err(Failure::No),
                    }
                }
                other => Err(refuse(&format!("the register workload has no `{other}`"))),
            }
        })
    }

    fn is_read_only(&self, invocation: &Invocation) -> bool {
        invocation.f == READ
    }

    fn checks(&self) -> Vec<CheckSpec> {
        vec![CheckSpec::new("linearizable").with("model", "cas-register")]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_rotate_and_kinds_follow_the_mix() {
        let spec = RegisterSpec { keys: 3, ops_per_key: 50, values: 2, mix: RegisterMix { read: 2, write: 1, cas: 0 } };
        let mut keys = Keys::new(&spec, Seed(1).stream("t"));
        let made: Vec<Made> = (0..3000).map(|_| keys.make()).collect();
        let mut counts = std::collections::HashMap::new();
        for one in &made {
            *counts.entry(one.key.clone()).or_insert(0) += 1;
        }
        assert!(counts.len() > 50 && counts.values().all(|&count| count <= 55), "{counts:?}");
        let reads = made.iter().filter(|one| one.f == READ).count() as f64 / 3000.0;
        assert!((reads - 2.0 / 3.0).abs() < 0.03 && !made.iter().any(|one| one.f == CAS), "{reads}");
    }

    #[test]
    fn senseless_settings_are_named() {
        let message = |spec: RegisterSpec| spec.build().err().unwrap();
        assert_eq!(message(RegisterSpec { keys: 0, ..RegisterSpec::default() }), "`keys` must be at least 1");
        let nothing = RegisterMix { read: 0, write: 0, cas: 0 };
        assert!(message(RegisterSpec { mix: nothing, ..RegisterSpec::default() }).starts_with("`mix`"));
    }
}
