//! Seeded histories from simulated stores: to test checkers with, to measure them, and to learn what a level of consistency looks like.
//!
//! A [`Recipe`] names a [store](STORES), a [workload](WORKLOADS) and a seed; the [`Simulation`] it begins is an iterator of events, made one by one,
//! so that ten million operations need no memory. The same recipe gives the same events for ever, on every machine.
//!
//! ```
//! use elenchus_checkers::linearizable::{self, Options};
//! use elenchus_checkers::models::CasRegister;
//! use elenchus_checkers::simulate::{Recipe, Store, Strikes, Workload};
//! use elenchus_core::{History, Verdict};
//!
//! let recipe = Recipe { crash: 0.05, ..Recipe::new(Store::Linearizable, Workload::CasRegister).with_seed(7) };
//! let history = History::new(recipe.simulate()?.collect());
//! let judgement = linearizable::check(&CasRegister::default(), &history, &Options::default()).unwrap();
//! assert_eq!(judgement.verdict, Verdict::Valid);
//! # Ok::<(), elenchus_checkers::simulate::RecipeError>(())
//! ```
//!
//! Operations overlap as in life: each is invoked, takes effect at some later moment, and ends later still; a process does one thing at a time. One that
//! ends in `info` took effect, or never will, or will perhaps much later; its process is retired, and a fresh one takes its seat. What ends in `fail` did not
//! happen, unless that is the store's defect.

mod agenda;
mod fate;
mod keys;
mod objects;
mod recipe;
mod single;
mod source;
mod table;
mod transactions;
mod truth;

use elenchus_core::Event;

pub use recipe::{KeyChoice, Recipe, RecipeError, Strikes};
pub use table::{STORES, Store, StoreEntry, WORKLOADS, Workload, WorkloadEntry};
pub use truth::Truth;

use objects::{Container, Counter, Lock, Log, Register, Semaphore, Set, Text};
use single::Single;
use source::Source;
use transactions::{Transactions, has_snapshots};

/// A simulation under way: an iterator of events in real-time order.
pub struct Simulation {
    source: Box<dyn Source>,
}

impl Simulation {
    /// Begins a recipe that was found to be sound.
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

    /// What the simulator knows of the events so far.
    pub fn truth(&self) -> &Truth {
        self.source.truth()
    }
}

impl Recipe {
    /// Starts the simulation.
    ///
    /// # Errors
    /// When the store does not know the workload, or a number is out of range.
    pub fn simulate(&self) -> Result<Simulation, RecipeError> {
        self.validate(has_snapshots(self.store))?;
        Ok(Simulation::of(self.clone()))
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
