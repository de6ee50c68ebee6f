//! Outcomes of operations, and the operations on which defects occur.

use elenchus_core::Rng;

use super::recipe::{DefectRate, Recipe};

/// The outcome of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It is executed, and its process receives the result.
    Completed,
    /// It is rejected and has no effect.
    Failed,
    /// Its process receives no result.
    Crashed(Effect),
}

/// When a crashed operation takes effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// While its process waits.
    Now,
    /// Possibly much later.
    Later,
    /// Never.
    Never,
}

/// Draws outcomes.
#[derive(Debug)]
pub(super) struct Outcomes {
    crash: f64,
    fail: f64,
    rng: Rng,
}

impl Outcomes {
    /// Creates the outcomes of a recipe.
    pub(super) fn new(recipe: &Recipe) -> Outcomes {
        Outcomes { crash: recipe.crash, fail: recipe.fail, rng: recipe.seed.stream("simulate fates") }
    }

    /// Draws the outcome of the next operation.
    pub(super) fn draw(&mut self) -> Outcome {
        let drawn = self.rng.unit();
        if drawn >= self.crash + self.fail {
            Outcome::Completed
        } else if drawn >= self.crash {
            Outcome::Failed
        } else {
            Outcome::Crashed(match self.rng.below(4) {
                0 | 1 => Effect::Now,
                2 => Effect::Later,
                _ => Effect::Never,
            })
        }
    }
}

/// Decides on which operations the defect of a store occurs.
#[derive(Debug)]
pub(super) struct Defects {
    defect_rate: DefectRate,
    /// With [`DefectRate::Once`]: the number of operations before the defect; `u64::MAX` once it has occurred.
    after: u64,
    rng: Rng,
}

impl Defects {
    /// Creates the defects of a recipe.
    pub(super) fn new(recipe: &Recipe) -> Defects {
        let mut rng = recipe.seed.stream("simulate defects");
        let after = recipe.operations / 4 + rng.below(recipe.operations / 2 + 1);
        Defects { defect_rate: recipe.defect_rate, after, rng }
    }

    /// Returns whether the defect is to occur on the current operation, of which `invoked` were invoked so far.
    pub(super) fn triggers(&mut self, invoked: u64) -> bool {
        match self.defect_rate {
            DefectRate::Share(share) => self.rng.chance(share),
            DefectRate::Once => invoked > self.after,
        }
    }

    /// Records that the defect occurred.
    pub(super) fn triggered(&mut self) {
        self.after = u64::MAX;
    }
}
