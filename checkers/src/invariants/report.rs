//! The report on one object, and how reports on several objects are merged into one finding.

use std::collections::BTreeMap;

use elenchus_core::{Anomaly, EventIndex, Finding, Kind, Operation, Value, Verdict};
use serde_json::{Map, json};

use super::Description;

/// The maximum number of anomalies of one kind in a finding; all are counted.
pub const EXAMPLES: usize = 16;

/// The maximum number of doubts in a finding; all are counted.
const DOUBTS: usize = 16;

/// The maximum length of a value in a sentence, in characters.
const SHOWN: usize = 120;

/// The reported quantiles of a distribution, the same as in Jepsen's checkers.
const QUANTILES: [f64; 5] = [0.0, 0.5, 0.95, 0.99, 1.0];

/// The evidence for one anomaly.
pub struct Evidence {
    description: String,
    operations: Vec<EventIndex>,
    argument: Vec<String>,
}

impl Evidence {
    /// Creates evidence from a sentence and the operations that prove it; the argument lists these in order of invocation.
    pub fn new<'a, 'h: 'a>(description: impl Into<String>, proof: impl IntoIterator<Item = &'a Operation<'h>>) -> Evidence {
        let mut proof: Vec<&Operation<'_>> = proof.into_iter().collect();
        proof.sort_unstable_by_key(|operation| operation.invoked);
        proof.dedup_by_key(|operation| operation.invoked);
        Evidence {
            description: description.into(),
            operations: proof.iter().map(|operation| operation.invoked).collect(),
            argument: proof.iter().map(|operation| describe(operation)).collect(),
        }
    }

    /// Appends a sentence to the argument.
    pub fn because(mut self, sentence: impl Into<String>) -> Evidence {
        self.argument.push(sentence.into());
        self
    }
}

/// Describes an operation and its completion: `Process 3: add 5, invoked at #4, ok at #7.` Long values are truncated.
fn describe(operation: &Operation<'_>) -> String {
    let Operation { process, invoked, completed, kind, .. } = operation;
    let what = short(operation);
    match (kind, completed) {
        (_, None) => format!("Process {process}: {what}, invoked at {invoked}, never completed."),
        (Kind::Info, Some(completed)) => format!("Process {process}: {what}, invoked at {invoked}, crashed (info) at {completed}."),
        (kind, Some(completed)) => format!("Process {process}: {what}, invoked at {invoked}, {} at {completed}.", kind.as_str()),
    }
}

