//! What becomes of operations, and where defects strike.

use elenchus_core::Rng;

use super::recipe::{Recipe, Strikes};

/// What becomes of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is carried out, and its process is told the result.
    Answered,
    /// It is refused, and nothing happens.
    Refused,
    /// Its process is told nothing.
    Crashed(Effect),
}

/// When an operation takes effect of which nobody is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// While its process waits.
    Now,
    /// Perhaps much later.
    Later,
    /// Never.
    Never,
}

/// Decides fates.
#[derive(Debug)]
pub(super) struct Fates {
    crash: f64,
    fail: f64,
    rng: Rng,
}

impl Fates {
    /// The fates of a recipe.
    pub(super) fn new(recipe: &Recipe) -> Fates {
        Fates { crash: recipe.crash, fail: recipe.fail, rng: recipe.seed.stream("simulate fates") }
    }

    /// The fate of the next operation.
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

/// Decides where the store's defect strikes.
#[derive(Debug)]
pub(super) struct Lot {
    strikes: Strikes,
    /// With [`Strikes::Once`]: after how many operations; the greatest number once it has struck.
    after: u64,
    rng: Rng,
}

impl Lot {
    /// Where the defect of a recipe strikes.
    pub(super) fn new(recipe: &Recipe) -> Lot {
        let mut rng = recipe.seed.stream("simulate defects");
        let after = recipe.operations / 4 + rng.below(recipe.operations / 2 + 1);
        Lot { strikes: recipe.strikes, after, rng }
    }

    /// Whether the operation at hand is to be struck, when so many were asked for.
    pub(super) fn strikes(&mut self, asked: u64) -> bool {
        match self.strikes {
            Strikes::Share(share) => self.rng.chance(share),
            Strikes::Once => asked > self.after,
        }
    }

    /// It was struck.
    pub(super) fn struck(&mut self) {
        self.after = u64::MAX;
    }
}
