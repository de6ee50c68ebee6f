//! Transactional isolation: which levels a history refutes, and the phenomena that refute them.
//!
//! Events become [`Transactions`], columns that are linear in the number of steps. The reads determine, as far as possible, a version
//! order of each key, and from it the dependency graph. [`analyse`] finds every [`Phenomenon`] in transactions, version orders and graph,
//! and derives the refuted [`Level`]s.
//!
//! ```text
//!   events ─ push ─> Transactions ─ intra_transaction ──────────────────────────────> internal, G1a, G1b, lost-update …
//!                        │
//!                        ├─ list_append / rw_register: ww, wr, rw ─┐
//!                        └─ order: session, real time ─────────────┴─ graph ─ components ─ cycles, named_cycles ─> G0, G1c, G-single, G2 …
//! ```
//!
//! Reads of registers often leave the version order open. What the dependency graph does not decide for registers is decided by the
//! `solver`, which finds a serialization order or shows that there is none.
//!
//! Failed transactions did not happen. Crashed transactions (`info`, or without a completion) happened if something that they wrote was
//! read, and are otherwise ignored. Every finding is proved by the results that clients observed; the absence of a finding proves nothing
//! unless the verdict says so. `docs/transactions.md`, written by [`markdown`], explains and counts the violations that are missed.

mod analysis;
mod assumptions;
mod atoms;
mod checker;
mod components;
mod counter_bounds;
mod counter_inc;
mod counter_order;
mod counts;
mod cycles;
mod datatype;
mod describe;
mod elements;
mod explain;
mod graph;
mod grouped;
mod inference;
mod intra_transaction;
mod level;
mod list_append;
mod lists;
mod minimal;
mod named_cycles;
mod order;
mod page;
mod phantoms;
mod phenomenon;
mod predicates;
mod proof;
mod reach;
mod rw_register;
mod set_add;
mod shortest;
mod solver;
mod transactions;
mod walk;
mod watch;

pub use analysis::{Analysis, TransactionalOptions, analyse};
pub use assumptions::Assumptions;
pub use checker::Transactional;
pub use counts::{Found, Instance, Link, LinkKind};
pub use datatype::Datatype;
pub use level::{Boundary, LEVELS, Level, LevelEntry};
pub use page::markdown;
pub use phenomenon::{PHENOMENA, Phenomenon, PhenomenonEntry};
pub use transactions::{PushError, Transactions};
