//! Transactions: several steps over keys, all or none.
//!
//! A transaction is recorded as `txn` with the list of its steps, each `[word key argument]`; the `ok` completion has the same steps with what reads
//! returned in the place of their argument. `docs/transactions.md` lists which checkers read which words.

use super::{DataRequest, DecodeError, Encoded};
use crate::{BoxFuture, Failure, Symbol, Value};

/// A store that carries out several steps as one transaction.
pub trait Transactions: Send {
    /// Carries out the steps in order, as one transaction, and commits.
    ///
    /// # Errors
    /// [`Failure::Fail`] only where the store's answer proves that nothing was committed, as after a serialization failure; [`Failure::Info`] where
    /// the answer to the commit is lost.
    fn execute<'a>(&'a mut self, steps: &'a [TransactionStep]) -> BoxFuture<'a, Result<TransactionResult, Failure>>;
}

/// One step of a transaction.
#[derive(Clone, Debug, PartialEq)]
pub enum TransactionStep {
    /// `r`: the value under the key: nil, a register's value, a list, a set or a count.
    Read {
        /// The key.
        key: Value,
    },
    /// `append`: an element at the end of the key's list.
    Append {
        /// The key.
        key: Value,
        /// The element, unique under its key.
        element: Value,
    },
    /// `w`: a value under the key.
    Write {
        /// The key.
        key: Value,
        /// The value.
        value: Value,
    },
    /// `add`: an element to the key's set.
    Add {
        /// The key.
        key: Value,
        /// The element, unique under its key.
        element: Value,
    },
    /// `inc`: adds to the key's counter.
    Increment {
        /// The key.
        key: Value,
        /// The amount; it may be negative.
        by: i64,
    },
    /// `rp`: all keys whose values match, with their values.
    ReadWhere {
        /// The condition.
        predicate: Predicate,
    },
}

/// A condition on the value under a key.
#[derive(Clone, Debug, PartialEq)]
pub enum Predicate {
    /// Every value.
    Any,
    /// This value.
    Equals(Value),
    /// A number less than this.
    Less(i64),
    /// A number greater than this.
    Greater(i64),
    /// A number that leaves this remainder.
    Modulo {
        /// The divisor.
        divisor: i64,
        /// The remainder.
        remainder: i64,
    },
}

/// The kinds of steps: what a client may offer and a workload may need, one by one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepKind {
    /// [`TransactionStep::Read`]
    Read,
    /// [`TransactionStep::Append`]
    Append,
    /// [`TransactionStep::Write`]
    Write,
    /// [`TransactionStep::Add`]
    Add,
    /// [`TransactionStep::Increment`]
    Increment,
    /// [`TransactionStep::ReadWhere`]
    ReadWhere,
}

impl StepKind {
    /// Its word in histories.
    pub const fn word(self) -> &'static str {
        match self {
            StepKind::Read => "r",
            StepKind::Append => "append",
            StepKind::Write => "w",
            StepKind::Add => "add",
            StepKind::Increment => "inc",
            StepKind::ReadWhere => "rp",
        }
    }
}

impl Predicate {
    fn encode(&self) -> Value {
        let words = |word: &str, rest: Vec<Value>| Value::List([Value::from(word)].into_iter().chain(rest).collect());
        match self {
            Predicate::Any => Value::from("any"),
            Predicate::Equals(value) => words("=", vec![value.clone()]),
            Predicate::Less(bound) => words("<", vec![Value::Int(*bound)]),
            Predicate::Greater(bound) => words(">", vec![Value::Int(*bound)]),
            Predicate::Modulo { divisor, remainder } => words("mod", vec![Value::Int(*divisor), Value::Int(*remainder)]),
        }
    }

    fn decode(value: &Value) -> Option<Predicate> {
        if value.as_text() == Some("any") {
            return Some(Predicate::Any);
        }
        let (word, rest) = value.as_list()?.split_first()?;
        match (word.as_text()?, rest) {
            ("=", [value]) => Some(Predicate::Equals(value.clone())),
            ("<", [bound]) => Some(Predicate::Less(bound.as_int()?)),
            (">", [bound]) => Some(Predicate::Greater(bound.as_int()?)),
            ("mod", [divisor, remainder]) => Some(Predicate::Modulo { divisor: divisor.as_int()?, remainder: remainder.as_int()? }),
            _ => None,
        }
    }

