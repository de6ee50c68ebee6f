//! Outcomes of operations, and the operations on which defects occur.

use elenchus_core::Rng;

use super::recipe::{Recipe, Strikes};

/// The outcome of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is executed, and its process receives the result.
    Answered,
    /// It is rejected and has no effect.
    Refused,
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
pub(super) struct Fates {
    crash: f64,
    fail: f64,
    rng: Rng,
}

impl Fates {
    /// Creates the outcomes of a recipe.
    pub(super) fn new(recipe: &Recipe) -> Fates {
        Fates { crash: recipe.crash, fail: recipe.fail, rng: recipe.seed.stream("simulate fates") }
    }

    /// Draws the outcome of the next operation.
    pub(super) fn draw(&mut self) -> Fate {
        let drawn = self.rng.unit();
        if drawn >= self.crash + self.fail {
            Fate::Answered
        } else if drawn >= self.crash {
            Fate::Refused
        } else {
            Fate::Crashed(match self.rng.below(4) {
                0 | 1 => Effect::Now,
                2 => Effect::Later,
                _ => Effect::Never,
            })
        }
    }
}

/// Decides on which operations the defect of a store occurs.
#[derive(Debug)]
pub(super) struct Lot {
    strikes: Strikes,
    /// With [`Strikes::Once`]: the number of operations before the defect; `u64::MAX` once it has occurred.
    after: u64,
    rng: Rng,
}

impl Lot {
    /// Creates the defects of a recipe.
    pub(super) fn new(recipe: &Recipe) -> Lot {
        let mut rng = recipe.seed.stream("simulate defects");
        let after = recipe.operations / 4 + rng.below(recipe.operations / 2 + 1);
        Lot { strikes: recipe.strikes, after, rng }
    }

    /// Returns whether the defect is to occur on the current operation, of which `asked` were invoked so far.
    pub(super) fn strikes(&mut self, asked: u64) -> bool {
        match self.strikes {
            Strikes::Share(share) => self.rng.chance(share),
            Strikes::Once => asked > self.after,
        }
    }

    /// Records that the defect occurred.
    pub(super) fn struck(&mut self) {
        self.after = u64::MAX;
    }
}
