//! Consistency models of registers weaker than linearizability, each with its own judge, and the strongest that a history satisfies.
//!
//! A history is of `read → v`, `write v` and `cas [old new]`. A *session* is a process. A compare-and-set counts as a read of the old value
//! and then a write of the new one; that nothing comes between is asked for by sequential consistency and k-atomicity only.
//!
//! | model | over | what it asks for | in |
//! | --- | --- | --- | --- |
//! | sequential | all keys | one order true to sessions (Lamport 1979) | `sequential` |
//! | causal-memory (CM), pram | all keys | an order per session | `views` |
//! | causal-convergence (CCv), causal (CC) | all keys | nothing causally overwritten is read | `causal` |
//! | read-your-writes, monotonic-reads, monotonic-writes, writes-follow-reads | sessions over all keys, versions key by key | nothing older than what was seen | `sessions` |
//! | regular-register, safe-register | each key | each read for itself, in real time | `regular` |
//! | k-atomic, bounded-staleness | each key | reads are stale by so much | `k_atomic`, `staleness` |
//! | eventual | each key | readers agree in the end | `eventual` |
//!
//! Failed operations did not happen. Crashed writes happened if and only if somebody read them, at any time after they were invoked; what
//! crashed and was not seen needs no place in any order. A value that nobody wrote breaks every model but the safe register's, where the read
//! overlaps a write.
//!
//! It must be known which write a read found. Where several wrote the same value, a refutation without such reads refutes, a proof with a
//! guess of their sources proves, and what lies between is unknown; the models of one key in real time need no such guess.

mod causal;
mod checker;
mod clocks;
mod contradiction;
mod eventual;
mod judge;
mod k_atomic;
mod minimal;
mod model;
mod options;
mod order;
mod outcome;
mod precedence;
mod registers;
mod regular;
mod sequential;
mod sessions;
mod staleness;
mod testimony;
mod views;
mod words;

pub use checker::{Consistency, Strongest, check};
pub use judge::ModelJudgement;
pub use model::{CONSISTENCY_MODELS, ConsistencyEntry, ConsistencyModel, IMPLICATIONS, Implication};
pub use options::Options;
pub use testimony::TestimonyError;
