//! The gaps between moments that something fills, and who found the collection empty.

use super::Breach;
use super::lives::{Interval, Life, Lives, Transfers};

/// The gaps that are filled; gap `g` is the time just before moment `g`. Near-linear in gaps and fills together.
pub(super) struct Cover {
    /// By gap: itself if it is free, else one further on (Tarjan's disjoint sets, with halved paths).
    next: Vec<u32>,
}

impl Cover {
    /// All gaps before and after `moments` moments, free.
    pub(super) fn new(moments: u32) -> Cover {
        Cover { next: (0..=moments.saturating_add(1)).collect() }
    }

    /// Fills the gaps from one to another, inclusive.
    pub(super) fn fill(&mut self, (from, to): (u32, u32)) {
        let mut gap = self.free(from);
        while gap <= to && (gap as usize) + 1 < self.next.len() {
            self.next[gap as usize] = gap + 1;
            gap = self.free(gap + 1);
        }
    }

    /// The first free gap at or after one; the one past the end is always free.
    pub(super) fn free(&mut self, from: u32) -> u32 {
        let mut gap = from.min(self.next.len() as u32 - 1);
        while self.next[gap as usize] != gap {
            let further = self.next[self.next[gap as usize] as usize];
            self.next[gap as usize] = further;
            gap = further;
        }
        gap
    }

    /// Whether an operation can take effect while a gap is free.
    pub(super) fn admits(&mut self, interval: Interval) -> bool {
        self.free(interval.call.saturating_add(1)) <= interval.ret
    }
}

/// Few lives whose stays together fill the gaps from one to another, if those of all do. O(n log n).
pub(super) fn chain<'l>(lives: impl Iterator<Item = &'l Life>, (from, to): (u32, u32)) -> Option<Vec<&'l Life>> {
    let mut stays: Vec<(u32, u32, &Life)> = lives
        .filter_map(|life| life.stay().map(|(first, last)| (first, last, life)))
        .filter(|&(first, last, _)| first <= to && last >= from)
        .collect();
    stays.sort_unstable_by_key(|&(first, last, life)| (first, last, life.element));
    let (mut links, mut gap, mut at) = (Vec::new(), from, 0);
    while gap <= to {
        let mut longest: Option<(u32, &Life)> = None;
        while let Some(&(first, last, life)) = stays.get(at).filter(|(first, ..)| *first <= gap) {
            debug_assert!(first <= gap);
            if longest.is_none_or(|(known, _)| known < last) {
                longest = Some((last, life));
            }
            at += 1;
        }
        let (last, life) = longest.filter(|&(last, _)| last >= gap)?;
        links.push(life);
        gap = last + 1;
    }
    Some(links)
}

/// Decides whether all that found the collection empty can have done so, whatever its order.
///
/// An empty collection at gap `g` cuts the history: each element is put in and taken out before it or after it. One whose put returned
/// before must be taken before, so its take must have begun; one whose take returned before is done with; any other can come wholly
/// after. Cutting at such gaps adds no constraint between operations on one side, so the parts can be linearized apart, and the gaps are chosen
/// independently (Henzinger, Sezgin & Vafeiadis, VWit; Bouajjani et al. §5). Hence: some gap in the interval of each that no stay fills.
///
/// Elements that nobody is known to take must by then have been taken by those that took nobody knows what: it suffices that at the gap at
/// least as many of these have begun, for each can take any element put in before that gap (Hall's theorem on nested sets).
pub(super) fn empties(transfers: &Transfers<'_>, lives: &Lives) -> Result<(), Breach> {
    if lives.empties.is_empty() {
        return Ok(());
    }
    let mut cover = Cover::new(lives.until);
    lives.lives.iter().filter(|life| !life.lasts()).filter_map(Life::stay).for_each(|stay| cover.fill(stay));
    let mut lasting: Vec<u32> = lives.lives.iter().filter(|life| life.lasts()).map(|life| life.put.ret).collect();
    lasting.sort_unstable();
    // With more lasting elements put in than unknown takers, up to a gap.
    for (count, &ret) in lasting.iter().enumerate() {
        let until = lives.unknown.get(count).copied().unwrap_or(lives.until);
        if ret < until {
            cover.fill((ret + 1, until));
        }
    }
    match lives.empties.iter().find(|(_, interval)| !cover.admits(*interval)) {
        None => Ok(()),
        Some(&(position, interval)) => {
            let gaps = (interval.call + 1, interval.ret);
            let known = || lives.lives.iter().filter(|life| lives.unknown.is_empty() || !life.lasts());
            let links = chain(known(), gaps).unwrap_or_else(|| lives.lives.iter().filter(|life| life.put.ret < interval.ret).collect());
            let unknown = transfers.unknown_before(interval.ret);
            let links = links.iter().flat_map(|life| transfers.handlers(life));
            Err(Breach::at(interval.ret, links.chain(unknown).chain([position])))
        }
    }
}
