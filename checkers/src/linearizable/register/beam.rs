//! Beam widths for the register search: narrow at first, wider where a narrow beam fails.
//!
//! If a beam had to drop a configuration, an empty frontier proves nothing: the search backtracks a little and tries a wider beam until it
//! gets past that moment. If the widest beam fails, the exhaustive search must decide (see [`race`](crate::linearizable::race)).

/// The number of moments between two checkpoints.
pub(super) const CHECKPOINT_INTERVAL: usize = 8;

/// The number of checkpoints kept.
pub(super) const CHECKPOINTS: usize = 1280;

/// The number of moments beyond the failure for which a wider beam is kept.
const MARGIN: usize = 16;

/// If a beam fails more often than once in this many moments, the search starts with a wider one.
const LEAST_SPACING: usize = 48;

/// Limits on the configurations kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Beam {
    /// The number of configurations kept between two returns.
    pub(super) width: usize,
    /// The number of steps between two returns that are tried once a configuration that passes the return has been found.
    pub(super) patience: usize,
    /// Whether the crashed operations used are compared by their total number rather than by class.
    pub(super) is_rough: bool,
    /// The number of moments to backtrack before this beam is used; none: to the beginning.
    back: Option<usize>,
}

impl Beam {
    /// A beam that drops nothing.
    pub(super) const ALL: Beam = Beam { width: usize::MAX, patience: usize::MAX, is_rough: false, back: None };
}

/// The beams, narrowest first.
const BEAMS: [Beam; 7] = [
    Beam { width: 1, patience: 1, is_rough: true, back: Some(0) },
    Beam { width: 2, patience: 1, is_rough: true, back: Some(8) },
    Beam { width: 8, patience: 8, is_rough: true, back: Some(32) },
    Beam { width: 64, patience: 64, is_rough: true, back: Some(128) },
    Beam { width: 128, patience: 1000, is_rough: true, back: Some(1024) },
    Beam { width: 128, patience: 10_000, is_rough: true, back: Some(8192) },
    Beam { width: 1024, patience: 80_000, is_rough: false, back: None },
];

/// The number of beams to which the search may return after using a wider one.
const USUAL_LEVELS: usize = 4;

/// The choice of the beam.
pub(super) struct Widening {
    level: usize,
    /// The level to which the search returns.
    usual: usize,
    /// The latest moment at which the frontier was empty.
    emptied_at: usize,
    /// The latest moment that needed a wider beam than the usual one, and that beam: narrower ones are not tried again up to there.
    hard_spot: (usize, usize),
    /// The number of failures of the usual beam.
    failures: usize,
}

impl Widening {
    /// If some operations crashed, the narrowest beam is skipped: it nearly always fails.
    pub(super) fn new(has_crashed: bool) -> Widening {
        let usual = usize::from(has_crashed);
        Widening { level: usual, usual, emptied_at: 0, hard_spot: (0, 0), failures: 0 }
    }

    /// The beam for a moment.
    pub(super) fn beam(&mut self, at: usize) -> Beam {
        if self.level > self.usual && BEAMS[self.level].back.is_some() && at > self.emptied_at + MARGIN {
            self.hard_spot = (self.emptied_at, self.level);
            self.level = self.usual;
        }
        BEAMS[self.level_at(at)]
    }

    fn level_at(&self, at: usize) -> usize {
        let (place, level) = self.hard_spot;
        if at <= place { self.level.max(level) } else { self.level }
    }

    /// Widens the beam after a failure at a moment. Returns the moment to backtrack to, or none if this was the widest beam.
    pub(super) fn widen(&mut self, at: usize) -> Option<usize> {
        if self.level == self.usual {
            self.failures += 1;
            if self.failures * LEAST_SPACING > at + LEAST_SPACING && self.usual + 1 < USUAL_LEVELS {
                (self.usual, self.failures) = (self.usual + 1, 0);
            }
        }
        self.emptied_at = self.emptied_at.max(at);
        self.level = self.level_at(at) + 1;
        BEAMS.get(self.level).map(|beam| beam.back.map_or(0, |back| at.saturating_sub(back)))
    }
}
