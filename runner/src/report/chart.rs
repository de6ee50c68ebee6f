//! A drawing of the report.

/// A drawing.
pub(super) struct Chart {
    /// The file name without `.svg`.
    pub(super) name: String,
    /// The title.
    pub(super) title: String,
    /// The legend: CSS colours with their meaning.
    pub(super) legend: Vec<(&'static str, String)>,
    pub(super) svg: String,
}
