//! How many configurations the search keeps: few, and more where few do not do.
//!
//! A beam that had to drop a configuration proves nothing by running empty: the search goes back a little and tries with a wider one until
//! the place is passed. Where the widest runs empty it gives up: the search that drops nothing must decide (see [`race`](crate::linearizable::race)).

/// How many moments lie between two places to which the search can go back.
pub(super) const STRIDE: usize = 8;

/// How many such places are remembered.
pub(super) const MARKS: usize = 1280;

/// How far beyond the place where it ran empty a wider beam is kept.
const MARGIN: usize = 16;

/// A beam that runs empty more often than once in this many moments is too narrow to begin with.
const TOO_OFTEN: usize = 48;

/// What is kept between two returns, and between two steps.
#[derive(Clone, Copy, Debug)]
pub(super) struct Beam {
    /// How many configurations.
    pub(super) width: usize,
    /// How many steps between two returns are tried once a configuration has been found that passes.
    pub(super) patience: usize,
    /// Whether crashed operations are compared by how many were used in all, rather than class by class.
    pub(super) is_rough: bool,
    /// How many moments the search goes back to begin with it; none: to the beginning.
    back: Option<usize>,
}

impl Beam {
    /// One that drops nothing.
    pub(super) const ALL: Beam = Beam { width: usize::MAX, patience: usize::MAX, is_rough: false, back: None };
}

/// From the narrowest.
const BEAMS: [Beam; 7] = [
    Beam { width: 1, patience: 1, is_rough: true, back: Some(0) },
    Beam { width: 2, patience: 1, is_rough: true, back: Some(8) },
    Beam { width: 8, patience: 8, is_rough: true, back: Some(32) },
    Beam { width: 64, patience: 64, is_rough: true, back: Some(128) },
    Beam { width: 128, patience: 1000, is_rough: true, back: Some(1024) },
    Beam { width: 128, patience: 10_000, is_rough: true, back: Some(8192) },
    Beam { width: 1024, patience: 80_000, is_rough: false, back: None },
];

/// The beams that may be taken again after a wider one.
const NARROW: usize = 4;

/// Which beam the search has.
pub(super) struct Widening {
    level: usize,
    /// The level to which it returns.
    usual: usize,
    /// The last moment at which it ran empty.
    emptied: usize,
    /// The last moment that was passed by a wider beam than the usual one, and which: when the search comes by again it does not try the others.
    hard: (usize, usize),
    /// How often it did, with the usual beam.
    times: usize,
}

impl Widening {
    /// Where operations crashed, the narrowest beam is of no use.
    pub(super) fn new(has_crashed: bool) -> Widening {
        let usual = usize::from(has_crashed);
        Widening { level: usual, usual, emptied: 0, hard: (0, 0), times: 0 }
    }

    /// The beam for a moment.
    pub(super) fn beam(&mut self, at: usize) -> Beam {
        if self.level > self.usual && BEAMS[self.level].back.is_some() && at > self.emptied + MARGIN {
            self.hard = (self.emptied, self.level);
            self.level = self.usual;
        }
        BEAMS[self.level_at(at)]
    }

    fn level_at(&self, at: usize) -> usize {
        let (place, level) = self.hard;
        if at <= place { self.level.max(level) } else { self.level }
    }

    /// Takes a wider beam, for the last ran empty at a moment, and says to where the search must go back; none: there is none wider.
    pub(super) fn widen(&mut self, at: usize) -> Option<usize> {
        if self.level == self.usual {
            self.times += 1;
            if self.times * TOO_OFTEN > at + TOO_OFTEN && self.usual + 1 < NARROW {
                (self.usual, self.times) = (self.usual + 1, 0);
            }
        }
        self.emptied = self.emptied.max(at);
        self.level = self.level_at(at) + 1;
        BEAMS.get(self.level).map(|beam| beam.back.map_or(0, |back| at.saturating_sub(back)))
    }
}
