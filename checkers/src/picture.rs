//! Pictures of counterexamples, as SVG and as text for a terminal.
//!
//! A picture takes its colour from the page around it (`currentColor`), has no background, and needs no other file: it can be embedded in a
//! page or stand alone. Tooltips repeat in words what it shows.

pub(crate) mod graph;
mod lanes;

use elenchus_core::{Kind, Operation};

pub use lanes::Lanes;

/// Blue, vermilion and grey of a palette that colour-blind readers can distinguish (Okabe & Ito), legible on white and on black.
pub(crate) const BLUE: &str = "#0072b2";
pub(crate) const VERMILION: &str = "#d55e00";
pub(crate) const GREY: &str = "#767677";

/// An operation in a few words, with a question mark if its outcome is unknown.
pub fn label(operation: &Operation<'_>) -> String {
    format!("{operation}{}", if operation.kind == Kind::Info { " ?" } else { "" })
}

/// Escapes text for XML and HTML.
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
