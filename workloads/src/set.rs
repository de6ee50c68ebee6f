//! Elements are added to sets, and the sets are read all the time; at the end each is read once more.
//!
//! Every element is added once in a run, so that a read identifies the additions that it contains. A read returns the whole set, so sets rotate as keys do.

use std::sync::{Arc, Mutex, PoisonError};

use elenchus_core::data::SetRequest;
use elenchus_core::{CheckSpec, DataType, Need, Phases, RunScope, Value, Workload};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Settings;
use crate::generator::{Keys, Source, each_until_ok};
use crate::table::{KEYS_MAX, KEYS_RANGE, must};

/// Settings of the set workload.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SetSettings {
    /// How many sets are in use at a time.
    pub keys: u32,
    /// How many operations a set sees before a new one takes its place, give or take a tenth.
    pub ops_per_key: u32,
    /// How many of a hundred operations are reads.
    pub reads_percent: u32,
    /// Whether a read must show every element whose addition was acknowledged before the read began. Otherwise an element may appear later, as long as it does.
    pub linearizable: bool,
}

impl Default for SetSettings {
    fn default() -> SetSettings {
        SetSettings { keys: 4, ops_per_key: 400, reads_percent: 30, linearizable: true }
    }
}

impl Settings for SetSettings {
    const EXAMPLE: &'static str = "{set: {keys: 4, linearizable: true}}";

    fn build(&self) -> Result<Arc<dyn Workload>, String> {
        must((1..=KEYS_MAX).contains(&self.keys), KEYS_RANGE)?;
        must(self.ops_per_key > 0, "`ops_per_key` must be at least 1")?;
        must(self.reads_percent < 100, "`reads_percent` must be less than 100, so that elements are added")?;
        Ok(Arc::new(self.clone()))
    }
}

impl Workload for SetSettings {
    fn needs(&self) -> Vec<Need> {
        vec![Need::only(DataType::Set, &["add", "read"])]
    }

    fn phases(&self, scope: &RunScope) -> Phases {
        let seed = scope.seed;
        let keys = Arc::new(Mutex::new(Keys::new(scope.key("s"), self.keys, self.ops_per_key, seed.stream("set keys"))));
        let (used, reads, mut rng) = (keys.clone(), u64::from(self.reads_percent), seed.stream("set"));
        let mut next = 0;
        let main = Source::new(move || {
            let key = keys.lock().unwrap_or_else(PoisonError::into_inner).draw();
            if rng.below(100) < reads {
                return SetRequest::Read { key }.into();
            }
            next += 1;
            SetRequest::Add { key, element: Value::Int(next) }.into()
        });
        let reads = move || {
            let used = used.lock().unwrap_or_else(PoisonError::into_inner).used();
            used.into_iter().map(|key| SetRequest::Read { key }.into()).collect()
        };
        Phases::main(main).then(each_until_ok(reads))
    }

    fn checks(&self) -> Vec<CheckSpec> {
        vec![CheckSpec::new("set-full").with("linearizable", self.linearizable)]
    }
}
