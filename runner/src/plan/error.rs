//! What is wrong with a plan, shown where it is wrong.

use std::ops::Range;

use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, SourceCode};
use thiserror::Error;

/// Lines longer than this are not shown: they would bury the message.
const LINE_MAX: usize = 300;

/// An error of a plan, with the place in its text.
#[derive(Debug, Error)]
#[error("{message}")]
pub struct PlanError {
    message: String,
    help: Option<String>,
    source_text: Option<NamedSource<String>>,
    /// What is said at which bytes of the text.
    labels: Vec<(Range<usize>, Option<String>)>,
}

impl PlanError {
    /// An error of no place in the text.
    pub fn plain(message: impl Into<String>) -> PlanError {
        PlanError { message: message.into(), help: None, source_text: None, labels: Vec::new() }
    }

    /// The same, with advice.
    pub fn help(mut self, help: impl Into<String>) -> PlanError {
        self.help = Some(help.into());
        self
    }

    /// The same, saying so where it points to.
    pub(super) fn label(mut self, label: Option<String>) -> PlanError {
        if let Some((_, said)) = self.labels.first_mut() {
            *said = label;
        }
        self
    }

    /// An error at a place of a text. A place in a line too long to be shown is told in the message.
    pub(super) fn at(text: &str, name: &str, place: Range<usize>, message: impl Into<String>) -> PlanError {
        let mut start = place.start.min(text.len());
        // At the text's end, show the last line that says something.
        if text[start..].trim().is_empty() {
            start = text.trim_end().len();
        }
        let line = text[..start].rfind('\n').map_or(0, |at| at + 1)..text[start..].find('\n').map_or(text.len(), |at| start + at);
        if line.len() > LINE_MAX || text.trim().is_empty() {
            let number = text[..start].matches('\n').count() + 1;
            let column = text[line.start..start].chars().count() + 1;
            return PlanError::plain(format!("{name}:{number}:{column}: {}", message.into()));
        }
        PlanError {
            message: message.into(),
            help: None,
            source_text: Some(NamedSource::new(name, harmless(text)).with_language("yaml")),
            labels: vec![(start..place.end.clamp(start, line.end), None)],
        }
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

/// The text without characters that would do something to a terminal, every byte else in its place.
fn harmless(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_control() && c != '\n' && c != '\t' { ' ' } else { c }).collect()
}

impl Diagnostic for PlanError {
    fn help<'a>(&'a self) -> Option<Box<dyn std::fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn std::fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.source_text.as_ref().map(|text| text as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let spans = self.labels.iter().map(|(place, label)| LabeledSpan::new(label.clone(), place.start, place.len()));
        Some(Box::new(spans))
    }
}
