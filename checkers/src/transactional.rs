//! Transactions: which isolation levels does a history refute, and by what?
//!
//! Events become [`Transactions`], columns that are linear in the number of steps. From what was read an order of the versions of each key is
//! inferred, and from that a graph: which transaction must stand before which. [`analyse`] finds every [`Phenomenon`] in transactions, versions
//! and graph, and the [`Level`]s that proscribe it.
//!
//! ```text
//!   events ─ push ─> Transactions ─ within ──────────────────────────────> internal, G1a, G1b, lost-update …
//!                        │
//!                        ├─ list_append / rw_register: ww, wr, rw ─┐
//!                        └─ order: session, real time ─────────────┴─ graph ─ components ─ cycles, special ─> G0, G1c, G-single, G2 …
//! ```
//!
//! The order of a register's versions is often not told by who read what. What the graph leaves open of registers is decided by the `solver`,
//! by an order that is found, or by showing that there is none.
//!
//! Failed transactions did not happen. Crashed ones (`info`, or never returned) happened if something they wrote was read, and are otherwise
//! left out. Whatever is found is proved by what clients were told; what is not found is not thereby excluded, except where it says so. What is
//! missed is explained and counted in `docs/transactions.md`, which [`markdown`] writes.

mod analysis;
mod assumed;
mod atoms;
mod checker;
mod components;
mod counter_bounds;
mod counter_inc;
mod counter_order;
mod cycles;
mod elements;
mod explain;
mod graph;
mod grouped;
mod inference;
mod level;
mod list_append;
mod lists;
mod minimal;
mod order;
mod page;
mod phenomenon;
mod predicates;
mod proof;
mod reach;
mod rw_register;
mod set_add;
mod shortest;
mod solver;
mod special;
mod tally;
mod transactions;
mod walk;
mod watching;
mod within;
mod words;

pub use analysis::{Analysis, Options, analyse};
pub use assumed::Assumptions;
pub use checker::Transactional;
pub use level::{Boundary, LEVELS, Level, LevelEntry};
pub use page::markdown;
pub use phenomenon::{PHENOMENA, Phenomenon, PhenomenonEntry};
pub use tally::{Found, Instance, Link, LinkKind};
pub use transactions::{Datatype, PushError, Transactions};
