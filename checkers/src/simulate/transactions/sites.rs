//! Who knows of which commits.

use std::collections::VecDeque;

use elenchus_core::Rng;

use super::rules::{Rules, Sees};

/// The most sites that a store has.
pub(in crate::simulate) const SITES: usize = 4;
/// How many commits of a site one may be behind, more or less.
pub(super) const MAX_LAG: u32 = 16;

/// A set of commits: so many of each site, from its first on.
pub(super) type View = [u32; SITES];

/// Both together.
pub(super) fn join(one: View, other: View) -> View {
    std::array::from_fn(|site| one[site].max(other[site]))
}

/// The sites of a store, each of which numbers its commits from 1.
#[derive(Debug)]
pub(super) struct Sites {
    rules: Rules,
    /// All commits.
    pub(super) made: View,
    /// For the last commits of each site, all that must be seen when they are.
    needs: [VecDeque<View>; SITES],
    /// What each site knows. It only grows.
    known: [View; SITES],
    /// What everyone sees for ever.
    pub(super) horizon: View,
}

impl Sites {
    pub(super) fn new(rules: Rules) -> Sites {
        Sites { rules, made: [0; SITES], needs: Default::default(), known: [[0; SITES]; SITES], horizon: [0; SITES] }
    }

    /// All that must be seen with a site's commit of this number. What everyone sees anyway is left out.
    pub(super) fn needs(&self, site: usize, number: u32) -> View {
        let behind = (self.made[site] - number) as usize;
        let needs = &self.needs[site];
        let kept = needs.len().checked_sub(behind + 1).map_or([0; SITES], |at| needs[at]);
        std::array::from_fn(|other| if other == site { number } else { kept[other] })
    }

    /// What a transaction of a site sees when it begins; not less than `floor`, where there is one site.
    pub(super) fn view(&mut self, site: usize, only_reads: bool, floor: u32, rng: &mut Rng) -> View {
        match self.rules.sees {
            Sees::Past | Sees::NewestButReaders if self.rules.sites > 1 => {
                self.hear(site, rng);
                if only_reads || self.rules.sees == Sees::Past { self.known[site] } else { self.made }
            }
            Sees::Past => self.past(floor, rng),
            Sees::NewestButReaders if only_reads => self.past(floor, rng),
            Sees::EachPast => self.past(0, rng),
            Sees::Pieces => {
                let own = self.needs(site, self.made[site]);
                (0..SITES).filter(|&other| other != site).fold(own, |view, other| {
                    let number = self.behind(other, rng);
                    join(view, self.needs(other, number))
                })
            }
            _ => self.made,
        }
    }

    /// A past state of the only site: half the time the newest.
    fn past(&self, floor: u32, rng: &mut Rng) -> View {
        let number = if rng.chance(0.5) { self.made[0] } else { self.behind(0, rng) };
        std::array::from_fn(|site| if site == 0 { number.max(floor) } else { 0 })
    }

    /// One of the last numbers of a site.
    fn behind(&self, site: usize, rng: &mut Rng) -> u32 {
        let made = self.made[site];
        made - rng.below(u64::from(made.min(MAX_LAG)) + 1) as u32
    }

    /// Lets a site hear of some of what the others committed.
    fn hear(&mut self, site: usize, rng: &mut Rng) {
        // Sites that only serve readers need not be up to date for anything to commit.
        let eagerness = if self.rules.sees == Sees::Past { 0.4 } else { 0.1 };
        for other in (0..SITES).filter(|&other| other != site) {
            let (known, made) = (self.known[site][other], self.made[other]);
            if known < made && rng.chance(eagerness) {
                let number = known + 1 + rng.below(u64::from(made - known)) as u32;
                self.known[site] = join(self.known[site], self.needs(other, number));
            }
        }
    }

    /// A site commits what needs those. Its number there.
    pub(super) fn commit(&mut self, site: usize, needs: View) -> u32 {
        let before = self.needs(site, self.made[site]);
        self.made[site] += 1;
        let mut needs = join(before, needs);
        needs[site] = self.made[site];
        self.needs[site].push_back(needs);
        self.known[site] = join(self.known[site], needs);
        self.made[site]
    }

    /// Lets no site lag too far behind, and drops what nobody needs who sees at least `least`.
    pub(super) fn tend(&mut self, least: View) {
        let late: View = std::array::from_fn(|site| self.made[site].saturating_sub(MAX_LAG));
        for site in 0..self.rules.sites {
            let caught_up = (0..self.rules.sites).fold(self.known[site], |known, other| join(known, self.needs(other, late[other])));
            self.known[site] = caught_up;
        }
        for site in 0..self.rules.sites {
            let known = self.known[..self.rules.sites].iter().map(|known| known[site]).min().unwrap_or(0);
            let seen = if self.rules.sites > 1 { known } else { u32::MAX };
            self.horizon[site] = self.horizon[site].max(late[site].min(seen).min(least[site]));
            let kept = (self.made[site] - self.horizon[site]) as usize + 1;
            let surplus = self.needs[site].len().saturating_sub(kept);
            self.needs[site].drain(..surplus);
        }
    }
}
