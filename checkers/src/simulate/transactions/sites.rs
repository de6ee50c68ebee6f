//! Replication of commits between sites.

use std::collections::VecDeque;

use elenchus_core::Rng;

use super::super::rules::{Rules, SITES, Visibility};

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
    pub(super) committed: View,
    /// For the latest commits of each site, the view that each depends on.
    dependencies: [VecDeque<View>; SITES],
    /// The commits that each site has applied; monotonic.
    applied: [View; SITES],
    /// The commits that are visible at every site from now on.
    pub(super) horizon: View,
}

impl Sites {
    pub(super) fn new(rules: Rules) -> Sites {
        Sites { rules, committed: [0; SITES], dependencies: Default::default(), applied: [[0; SITES]; SITES], horizon: [0; SITES] }
    }

    /// The view that a commit of a site depends on, without commits below the horizon.
    pub(super) fn dependencies(&self, site: usize, number: u32) -> View {
        let lagging_number = (self.committed[site] - number) as usize;
        let dependencies = &self.dependencies[site];
        let kept = dependencies.len().checked_sub(lagging_number + 1).map_or([0; SITES], |at| dependencies[at]);
        std::array::from_fn(|other| if other == site { number } else { kept[other] })
    }

    /// The view of a transaction that begins at a site; with a single site, at least `floor`.
    pub(super) fn view(&mut self, site: usize, only_reads: bool, floor: u32, rng: &mut Rng) -> View {
        match self.rules.visibility {
            Visibility::Past | Visibility::NewestForUpdates if self.rules.sites > 1 => {
                self.replicate(site, rng);
                if only_reads || self.rules.visibility == Visibility::Past { self.applied[site] } else { self.committed }
            }
            Visibility::Past => self.past_view(floor, rng),
            Visibility::NewestForUpdates if only_reads => self.past_view(floor, rng),
            Visibility::PastPerRead => self.past_view(0, rng),
            Visibility::PerSitePrefix => {
                let own = self.dependencies(site, self.committed[site]);
                (0..SITES).filter(|&other| other != site).fold(own, |view, other| {
                    let number = self.lagging_number(other, rng);
                    join(view, self.dependencies(other, number))
                })
            }
            _ => self.committed,
        }
    }

    /// A past state of the only site: the newest half of the time.
    fn past_view(&self, floor: u32, rng: &mut Rng) -> View {
        let number = if rng.chance(0.5) { self.committed[0] } else { self.lagging_number(0, rng) };
        std::array::from_fn(|site| if site == 0 { number.max(floor) } else { 0 })
    }

    /// Draws one of the latest commit numbers of a site.
    fn lagging_number(&self, site: usize, rng: &mut Rng) -> u32 {
        let committed = self.committed[site];
        committed - rng.below(u64::from(committed.min(MAX_LAG)) + 1) as u32
    }

    /// Lets a site apply some of the commits of the others.
    fn replicate(&mut self, site: usize, rng: &mut Rng) {
        // Sites that only serve read-only transactions need not be current for updates to commit.
        let eagerness = if self.rules.visibility == Visibility::Past { 0.4 } else { 0.1 };
        for other in (0..SITES).filter(|&other| other != site) {
            let (applied, committed) = (self.applied[site][other], self.committed[other]);
            if applied < committed && rng.chance(eagerness) {
                let number = applied + 1 + rng.below(u64::from(committed - applied)) as u32;
                self.applied[site] = join(self.applied[site], self.dependencies(other, number));
            }
        }
    }

    /// Commits a transaction with these dependencies at a site; returns its number there.
    pub(super) fn commit(&mut self, site: usize, dependencies: View) -> u32 {
        let before = self.dependencies(site, self.committed[site]);
        self.committed[site] += 1;
        let mut dependencies = join(before, dependencies);
        dependencies[site] = self.committed[site];
        self.dependencies[site].push_back(dependencies);
        self.applied[site] = join(self.applied[site], dependencies);
        self.committed[site]
    }

    /// Limits the lag of the sites, and drops dependencies that no view of at least `least` needs.
    pub(super) fn compact(&mut self, least: View) {
        let late: View = std::array::from_fn(|site| self.committed[site].saturating_sub(MAX_LAG));
        for site in 0..self.rules.sites {
            let caught_up =
                (0..self.rules.sites).fold(self.applied[site], |applied, other| join(applied, self.dependencies(other, late[other])));
            self.applied[site] = caught_up;
        }
        for site in 0..self.rules.sites {
            let applied = self.applied[..self.rules.sites].iter().map(|applied| applied[site]).min().unwrap_or(0);
            let seen = if self.rules.sites > 1 { applied } else { u32::MAX };
            self.horizon[site] = self.horizon[site].max(late[site].min(seen).min(least[site]));
            let kept = (self.committed[site] - self.horizon[site]) as usize + 1;
            let surplus = self.dependencies[site].len().saturating_sub(kept);
            self.dependencies[site].drain(..surplus);
        }
    }
}
