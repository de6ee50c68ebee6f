//! What the operations of a history say of registers: which values they found and which they put, and who may have put what was found.

use elenchus_core::{EventIndex, History, HistoryError, Kind, Operation, Symbol, Value};
use rustc_hash::FxHashMap;
use thiserror::Error;

/// Why a history cannot be judged at all.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum TestimonyError {
    /// No run could have recorded it.
    #[error(transparent)]
    Malformed(#[from] HistoryError),
    /// It has an operation that no register has.
    #[error("event {event}: a register has no operation `{f}` with this argument; expected `read`, `write v` or `cas [old new]`")]
    Foreign {
        /// Its invocation.
        event: EventIndex,
        /// Its function.
        f: Symbol,
    },
}

/// Where a value that was found comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// It was there before anything happened.
    Initial,
    /// The operation at this position put it there.
    Operation(u32),
}

/// The number of a value under its key.
type Version = u32;

/// What one operation did.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deed {
    /// Its register.
    pub(crate) key: u32,
    finds: Option<Version>,
    puts: Option<Version>,
}

/// Who puts a value under its key.
#[derive(Clone, Debug, Default)]
struct Writers {
    is_initial: bool,
    /// Positions, in order of invocation.
    operations: Vec<u32>,
}

/// The operations on registers that may have happened. Failed ones did not; reads that nobody was told the result of say nothing.
#[derive(Clone, Debug)]
pub(crate) struct Testimony<'h> {
    /// In order of invocation.
    pub(crate) operations: Vec<Operation<'h>>,
    /// By position of the operation.
    pub(crate) deeds: Vec<Deed>,
    /// The registers, by number.
    pub(crate) keys: Vec<Option<&'h Value>>,
    /// By number of the register: the operations that put a value there, in order of invocation.
    pub(crate) puts: Vec<Vec<u32>>,
    /// How many compare-and-sets were told that they found another value than they asked for.
    pub(crate) refused: usize,
    writers: Vec<Writers>,
}

impl<'h> Testimony<'h> {
    /// Reads a history of registers that hold `initial` at first. O(n).
    pub(crate) fn new(history: &'h History, initial: &'h Value) -> Result<Testimony<'h>, TestimonyError> {
        let mut testimony =
            Testimony { operations: Vec::new(), deeds: Vec::new(), keys: Vec::new(), puts: Vec::new(), refused: 0, writers: Vec::new() };
        let mut keys: FxHashMap<Option<&'h Value>, u32> = FxHashMap::default();
        let mut versions: FxHashMap<(u32, &'h Value), Version> = FxHashMap::default();
        for operation in history.operations()? {
            if operation.kind == Kind::Fail {
                continue;
            }
            let foreign = TestimonyError::Foreign { event: operation.invoked, f: operation.f };
            let (finds, puts) = match (operation.f.as_str(), operation.input.as_pair()) {
                ("read", _) => match operation.output {
                    None => continue,
                    told => (told, None),
                },
                ("write", _) => (None, Some(operation.input)),
                ("cas", Some(_)) if operation.output == Some(&Value::Bool(false)) => {
                    testimony.refused += 1;
                    continue;
                }
                // What sets a value to itself is a read, which tells nothing when it crashed.
                ("cas", Some((old, new))) if old == new && operation.kind != Kind::Ok => continue,
                ("cas", Some((old, new))) => (Some(old), (old != new).then_some(new)),
                _ => return Err(foreign),
            };
            let key = *keys.entry(operation.key).or_insert_with(|| {
                testimony.keys.push(operation.key);
                testimony.puts.push(Vec::new());
                testimony.keys.len() as u32 - 1
            });
            let mut version = |value: &'h Value| {
                *versions.entry((key, value)).or_insert_with(|| {
                    testimony.writers.push(Writers { is_initial: value == initial, operations: Vec::new() });
                    testimony.writers.len() as Version - 1
                })
            };
            let deed = Deed { key, finds: finds.map(&mut version), puts: puts.map(&mut version) };
            let position = testimony.operations.len() as u32;
            if let Some(version) = deed.puts {
                testimony.writers[version as usize].operations.push(position);
                testimony.puts[key as usize].push(position);
            }
            testimony.operations.push(operation);
            testimony.deeds.push(deed);
        }
        Ok(testimony)
    }

    /// Whether the operation at a position found a value.
    pub(crate) fn is_finder(&self, position: u32) -> bool {
        self.deeds[position as usize].finds.is_some()
    }

    /// Whether the operation at a position put a value.
    pub(crate) fn is_putter(&self, position: u32) -> bool {
        self.deeds[position as usize].puts.is_some()
    }

    /// Everything that may have put the value that an operation found: the initial state first, then operations in order of invocation.
    /// Empty where it found nothing, or what nobody put.
    pub(crate) fn origins(&self, position: u32) -> impl Iterator<Item = Origin> + '_ {
        let writers = self.deeds[position as usize].finds.map(|version| &self.writers[version as usize]);
        writers.into_iter().flat_map(move |writers| {
            let others = writers.operations.iter().copied().filter(move |&writer| writer != position);
            writers.is_initial.then_some(Origin::Initial).into_iter().chain(others.map(Origin::Operation))
        })
    }
}
