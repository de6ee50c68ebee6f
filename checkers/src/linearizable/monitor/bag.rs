//! The monitor for bags.
//!
//! Elements do not meet: a history has a linearization if no element is taken twice or before its put began, and all that found the bag empty
//! can have done so (Bouajjani et al. §5; see [`empties`]). Exact with takers of nobody knows what, but for elements whose known taker has not
//! returned yet: those may have been taken by an unknown one before.

use super::cover::empties;
use super::lives::Transfers;
use super::{Breach, Monitor, Stance};

pub(super) struct Bag<'v>(pub(super) Transfers<'v>);

impl Monitor for Bag<'_> {
    fn algorithm(&self) -> &'static str {
        "unique-bag"
    }

    fn check(&self, until: u32, stance: Stance) -> Result<(), Breach> {
        empties(&self.0, &self.0.lives(until, stance)?)
    }

    fn is_exact(&self) -> bool {
        !self.0.has_unknown
    }

    fn is_steady(&self) -> bool {
        !self.0.has_unknown && !self.0.has_rivals
    }
}
