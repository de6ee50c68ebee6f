//! The operations of a register with interned values.

use elenchus_core::{Access, Kind, Operation, RegisterModel, Value};
use rayon::prelude::*;
use rustc_hash::FxHashMap;

use crate::linearizable::problem::Problem;

/// The number of an interned value. The initial one is 0.
pub(crate) type ValueId = u32;

/// No particular value: what a plain write expects.
pub(crate) const ANY: ValueId = u32::MAX;

/// An operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    Read(ValueId),
    Write(ValueId),
    Cas(ValueId, ValueId),
}

impl Act {
    /// The value that it must find, or [`ANY`].
    pub(crate) fn expected(self) -> ValueId {
        match self {
            Act::Read(value) | Act::Cas(value, _) => value,
            Act::Write(_) => ANY,
        }
    }

    /// The value that it stores, if any.
    pub(crate) fn stored(self) -> Option<ValueId> {
        match self {
            Act::Write(value) | Act::Cas(_, value) => Some(value),
            Act::Read(_) => None,
        }
    }

    /// The same operation with other numbers for the values.
    fn renumbered(self, number: &[ValueId]) -> Act {
        let number = |value: ValueId| number[value as usize];
        match self {
            Act::Read(value) => Act::Read(number(value)),
            Act::Write(value) => Act::Write(number(value)),
            Act::Cas(old, new) => Act::Cas(number(old), number(new)),
        }
    }
}

/// A class of identical crashed operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct CrashedClass {
    /// The value that it stores.
    pub(crate) to: ValueId,
    /// The value that it must find, or [`ANY`].
    pub(crate) from: ValueId,
}

/// The number of operations per chunk; chunks are decoded in parallel, which is limited by memory latency.
const CHUNK_LEN: usize = 8192;

/// Integers below this bound are looked up in an array rather than hashed: most registers hold such values.
const SMALL_INTEGERS: usize = 256;

/// Numbers values in order of appearance.
struct Numbers<'v> {
    values: Vec<&'v Value>,
    known: FxHashMap<&'v Value, ValueId>,
    small: [Option<ValueId>; SMALL_INTEGERS],
}

impl Default for Numbers<'_> {
    fn default() -> Self {
        Numbers { values: Vec::new(), known: FxHashMap::default(), small: [None; SMALL_INTEGERS] }
    }
}

impl<'v> Numbers<'v> {
    fn of(&mut self, value: &'v Value) -> ValueId {
        let next = self.values.len() as ValueId;
        let number = match value {
            &Value::Int(small) if (0..SMALL_INTEGERS as i64).contains(&small) => *self.small[small as usize].get_or_insert(next),
            _ => *self.known.entry(value).or_insert(next),
        };
        if number == next {
            self.values.push(value);
        }
        number
    }
}

/// Decodes operations, if all are those of a register; also returns the values by number.
fn read<'v>(model: &dyn RegisterModel, operations: &'v [Operation<'_>]) -> Option<(Vec<Act>, Vec<&'v Value>)> {
    let mut numbers = Numbers::default();
    let act = |operation| {
        Some(match model.access(operation)? {
            Access::Read(Some(result)) => Act::Read(numbers.of(result)),
            // It returned without a result: the model admits it, so it fits any value. The general search handles such operations.
            Access::Read(None) => return None,
            Access::Write(new) => Act::Write(numbers.of(new)),
            Access::Cas(old, new) if old == new => Act::Read(numbers.of(old)),
            Access::Cas(old, new) => Act::Cas(numbers.of(old), numbers.of(new)),
        })
    };
    let acts = operations.iter().map(act).collect::<Option<_>>()?;
    Some((acts, numbers.values))
}

/// The operations of a problem in numbers.
pub(crate) struct Accesses {
    /// By position.
    pub(crate) acts: Vec<Act>,
    /// By number: the value.
    pub(crate) values: Vec<Value>,
    /// All classes of crashed operations, sorted by the value stored and then the value expected, plain writes last.
    pub(crate) classes: Vec<CrashedClass>,
    /// By position: the class of a crashed operation.
    pub(crate) class_of: Vec<u32>,
    /// By value: the number of operations, including crashed ones, that must find it.
    pub(crate) demand: Vec<u32>,
}

impl Accesses {
    /// Decodes the operations of a problem, if all are those of a register.
    pub(crate) fn new(model: &dyn RegisterModel, problem: &Problem<'_>) -> Option<Accesses> {
        let initial = model.initial_value();
        let mut numbers = Numbers::default();
        numbers.of(&initial);
        let chunks: Option<Vec<_>> = problem.operations.par_chunks(CHUNK_LEN).map(|operations| read(model, operations)).collect();
        let mut acts = Vec::with_capacity(problem.operations.len());
        for (of_chunk, values) in chunks? {
            let number: Vec<ValueId> = values.into_iter().map(|value| numbers.of(value)).collect();
            acts.extend(of_chunk.into_iter().map(|act| act.renumbered(&number)));
        }
        let values: Vec<Value> = numbers.values.into_iter().cloned().collect();
        let mut accesses = Accesses { acts, demand: vec![0; values.len()], values, classes: Vec::new(), class_of: Vec::new() };
        accesses.classify(problem);
        Some(accesses)
    }

    fn classify(&mut self, problem: &Problem<'_>) {
        let class = |act: Act| act.stored().map(|to| CrashedClass { to, from: act.expected() });
        for (operation, &act) in problem.operations.iter().zip(&self.acts) {
            if act.expected() != ANY {
                self.demand[act.expected() as usize] += 1;
            }
            if operation.kind != Kind::Ok {
                self.classes.extend(class(act));
            }
        }
        self.classes.sort_unstable();
        self.classes.dedup();
        let number = |act| class(act).and_then(|class| self.classes.binary_search(&class).ok()).unwrap_or_default() as u32;
        self.class_of = self.acts.iter().map(|&act| number(act)).collect();
    }
}
