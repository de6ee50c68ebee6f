//! Reads, writes and compare-and-set over many independent keys in rotation.

use std::sync::Arc;

use elenchus_core::data::RegisterRequest;
use elenchus_core::{CheckSpec, DataType, Need, Phases, Request, Rng, RunScope, Value, Workload};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Settings;
use crate::generator::{Keys, Source};
use crate::table::{KEYS_MAX, KEYS_RANGE, must};

/// Settings of the register workload.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RegisterSettings {
    /// How many keys are in use at a time.
    pub keys: u32,
    /// How many operations a key sees before a new one takes its place, give or take a tenth.
    pub ops_per_key: u32,
    /// Values are drawn from 0 to this, exclusive: few, so that compare-and-set often succeeds and stale values are noticed.
    pub values: u32,
    /// How often each kind of operation is invoked.
    pub mix: RegisterMix,
}

impl Default for RegisterSettings {
    fn default() -> RegisterSettings {
        RegisterSettings { keys: 8, ops_per_key: 200, values: 5, mix: RegisterMix::default() }
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

impl Settings for RegisterSettings {
    const EXAMPLE: &'static str = "{register: {keys: 8, ops_per_key: 200, mix: {read: 2, write: 1, cas: 0}}}";

    fn build(&self) -> Result<Arc<dyn Workload>, String> {
        must((1..=KEYS_MAX).contains(&self.keys), KEYS_RANGE)?;
        must(self.ops_per_key > 0, "`ops_per_key` must be at least 1")?;
        must(self.values > 0, "`values` must be at least 1")?;
        must(self.mix != RegisterMix { read: 0, write: 0, cas: 0 }, "`mix` must give some kind of operation a weight above 0")?;
        Ok(Arc::new(self.clone()))
    }
}

impl RegisterSettings {
    fn request(&self, key: Value, rng: &mut Rng) -> Request {
        let RegisterMix { read, write, cas } = self.mix;
        let ticket = rng.below(u64::from(read) + u64::from(write) + u64::from(cas));
        let mut value = || Value::Int(rng.below(u64::from(self.values)) as i64);
        let request = if ticket < u64::from(read) {
            RegisterRequest::Read { key }
        } else if ticket < u64::from(read) + u64::from(write) {
            RegisterRequest::Write { key, value: value() }
        } else {
            RegisterRequest::CompareAndSet { key, old: value(), new: value() }
        };
        request.into()
    }
}

impl Workload for RegisterSettings {
    fn needs(&self) -> Vec<Need> {
        let RegisterMix { read, write, cas } = self.mix;
        let functions = [(read, "read"), (write, "write"), (cas, "cas")];
        let functions: Vec<&'static str> = functions.into_iter().filter(|(weight, _)| *weight > 0).map(|(_, name)| name).collect();
        vec![Need::only(DataType::Register, &functions)]
    }

    fn phases(&self, scope: &RunScope) -> Phases {
        let seed = scope.seed;
        let (settings, mut rng) = (self.clone(), seed.stream("register"));
        let mut keys = Keys::new(scope.key("r"), self.keys, self.ops_per_key, seed.stream("register keys"));
        Phases::main(Source::new(move || settings.request(keys.draw(), &mut rng)))
    }

    fn checks(&self) -> Vec<CheckSpec> {
        vec![CheckSpec::new("linearizable").with("model", "cas-register")]
    }
}

#[cfg(test)]
mod tests {
    use elenchus_core::Seed;

    use super::*;

    #[test]
    fn kinds_follow_the_mix() {
        let mix = RegisterMix { read: 2, write: 1, cas: 0 };
        let settings = RegisterSettings { keys: 3, ops_per_key: 50, values: 2, mix };
        let mut rng = Seed(1).stream("t");
        let made: Vec<Request> = (0..3000).map(|_| settings.request(Value::from("k"), &mut rng)).collect();
        let reads = made.iter().filter(|request| request.is_read_only()).count() as f64 / 3000.0;
        let cas = made.iter().filter(|request| matches!(request, Request::Register(RegisterRequest::CompareAndSet { .. }))).count();
        assert!((reads - 2.0 / 3.0).abs() < 0.03 && cas == 0, "{reads}");
        assert_eq!(settings.needs(), [Need::only(DataType::Register, &["read", "write"])]);
    }

    #[test]
    fn senseless_settings_are_named() {
        let message = |settings: RegisterSettings| settings.build().err().unwrap();
        assert_eq!(message(RegisterSettings { keys: 0, ..RegisterSettings::default() }), KEYS_RANGE);
        let nothing = RegisterMix { read: 0, write: 0, cas: 0 };
        assert!(message(RegisterSettings { mix: nothing, ..RegisterSettings::default() }).starts_with("`mix`"));
    }
}
