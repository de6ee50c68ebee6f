//! Pictures of what was found, as SVG and as text for a terminal.
//!
//! A picture takes its ink from the page around it (`currentColor`), has no background, and needs nothing else: it can stand in a page or in a file of
//! its own. Whatever it shows is told again where a pointer rests.

pub(crate) mod graph;
mod lanes;

use elenchus_core::{Kind, Operation};

pub use lanes::Lanes;

/// Blue, vermilion and grey of a palette that colour-blind readers can tell apart (Okabe & Ito), read on white and on black.
pub(crate) const BLUE: &str = "#0072b2";
pub(crate) const VERMILION: &str = "#d55e00";
pub(crate) const GREY: &str = "#767677";

/// An operation in a few words, with a question mark where nobody knows whether it happened.
pub fn told(operation: &Operation<'_>) -> String {
    format!("{operation}{}", if operation.kind == Kind::Info { " ?" } else { "" })
}

/// Text as XML and HTML show it.
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
