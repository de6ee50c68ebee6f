//! Convergence: after healing, all replicas have the same state, and one that the updates allow.
//!
//! The last read of each node is its final state; it must be made after faults are healed and replication has had time to complete. Updates that
//! crashed, or completed only after the first of these reads began, are *open*: they may have reached some replicas and not others, so a difference
//! that they explain proves nothing.
//!
//! Option: `data`, the replicated data type, which determines the merge rule (register):
//!
//! | data | operations | condition on final states |
//! | --- | --- | --- |
//! | `register` | `write v` | last writer wins: the value was written, and the node that took the write took no later one |
//! | `set` | `add v`, `remove v` | observed-remove: elements added after every remove are present; those added and later removed at the same node are not |
//! | `counter` | `add n`, `increment`, `decrement` | the sum of all updates, with or without the open ones |

mod counter;
mod register;
mod set;

use elenchus_core::{EventIndex, Kind, NodeIndex, Operation};
use rustc_hash::FxHashMap;

use super::real_time::{succeeded, succeeded_by};
use super::{Description, Evidence, Invariant, Part, Report, Shape, Word};
use crate::options::{BuildError, OptionEntry, OptionValues};

/// The replicated data type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Replicated {
    /// A last-writer-wins register.
    #[default]
    Register,
    /// An observed-remove set: an add wins over a concurrent remove.
    Set,
    /// A counter.
    Counter,
}

/// The checker for the convergence of replicas.
#[derive(Clone, Copy, Debug, Default)]
pub struct Convergence {
    /// The replicated data type.
    pub data: Replicated,
}

/// The final reads, and all operations.
struct Finals<'a, 'h> {
    operations: &'a [Operation<'h>],
    /// The last read of each node, in order of completion.
    reads: Vec<&'a Operation<'h>>,
    /// The invocation of the first of them.
    begun: EventIndex,
}

impl Finals<'_, '_> {
    /// Returns whether an update had certainly taken effect at some replica before the final reads.
    fn is_settled(&self, update: &Operation<'_>) -> bool {
        succeeded_by(update, self.begun)
    }

    /// Returns whether an update may still be in flight.
    fn is_open(&self, update: &Operation<'_>) -> bool {
        update.kind != Kind::Fail && !self.is_settled(update)
    }
}

impl Invariant for Convergence {
    const DESCRIPTION: Description = Description {
        name: "convergence",
        about: "whether replicas converge after healing, to a state that the updates allow",
        proves: "the replicas converged to a state that the updates allow",
        source: "Shapiro et al., A comprehensive study of convergent and commutative replicated data types (INRIA 7506, 2011)",
        vocabulary: &[
            Word { f: "write", input: Shape::Some("v"), output: Shape::Any },
            Word { f: "add", input: Shape::Some("v"), output: Shape::Any },
            Word { f: "remove", input: Shape::Some("v"), output: Shape::Any },
            Word { f: "increment", input: Shape::Any, output: Shape::Any },
            Word { f: "decrement", input: Shape::Any, output: Shape::Any },
            Word { f: "read", input: Shape::Any, output: Shape::Any },
        ],
        anomalies: &[
            ("diverged", "the final states of two replicas differ"),
            ("lost", "a replica lost an update"),
            ("resurrected", "a replica has an element that was removed at the node that had added it"),
            ("overwritten", "a replica has a value that was overwritten at the node that took the write"),
            ("unexpected", "a replica has a value that was never written (phantom)"),
            ("aborted", "a replica has a value whose update failed"),
            ("wrong-count", "a replica has a count that is not a possible sum of the updates"),
        ],
        options: &[OptionEntry::new("data", "`register`, `set` or `counter`")
            .default("register")
            .example("\"set\"")
            .about("the type of data that is replicated")],
        splits_by_key: true,
    };

    fn from_options(options: &OptionValues<'_>) -> Result<Convergence, BuildError> {
        let data = |word: &serde_json::Value| match word.as_str()? {
            "register" => Some(Replicated::Register),
            "set" => Some(Replicated::Set),
            "counter" => Some(Replicated::Counter),
            _ => None,
        };
        Ok(Convergence { data: options.get("data", data)?.unwrap_or_default() })
    }

    fn judge(&self, part: &Part<'_>, report: &mut Report) {
        let operations = &part.operations;
        let mut last: FxHashMap<NodeIndex, &Operation<'_>> = FxHashMap::default();
        for read in succeeded(operations, "read") {
            if let Some(node) = read.node {
                let known = last.entry(node).or_insert(read);
                if known.completed < read.completed {
                    *known = read;
                }
            }
        }
        let mut reads: Vec<&Operation<'_>> = last.into_values().collect();
        reads.sort_unstable_by_key(|read| read.completed);
        let Some(begun) = reads.iter().map(|read| read.invoked).min() else {
            report.doubt("no read with a node succeeded");
            return;
        };
        if reads.len() < 2 {
            report.doubt("only one node was read, so there are no replicas to compare");
        }
        report.count("replicas", reads.len() as u64);
        let finals = Finals { operations, reads, begun };
        report.count("open", operations.iter().filter(|it| it.f != "read" && finals.is_open(it)).count() as u64);
        match self.data {
            Replicated::Register => register::judge(part, &finals, report),
            Replicated::Set => set::judge(part, &finals, report),
            Replicated::Counter => counter::judge(part, &finals, report),
        }
    }
}

/// Evidence of a replica with an impossible final state.
fn holds<'a, 'h: 'a>(part: &Part<'_>, read: &'a Operation<'h>, what: &str, proof: impl IntoIterator<Item = &'a Operation<'h>>) -> Evidence {
    let node = read.node.map_or_else(String::new, |node| part.history.node_name(node));
    Evidence::new(format!("The final state of {node} {what}."), proof.into_iter().chain([read]))
}
