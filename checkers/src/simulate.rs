//! Seeded histories of simulated stores: for testing and benchmarking checkers, and as examples of consistency levels.
//!
//! A [`Recipe`] names a [store](STORES), a [workload](WORKLOADS) and a seed; it starts a [`Simulation`], an iterator that generates
//! events one at a time, so ten million operations need no memory. The same recipe yields the same events in every version and on every
//! machine.
//!
//! ```
//! use elenchus_checkers::linearizable::{self, LinearizableOptions};
//! use elenchus_checkers::models::CasRegister;
//! use elenchus_checkers::simulate::{Recipe, Store, DefectRate, Workload};
//! use elenchus_core::{History, Verdict};
//!
//! let recipe = Recipe { crash: 0.05, ..Recipe::new(Store::Linearizable, Workload::CasRegister).with_seed(7) };
//! let history = History::new(recipe.simulate()?.collect());
//! let judgement = linearizable::check(&CasRegister::default(), &history, &LinearizableOptions::default()).unwrap();
//! assert_eq!(judgement.verdict, Verdict::Valid);
//! # Ok::<(), elenchus_checkers::simulate::RecipeError>(())
//! ```
//!
//! Operations overlap: each is invoked, takes effect at a later moment, and completes later still. A process runs one operation at a
//! time. An operation that ends in `info` took effect, takes effect much later, or never does; its process is retired, and a new process
//! takes over its worker slot. An operation that ends in `fail` did not happen, unless that is the defect of the store.

mod event_queue;
mod keys;
mod objects;
mod outcome;
mod recipe;
mod rules;
mod single;
mod source;
mod table;
mod transactions;
mod truth;

use elenchus_core::Event;

pub use recipe::{DefectRate, KeyChoice, Recipe, RecipeError};
pub use table::{STORES, Store, StoreEntry, WORKLOADS, Workload, WorkloadEntry};
pub use truth::Truth;

use objects::{Container, Counter, Lock, Log, Register, Semaphore, Set, Text};
use single::Single;
use source::Source;
use transactions::Transactions;

/// A running simulation: an iterator of events in real-time order.
pub struct Simulation {
    source: Box<dyn Source>,
}

impl Recipe {
    /// Starts the simulation.
    ///
    /// # Errors
    /// When the store does not support the workload, or a field is out of range.
    pub fn simulate(&self) -> Result<Simulation, RecipeError> {
        self.validate()?;
        Ok(Simulation::of(self.clone()))
    }
}

impl Simulation {
    /// Starts a validated recipe.
    fn of(recipe: Recipe) -> Simulation {
        let source: Box<dyn Source> = match recipe.workload {
            Workload::Register | Workload::CasRegister => Box::new(Single::<Register>::new(recipe)),
            Workload::Kv => Box::new(Single::<Text>::new(recipe)),
            Workload::Set => Box::new(Single::<Set>::new(recipe)),
            Workload::FifoQueue | Workload::UnorderedQueue | Workload::Stack | Workload::PriorityQueue => {
                Box::new(Single::<Container>::new(recipe))
            }
            Workload::Mutex | Workload::OwnedMutex | Workload::ReentrantMutex | Workload::FencedMutex => {
                Box::new(Single::<Lock>::new(recipe))
            }
            Workload::Semaphore => Box::new(Single::<Semaphore>::new(recipe)),
            Workload::Counter => Box::new(Single::<Counter>::new(recipe)),
            Workload::Log => Box::new(Single::<Log>::new(recipe)),
            Workload::ListAppend | Workload::RwRegister | Workload::SetAdd | Workload::CounterInc | Workload::Bank => {
                Box::new(Transactions::new(recipe))
            }
        };
        Simulation { source }
    }

    /// Returns what the simulator knows about the events so far.
    pub fn truth(&self) -> &Truth {
        self.source.truth()
    }
}

impl Iterator for Simulation {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        self.source.next()
    }
}

impl std::fmt::Debug for Simulation {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Simulation").field("truth", self.truth()).finish_non_exhaustive()
    }
}