    /// Whether a value matches.
    pub fn matches(&self, value: &Value) -> bool {
        match self {
            Predicate::Any => true,
            Predicate::Equals(wanted) => value == wanted,
            Predicate::Less(bound) => value.as_int().is_some_and(|number| number < *bound),
            Predicate::Greater(bound) => value.as_int().is_some_and(|number| number > *bound),
            Predicate::Modulo { divisor, remainder } => {
                value.as_int().is_some_and(|number| number.checked_rem_euclid(*divisor) == Some(*remainder))
            }
        }
    }
}

impl TransactionStep {
    /// Its kind.
    pub fn kind(&self) -> StepKind {
        match self {
            TransactionStep::Read { .. } => StepKind::Read,
            TransactionStep::Append { .. } => StepKind::Append,
            TransactionStep::Write { .. } => StepKind::Write,
            TransactionStep::Add { .. } => StepKind::Add,
            TransactionStep::Increment { .. } => StepKind::Increment,
            TransactionStep::ReadWhere { .. } => StepKind::ReadWhere,
        }
    }

    /// Whether it only reads.
    pub fn is_read(&self) -> bool {
        matches!(self, TransactionStep::Read { .. } | TransactionStep::ReadWhere { .. })
    }

    /// The step as a history records it, `[word key argument]`; `read` is what a read returned.
    fn encode(&self, read: Value) -> Value {
        let (first, second) = match self {
            TransactionStep::Read { key } => (key.clone(), read),
            TransactionStep::Append { key, element } | TransactionStep::Add { key, element } => (key.clone(), element.clone()),
            TransactionStep::Write { key, value } => (key.clone(), value.clone()),
            TransactionStep::Increment { key, by } => (key.clone(), Value::Int(*by)),
            TransactionStep::ReadWhere { predicate } => (predicate.encode(), read),
        };
        Value::List(vec![self.kind().word().into(), first, second])
    }

    fn decode(value: &Value) -> Option<TransactionStep> {
        let [word, key, argument] = value.as_list()? else { return None };
        let (key, value) = (key.clone(), argument.clone());
        Some(match word.as_text()? {
            "r" => TransactionStep::Read { key },
            "append" => TransactionStep::Append { key, element: value },
            "w" => TransactionStep::Write { key, value },
            "add" => TransactionStep::Add { key, element: value },
            "inc" => TransactionStep::Increment { key, by: value.as_int()? },
            "rp" => TransactionStep::ReadWhere { predicate: Predicate::decode(&key)? },
            _ => return None,
        })
    }
}

/// The result of a committed transaction.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TransactionResult {
    /// The result of each read, in the order of the reads among the steps. A [`TransactionStep::ReadWhere`] returns a list of `[key value]` pairs.
    pub reads: Vec<Value>,
    /// When it began, by the store's own clock or log, if the store returns it.
    pub start: Option<i64>,
    /// When it committed, likewise.
    pub commit: Option<i64>,
}

/// A request to [`Transactions`]: `txn`, with its steps.
#[derive(Clone, Debug, PartialEq)]
pub struct TransactionRequest {
    /// The steps, in order.
    pub steps: Vec<TransactionStep>,
}

const TXN: Symbol = Symbol::of("txn");

impl TransactionRequest {
    /// The value of the `ok` completion: the steps with what the reads returned, and the store's timestamps if it returned them.
    fn completed(&self, result: TransactionResult) -> Result<Value, Failure> {
        let (expected, found) = (self.steps.iter().filter(|step| step.is_read()).count(), result.reads.len());
        if expected != found {
            return Err(Failure::Info(format!("the client returned {found} reads for a transaction with {expected}")));
        }
        let mut reads = result.reads.into_iter();
        let steps = self.steps.iter().map(|step| step.encode(if step.is_read() { reads.next().unwrap_or_default() } else { Value::Nil }));
        let steps = Value::List(steps.collect());
        if result.start.is_none() && result.commit.is_none() {
            return Ok(steps);
        }
        let stamps = [("start", result.start), ("commit", result.commit)];
        let stamps = stamps.into_iter().filter_map(|(name, stamp)| Some((name.into(), Value::Int(stamp?))));
        Ok(Value::from([("txn".into(), steps)].into_iter().chain(stamps).collect::<Vec<_>>()))
    }
}

