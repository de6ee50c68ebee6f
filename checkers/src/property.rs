//! Properties that a history can be checked for, behind one interface.

use elenchus_core::{Checker, Finding, History, Model, Symbol};

use crate::consistency::{Consistency, ConsistencyModel, ConsistencyOptions, Strongest};
use crate::invariants::{Checked, Invariant};
use crate::linearizable::{Linearizable, LinearizableOptions};
use crate::transactional::{Datatype, Level, Transactional, TransactionalOptions};

/// A property that a history has or violates: what [`check`] takes.
///
/// | family | properties | example |
/// | --- | --- | --- |
/// | linearizability | every [`Model`], with the search's defaults; [`Linearizable`] with others | `check(&Register::default(), &history)` |
/// | consistency models of registers | [`ConsistencyModel`], [`Consistency`], [`Strongest`] | `check(&ConsistencyModel::Causal, &history)` |
/// | transactions | [`Transactional`] | `check(&Transactional::of(Datatype::ListAppend), &history)` |
/// | invariants | every checker of [`invariants`](crate::invariants); [`Checked`] with an [`Invariant`] of your own | `check(&Bank::default(), &history)` |
pub trait Property {
    /// Checks a history for the property.
    fn check(&self, history: &History) -> Finding;
}

/// Checks whether a history has a property.
///
/// Total: a history that cannot be checked gives [`Verdict::Unknown`](elenchus_core::Verdict::Unknown), with the reason.
///
/// ```
/// use elenchus_checkers::models::Register;
/// use elenchus_checkers::{History, check};
///
/// let history = History::parse("
///     0 write 1 ok
///     0 write 2 ok
///     1 read → 1
/// ")?;
/// let finding = check(&Register::default(), &history);
/// assert!(!finding.is_valid());
/// println!("{finding}"); // the counterexample, drawn
/// # Ok::<(), elenchus_checkers::NotationError>(())
/// ```
pub fn check(property: &impl Property, history: &History) -> Finding {
    property.check(history)
}

/// Linearizability against this model.
impl<M: Model + Clone + 'static> Property for M {
    fn check(&self, history: &History) -> Finding {
        Checker::check(&Linearizable::of(self.clone()), history)
    }
}

/// Makes checkers properties.
macro_rules! properties {
    ($($checker:ty),*) => {
        $(impl Property for $checker {
            fn check(&self, history: &History) -> Finding {
                Checker::check(self, history)
            }
        })*
    };
}

properties!(Linearizable, Consistency, Strongest, Transactional);

/// An invariant of your own.
impl<I: Invariant> Property for Checked<I> {
    fn check(&self, history: &History) -> Finding {
        Checker::check(self, history)
    }
}

/// This consistency model of registers that are nil at first. [`Consistency`] has options.
impl Property for ConsistencyModel {
    fn check(&self, history: &History) -> Finding {
        Checker::check(&Consistency::new(*self, ConsistencyOptions::default()), history)
    }
}

impl Linearizable {
    /// A checker for a model with default options, which findings call by the name of its type: `cas-register` for `CasRegister`.
    pub fn of<M: Model + Clone + 'static>(model: M) -> Linearizable {
        Linearizable::with_options(model, LinearizableOptions::default())
    }

    /// As [`Linearizable::of`], with options.
    ///
    /// ```
    /// use std::time::Duration;
    /// use elenchus_checkers::linearizable::{Linearizable, LinearizableOptions};
    /// use elenchus_checkers::models::FifoQueue;
    /// use elenchus_checkers::{History, check};
    ///
    /// let history = History::parse("0 enqueue 1 ok\n1 dequeue → 1")?;
    /// let options = LinearizableOptions { time: Some(Duration::from_secs(10)), ..LinearizableOptions::default() };
    /// check(&Linearizable::with_options(FifoQueue, options), &history).assert_valid();
    /// # Ok::<(), elenchus_checkers::NotationError>(())
    /// ```
    pub fn with_options<M: Model + Clone + 'static>(model: M, options: LinearizableOptions) -> Linearizable {
        Linearizable::new(Symbol::intern(&name_of::<M>()).as_str(), model, options)
    }
}

impl Transactional {
    /// A checker of strict serializability for transactions on this type of data.
    pub fn of(datatype: Datatype) -> Transactional {
        Transactional::with_options(datatype, TransactionalOptions::default())
    }

    /// A checker of one isolation level for transactions on this type of data.
    ///
    /// ```
    /// use elenchus_checkers::transactional::{Datatype, Level, Transactional};
    /// use elenchus_checkers::{History, check};
    ///
    /// let history = History::parse("
    ///     0 txn [[append x 1] [append y 1]] → [[append x 1] [append y 1]]
    ///     1 txn [[r x nil] [r y nil]] → [[r x [1]] [r y []]]
    /// ")?;
    /// let finding = check(&Transactional::of_level(Datatype::ListAppend, Level::ReadAtomic), &history);
    /// assert!(!finding.is_valid(), "the second transaction saw half of the first");
    /// # Ok::<(), elenchus_checkers::NotationError>(())
    /// ```
    pub fn of_level(datatype: Datatype, level: Level) -> Transactional {
        Transactional::with_options(datatype, TransactionalOptions { isolation: level, ..TransactionalOptions::default() })
    }

    /// A checker of the level that the options name.
    pub fn with_options(datatype: Datatype, options: TransactionalOptions) -> Transactional {
        let name = Datatype::NAMES.into_iter().find(|(other, _)| *other == datatype).map_or("transactions", |(_, name)| name);
        Transactional::new(name, datatype, options.isolation, elenchus_core::Value::Nil, options)
    }
}

/// The name of a type in kebab-case, without its path and parameters.
fn name_of<T>() -> String {
    let path = std::any::type_name::<T>();
    let name = path.split('<').next().unwrap_or(path).rsplit("::").next().unwrap_or(path);
    let mut kebab = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !kebab.is_empty() {
            kebab.push('-');
        }
        kebab.extend(letter.to_lowercase());
    }
    kebab
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invariants::Bank;
    use crate::models::{CasRegister, FifoQueue};
    use elenchus_core::Verdict;

    #[test]
    fn findings_name_the_model() {
        let history = History::parse("0 enqueue 1 ok\n1 dequeue → 2").unwrap();
        let finding = check(&FifoQueue, &history);
        assert_eq!(finding.verdict, Verdict::Invalid);
        assert_eq!(finding.details["model"], "fifo-queue");
        assert_eq!(name_of::<CasRegister>(), "cas-register");
        assert_eq!(name_of::<Vec<u8>>(), "vec");
    }

    #[test]
    fn every_family_has_the_same_shape() {
        let registers = History::parse("0/x write 1 ok\n1/x read → 1").unwrap();
        check(&CasRegister::default(), &registers).assert_valid();
        check(&ConsistencyModel::Sequential, &registers).assert_valid();
        check(&Strongest::new(None, ConsistencyOptions::default()), &registers).assert_valid();
        let transactions = History::parse("0 txn [[append x 1] [r x nil]] → [[append x 1] [r x [1]]]").unwrap();
        check(&Transactional::of(Datatype::ListAppend), &transactions).assert_valid();
        check(&Bank::default(), &History::parse("0 read → {0 5, 1 5}").unwrap()).assert_valid();
    }

    #[test]
    #[should_panic(expected = "invalid (linearizable)")]
    fn a_violation_fails_a_test() {
        check(&CasRegister::default(), &History::parse("0 read → 7").unwrap()).assert_valid();
    }
}
