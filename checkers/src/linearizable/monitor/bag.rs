//! The monitor for bags.
//!
//! Elements are independent: a history has a linearization if no element is taken twice or before its put was called, and every operation
//! that found the bag empty can have done so (Bouajjani et al. §5; see [`check_empties`]). With takes of unknown elements this is exact
//! except for elements whose known take has not returned: a take of an unknown element may have taken them earlier.

use super::cover::check_empties;
use super::lifetimes::Transfers;
use super::{Approximation, BadPattern, Monitor};

pub(super) struct Bag<'v>(pub(super) Transfers<'v>);

impl Monitor for Bag<'_> {
    fn algorithm(&self) -> &'static str {
        "unique-bag"
    }

    fn check(&self, until: u32, approximation: Approximation) -> Result<(), BadPattern> {
        check_empties(&self.0, &self.0.lifetimes(until, approximation)?)
    }

    fn is_exact(&self) -> bool {
        !self.0.has_unknown
    }

    fn is_prefix_stable(&self) -> bool {
        !self.0.has_unknown && !self.0.has_rival_takes
    }
}
