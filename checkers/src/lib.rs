//! Checks histories of concurrent operations: linearizability, consistency models, isolation levels of transactions, and invariants. Pure
//! functions: no input or output, no async runtime.
//!
//! # In a test of your own store
//!
//! Record what your threads ask and get, then check it:
//!
//! ```
//! use std::collections::HashMap;
//! use std::sync::Mutex;
//! use elenchus_checkers::models::Register;
//! use elenchus_checkers::{Recorder, check};
//!
//! let store = Mutex::new(HashMap::new()); // the store under test
//! let recorder = Recorder::new();
//! std::thread::scope(|threads| {
//!     for id in 0..4 {
//!         let mut client = recorder.client();
//!         let store = &store;
//!         threads.spawn(move || {
//!             for value in (id * 100)..(id * 100 + 50) {
//!                 let write = client.invoke("write", "x", value);
//!                 store.lock().unwrap().insert("x", value);
//!                 write.ok(value);
//!
//!                 let read = client.invoke("read", "x", ());
//!                 let found = store.lock().unwrap().get("x").copied();
//!                 read.ok(found);
//!             }
//!         });
//!     }
//! });
//! check(&Register::default(), &recorder.into_history()).assert_valid();
//! ```
//!
//! If the store loses a write, the test fails with the few operations that prove it. `examples/my_store.rs` has a store with a race to
//! switch on.
//!
//! Two rules make a history trustworthy. [`Recorder`] keeps the first: an invocation is recorded before the call, its completion after.
//! The second is yours: an operation *fails* only if it certainly did not happen; after a time-out its outcome is *info*, unknown.
//!
//! # What linearizability means
//!
//! Operations take time, and overlap. A history is linearizable if each operation can be given one moment between its invocation and its
//! completion, so that a single object that did them one after another, at these moments, would have returned the same:
//!
//! ```text
//!   process 0   ├──── write 1 ────┤        ├─── write 2 ───┤
//!                          ╵                        ╵
//!   process 1          ├────── read → 1 ──────┤  ├──────── read → 2 ───┤
//!                                ╵                         ╵
//!                                                                      time →
//! ```
//!
//! It is linearizable: the marks are such moments. Had the last read returned 1, it still would be (the read may come before `write 2`, as they
//! overlap). If it had begun after `write 2` completed, it would not:
//!
//! ```
//! use elenchus_checkers::models::Register;
//! use elenchus_checkers::{History, check};
//!
//! let overlapping = History::parse("
//!     0 write 1 ok
//!     0 write 2        # invoked …
//!     1 read → 1       # a read that overlaps the write may return the old value
//!     0 ok             # … and completed
//! ")?;
//! check(&Register::default(), &overlapping).assert_valid();
//!
//! let stale = History::parse("
//!     0 write 1 ok
//!     0 write 2 ok
//!     1 read → 1       # too late: 2 was written before this read began
//! ")?;
//! assert!(!check(&Register::default(), &stale).is_valid());
//! # Ok::<(), elenchus_checkers::NotationError>(())
//! ```
//!
//! # A model of your own
//!
//! A [`Model`] is a state and a step; [`models`] has registers, queues, stacks, sets, locks and more.
//!
//! ```
//! use elenchus_checkers::{History, Model, Operation, Step, check};
//!
//! /// A ticket counter: `take` returns 1, then 2, then 3 …
//! #[derive(Clone)]
//! struct Tickets;
//!
//! impl Model for Tickets {
//!     type State = i64;
//!
//!     fn initial(&self) -> i64 {
//!         0
//!     }
//!
//!     fn step(&self, last: &i64, take: &Operation<'_>) -> Step<i64> {
//!         match take.output {
//!             Some(ticket) if ticket.as_int() != Some(last + 1) => Step::Impossible,
//!             _ => Step::To(last + 1), // also when the result is unknown
//!         }
//!     }
//! }
//!
//! check(&Tickets, &History::parse("0 take → 1\n1 take info ! time-out\n0 take → 3")?).assert_valid();
//! assert!(!check(&Tickets, &History::parse("0 take → 1\n1 take → 1")?).is_valid());
//! # Ok::<(), elenchus_checkers::NotationError>(())
//! ```
//!
//! # Transactions
//!
//! A transaction is one operation `txn` on a list of accesses. Appends to lists show the most, as every read shows the order of all appends
//! before it ([`transactional`]):
//!
//! ```
//! use elenchus_checkers::transactional::{Datatype, Transactional};
//! use elenchus_checkers::{History, check};
//!
//! let write_skew = History::parse("
//!     0 txn [[r x nil] [append y 1]]
//!     1 txn [[r y nil] [append x 1]]
//!     0 ok [[r x []] [append y 1]]
//!     1 ok [[r y []] [append x 1]]
//!     2 txn [[r x nil] [r y nil]] → [[r x [1]] [r y [1]]]
//! ")?;
//! let finding = check(&Transactional::of(Datatype::ListAppend), &write_skew);
//! assert_eq!(finding.anomalies[0].name, "write-skew");
//! # Ok::<(), elenchus_checkers::NotationError>(())
//! ```
//!
//! # Invariants
//!
//! Some promises need no order of everything: no element is lost, totals are kept, tokens increase ([`invariants`]):
//!
//! ```
//! use elenchus_checkers::invariants::FinalSet;
//! use elenchus_checkers::{History, check};
//!
//! let history = History::parse("
//!     0 add 1 ok
//!     1 add 2 ok
//!     0 read → [1]
//! ")?;
//! assert_eq!(check(&FinalSet, &history).anomalies[0].name, "lost");
//! # Ok::<(), elenchus_checkers::NotationError>(())
//! ```
//!
//! # The map
//!
//! | module | what it decides |
//! | --- | --- |
//! | [`linearizable`] | whether the operations on each object are linearizable with respect to a [model](models) |
//! | [`consistency`] | whether registers satisfy a weaker model: sequential, causal, session guarantees, regular, bounded staleness … |
//! | [`transactional`] | which isolation levels transactions violate, by which anomalies |
//! | [`invariants`] | invariants over many operations: nothing lost, totals kept, tokens increasing … |
//! | [`picture`] | nothing; draws counterexamples |
//! | [`simulate`] | nothing; generates histories with known properties, to test and measure checkers |
//!
//! Everything is checked in one shape: [`check`] takes a [`Property`] and a [`History`], and returns a [`Finding`]. The functions
//! [`linearizable::check`], [`consistency::check`] and [`transactional::analyse`] give more detail, as types instead of sentences. [`ALL`] is
//! the table of checkers that plans can name, and [`build`] builds one by its name.
//!
//! Histories also come from files ([`exchange`]: Jepsen's EDN, JSON lines) and from [text](notation).

pub mod consistency;
pub mod invariants;
pub mod linearizable;
pub mod models;
mod options;
pub mod picture;
mod property;
pub mod simulate;
mod table;
pub mod transactional;

pub use options::{BuildError, OptionEntry, OptionValues};
pub use property::{Property, check};
pub use table::{ALL, CheckerEntry, Family, build};

pub use elenchus_core::{
    Anomaly, CheckSpec, Checker, Event, EventIndex, Failure, Finding, History, HistoryError, Interval, Kind, Model, Nanos, NodeIndex,
    NotationError, Operation, PendingOperation, Process, RecordedClient, Recorder, Seed, Step, Symbol, Value, Verdict, exchange, notation,
};
