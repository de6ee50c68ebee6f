//! Monotonic ids and timestamps: what is given out later is greater.
//!
//! A number must be greater than every number that had been given out before it was asked for: by the same process, by the same node, by
//! anyone. A violation is reported under the narrowest of these that shows it, since it is the gravest. Concurrent requests may get numbers
//! in any order. Numbers are whole numbers, texts, or lists of them compared in order, as hybrid logical clocks are.
//!
//! Options: `scope`, the widest promise that is judged: `process`, `node` or `global` (global); `strict`, whether equal numbers are
//! violations (true).

use std::cmp::Ordering;
use std::mem::discriminant;

use elenchus_core::{Kind, NodeIndex, Operation, Process, Value};
use rustc_hash::FxHashMap;

use super::order::{Moment, moments};
use super::report::short;
use super::{Description, Evidence, Invariant, Part, Report, Shape, Word};
use crate::options::{BuildError, OptionEntry, OptionValues};

/// Among whom numbers must rise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// Those that one process was given.
    Process,
    /// Those that one node gave out.
    Node,
    /// All.
    #[default]
    Global,
}

/// The checker of rising numbers.
#[derive(Clone, Copy, Debug)]
pub struct Monotonic {
    /// The widest promise that is judged.
    pub scope: Scope,
    /// Whether equal numbers are violations.
    pub strict: bool,
}

impl Default for Monotonic {
    fn default() -> Monotonic {
        Monotonic { scope: Scope::Global, strict: true }
    }
}

/// Every scope with the anomaly that breaks it.
const SCOPES: [(Scope, &str); 3] =
    [(Scope::Process, "nonmonotonic-process"), (Scope::Node, "nonmonotonic-node"), (Scope::Global, "nonmonotonic")];

/// The group of a scope that an operation belongs to.
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

/// A number as it can be compared.
const NUMBER: Shape =
    Shape::Either(&[Shape::Int("n"), Shape::Some("text"), Shape::List(&Shape::Either(&[Shape::Int("n"), Shape::Some("text")]))]);

impl Invariant for Monotonic {
    const DESCRIPTION: Description = Description {
        name: "monotonic",
        about: "whether ids and timestamps rise, for every process, every node, and in real time over all",
        proves: "every number is greater than those given out before it was asked for",
        source: "jepsen cockroachdb/src/jepsen/cockroach/monotonic.clj; Lamport, Time, Clocks, and the Ordering of Events (1978)",
        vocabulary: &[
            Word { f: "generate", input: Shape::Any, output: NUMBER },
            Word { f: "timestamp", input: Shape::Any, output: NUMBER },
        ],
        anomalies: &[
            ("nonmonotonic-process", "a process was given a number that is not above one it had before"),
            ("nonmonotonic-node", "a node gave out a number that is not above one it had given out before"),
            ("nonmonotonic", "a number is not above one that had been given out before it was asked for"),
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
        let told = |at: u32| operations[at as usize].output.unwrap_or(&Value::Nil);
        let kinds = operations.iter().filter_map(|operation| operation.output).map(discriminant);
        if kinds.clone().any(|kind| Some(kind) != kinds.clone().next()) {
            report.doubt("some of the numbers are of another kind, so that they cannot be compared");
            return;
        }
        // The operation with the greatest number so far, by group; and what that was when an operation that is still open was asked.
        let mut greatest: FxHashMap<Group, u32> = FxHashMap::default();
        let mut open: FxHashMap<usize, [Option<u32>; SCOPES.len()]> = FxHashMap::default();
        let mut count = 0;
        for moment in moments(operations) {
            match moment {
                Moment::Asked(at) if operations[at].kind == Kind::Ok => {
                    let before = SCOPES.map(|(scope, _)| group(scope, &operations[at]).and_then(|group| greatest.get(&group).copied()));
                    open.insert(at, before);
                }
                Moment::Asked(_) => {}
                Moment::Succeeded(at) => {
                    count += 1;
                    let number = told(at as u32);
                    let breaks = |before: u32| match number.cmp(told(before)) {
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
                            let description = format!("{} was given out after {} had been.", short(number), short(told(before)));
                            Evidence::new(description, [&operations[before as usize], &operations[at]])
                        });
                    }
                    for group in SCOPES.iter().filter_map(|(scope, _)| group(*scope, &operations[at])) {
                        let best = greatest.entry(group).or_insert(at as u32);
                        if told(*best) < number {
                            *best = at as u32;
                        }
                    }
                }
            }
        }
        if count == 0 {
            report.doubt("no number was given out");
        }
        report.count("numbers", count);
    }
}
