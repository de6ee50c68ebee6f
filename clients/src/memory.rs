//! A store inside the control node: one mutex, so that every request takes effect at one moment. Without a defect it is strictly serializable.
//!
//! It serves to try a workload or a plan without a system, and as the honest (and the dishonest) store of the workloads' conformance suite.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use elenchus_core::data::{Predicate, Register, Set, TransactionResult, TransactionStep, Transactions, TypedConnection, typed};
use elenchus_core::{BoxFuture, Client, Connection, DataType, Failure, Offer, Session, Value};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Settings, TestServer};

/// Settings of the store inside the control node.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MemorySettings {
    /// The defect of the store: `none`, `stale_reads` or `lost_writes`.
    pub defect: MemoryDefect,
}

/// A defect of the store inside the control node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MemoryDefect {
    /// Nothing.
    #[default]
    None,
    /// One request in twenty that only reads is answered from the state of fifty changes ago.
    StaleReads,
    /// One change in twenty is acknowledged and not made.
    LostWrites,
}

/// How often a defect shows: once in so many requests.
const ONE_IN: u64 = 20;

/// How many changes a stale read is behind.
const BEHIND: usize = 50;

impl Settings for MemorySettings {
    const EXAMPLE: &'static str = "{memory: {defect: stale_reads}}";
    const TEST_SERVER: TestServer = TestServer::InProcess;

    fn build(&self) -> Arc<dyn Client> {
        Arc::new(Memory { defect: self.defect, state: Arc::default() })
    }

    fn on_port(self, _: u16) -> Option<MemorySettings> {
        None
    }
}

struct Memory {
    defect: MemoryDefect,
    state: Arc<Mutex<State>>,
}

impl Client for Memory {
    fn offers(&self) -> Vec<Offer> {
        DataType::ALL.iter().map(|data| Offer::all(*data)).collect()
    }

    fn connect<'a>(&'a self, _: &'a Session) -> BoxFuture<'a, Result<Box<dyn Connection>, Failure>> {
        Box::pin(async { Ok(typed(Memory { defect: self.defect, state: self.state.clone() })) })
    }
}

type Values = BTreeMap<Value, Value>;

#[derive(Default)]
struct State {
    values: Values,
    /// The states before the last changes, kept only for stale reads.
    former: Vec<Values>,
    requests: u64,
}

impl Memory {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs the steps at one moment. What they read is returned.
    fn run(&self, steps: &[TransactionStep]) -> Vec<Value> {
        let mut state = self.lock();
        state.requests += 1;
        let is_defective = self.defect != MemoryDefect::None && state.requests.is_multiple_of(ONE_IN);
        if steps.iter().all(TransactionStep::is_read) {
            let stale = if is_defective && self.defect == MemoryDefect::StaleReads { state.former.first() } else { None };
            let values = stale.unwrap_or(&state.values);
            return steps.iter().map(|step| read(values, step)).collect();
        }
        if self.defect == MemoryDefect::StaleReads {
            if state.former.len() == BEHIND {
                state.former.remove(0);
            }
            let copy = state.values.clone();
            state.former.push(copy);
        }
        if is_defective && self.defect == MemoryDefect::LostWrites {
            let mut forgotten = state.values.clone();
            return apply(&mut forgotten, steps);
        }
        apply(&mut state.values, steps)
    }
}

fn apply(values: &mut Values, steps: &[TransactionStep]) -> Vec<Value> {
    let mut reads = Vec::new();
    for step in steps {
        match step {
            TransactionStep::Read { .. } | TransactionStep::ReadWhere { .. } => reads.push(read(values, step)),
            TransactionStep::Write { key, value } => drop(values.insert(key.clone(), value.clone())),
            TransactionStep::Append { key, element } | TransactionStep::Add { key, element } => {
                let slot = values.entry(key.clone()).or_insert_with(|| Value::List(Vec::new()));
                let mut items = slot.as_list().map(<[Value]>::to_vec).unwrap_or_default();
                items.push(element.clone());
                *slot = Value::List(items);
            }
            TransactionStep::Increment { key, by } => {
                let count = values.get(key).and_then(Value::as_int).unwrap_or_default();
                values.insert(key.clone(), Value::Int(count.saturating_add(*by)));
            }
        }
    }
    reads
}

fn read(values: &Values, step: &TransactionStep) -> Value {
    match step {
        TransactionStep::Read { key } => values.get(key).cloned().unwrap_or_default(),
        TransactionStep::ReadWhere { predicate } => matching(values, predicate),
        _ => Value::Nil,
    }
}

fn matching(values: &Values, predicate: &Predicate) -> Value {
    let found = values.iter().filter(|(_, value)| predicate.matches(value));
    Value::List(found.map(|(key, value)| Value::pair(key.clone(), value.clone())).collect())
}

impl TypedConnection for Memory {
    fn register(&mut self) -> Option<&mut dyn Register> {
        Some(self)
    }

    fn set(&mut self) -> Option<&mut dyn Set> {
        Some(self)
    }

    fn transactions(&mut self) -> Option<&mut dyn Transactions> {
        Some(self)
    }
}

impl Register for Memory {
    fn read<'a>(&'a mut self, key: &'a Value) -> BoxFuture<'a, Result<Value, Failure>> {
        Box::pin(async move { Ok(self.run(&[TransactionStep::Read { key: key.clone() }]).remove(0)) })
    }

    fn write<'a>(&'a mut self, key: &'a Value, value: &'a Value) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move {
            self.run(&[TransactionStep::Write { key: key.clone(), value: value.clone() }]);
            Ok(())
        })
    }

    fn compare_and_set<'a>(&'a mut self, key: &'a Value, old: &'a Value, new: &'a Value) -> BoxFuture<'a, Result<bool, Failure>> {
        Box::pin(async move {
            let mut state = self.lock();
            let is_equal = state.values.get(key).unwrap_or(&Value::Nil) == old;
            if is_equal {
                state.values.insert(key.clone(), new.clone());
            }
            Ok(is_equal)
        })
    }
}

impl Set for Memory {
    fn add<'a>(&'a mut self, key: &'a Value, element: &'a Value) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move {
            self.run(&[TransactionStep::Add { key: key.clone(), element: element.clone() }]);
            Ok(())
        })
    }

    fn read<'a>(&'a mut self, key: &'a Value) -> BoxFuture<'a, Result<Vec<Value>, Failure>> {
        Box::pin(async move {
            let found = self.run(&[TransactionStep::Read { key: key.clone() }]).remove(0);
            Ok(found.as_list().map(<[Value]>::to_vec).unwrap_or_default())
        })
    }
}

impl Transactions for Memory {
    fn execute<'a>(&'a mut self, steps: &'a [TransactionStep]) -> BoxFuture<'a, Result<TransactionResult, Failure>> {
        Box::pin(async move { Ok(TransactionResult { reads: self.run(steps), ..TransactionResult::default() }) })
    }
}
