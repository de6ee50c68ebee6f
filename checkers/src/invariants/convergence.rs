//! Convergence: after healing, all replicas hold the same, and only what the updates allow.
//!
//! The last read of each node is its final state; it must be made after faults were healed and replication had its time. Updates that crashed,
//! or were answered only after the first of these reads had begun, are *open*: they may have reached some replicas and not others, so that a
//! difference that they explain proves nothing.
//!
//! Option: `data`, what is replicated, and with it the law that is judged (register):
//!
//! | data | operations | what must hold of final states |
//! | --- | --- | --- |
//! | `register` | `write v` | last writer wins: somebody wrote it, and the node that took the write took no other after it |
//! | `set` | `add v`, `remove v` | observed-remove: what was added after every remove is there; what was added and then removed at the same node is not |
//! | `counter` | `add n`, `increment`, `decrement` | the sum of all updates, give or take the open ones |

mod counter;
mod register;
mod set;

use elenchus_core::{EventIndex, Kind, NodeIndex, Operation};
use rustc_hash::FxHashMap;

use super::order::{succeeded, succeeded_by};
use super::{Description, Evidence, Invariant, Part, Report, Shape, Word};
use crate::options::{BuildError, OptionEntry, OptionValues};

/// What replicas hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Replicated {
    /// One value; the last writer wins.
    #[default]
    Register,
    /// Elements that can be removed; an add wins over a remove that did not see it.
    Set,
    /// A number that is added to.
    Counter,
}

/// The checker of replicas.
#[derive(Clone, Copy, Debug, Default)]
pub struct Convergence {
    /// What is replicated.
    pub data: Replicated,
}

/// The final states, and the operations before them.
struct Finals<'a, 'h> {
    operations: &'a [Operation<'h>],
    /// The last read of each node, in order of completion.
    reads: Vec<&'a Operation<'h>>,
    /// Where the first of them begins.
    begun: EventIndex,
}

impl Finals<'_, '_> {
    /// Whether an update had certainly taken effect at some replica before the final reads.
    fn is_settled(&self, update: &Operation<'_>) -> bool {
        succeeded_by(update, self.begun)
    }

    /// Whether an update may still be on its way.
    fn is_open(&self, update: &Operation<'_>) -> bool {
        update.kind != Kind::Fail && !self.is_settled(update)
    }
}

impl Invariant for Convergence {
    const DESCRIPTION: Description = Description {
        name: "convergence",
        about: "whether replicas hold the same after healing, and what the updates allow",
        proves: "the replicas hold the same, and what the updates allow",
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
            ("diverged", "two replicas differ in the end"),
            ("lost", "a replica lacks what must be there"),
            ("resurrected", "a replica has what was removed by whoever had seen it"),
            ("overwritten", "a replica has a value that its node had overwritten"),
            ("unexpected", "a replica has what nobody wrote"),
            ("aborted", "a replica has what only a failed update wrote"),
            ("wrong-count", "a replica counts what the updates cannot sum to"),
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
            report.doubt("no read of a named node succeeded");
            return;
        };
        if reads.len() < 2 {
            report.doubt("only one node was read, so that replicas cannot be compared");
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

/// A replica that holds what it cannot.
fn holds<'a, 'h: 'a>(part: &Part<'_>, read: &'a Operation<'h>, what: &str, proof: impl IntoIterator<Item = &'a Operation<'h>>) -> Evidence {
    let node = read.node.map_or_else(String::new, |node| part.history.node_name(node));
    Evidence::new(format!("In the end {node} {what}."), proof.into_iter().chain([read]))
}
