//! Replication of commits between sites.

use std::collections::VecDeque;

use elenchus_core::Rng;

use super::rules::{Rules, Sees};

/// The maximum number of sites.
pub(in crate::simulate) const SITES: usize = 4;
/// The approximate maximum number of commits by which a site lags behind another.
pub(super) const MAX_LAG: u32 = 16;

/// A set of commits, as a vector clock: the length of the prefix of each site's commits.
pub(super) type View = [u32; SITES];

/// The union of two views.
pub(super) fn join(one: View, other: View) -> View {
    std::array::from_fn(|site| one[site].max(other[site]))
}

/// The sites of a store. Each numbers its commits from 1.
#[derive(Debug)]
pub(super) struct Sites {
    rules: Rules,
    /// All commits.
    pub(super) made: View,
    /// For the latest commits of each site, the view that each depends on.
    needs: [VecDeque<View>; SITES],
    /// The commits that each site has applied; monotonic.
    known: [View; SITES],
    /// The commits that are visible at every site from now on.
    pub(super) horizon: View,
}

impl Sites {
    pub(super) fn new(rules: Rules) -> Sites {
        Sites { rules, made: [0; SITES], needs: Default::default(), known: [[0; SITES]; SITES], horizon: [0; SITES] }
    }

    /// The view that a commit of a site depends on, without commits below the horizon.
    pub(super) fn needs(&self, site: usize, number: u32) -> View {
        let behind = (self.made[site] - number) as usize;
        let needs = &self.needs[site];
        let kept = needs.len().checked_sub(behind + 1).map_or([0; SITES], |at| needs[at]);
        std::array::from_fn(|other| if other == site { number } else { kept[other] })
    }

    /// The view of a transaction that begins at a site; with a single site, at least `floor`.
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

    /// A past state of the only site: the newest half of the time.
    fn past(&self, floor: u32, rng: &mut Rng) -> View {
        let number = if rng.chance(0.5) { self.made[0] } else { self.behind(0, rng) };
        std::array::from_fn(|site| if site == 0 { number.max(floor) } else { 0 })
    }

    /// Draws one of the latest commit numbers of a site.
    fn behind(&self, site: usize, rng: &mut Rng) -> u32 {
        let made = self.made[site];
        made - rng.below(u64::from(made.min(MAX_LAG)) + 1) as u32
    }

    /// Lets a site apply some of the commits of the others.
    fn hear(&mut self, site: usize, rng: &mut Rng) {
        // Sites that only serve read-only transactions need not be current for updates to commit.
        let eagerness = if self.rules.sees == Sees::Past { 0.4 } else { 0.1 };
        for other in (0..SITES).filter(|&other| other != site) {
            let (known, made) = (self.known[site][other], self.made[other]);
            if known < made && rng.chance(eagerness) {
                let number = known + 1 + rng.below(u64::from(made - known)) as u32;
                self.known[site] = join(self.known[site], self.needs(other, number));
            }
        }
    }

    /// Commits a transaction with these dependencies at a site; returns its number there.
    pub(super) fn commit(&mut self, site: usize, needs: View) -> u32 {
        let before = self.needs(site, self.made[site]);
        self.made[site] += 1;
        let mut needs = join(before, needs);
        needs[site] = self.made[site];
        self.needs[site].push_back(needs);
        self.known[site] = join(self.known[site], needs);
        self.made[site]
    }

    /// Limits the lag of the sites, and drops dependencies that no view of at least `least` needs.
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
