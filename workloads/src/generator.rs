//! Combinators: small generators that make large ones.
//!
//! | name | what it does |
//! | --- | --- |
//! | [`Source`] | requests from a function, forever |
//! | [`each_until_ok`] | each of some requests, until it succeeds |
//! | [`Keys`] | not a generator: keys in rotation, for requests |
//! | [`Limit`] | at most so many operations |
//! | [`TimeLimit`] | nothing after so long |
//! | [`Stagger`] | a rate, with the random gaps of a Poisson process |
//! | [`Delay`] | a rate, with equal gaps |
//! | [`Mix`] | one of several, by weight |
//! | [`Any`] | whichever is ready first |
//! | [`Phases`] | one after another, each when the one before has wholly ended |
//! | [`FlipFlop`] | one of each in turn |
//! | [`Cycle`] | again from the start when it is done |
//! | [`Sleep`] | nothing, for so long |
//! | [`Log`] | nothing, and a line in the log |
//! | [`EachProcess`] | a copy for every worker |
//! | [`Reserve`] | some workers for this, some for that |
//! | [`OnNodes`] | to some nodes in turn, wherever the workers are placed |
//! | [`UntilOk`] | until one operation succeeds |

mod any;
mod choice;
mod keys;
mod limits;
mod partitioned;
mod pauses;
mod phases;
mod rate;
pub mod simulate;
pub mod source;
mod until_ok;

pub use any::Any;
pub use choice::{Cycle, FlipFlop, Mix};
pub use keys::Keys;
pub use limits::{Limit, TimeLimit};
pub use partitioned::{EachProcess, OnNodes, Reserve};
pub use pauses::{Log, Sleep};
pub use phases::Phases;
pub use rate::{Delay, Stagger};
pub use source::Source;
pub use until_ok::{EachUntilOk, UntilOk, each_until_ok};