impl DataRequest for TransactionRequest {
    const FUNCTIONS: &'static [&'static str] = &["r", "append", "w", "add", "inc", "rp"];

    type Service<'s> = dyn Transactions + 's;

    fn encode(&self) -> Encoded {
        Encoded { f: TXN, key: None, value: Value::List(self.steps.iter().map(|step| step.encode(Value::Nil)).collect()) }
    }

    fn decode(encoded: &Encoded) -> Result<TransactionRequest, DecodeError> {
        let malformed = || DecodeError::new(encoded, "txn with a list of steps like [\"r\" key nil] or [\"append\" key element]");
        let steps = encoded.value.as_list().filter(|_| encoded.f == TXN).ok_or_else(malformed)?;
        let steps: Option<Vec<TransactionStep>> = steps.iter().map(TransactionStep::decode).collect();
        Ok(TransactionRequest { steps: steps.ok_or_else(malformed)? })
    }

    fn functions(&self) -> Vec<&'static str> {
        self.steps.iter().map(|step| step.kind().word()).collect()
    }

    fn is_read_only(&self) -> bool {
        self.steps.iter().all(TransactionStep::is_read)
    }

    fn perform<'a>(&'a self, service: &'a mut (dyn Transactions + 'a)) -> BoxFuture<'a, Result<Value, Failure>> {
        Box::pin(async move { self.completed(service.execute(&self.steps).await?) })
    }

    fn samples(key: &Value) -> Vec<TransactionRequest> {
        let one = Value::Int(1);
        // Each kind of value under a key of its own: a list is not a register.
        let of = |kind: &str| Value::from(format!("{}-{kind}", key.as_text().map_or_else(|| key.to_string(), str::to_owned)));
        let pair = |kind: &str, change: fn(Value, Value) -> TransactionStep| TransactionRequest {
            steps: vec![change(of(kind), Value::Int(1)), TransactionStep::Read { key: of(kind) }],
        };
        vec![
            pair("list", |key, element| TransactionStep::Append { key, element }),
            pair("register", |key, value| TransactionStep::Write { key, value }),
            pair("set", |key, element| TransactionStep::Add { key, element }),
            pair("counter", |key, _| TransactionStep::Increment { key, by: 1 }),
            TransactionRequest { steps: vec![TransactionStep::Read { key: of("list") }] },
            TransactionRequest { steps: vec![TransactionStep::ReadWhere { predicate: Predicate::Equals(one) }] },
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_completion_has_the_reads_in_the_places_of_their_steps() {
        let key = || Value::from("x");
        let steps = vec![
            TransactionStep::Read { key: key() },
            TransactionStep::Append { key: key(), element: Value::Int(1) },
            TransactionStep::Read { key: key() },
        ];
        let request = TransactionRequest { steps };
        let list = |items: &[i64]| Value::List(items.iter().copied().map(Value::Int).collect());
        let reads = vec![list(&[]), list(&[1])];
        let done = request.completed(TransactionResult { reads: reads.clone(), ..TransactionResult::default() }).unwrap();
        assert_eq!(done.to_string(), r#"[["r" "x" []] ["append" "x" 1] ["r" "x" [1]]]"#);
        let stamped = request.completed(TransactionResult { reads, start: Some(3), commit: Some(5) }).unwrap();
        assert_eq!((stamped.get("start"), stamped.get("commit")), (Some(&Value::Int(3)), Some(&Value::Int(5))));
        assert!(matches!(request.completed(TransactionResult::default()), Err(Failure::Info(_))), "reads are missing");
    }

    #[test]
    fn predicates_match_as_documented() {
        let modulo = Predicate::Modulo { divisor: 3, remainder: 1 };
        assert!(modulo.matches(&Value::Int(-2)) && !modulo.matches(&Value::Int(3)) && !modulo.matches(&Value::from("x")));
        assert!(!Predicate::Modulo { divisor: 0, remainder: 0 }.matches(&Value::Int(3)));
        for predicate in [Predicate::Any, Predicate::Equals(Value::Int(1)), Predicate::Less(2), Predicate::Greater(0), modulo] {
            assert!(predicate.matches(&Value::Int(1)));
            assert_eq!(Predicate::decode(&predicate.encode()), Some(predicate));
        }
    }
}
