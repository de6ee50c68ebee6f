//! What to ask of a system, and the checks that the answers must pass.

use crate::{BoxFuture, CheckSpec, Connection, DataType, Failure, Generator, Invocation, Seed, Value};

/// A generator, the clients' part of carrying it out, and the checks.
pub trait Workload: Send + Sync {
    /// The type of data that a client must offer for it.
    fn needs(&self) -> DataType;

    /// The operations of the main phase, before rate and time limits.
    fn generator(&self, seed: Seed) -> Box<dyn Generator>;

    /// Operations after all faults are healed, to read what is left; none for most.
    fn final_generator(&self, _seed: Seed) -> Option<Box<dyn Generator>> {
        None
    }

    /// Carries one invocation to the system. The value is what the `ok` completion records.
    fn perform<'a>(&'a self, invocation: &'a Invocation, connection: &'a mut dyn Connection) -> BoxFuture<'a, Result<Value, Failure>>;

    /// Whether an invocation of this function changes nothing, so that an unknown outcome is a plain failure.
    fn is_read_only(&self, invocation: &Invocation) -> bool;

    /// The checks that the history must pass.
    fn checks(&self) -> Vec<CheckSpec>;
}
