//! Predicate reads, which return all keys whose versions match.
//!
//! The items that a predicate read found are stored as ordinary reads; a [`Scan`] records that nothing else matched.

use std::collections::BTreeMap;

use elenchus_core::Value;
use rustc_hash::FxHashMap;

use super::atoms::Atom;
use super::datatype::Datatype;

/// A predicate on the value of a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Predicate {
    /// Any value except nil.
    Any,
    /// This value.
    Equal(Value),
    /// An integer below this bound.
    Less(i64),
    /// An integer above this bound.
    Greater(i64),
    /// An integer with this remainder.
    Modulo { by: i64, rest: i64 },
}

impl Predicate {
    /// Parses a predicate of a history: `any`, `[= 3]`, `[< 3]`, `[> 3]`, `[mod 2 1]`. Lists support only `any`; sets and counters
    /// support none.
    pub(crate) fn of(value: &Value, datatype: Datatype) -> Option<Predicate> {
        if value.as_text() == Some("any") && matches!(datatype, Datatype::ListAppend | Datatype::RwRegister) {
            return Some(Predicate::Any);
        }
        let words = value.as_list().filter(|_| datatype == Datatype::RwRegister)?;
        match (words.first()?.as_text()?, &words[1..]) {
            ("=", [value]) => Some(Predicate::Equal(value.clone())),
            ("<", [bound]) => bound.as_int().map(Predicate::Less),
            (">", [bound]) => bound.as_int().map(Predicate::Greater),
            ("mod", [by, rest]) => Some(Predicate::Modulo { by: by.as_int().filter(|&by| by > 0)?, rest: rest.as_int()? }),
            _ => None,
        }
    }

    /// Returns whether a value matches. Nil never matches.
    pub(crate) fn matches(&self, value: &Value) -> bool {
        match (self, value) {
            (_, Value::Nil) => false,
            (Predicate::Any, _) => true,
            (Predicate::Equal(wanted), found) => wanted == found,
            (Predicate::Less(bound), Value::Int(found)) => found < bound,
            (Predicate::Greater(bound), Value::Int(found)) => found > bound,
            (Predicate::Modulo { by, rest }, Value::Int(found)) => found.rem_euclid(*by) == *rest,
            _ => false,
        }
    }
}

impl std::fmt::Display for Predicate {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Predicate::Any => write!(out, "any"),
            Predicate::Equal(value) => write!(out, "= {value}"),
            Predicate::Less(bound) => write!(out, "< {bound}"),
            Predicate::Greater(bound) => write!(out, "> {bound}"),
            Predicate::Modulo { by, rest } => write!(out, "mod {by} = {rest}"),
        }
    }
}

/// One predicate read of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Scan {
    /// Its position among the steps of its transaction: directly before the reads of the items it found.
    pub(crate) at: u32,
    /// The number of its predicate.
    pub(crate) predicate: u32,
    /// The keys that were found, ascending.
    pub(crate) found: Vec<u32>,
}

/// The distinct predicates of a history, and the predicate reads.
#[derive(Debug, Default)]
pub(crate) struct Predicates {
    pub(crate) all: Vec<Predicate>,
    numbers: FxHashMap<Atom, u32>,
    /// By transaction.
    scans: BTreeMap<u32, Vec<Scan>>,
}

impl Predicates {
    /// Returns the number of a predicate, given with its interned form.
    pub(crate) fn number(&mut self, name: Atom, predicate: Predicate) -> u32 {
        *self.numbers.entry(name).or_insert_with(|| {
            self.all.push(predicate);
            self.all.len() as u32 - 1
        })
    }

    pub(crate) fn add(&mut self, transaction: u32, scan: Scan) {
        self.scans.entry(transaction).or_default().push(scan);
    }

    /// The predicate reads of a transaction, in order.
    pub(crate) fn of(&self, transaction: u32) -> &[Scan] {
        self.scans.get(&transaction).map_or(&[], Vec::as_slice)
    }

    /// All predicate reads of transactions that are known to have happened, in order.
    pub(crate) fn each(&self, happened: &[bool]) -> impl Iterator<Item = (u32, &Scan)> {
        let known = self.scans.iter().filter(|&(&transaction, _)| happened[transaction as usize]);
        known.flat_map(|(&transaction, scans)| scans.iter().map(move |scan| (transaction, scan)))
    }

    /// Returns whether there are no predicate reads.
    pub(crate) fn is_empty(&self) -> bool {
        self.scans.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn predicates_are_parsed_and_match() {
        let list = |words: &[Value]| Value::List(words.to_vec());
        let of = |value: &Value| Predicate::of(value, Datatype::RwRegister);
        assert_eq!(of(&"any".into()), Some(Predicate::Any));
        for (words, matching, other) in [
            (list(&["=".into(), Value::Int(3)]), 3, 4),
            (list(&["<".into(), Value::Int(3)]), 2, 3),
            (list(&[">".into(), Value::Int(3)]), 4, 3),
            (list(&["mod".into(), Value::Int(2), Value::Int(1)]), -3, 2),
        ] {
            let predicate = of(&words).expect("a predicate");
            assert!(predicate.matches(&Value::Int(matching)) && !predicate.matches(&Value::Int(other)) && !predicate.matches(&Value::Nil));
            assert_eq!(Predicate::of(&words, Datatype::ListAppend), None);
        }
        assert_eq!(of(&list(&["mod".into(), Value::Int(0), Value::Int(0)])), None);
        assert_eq!(of(&list(&[])), None);
    }
}
