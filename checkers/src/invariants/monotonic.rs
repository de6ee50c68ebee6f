//! Monotonic ids and timestamps: later ones are greater.
//!
//! A number must be greater than every number returned before its operation was invoked: to the same process, by the same node, or by any. A violation
//! is reported under the narrowest scope that proves it, since that is the gravest. Concurrent operations may return numbers in any order.
//! Numbers are integers, texts, or lists of these in lexicographic order, like hybrid logical clocks.
//!
//! Options: `scope`, the widest scope that is checked: `process`, `node` or `global` (global); `strict`, whether equal numbers are violations (true).

use std::cmp::Ordering;
use std::mem::discriminant;

use elenchus_core::{Kind, NodeIndex, Operation, Process, Value};
use rustc_hash::FxHashMap;

use super::real_time::{Moment, moments};
use super::report::short;
use super::{Description, Evidence, Invariant, Part, Report, Shape, Word};
use crate::options::{BuildError, OptionEntry, OptionValues};

/// The operations among which numbers must increase.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// Those of one process.
    Process,
    /// Those of one node.
    Node,
    /// All.
    #[default]
    Global,
}

/// The checker for monotonic ids and timestamps.
#[derive(Clone, Copy, Debug)]
pub struct Monotonic {
    /// The widest scope that is checked.
    pub scope: Scope,
    /// Whether equal numbers are violations.
    pub strict: bool,
}

impl Default for Monotonic {
    fn default() -> Monotonic {
        Monotonic { scope: Scope::Global, strict: true }
    }
}

/// Every scope with the name of its anomaly.
const SCOPES: [(Scope, &str); 3] =
    [(Scope::Process, "nonmonotonic-process"), (Scope::Node, "nonmonotonic-node"), (Scope::Global, "nonmonotonic")];

/// The group within a scope that an operation belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Group {
    Process(Process),
    Node(NodeIndex),
    All,
}

fn group(scope: Scope, operation: &Operation<'_>) -> Option<Group> {
    match scope {
        Scope::Process => Some(Group::Process(operation.process)),
        Scope::Node => operation.node.map(Group::Node),
        Scope::Global => Some(Group::All),
    }
}

/// A comparable number.
const NUMBER: Shape =
    Shape::Either(&[Shape::Int("n"), Shape::Some("text"), Shape::List(&Shape::Either(&[Shape::Int("n"), Shape::Some("text")]))]);

impl Invariant for Monotonic {
    const DESCRIPTION: Description = Description {
        name: "monotonic",
        about: "whether ids and timestamps increase for every process, every node, and globally in real time",
        proves: "every number is greater than those returned before it was requested",
        source: "jepsen cockroachdb/src/jepsen/cockroach/monotonic.clj; Lamport, Time, Clocks, and the Ordering of Events (1978)",
        vocabulary: &[
            Word { f: "generate", input: Shape::Any, output: NUMBER },
            Word { f: "timestamp", input: Shape::Any, output: NUMBER },
        ],
        anomalies: &[
            ("nonmonotonic-process", "a process received a number that is not greater than an earlier one"),
            ("nonmonotonic-node", "a node returned a number that is not greater than an earlier one"),
            ("nonmonotonic", "a number is not greater than one returned before it was requested"),
        ],
        options: &[
            OptionEntry::new("scope", "`process`, `node` or `global`")
                .default("global")
                .example("\"process\"")
                .about("the widest group of operations whose numbers must increase"),
            OptionEntry::flag("strict", "true").about("whether equal numbers are anomalies"),
        ],
        splits_by_key: true,
    };

    fn from_options(options: &OptionValues<'_>) -> Result<Monotonic, BuildError> {
        let scope = |word: &serde_json::Value| match word.as_str()? {
            "process" => Some(Scope::Process),
            "node" => Some(Scope::Node),
            "global" => Some(Scope::Global),
            _ => None,
        };
        Ok(Monotonic { scope: options.get("scope", scope)?.unwrap_or_default(), strict: options.flag("strict")?.unwrap_or(true) })
    }

    fn judge(&self, part: &Part<'_>, report: &mut Report) {
        let operations = &part.operations;
        let value = |at: u32| operations[at as usize].output.unwrap_or(&Value::Nil);
        let kinds = operations.iter().filter_map(|operation| operation.output).map(discriminant);
        if kinds.clone().any(|kind| Some(kind) != kinds.clone().next()) {
            report.doubt("the numbers are of different types (integer, text, list), so they cannot be compared");
            return;
        }
        // By group: the operation with the greatest number so far; by open operation: those at its invocation.
        let mut greatest: FxHashMap<Group, u32> = FxHashMap::default();
        let mut open: FxHashMap<usize, [Option<u32>; SCOPES.len()]> = FxHashMap::default();
        let mut count = 0;
        for moment in moments(operations) {
            match moment {
                Moment::Invoked(at) if operations[at].kind == Kind::Ok => {
                    let before = SCOPES.map(|(scope, _)| group(scope, &operations[at]).and_then(|group| greatest.get(&group).copied()));
                    open.insert(at, before);
                }
                Moment::Invoked(_) => {}
                Moment::Completed(at) => {
                    count += 1;
                    let number = value(at as u32);
                    let breaks = |before: u32| match number.cmp(value(before)) {
                        Ordering::Less => true,
                        Ordering::Equal => self.strict,
                        Ordering::Greater => false,
                    };
                    let before = open.remove(&at).unwrap_or_default();
                    let broken = SCOPES
                        .iter()
                        .zip(before)
                        .find_map(|((scope, name), before)| Some((name, before.filter(|&before| *scope <= self.scope && breaks(before))?)));
                    if let Some((name, before)) = broken {
                        report.found(name, || {
                            let description = format!("{} was returned after {}.", short(number), short(value(before)));
                            Evidence::new(description, [&operations[before as usize], &operations[at]])
                        });
                    }
                    for group in SCOPES.iter().filter_map(|(scope, _)| group(*scope, &operations[at])) {
                        let best = greatest.entry(group).or_insert(at as u32);
                        if value(*best) < number {
                            *best = at as u32;
                        }
                    }
                }
            }
        }
        if count == 0 {
            report.doubt("no number was returned");
        }
        report.count("numbers", count);
    }
}
