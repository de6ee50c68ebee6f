//! The reads and writes of a history of registers, and the possible source of each value that was read.

use elenchus_core::{EventIndex, History, HistoryError, Kind, Operation, Symbol, Value};
use rustc_hash::FxHashMap;
use thiserror::Error;

/// Why a history cannot be checked as a history of registers.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum RegisterHistoryError {
    /// The history is malformed.
    #[error(transparent)]
    Malformed(#[from] HistoryError),
    /// The history has an operation that registers do not have.
    #[error("event {event}: unknown register operation `{f}`, or wrong argument; expected `read`, `write v` or `cas [old new]`")]
    Foreign {
        /// The operation's invocation.
        event: EventIndex,
        /// The operation's function.
        f: Symbol,
    },
}

/// The source of a value that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The initial state.
    Initial,
    /// The operation at this position.
    Operation(u32),
}

/// A distinct value of one key, numbered over all keys.
type Version = u32;

/// The effect of one operation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Effect {
    /// The number of its register.
    pub(crate) key: u32,
    reads: Option<Version>,
    writes: Option<Version>,
}

/// The possible writers of a value.
#[derive(Clone, Debug, Default)]
struct Writers {
    is_initial: bool,
    /// Positions of operations, in order of invocation.
    operations: Vec<u32>,
}

/// The register operations that may have taken effect. Failed operations and reads without a result are left out.
#[derive(Clone, Debug)]
pub(crate) struct Observations<'h> {
    /// In order of invocation.
    pub(crate) operations: Vec<Operation<'h>>,
    /// By position of the operation.
    pub(crate) effects: Vec<Effect>,
    /// The registers, by number.
    pub(crate) keys: Vec<Option<&'h Value>>,
    /// By number of the register: the operations that write it, in order of invocation.
    pub(crate) writes: Vec<Vec<u32>>,
    /// The number of compare-and-sets that completed with `false`: they read an unknown value other than the expected one.
    pub(crate) unknown_cas: usize,
    writers: Vec<Writers>,
}

impl<'h> Observations<'h> {
    /// Extracts the reads and writes of registers whose initial value is `initial`. O(n).
    pub(crate) fn new(history: &'h History, initial: &'h Value) -> Result<Observations<'h>, RegisterHistoryError> {
        let mut observations = Observations {
            operations: Vec::new(),
            effects: Vec::new(),
            keys: Vec::new(),
            writes: Vec::new(),
            unknown_cas: 0,
            writers: Vec::new(),
        };
        let mut keys: FxHashMap<Option<&'h Value>, u32> = FxHashMap::default();
        let mut versions: FxHashMap<(u32, &'h Value), Version> = FxHashMap::default();
        for operation in history.operations()? {
            if operation.kind == Kind::Fail {
                continue;
            }
            let foreign = RegisterHistoryError::Foreign { event: operation.invoked, f: operation.f };
            let (reads, writes) = match (operation.f.as_str(), operation.input.as_pair()) {
                ("read", _) => match operation.output {
                    None => continue,
                    output => (output, None),
                },
                ("write", _) => (None, Some(operation.input)),
                ("cas", Some(_)) if operation.output == Some(&Value::Bool(false)) => {
                    observations.unknown_cas += 1;
                    continue;
                }
                // A compare-and-set of a value to itself is a read, and a crashed read has no result.
                ("cas", Some((old, new))) if old == new && operation.kind != Kind::Ok => continue,
                ("cas", Some((old, new))) => (Some(old), (old != new).then_some(new)),
                _ => return Err(foreign),
            };
            let key = *keys.entry(operation.key).or_insert_with(|| {
                observations.keys.push(operation.key);
                observations.writes.push(Vec::new());
                observations.keys.len() as u32 - 1
            });
            let mut version = |value: &'h Value| {
                *versions.entry((key, value)).or_insert_with(|| {
                    observations.writers.push(Writers { is_initial: value == initial, operations: Vec::new() });
                    observations.writers.len() as Version - 1
                })
            };
            let effect = Effect { key, reads: reads.map(&mut version), writes: writes.map(&mut version) };
            let position = observations.operations.len() as u32;
            if let Some(version) = effect.writes {
                observations.writers[version as usize].operations.push(position);
                observations.writes[key as usize].push(position);
            }
            observations.operations.push(operation);
            observations.effects.push(effect);
        }
        Ok(observations)
    }

    /// Returns whether the operation at a position reads.
    pub(crate) fn reads_value(&self, position: u32) -> bool {
        self.effects[position as usize].reads.is_some()
    }

    /// Returns whether the operation at a position writes.
    pub(crate) fn writes_value(&self, position: u32) -> bool {
        self.effects[position as usize].writes.is_some()
    }

    /// Returns the possible sources of the value that an operation read: the initial state first, then operations in order of invocation.
    /// Empty where the operation does not read, or read a value that no operation wrote.
    pub(crate) fn origins(&self, position: u32) -> impl Iterator<Item = Origin> + '_ {
        let writers = self.effects[position as usize].reads.map(|version| &self.writers[version as usize]);
        writers.into_iter().flat_map(move |writers| {
            let others = writers.operations.iter().copied().filter(move |&writer| writer != position);
            writers.is_initial.then_some(Origin::Initial).into_iter().chain(others.map(Origin::Operation))
        })
    }
}
