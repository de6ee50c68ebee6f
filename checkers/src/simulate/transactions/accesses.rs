//! The accesses of transactions, and their notation in histories.

use elenchus_core::{Rng, Symbol, Value};

use super::super::keys::Keys;
use super::super::recipe::Recipe;
use super::super::table::Workload;
use super::versions::ReadResult;

/// One access of a transaction.
#[derive(Clone, Debug)]
pub(super) struct Access {
    pub(super) key: u32,
    pub(super) writes: bool,
    /// The value it writes: an element, a value, an increment or, for a bank account, first the amount to add and then the balance.
    pub(super) value: i64,
    pub(super) result: ReadResult,
    /// The number of commits when it was executed.
    pub(super) moment: u64,
}

impl Access {
    fn new(key: u32, writes: bool, value: i64) -> Access {
        Access { key, writes, value, result: ReadResult::Pending, moment: 0 }
    }
}

/// Generates the accesses of a transaction. Keys that receive their last update are pushed to `retired`.
pub(super) fn generate(recipe: &Recipe, keys: &mut Keys, rng: &mut Rng, retired: &mut Vec<u32>) -> Vec<Access> {
    if recipe.workload == Workload::Bank {
        return generate_bank(recipe, keys, rng);
    }
    let (least, most) = recipe.accesses;
    let count = u64::from(least) + rng.below(u64::from(most - least) + 1);
    (0..count)
        .map(|_| {
            let slot = keys.choose();
            let key = keys.key(slot);
            if rng.chance(recipe.reads) {
                return Access::new(key, false, 0);
            }
            let value = match (recipe.workload, recipe.values) {
                (Workload::CounterInc, _) => 1 + rng.below(5) as i64,
                (Workload::RwRegister, Some(values)) => rng.below(u64::from(values)) as i64,
                _ => i64::from(keys.updates(slot)) + 1,
            };
            if keys.update(slot) {
                retired.push(key);
            }
            Access::new(key, true, value)
        })
        .collect()
}

/// A transfer reads and writes both accounts; a read reads all accounts.
fn generate_bank(recipe: &Recipe, keys: &mut Keys, rng: &mut Rng) -> Vec<Access> {
    if recipe.keys < 2 || rng.chance(recipe.reads) {
        return (0..recipe.keys).map(|account| Access::new(account, false, 0)).collect();
    }
    let mut account = || {
        let slot = keys.choose();
        keys.key(slot)
    };
    let from = account();
    let to = match account() {
        to if to == from => (from + 1) % recipe.keys,
        to => to,
    };
    let amount = 1 + rng.below(5) as i64;
    vec![Access::new(from, false, 0), Access::new(to, false, 0), Access::new(from, true, -amount), Access::new(to, true, amount)]
}

/// The function of a transaction.
pub(super) fn function(workload: Workload, accesses: &[Access]) -> Symbol {
    match workload {
        Workload::Bank if accesses.iter().any(|access| access.writes) => Symbol::of("transfer"),
        Workload::Bank => Symbol::of("read"),
        _ => Symbol::of("txn"),
    }
}

/// The value of a transaction's invocation.
pub(super) fn input(workload: Workload, accesses: &[Access]) -> Value {
    match (workload, accesses) {
        (Workload::Bank, [from, to, _, deposit]) if deposit.writes => Value::from(vec![
            ("from".into(), Value::Int(from.key.into())),
            ("to".into(), Value::Int(to.key.into())),
            ("amount".into(), Value::Int(deposit.value)),
        ]),
        (Workload::Bank, _) => Value::Nil,
        _ => accesses.iter().map(|access| micro_op(workload, access, Value::Nil)).collect::<Vec<_>>().into(),
    }
}

/// The value of a transaction's `ok` completion.
pub(super) fn output(workload: Workload, accesses: &[Access], input: &Value) -> Value {
    match workload {
        Workload::Bank if !input.is_nil() => input.clone(),
        Workload::Bank => Value::Map(accesses.iter().map(|access| (Value::Int(access.key.into()), result_value(&access.result))).collect()),
        _ => accesses.iter().map(|access| micro_op(workload, access, result_value(&access.result))).collect::<Vec<_>>().into(),
    }
}

/// An access in the notation of histories.
fn micro_op(workload: Workload, access: &Access, result: Value) -> Value {
    let write = match workload {
        Workload::ListAppend => "append",
        Workload::SetAdd => "add",
        Workload::CounterInc => "inc",
        _ => "w",
    };
    let (f, value) = if access.writes { (write, access.value.into()) } else { ("r", result) };
    Value::List(vec![f.into(), Value::Int(access.key.into()), value])
}

fn result_value(result: &ReadResult) -> Value {
    match result {
        ReadResult::Pending | ReadResult::Value(None) => Value::Nil,
        ReadResult::Value(Some(value)) => Value::Int(*value),
        ReadResult::Values(values) => values.iter().copied().map(Value::Int).collect::<Vec<_>>().into(),
    }
}
