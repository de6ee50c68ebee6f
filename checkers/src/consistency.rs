//! Consistency models of single registers, weaker than linearizability.
//!
//! A history consists of `read → v`, `write v` and `cas [old new]`. A *session* is a process. A compare-and-set counts as a read of the old value
//! followed by a write of the new one; only sequential consistency and k-atomicity require that nothing comes between the two.
//!
//! | model | scope | requires | module |
//! | --- | --- | --- | --- |
//! | sequential | all keys | one total order that respects session order (Lamport 1979) | `sequential` |
//! | causal-memory (CM), pram | all keys | one order for each session | `views` |
//! | causal-convergence (CCv), causal (CC) | all keys | no read of a causally overwritten value | `causal` |
//! | read-your-writes, monotonic-reads, monotonic-writes, writes-follow-reads | sessions over all keys, versions per key | no version older than one already seen | `sessions` |
//! | regular-register, safe-register | each key | a condition on each read, in real time | `regular` |
//! | k-atomic, bounded-staleness | each key | a bound on the staleness of reads | `k_atomic`, `staleness` |
//! | eventual | each key | all readers converge | `eventual` |
//!
//! Failed operations did not take effect. A crashed write took effect if and only if an operation read it, at any time after its invocation; a crashed
//! write that was not read needs no place in any order. A value that no operation wrote violates every model, except the safe register when the
//! read overlaps a write.
//!
//! Most models need to know which write each read returned. Where several writes wrote the same value, such reads are left out to refute a model and
//! their sources are guessed to prove it; if neither succeeds the verdict is unknown. The models of one key in real time need no guess.

mod causal;
mod checker;
mod clocks;
mod contradiction;
mod eventual;
mod judge;
mod k_atomic;
mod link;
mod minimal;
mod model;
mod observations;
mod options;
mod order;
mod outcome;
mod precedence;
mod registers;
mod regular;
mod sequential;
mod sessions;
mod staleness;
mod views;
mod wording;

pub use checker::{Consistency, Strongest, check};
pub use judge::ModelJudgement;
pub use model::{CONSISTENCY_MODELS, ConsistencyEntry, ConsistencyModel, IMPLICATIONS, Implication};
pub use observations::RegisterHistoryError;
pub use options::ConsistencyOptions;
