//! [`analyse`] as a [`Checker`].

use std::time::Instant;

use elenchus_core::{Anomaly, Checker, Event, Finding, History, Reading, Verdict, Watch};
use serde_json::{Value as Json, json};

use super::analysis::{Analysis, TransactionalOptions, analyse};
use super::datatype::Datatype;
use super::level::Level;
use super::transactions::{PushError, Transactions};
use super::watch::TransactionalWatch;

/// A checker of an isolation level.
pub struct Transactional {
    name: &'static str,
    datatype: Datatype,
    isolation: Level,
    initial: elenchus_core::Value,
    options: TransactionalOptions,
}

impl Transactional {
    /// Creates a checker of one level for one data type. Findings carry `name`. Registers hold `initial` before the first write.
    pub fn new(
        name: &'static str,
        datatype: Datatype,
        isolation: Level,
        initial: elenchus_core::Value,
        options: TransactionalOptions,
    ) -> Transactional {
        Transactional { name, datatype, isolation, initial, options }
    }

    fn read(&self) -> Loading<'_> {
        Loading { checker: self, transactions: Ok(Transactions::new(self.datatype).with_initial(&self.initial)) }
    }

    /// Checks transactions that were read from any source.
    pub fn check_transactions(&self, transactions: &Transactions) -> Finding {
        let begun = Instant::now();
        let analysis = analyse(transactions, &TransactionalOptions { isolation: self.isolation, ..self.options.clone() });
        let verdict = analysis.verdict(self.isolation);
        let mut details = details(&analysis);
        details["verdict"] = json!(verdict);
        details["isolation"] = json!(self.isolation.name());
        details["elapsed_ms"] = json!(begun.elapsed().as_secs_f64() * 1e3);
        let breaking = analysis.found.iter().filter(|(phenomenon, _)| super::Boundary::of([**phenomenon]).refutes(self.isolation));
        let anomalies = breaking.flat_map(|(phenomenon, found)| found.examples.iter().map(move |instance| (*phenomenon, instance)));
        Finding {
            checker: self.name.to_owned(),
            verdict,
            summary: self.summary(&analysis, verdict),
            anomalies: anomalies
                .map(|(phenomenon, instance)| Anomaly {
                    name: phenomenon.name().to_owned(),
                    key: instance.key.map(|key| transactions.key(key)),
                    description: sentence(phenomenon.entry().about),
                    operations: instance.transactions.iter().map(|&transaction| transactions.invoked(transaction)).collect(),
                    argument: analysis.argument(instance),
                    picture: Some(analysis.svg(phenomenon, instance)),
                    ..Anomaly::default()
                })
                .collect(),
            details,
        }
    }

    fn summary(&self, analysis: &Analysis<'_>, verdict: Verdict) -> String {
        let (committed, isolation) = (analysis.committed, self.isolation);
        match verdict {
            Verdict::Valid => format!("{isolation}: {committed} transactions"),
            Verdict::Unknown if analysis.gave_up.contains(&isolation) => {
                format!(
                    "{isolation} is undecided for {committed} transactions: the search reached its time or memory limit; no violation was found"
                )
            }
            Verdict::Unknown => format!(
                "{isolation} is undecided for {committed} transactions: no violation was found, but the reads do not determine the version order"
            ),
            Verdict::Invalid => {
                let list = |levels: &[Level]| levels.iter().map(|level| level.name()).collect::<Vec<_>>().join(", ");
                let found: Vec<&str> = analysis.found.keys().map(|phenomenon| phenomenon.name()).collect();
                format!(
                    "not {isolation}: found {} among {committed} transactions; weakest levels violated: {}; strongest levels not violated: {}",
                    found.join(", "),
                    list(&analysis.boundary.refuted),
                    list(&analysis.boundary.possible)
                )
            }
        }
    }
}

impl Checker for Transactional {
    fn name(&self) -> &'static str {
        self.name
    }

    fn check(&self, history: &History) -> Finding {
        let mut reading = self.read();
        history.events.iter().for_each(|event| reading.take(event));
        Box::new(reading).finding()
    }

    fn reading(&self) -> Option<Box<dyn Reading + '_>> {
        Some(Box::new(self.read()))
    }

    fn watch(&self) -> Option<Box<dyn Watch>> {
        let transactions = Transactions::new(self.datatype).with_initial(&self.initial);
        Some(Box::new(TransactionalWatch::new(transactions, &TransactionalOptions { isolation: self.isolation, ..self.options.clone() })))
    }
}

/// The transactions up to the first malformed event.
struct Loading<'c> {
    checker: &'c Transactional,
    transactions: Result<Transactions, PushError>,
}

impl Reading for Loading<'_> {
    fn take(&mut self, event: &Event) {
        if let Ok(transactions) = &mut self.transactions
            && let Err(error) = transactions.push(event)
        {
            self.transactions = Err(error);
        }
    }

    fn finding(self: Box<Self>) -> Finding {
        match self.transactions {
            Ok(transactions) => self.checker.check_transactions(&transactions),
            Err(error) => Finding {
                checker: self.checker.name.to_owned(),
                verdict: Verdict::Unknown,
                summary: format!("cannot check the history: {error}"),
                anomalies: Vec::new(),
                details: json!({
                    "verdict": Verdict::Unknown, "isolation": self.checker.isolation.name(),
                    "anomalies": {}, "refuted": [], "also_refuted": [], "possible": [],
                }),
            },
        }
    }
}

fn details(analysis: &Analysis<'_>) -> Json {
    let names = |levels: &[Level]| levels.iter().map(|level| level.name()).collect::<Vec<_>>();
    let anomalies: serde_json::Map<String, Json> = analysis
        .found
        .iter()
        .map(|(phenomenon, found)| {
            let examples: Vec<Json> = found.examples.iter().map(|instance| analysis.json(instance)).collect();
            let entry = phenomenon.entry();
            let json = json!({ "count": found.count, "counts": entry.counts, "about": entry.about, "examples": examples });
            (entry.name.to_owned(), json)
        })
        .collect();
    json!({
        "anomalies": anomalies,
        "refuted": names(&analysis.boundary.refuted),
        "also_refuted": names(&analysis.boundary.also_refuted),
        "possible": names(&analysis.boundary.possible),
        "gave_up": names(&analysis.gave_up),
        "transactions": analysis.transactions().len(),
        "committed": analysis.committed,
        "dependencies": analysis.edges,
        "largest_component": analysis.largest_component,
        "peak_bytes": analysis.peak_bytes,
    })
}

/// Capitalises a phrase and ends it with a full stop.
fn sentence(words: &str) -> String {
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| format!("{}{}.", first.to_uppercase(), letters.as_str()))
}
