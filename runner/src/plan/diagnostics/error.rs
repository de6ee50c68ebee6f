//! An error of a plan, shown at its place in the text.

use std::ops::Range;

use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, SourceCode};
use thiserror::Error;

/// The longest line that is shown, in bytes: a longer one would bury the message.
const LINE_MAX: usize = 300;

/// An error of a plan, with the place in its text.
#[derive(Debug, Error)]
#[error("{message}")]
pub struct PlanError {
    message: String,
    help: Option<String>,
    source_text: Option<NamedSource<String>>,
    /// Labels at byte ranges of the text.
    labels: Vec<(Range<usize>, Option<String>)>,
}

impl PlanError {
    /// An error without a place.
    pub fn plain(message: impl Into<String>) -> PlanError {
        PlanError { message: message.into(), help: None, source_text: None, labels: Vec::new() }
    }

    /// Adds advice.
    pub fn help(mut self, help: impl Into<String>) -> PlanError {
        self.help = Some(help.into());
        self
    }

    /// Sets the label at the place.
    pub(crate) fn label(mut self, label: Option<String>) -> PlanError {
        if let Some((_, said)) = self.labels.first_mut() {
            *said = label;
        }
        self
    }

    /// An error at a place of a text. Where the line is too long to be shown, the message names the place.
    pub(crate) fn at(text: &str, name: &str, place: Range<usize>, message: impl Into<String>) -> PlanError {
        let mut start = place.start.min(text.len());
        // At the end of the text, show the last line that is not blank.
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
            source_text: Some(NamedSource::new(name, without_control_characters(text)).with_language("yaml")),
            labels: vec![(start..place.end.clamp(start, line.end), None)],
        }
    }

    /// The message with `file:line:column`, the excerpt and the advice.
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

/// The text with control characters, which a terminal would obey, as spaces. Every other byte keeps its place.
fn without_control_characters(text: &str) -> String {
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
