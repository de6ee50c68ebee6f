//! The outcome of judging one model.

use elenchus_core::Anomaly;

use super::contradiction::Contradiction;

/// The outcome of judging reads and writes against a model.
#[derive(Clone, Debug)]
pub(crate) enum Outcome {
    /// The model allows the history.
    Holds,
    /// The model is violated by one contradiction, which may span keys and can be minimised.
    Broken(Contradiction),
    /// The model is violated by these anomalies, which need no minimisation.
    Anomalies(Vec<Anomaly>),
    /// Undecided, with the reason.
    Undecided(String),
}

impl Outcome {
    /// Undecided because the vector clocks of so many sessions do not fit into memory.
    pub(crate) fn too_large() -> Outcome {
        Outcome::Undecided("the history has too many sessions for its length: their vector clocks would take more than 2 GiB".to_owned())
    }

    /// Returns whether the model is violated.
    pub(crate) fn is_broken(&self) -> bool {
        matches!(self, Outcome::Broken(_) | Outcome::Anomalies(_))
    }
}
