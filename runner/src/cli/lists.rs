//! The commands that list what is available. Every list comes from the table of its kind.

use std::fmt::Write as _;

use elenchus_checkers::models::MODELS;
use elenchus_checkers::transactional::Level;
use elenchus_checkers::{ALL, Family, OptionEntry};
use elenchus_clients::ALL as CLIENTS;
use elenchus_control::system::Definition;
use elenchus_nemesis::catalogue;
use elenchus_systems::ALL as SYSTEMS;
use elenchus_workloads::ALL as WORKLOADS;
use serde_json::Value as Json;

use super::Failure;
use crate::plan;

/// Every checker with its options, and every model.
pub(super) fn checkers() -> String {
    let mut text = String::from("checkers (--checker NAME; consistency models of registers also as --model NAME):\n");
    let families = [Family::Linearizability, Family::Consistency, Family::Transactions, Family::Invariant];
    for family in families {
        let _ = writeln!(text, "\n{}:", family.as_str());
        for entry in ALL.iter().filter(|entry| entry.family == family) {
            let _ = writeln!(text, "  {:<20} {}", entry.name, entry.about);
            for OptionEntry { name, takes, default, about, .. } in entry.options {
                let _ = writeln!(text, "    {name:<18} {about} ({takes}; default: {default})");
            }
        }
    }
    text.push_str("\nmodels (--model NAME), with the operations that a history of each has:\n");
    for model in MODELS {
        let _ = writeln!(text, "  {:<20} {}", model.name, model.about);
    }
    let levels: Vec<&str> = Level::all().filter(|level| level.is_judged()).map(Level::name).collect();
    let _ = writeln!(text, "\nisolation levels (--isolation NAME; docs/transactions.md explains them):\n  {}", levels.join("\n  "));
    text
}

/// Every fault: as a Markdown page, or for a terminal.
pub(super) fn faults(is_markdown: bool) -> String {
    if is_markdown { catalogue::markdown() } else { catalogue::terminal() }
}

/// Every client with the data types that it offers, its settings and an example.
pub(super) fn clients() -> String {
    let mut text = String::from("clients (`client: NAME` in a plan, or with settings):\n");
    for entry in CLIENTS {
        let _ = writeln!(text, "\n  {}: {}", entry.name, entry.about);
        for offer in (entry.default)().build().offers() {
            let _ = writeln!(text, "    offers {}: {}", offer.data, offer.functions.join(", "));
        }
        if entry.accepts_credentials {
            text.push_str("    logs in with `credentials`\n");
        }
        settings(&(entry.schema)().to_value(), &mut text);
        let _ = writeln!(text, "    example: `client: {}`", entry.example);
    }
    text
}

/// Every workload with what it needs of a client, its checks, its settings and an example.
pub(super) fn workloads() -> String {
    let mut text = String::from("workloads (`workload: NAME` in a plan, or with settings):\n");
    for entry in WORKLOADS {
        let _ = writeln!(text, "\n  {}: {}", entry.name, entry.about);
        if let Ok(workload) = (entry.default)().build() {
            for need in workload.needs() {
                let _ = writeln!(text, "    needs a client with {}: {}", need.data, need.functions.join(", "));
            }
            for check in workload.checks() {
                let options: Vec<String> = check.options.iter().map(|(name, value)| format!("{name}: {value}")).collect();
                let _ = writeln!(text, "    checked by {} {{{}}}", check.checker, options.join(", "));
            }
        }
        settings(&(entry.schema)().to_value(), &mut text);
        let _ = writeln!(text, "    example: `workload: {}`", entry.example);
    }
    text
}

/// Every system with its options and its default client.
///
/// # Errors
/// When a definition is malformed.
pub(super) fn systems() -> Result<String, Failure> {
    let mut text = String::from("systems (`system: NAME` in a plan, or `system: {name: NAME, options: {…}}`):\n");
    for entry in SYSTEMS {
        let definition: Definition = plan::definition(entry)?;
        let _ = writeln!(text, "\n  {}: {}", entry.name, definition.summary);
        for (option, default) in &definition.options {
            let _ = writeln!(text, "    option {option}, by default {default:?}");
        }
        if let Some(client) = &definition.client {
            let _ = writeln!(text, "    default client: {client}");
        }
        let can: Vec<&str> =
            [("finds its primary", definition.primary.is_some()), ("changes its members", definition.membership.is_some())]
                .into_iter()
                .filter_map(|(what, can)| can.then_some(what))
                .collect();
        if !can.is_empty() {
            let _ = writeln!(text, "    {}", can.join("; "));
        }
    }
    Ok(text)
}

/// The settings that a schema describes: name, default, and the first sentence of the description.
fn settings(schema: &Json, text: &mut String) {
    let Some(properties) = schema.get("properties").and_then(Json::as_object) else { return };
    for (name, property) in properties {
        let description = property.get("description").and_then(Json::as_str).unwrap_or_default().replace('\n', " ");
        let default = property.get("default").map(|value| format!(" [{value}]")).unwrap_or_default();
        let _ = writeln!(text, "    {name}{default}: {description}");
    }
}
