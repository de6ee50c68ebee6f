//! Transactions that append to lists and read them; at the end every list is read once more.
//!
//! An element is appended once under its key, so that a list read is the history of its key: the order of versions is known without guessing, and every
//! dependency between transactions with it (Kingsbury and Alvaro, *Elle*, VLDB 2020, section 4). The reads at the end leave no append unread.

use std::sync::{Arc, Mutex, PoisonError};

use elenchus_core::data::{TransactionRequest, TransactionStep};
use elenchus_core::{CheckSpec, DataType, Need, Phases, Request, Rng, RunScope, Value, Workload};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Settings;
use crate::generator::{Keys, Source, each_until_ok};
use crate::table::{KEYS_MAX, KEYS_RANGE, must};

/// Settings of the list-append workload.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ListAppendSettings {
    /// How many lists are in use at a time: few, so that transactions conflict.
    pub keys: u32,
    /// How many steps a list sees before a new one takes its place, give or take a tenth.
    pub ops_per_key: u32,
    /// The most steps in a transaction; each has from 1 to so many.
    pub max_steps: u32,
    /// How many of a hundred steps are reads.
    pub reads_percent: u32,
    /// The isolation level that must hold: `elenchus checkers` lists them.
    pub isolation: String,
}

impl Default for ListAppendSettings {
    fn default() -> ListAppendSettings {
        ListAppendSettings { keys: 6, ops_per_key: 120, max_steps: 4, reads_percent: 50, isolation: "strict-serializable".into() }
    }
}

impl Settings for ListAppendSettings {
    const EXAMPLE: &'static str = "{list-append: {isolation: serializable, max_steps: 4}}";

    fn build(&self) -> Result<Arc<dyn Workload>, String> {
        must((1..=KEYS_MAX).contains(&self.keys), KEYS_RANGE)?;
        must(self.ops_per_key > 0, "`ops_per_key` must be at least 1")?;
        must((1..=64).contains(&self.max_steps), "`max_steps` must be from 1 to 64")?;
        must(self.reads_percent < 100, "`reads_percent` must be less than 100, so that elements are appended")?;
        Ok(Arc::new(self.clone()))
    }
}

impl ListAppendSettings {
    fn request(&self, keys: &mut Keys, rng: &mut Rng, next: &mut i64) -> Request {
        let count = 1 + rng.below(u64::from(self.max_steps));
        let mut step = || {
            let key = keys.draw();
            if rng.below(100) < u64::from(self.reads_percent) {
                return TransactionStep::Read { key };
            }
            *next += 1;
            TransactionStep::Append { key, element: Value::Int(*next) }
        };
        TransactionRequest { steps: (0..count).map(|_| step()).collect() }.into()
    }
}

impl Workload for ListAppendSettings {
    fn needs(&self) -> Vec<Need> {
        vec![Need::only(DataType::Transactions, &["r", "append"])]
    }

    fn phases(&self, scope: &RunScope) -> Phases {
        let seed = scope.seed;
        let keys = Arc::new(Mutex::new(Keys::new(scope.key("l"), self.keys, self.ops_per_key, seed.stream("list-append keys"))));
        let (settings, used, mut rng, mut next) = (self.clone(), keys.clone(), seed.stream("list-append"), 0);
        let main = Source::new(move || settings.request(&mut keys.lock().unwrap_or_else(PoisonError::into_inner), &mut rng, &mut next));
        let reads = move || {
            let used = used.lock().unwrap_or_else(PoisonError::into_inner).used();
            used.into_iter().map(|key| TransactionRequest { steps: vec![TransactionStep::Read { key }] }.into()).collect()
        };
        Phases::main(main).then(each_until_ok(reads))
    }

    fn checks(&self) -> Vec<CheckSpec> {
        vec![CheckSpec::new("list-append").with("isolation", self.isolation.as_str())]
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use elenchus_core::Seed;

    use super::*;

    #[test]
    fn no_element_is_appended_twice() {
        let settings = ListAppendSettings::default();
        let (mut keys, mut rng, mut next) = (Keys::new("l", 3, 10, Seed(1).stream("k")), Seed(1).stream("t"), 0);
        let mut seen = HashSet::new();
        for _ in 0..500 {
            let Request::Transactions(TransactionRequest { steps }) = settings.request(&mut keys, &mut rng, &mut next) else { panic!() };
            assert!((1..=4).contains(&steps.len()));
            for step in steps {
                if let TransactionStep::Append { element, .. } = step {
                    assert!(seen.insert(element));
                }
            }
        }
    }
}
