//! What is wrong with a plan, shown where it is wrong.

use elenchus_core::words;
use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, SourceCode};
use serde_yaml::Location;
use thiserror::Error;

/// An error of a plan, with the place in its text.
#[derive(Debug, Error)]
#[error("{message}")]
pub struct PlanError {
    message: String,
    help: Option<String>,
    source_text: Option<NamedSource<String>>,
    /// Byte offset and length.
    place: Option<(usize, usize)>,
}

impl PlanError {
    /// An error of no place in the text.
    pub fn plain(message: impl Into<String>) -> PlanError {
        PlanError { message: message.into(), help: None, source_text: None, place: None }
    }

    /// The same, with advice.
    pub fn help(mut self, help: impl Into<String>) -> PlanError {
        self.help = Some(help.into());
        self
    }

    /// An error at a place of a text.
    pub(super) fn at(text: &str, name: &str, location: Location, message: impl Into<String>) -> PlanError {
        let place = (location != Location::UNKNOWN).then(|| place(text, location.line() as usize, location.column() as usize));
        PlanError {
            message: message.into(),
            help: None,
            source_text: Some(NamedSource::new(name, text.to_owned()).with_language("yaml")),
            place,
        }
    }

    /// What the YAML reader said, with the nearest valid word where it met an unknown one.
    pub(super) fn from_yaml(text: &str, name: &str, error: &serde_yaml::Error) -> PlanError {
        let error = error.without_snippet();
        let rendered = error.to_string();
        let message = rendered.rsplit_once(" at line ").map_or(rendered.as_str(), |(what, _)| what).trim_end_matches([',', ':']).to_owned();
        let location = error.location().unwrap_or(Location::UNKNOWN);
        let help = suggestion(&message);
        PlanError { help, ..PlanError::at(text, name, location, message) }
    }

    /// As a person reads it: `file:line:column`, the excerpt, what was expected.
    pub fn render(&self, color: bool) -> String {
        let theme = if color { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
        let mut rendered = String::new();
        let handler = GraphicalReportHandler::new_themed(theme).with_width(100).with_links(false);
        if handler.render_report(&mut rendered, self).is_err() {
            return self.message.clone();
        }
        rendered
    }
}

impl Diagnostic for PlanError {
    fn help<'a>(&'a self) -> Option<Box<dyn std::fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn std::fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.place?;
        self.source_text.as_ref().map(|text| text as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let (offset, length) = self.place?;
        Some(Box::new(std::iter::once(LabeledSpan::new(Some("here".to_owned()), offset, length))))
    }
}

/// The byte offset of a line and column, both from 1, and the length of the word there.
fn place(text: &str, line: usize, column: usize) -> (usize, usize) {
    let start: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    let rest = &text[start.min(text.len())..];
    let in_line = rest.char_indices().nth(column.saturating_sub(1)).map_or(0, |(at, _)| at);
    let word = &rest[in_line..];
    let length = word.find(|c: char| c.is_whitespace() || ",]}:".contains(c)).unwrap_or(word.len());
    (start + in_line, length)
}

/// From "unknown field `x`, expected one of `a`, `b`" the nearest of what was expected.
fn suggestion(message: &str) -> Option<String> {
    let (wrong, expected) = message.split_once(", expected ")?;
    if !wrong.contains("unknown") {
        return None;
    }
    let wrong = wrong.split('`').nth(1)?;
    let valid: Vec<&str> = expected.split('`').skip(1).step_by(2).collect();
    words::nearest(wrong, valid).map(|near| format!("did you mean `{near}`?"))
}
