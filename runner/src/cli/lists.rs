//! The commands that list what is available.

use std::fmt::Write as _;

use elenchus_checkers::ALL;
use elenchus_checkers::models::MODELS;
use elenchus_nemesis::about;

/// Every checker with its options, and every model.
pub(super) fn checkers() -> String {
    let mut text = String::from("checkers (--checker NAME; consistency models of registers also as --model NAME):\n");
    for entry in ALL {
        let options = if entry.options.is_empty() { String::new() } else { format!(" [{}]", entry.options.join(", ")) };
        let _ = writeln!(text, "  {:<20} {}{options}", entry.name, entry.about);
    }
    text.push_str("\nmodels (--model NAME), with the operations that a history of each has:\n");
    for model in MODELS {
        let _ = writeln!(text, "  {:<20} {}", model.name, model.about);
    }
    text
}

/// Every fault: as a Markdown page, or for a terminal.
pub(super) fn faults(is_markdown: bool) -> String {
    if is_markdown { about::markdown() } else { about::terminal() }
}
