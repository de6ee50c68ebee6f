//! Gaps between moments that are covered by intervals, and the check of operations that found a collection empty.

use super::BadPattern;
use super::lifetimes::{Interval, Lifetime, Lifetimes, Transfers};

/// The set of covered gaps; gap `g` is the time just before moment `g`. Near-linear in gaps and fills together.
pub(super) struct Cover {
    /// By gap: the gap itself if it is free, else a later one (Tarjan's disjoint sets with path halving).
    next: Vec<u32>,
}

impl Cover {
    /// All gaps before and after `moments` moments, free.
    pub(super) fn new(moments: u32) -> Cover {
        Cover { next: (0..=moments.saturating_add(1)).collect() }
    }

    /// Covers the gaps from one to another, inclusive.
    pub(super) fn fill(&mut self, (from, to): (u32, u32)) {
        let mut gap = self.free(from);
        while gap <= to && (gap as usize) + 1 < self.next.len() {
            self.next[gap as usize] = gap + 1;
            gap = self.free(gap + 1);
        }
    }

    /// The first free gap at or after one; the gap past the end is always free.
    pub(super) fn free(&mut self, from: u32) -> u32 {
        let mut gap = from.min(self.next.len() as u32 - 1);
        while self.next[gap as usize] != gap {
            let further = self.next[self.next[gap as usize] as usize];
            self.next[gap as usize] = further;
            gap = further;
        }
        gap
    }

    /// Whether an operation can take effect in a free gap.
    pub(super) fn admits(&mut self, interval: Interval) -> bool {
        self.free(interval.call.saturating_add(1)) <= interval.ret
    }
}

/// Selects few lifetimes whose presences together cover the gaps from one to another, if those of all lifetimes do. O(n log n).
pub(super) fn chain<'l>(lifetimes: impl Iterator<Item = &'l Lifetime>, (from, to): (u32, u32)) -> Option<Vec<&'l Lifetime>> {
    let mut presences: Vec<(u32, u32, &Lifetime)> = lifetimes
        .filter_map(|lifetime| lifetime.presence().map(|(first, last)| (first, last, lifetime)))
        .filter(|&(first, last, _)| first <= to && last >= from)
        .collect();
    presences.sort_unstable_by_key(|&(first, last, lifetime)| (first, last, lifetime.element));
    let (mut links, mut gap, mut at) = (Vec::new(), from, 0);
    while gap <= to {
        let mut longest: Option<(u32, &Lifetime)> = None;
        while let Some(&(first, last, lifetime)) = presences.get(at).filter(|(first, ..)| *first <= gap) {
            debug_assert!(first <= gap);
            if longest.is_none_or(|(known, _)| known < last) {
                longest = Some((last, lifetime));
            }
            at += 1;
        }
        let (last, lifetime) = longest.filter(|&(last, _)| last >= gap)?;
        links.push(lifetime);
        gap = last + 1;
    }
    Some(links)
}

/// Checks that every operation that found the collection empty can have done so, for any take order.
///
/// An empty collection at gap `g` splits the history: each element is put and taken before it, or put and taken after it. An element whose
/// put returned before the gap must be taken before it, so its take must have been called; an element whose take returned before is gone;
/// any other can be put and taken after the gap. Splitting at such gaps adds no constraint between operations on one side, so the parts can
/// be linearized separately and the gaps chosen independently (Henzinger, Sezgin & Vafeiadis, VWit; Bouajjani et al. §5). Hence the
/// condition: the interval of each such operation contains a gap that no presence covers.
///
/// Elements without a known take must by then have been taken by takes of unknown elements. It suffices that at least as many of these were
/// called before the gap, because each can take any element put before that gap (Hall's theorem on nested sets).
pub(super) fn check_empties(transfers: &Transfers<'_>, lifetimes: &Lifetimes) -> Result<(), BadPattern> {
    if lifetimes.empties.is_empty() {
        return Ok(());
    }
    let mut cover = Cover::new(lifetimes.until);
    lifetimes
        .all
        .iter()
        .filter(|lifetime| !lifetime.has_no_take())
        .filter_map(Lifetime::presence)
        .for_each(|presence| cover.fill(presence));
    let mut untaken: Vec<u32> = lifetimes.all.iter().filter(|lifetime| lifetime.has_no_take()).map(|lifetime| lifetime.put.ret).collect();
    untaken.sort_unstable();
    // Cover the gaps up to which more elements without a known take were put than takes of unknown elements were called.
    for (count, &ret) in untaken.iter().enumerate() {
        let until = lifetimes.unknown.get(count).copied().unwrap_or(lifetimes.until);
        if ret < until {
            cover.fill((ret + 1, until));
        }
    }
    match lifetimes.empties.iter().find(|(_, interval)| !cover.admits(*interval)) {
        None => Ok(()),
        Some(&(position, interval)) => {
            let gaps = (interval.call + 1, interval.ret);
            let known = || lifetimes.all.iter().filter(|lifetime| lifetimes.unknown.is_empty() || !lifetime.has_no_take());
            let links =
                chain(known(), gaps).unwrap_or_else(|| lifetimes.all.iter().filter(|lifetime| lifetime.put.ret < interval.ret).collect());
            let unknown = transfers.unknown_before(interval.ret);
            let links = links.iter().flat_map(|lifetime| transfers.put_and_take(lifetime));
            Err(BadPattern::at(interval.ret, links.chain(unknown).chain([position])))
        }
    }
}