/// Formats a value or operation in at most [`SHOWN`] characters.
pub(super) fn short(value: &impl ToString) -> String {
    let text = value.to_string();
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// Returns a number with its noun: `1 operation`, `2 operations`.
fn counted(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// A statistic in the finding's details.
enum Figure {
    Count(u64),
    /// Samples in nanoseconds.
    Spread(Vec<u64>),
    Groups(BTreeMap<String, u64>),
}

impl Figure {
    fn absorb(&mut self, other: Figure) {
        match (self, other) {
            (Figure::Count(count), Figure::Count(more)) => *count += more,
            (Figure::Spread(samples), Figure::Spread(more)) => samples.extend(more),
            (Figure::Groups(groups), Figure::Groups(more)) => {
                more.into_iter().for_each(|(name, count)| *groups.entry(name).or_default() += count)
            }
            _ => {}
        }
    }

    fn into_json(self) -> serde_json::Value {
        match self {
            Figure::Count(count) => json!(count),
            Figure::Groups(groups) => json!(groups),
            Figure::Spread(mut samples) => {
                samples.sort_unstable();
                let at = |quantile: f64| samples.get(((samples.len() as f64 * quantile) as usize).min(samples.len().saturating_sub(1)));
                let quantiles = QUANTILES.iter().filter_map(|&quantile| Some((quantile.to_string(), json!(*at(quantile)? as f64 / 1e6))));
                serde_json::Value::Object(quantiles.collect())
            }
        }
    }
}

struct Found {
    name: &'static str,
    count: u64,
    examples: Vec<Anomaly>,
}

/// The anomalies, doubts and statistics of one object.
pub struct Report {
    key: Option<Value>,
    found: Vec<Found>,
    doubts: Vec<String>,
    doubted: u64,
    figures: BTreeMap<&'static str, Figure>,
}

impl Report {
    /// Creates an empty report on the object with this key.
    pub(super) fn new(key: Option<Value>) -> Report {
        Report { key, found: Vec::new(), doubts: Vec::new(), doubted: 0, figures: BTreeMap::new() }
    }

    /// Counts an anomaly; `evidence` is called only if it will be shown.
    pub fn found(&mut self, name: &'static str, evidence: impl FnOnce() -> Evidence) {
        self.found_many(name, 1, evidence);
    }

    /// Counts several anomalies with the same evidence; does nothing if `count` is zero.
    pub fn found_many(&mut self, name: &'static str, count: u64, evidence: impl FnOnce() -> Evidence) {
        if count == 0 {
            return;
        }
        let at = self.kind(name);
        let found = &mut self.found[at];
        found.count += count;
        if found.examples.len() < EXAMPLES {
            let Evidence { description, operations, argument } = evidence();
            found.examples.push(Anomaly {
                name: name.to_owned(),
                key: self.key.clone(),
                description,
                operations,
                argument,
                ..Anomaly::default()
            });
        }
    }

    fn kind(&mut self, name: &'static str) -> usize {
        self.found.iter().position(|found| found.name == name).unwrap_or_else(|| {
            self.found.push(Found { name, count: 0, examples: Vec::new() });
            self.found.len() - 1
        })
    }

    /// Adds a reason why the history is inconclusive: unless there is an anomaly, the verdict is unknown.
    pub fn doubt(&mut self, reason: impl Into<String>) {
        self.doubted += 1;
        if self.doubts.len() < DOUBTS {
            self.doubts.push(reason.into());
        }
    }

    /// Adds to a count in the statistics.
    pub fn count(&mut self, figure: &'static str, count: u64) {
        self.figure(figure, Figure::Count(count));
    }

    /// Adds samples, in nanoseconds, to a distribution in the statistics; it is reported as quantiles in milliseconds.
    pub fn spread(&mut self, figure: &'static str, nanoseconds: Vec<u64>) {
        self.figure(figure, Figure::Spread(nanoseconds));
    }

    /// Adds to the counts by group in the statistics.
    pub fn groups(&mut self, figure: &'static str, groups: BTreeMap<String, u64>) {
        self.figure(figure, Figure::Groups(groups));
    }

    fn figure(&mut self, name: &'static str, figure: Figure) {
        match self.figures.entry(name) {
            std::collections::btree_map::Entry::Vacant(vacant) => {
                vacant.insert(figure);
            }
            std::collections::btree_map::Entry::Occupied(mut known) => known.get_mut().absorb(figure),
        }
    }

    /// Merges another object's report into this one.
    pub(super) fn absorb(&mut self, other: Report) {
        for theirs in other.found {
            let at = self.kind(theirs.name);
            let ours = &mut self.found[at];
            ours.count += theirs.count;
            ours.examples.extend(theirs.examples.into_iter().take(EXAMPLES - ours.examples.len().min(EXAMPLES)));
        }
        let doubts = match &other.key {
            Some(key) => other.doubts.iter().map(|doubt| format!("key {}: {doubt}", short(key))).collect(),
            None => other.doubts,
        };
        self.doubted += other.doubted;
        self.doubts.extend(doubts.into_iter().take(DOUBTS - self.doubts.len().min(DOUBTS)));
        for (name, figure) in other.figures {
            self.figure(name, figure);
        }
    }

    /// Turns the report into a finding.
    pub(super) fn finding(mut self, description: &Description, operations: usize, keys: usize) -> Finding {
        let rank = |name: &str| description.anomalies.iter().position(|(known, _)| *known == name);
        self.found.sort_by_key(|found| rank(found.name));
        let checked = match keys {
            0 | 1 => counted(operations, "operation"),
            _ => format!("{} on {keys} keys", counted(operations, "operation")),
        };
        let (verdict, summary) = if !self.found.is_empty() {
            let kinds: Vec<String> = self.found.iter().map(|found| format!("{} {}", found.count, found.name)).collect();
            (Verdict::Invalid, format!("{checked}: {}", kinds.join(", ")))
        } else if let Some(first) = self.doubts.first() {
            let more = self.doubted - 1;
            (Verdict::Unknown, if more == 0 { first.clone() } else { format!("{first} (and {})", counted(more as usize, "more reason")) })
        } else {
            (Verdict::Valid, format!("{checked}: {}", description.proves))
        };
        let mut details = Map::new();
        details.insert("operations".to_owned(), json!(operations));
        details.insert("keys".to_owned(), json!(keys));
        details.insert("counts".to_owned(), self.found.iter().map(|found| (found.name.to_owned(), json!(found.count))).collect());
        details.insert("doubts".to_owned(), json!(self.doubts));
        details.extend(self.figures.into_iter().map(|(name, figure)| (name.to_owned(), figure.into_json())));
        Finding {
            checker: description.name.to_owned(),
            verdict,
            summary,
            anomalies: self.found.into_iter().flat_map(|found| found.examples).collect(),
            details: details.into(),
        }
    }
}
