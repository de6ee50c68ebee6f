//! Pictures of what was found, as SVG and as text for a terminal.
//!
//! A picture takes its ink from the page around it (`currentColor`), has no background, and needs nothing else: it can stand in a page or in a file of
//! its own. Whatever it shows is told again where a pointer rests.

mod lanes;

pub use lanes::Lanes;

/// Blue, vermilion and grey of a palette that colour-blind readers can tell apart (Okabe & Ito), read on white and on black.
pub(crate) const BLUE: &str = "#0072b2";
pub(crate) const VERMILION: &str = "#d55e00";
pub(crate) const GREY: &str = "#767677";

/// Text as XML and HTML show it.
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
