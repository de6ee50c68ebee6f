//! The interface of all kinds of simulation.

use elenchus_core::Event;

use super::truth::Truth;

/// A generator of the events of a recipe.
pub(super) trait Source: Iterator<Item = Event> + Send {
    /// The truth about the events generated so far.
    fn truth(&self) -> &Truth;
}
