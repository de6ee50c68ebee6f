//! How the judgement of one model ends.

use elenchus_core::Anomaly;

use super::contradiction::Contradiction;

/// What was decided of reads and writes.
#[derive(Clone, Debug)]
pub(crate) enum Outcome {
    /// The model allows them.
    Holds,
    /// It does not, for one reason that spans all keys.
    Broken(Contradiction),
    /// It does not, for reasons that need no reduction.
    Anomalies(Vec<Anomaly>),
    /// Not decided, for this reason.
    Undecided(String),
}

impl Outcome {
    /// The clocks of so many sessions do not fit into memory.
    pub(crate) fn too_large() -> Outcome {
        Outcome::Undecided("the history has too many sessions for its length: their clocks would take more than 2 GiB".to_owned())
    }

    /// Whether it was refuted.
    pub(crate) fn is_broken(&self) -> bool {
        matches!(self, Outcome::Broken(_) | Outcome::Anomalies(_))
    }
}
